// The text of an image has its number, and the other way round.
fn relation(row: u32, label: i32, column: u32) -> u32 {
    return paired(row, column);
}
