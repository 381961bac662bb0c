// The sum over the classes is Σ g·exp(x − maximum) with the upstream g.
const SUMS: bool = true;
const VALUES: bool = true;

fn class_sums(row: Row, cell: Cell) -> vec2<f32> {
    return vec2<f32>(cell.second, 0.0);
}

fn shift_sums(sums: vec2<f32>, rise: f32, shrink: f32) -> vec2<f32> {
    return sums * shrink;
}

fn row_outcome(row: Row) -> Outcome {
    return Outcome(0.0, vec3<f32>(row.state.sums.x * row.inverse_norm, 0.0, 0.0));
}

fn class_value(row: Row, cell: Cell) -> f32 {
    return exp_nonpositive(-distance_of(cell.logit, row.state.first.maximum)) * row.inverse_norm;
}

fn class_gradient(row: Row, cell: Cell) -> f32 {
    return class_value(row, cell) * (cell.second - row.factors.x);
}
