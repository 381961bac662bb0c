// α·w_y·u^γ·L with u = 1 − p_y and L = −log p_y. The derivative by each logit x_c is p_c − [c = y] times
// α·w_y·(u^γ + γ·u^(γ−1)·p_y·L), which is brought into a form that never divides 0 by 0.
fn row_outcome(row: Row) -> Outcome {
    let log_p = target_log_probability(row);
    let p = expf(log_p);
    let u = -expm1f(log_p);
    let modulator = params.alpha * row.target_weight * powf(u, params.gamma);
    let slope = modulator * (u + params.gamma * select(0.0, p * -log_p, p > 0.0));
    return Outcome(times(modulator, -log_p), vec3<f32>(select(0.0, slope / u, u > 0.0), -slope, 0.0));
}

fn class_gradient(row: Row, cell: Cell) -> f32 {
    return select(row.factors.x * probability_of(row, cell), row.factors.y, cell.column == row.label);
}
