// Of losses of labelled rows.
fn relation(row: u32, label: i32, column: u32) -> u32 {
    return labelled(row, label, column);
}
