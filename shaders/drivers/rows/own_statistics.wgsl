// Of losses with statistics of their own, where these are asked for.

// A statistic of a row as it counts: NaN where one of the row's values is, and 0 where the row does not count.
fn finished_statistic(row: Row, index: u32, is_spoilt: bool, value: f32) -> f32 {
    let known = select(value, nan_from(row.state.first.maximum), is_spoilt || has_nan(index));
    return select(0.0, known, row.counts != 0u);
}
