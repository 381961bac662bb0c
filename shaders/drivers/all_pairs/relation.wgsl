// Which rows belong to an anchor.
const NEITHER: u32 = 0u;
const NEGATIVE: u32 = 1u;
const POSITIVE: u32 = 2u;

// Rows of one label belong together; what is behind the last column and the anchor itself are neither.
fn labelled(row: u32, label: i32, column: u32) -> u32 {
    if (column >= call.columns || column == row) {
        return NEITHER;
    }
    return select(NEGATIVE, POSITIVE, load_label(column) == label);
}

// Rows of one number belong together.
fn paired(row: u32, column: u32) -> u32 {
    if (column >= call.columns) {
        return NEITHER;
    }
    return select(NEGATIVE, POSITIVE, column == row);
}
