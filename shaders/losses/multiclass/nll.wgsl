// −w_y·x_y.
fn row_outcome(row: Row) -> Outcome {
    return Outcome(times(row.target_weight, -row.target_logit), vec3<f32>());
}

fn class_gradient(row: Row, cell: Cell) -> f32 {
    return select(0.0, -row.target_weight, cell.column == row.label);
}
