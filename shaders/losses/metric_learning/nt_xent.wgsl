// The other view of a sample lies in the other half of the rows. It is among the columns once, the row itself never
// counts.
fn relation(row: u32, label: i32, column: u32) -> u32 {
    let half = call.columns / 2u;
    let view = select(row - half, row + half, row < half);
    if (is_apart(row, column) || column == row) {
        return NEITHER;
    }
    return select(NEGATIVE, POSITIVE, column == view);
}
