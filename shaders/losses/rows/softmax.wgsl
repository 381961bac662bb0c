// The sum of the second walk is Σ (g − g_m)·p with the upstream g, and m the likeliest class: in a sure row
// Σ g·p would cancel against g.
const VALUES: bool = true;
const MIDDLE: bool = true;

fn middle_sums(row: Row, cell: Cell) -> vec3<f32> {
    return vec3<f32>((cell.second - largest_of(row).second) * exact_probability_of(row, cell), 0.0, 0.0);
}

fn row_outcome(row: Row) -> Outcome {
    return Outcome(0.0, vec3<f32>(largest_of(row).second, 0.0, 0.0));
}

fn class_value(row: Row, cell: Cell) -> f32 {
    return exact_probability_of(row, cell);
}

fn class_gradient(row: Row, cell: Cell) -> f32 {
    return exact_probability_of(row, cell) * ((cell.second - row.factors.x) - row.middle.x);
}
