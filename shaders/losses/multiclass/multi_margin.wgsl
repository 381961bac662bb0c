// Σ_{c≠y} w_y·max(0, margin − x_y + x_c)^p / C. The sums over the classes are Σ max(0, …)^p and the sum of its
// derivatives.
const SUMS: bool = true;

// max(0, …)^p and its derivative; nothing for the target's own class and for masked ones.
fn violation(row: Row, cell: Cell) -> vec2<f32> {
    let slack = max(params.margin - row.target_logit + cell.logit, 0.0);
    let counts = cell.column != row.label && !is_masked(cell.logit) && slack > 0.0;
    let power = select(vec2<f32>(slack, 1.0), slack * vec2<f32>(slack, 2.0), params.p == 2);
    return select(vec2<f32>(), power, counts);
}

fn class_sums(row: Row, cell: Cell) -> vec2<f32> {
    return violation(row, cell);
}

fn shift_sums(sums: vec2<f32>, rise: f32, shrink: f32) -> vec2<f32> {
    return sums;
}

fn row_outcome(row: Row) -> Outcome {
    let share = row.target_weight / f32(call.classes);
    return Outcome(times(share, row.state.sums.x), vec3<f32>(share, -share * row.state.sums.y, 0.0));
}

fn class_gradient(row: Row, cell: Cell) -> f32 {
    return select(row.factors.x * violation(row, cell).y, row.factors.y, cell.column == row.label);
}
