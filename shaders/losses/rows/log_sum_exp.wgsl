fn row_outcome(row: Row) -> Outcome {
    return Outcome(log_sum_exp(row), vec3<f32>());
}

fn class_gradient(row: Row, cell: Cell) -> f32 {
    return probability_of(row, cell);
}
