// The sum of the second walk is Σ (g − g_m)·p with the upstream g, and m the likeliest class: in a sure row
// Σ g·p would cancel against g.
const MIDDLE: bool = GRADIENTS;

fn relative_upstream(row: Row, cell: Cell, upstream: f32) -> f32 {
    // Said, not computed: else a compiler may subtract the mean first, which is lost in what is subtracted then.
    return select(cell.second - upstream, 0.0, cell.column == row.state.first.column);
}

fn middle_sums(row: Row, cell: Cell) -> vec4<f32> {
    let upstream = relative_upstream(row, cell, largest_of(row).second);
    return vec4<f32>(upstream * exact_probability_of(row, cell), 0.0, 0.0, 0.0);
}

fn row_outcome(row: Row) -> Outcome {
    return Outcome(0.0, vec3<f32>(largest_of(row).second, 0.0, 0.0));
}

fn class_value(row: Row, cell: Cell) -> f32 {
    return exact_probability_of(row, cell);
}

fn class_gradient(row: Row, cell: Cell) -> f32 {
    return exact_probability_of(row, cell) * (relative_upstream(row, cell, row.factors.x) - row.middle.x);
}
