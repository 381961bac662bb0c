// ½·Σ |p − q| with P the teacher's and Q the student's softmax. The gradient is ½·q·(s − Σ q·s)/T with s the sign of
// q − p, 0 where they are equal; less the sign of the student's likeliest class, in a sure row the mean does not cancel
// against each.
const MIDDLE: bool = true;

// A ratio of the norms that is off would move every p − q to one side.
const EXCESS: bool = true;

fn rises_apart(x: f32, x_top: f32, t: f32, t_top: f32) -> f32 {
    return steps_apart(x_top, x, t_top, t) / params.temperature;
}

fn slope_of(x: f32) -> f32 {
    return 1.0 / params.temperature;
}

fn relative_sign(row: Row, cell: Cell) -> f32 {
    return sign(log_ratio(row, largest_of(row))) - sign(log_ratio(row, cell));
}

// The sums: Σ |p − q|, and the mean of the relative signs over Q.
fn middle_sums(row: Row, cell: Cell) -> vec4<f32> {
    let pair = pair_of(row, cell);
    if (is_masked(cell.logit)) {
        return vec4<f32>(pair.p, 0.0, 0.0, 0.0);
    }
    let difference = select(abs(p_less_q_of(pair)), pair.q, is_masked(cell.second));
    return vec4<f32>(difference, pair.q * relative_sign(row, cell), 0.0, 0.0);
}

fn row_outcome(row: Row) -> Outcome {
    return Outcome(0.5 * row.middle.x, vec3<f32>());
}

fn class_gradient(row: Row, cell: Cell) -> f32 {
    if (is_masked(cell.logit)) {
        return 0.0;
    }
    return 0.5 * exact_probability_of(row, cell) * (relative_sign(row, cell) - row.middle.y);
}
