// A query's key has its number.
fn relation(row: u32, label: i32, column: u32) -> u32 {
    return paired(row, column);
}
