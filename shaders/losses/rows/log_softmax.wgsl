// The sum over the classes is Σ g with the upstream g.
const SUMS: bool = true;

fn class_sums(row: Row, cell: Cell) -> vec2<f32> {
    return vec2<f32>(cell.second, 0.0);
}

fn shift_sums(sums: vec2<f32>, rise: f32, shrink: f32) -> vec2<f32> {
    return sums;
}

fn row_outcome(row: Row) -> Outcome {
    return Outcome(0.0, vec3<f32>());
}

fn class_value(row: Row, cell: Cell) -> f32 {
    return -distance_of(cell.logit, row.state.first.maximum) - row.log_norm;
}

fn class_gradient(row: Row, cell: Cell) -> f32 {
    let total = row.state.sums.x;
    // The largest probability less 1 would cancel where it is nearly 1.
    let is_sure = cell.column == row.state.first.column && row.inverse_norm > 0.5;
    let sure = (cell.second * row.state.first.others - (total - cell.second)) * row.inverse_norm;
    return select(cell.second - total * exact_probability_of(row, cell), sure, is_sure);
}
