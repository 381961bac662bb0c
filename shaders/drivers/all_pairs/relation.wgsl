// Which rows belong to an anchor.
const NEITHER: u32 = 0u;
const NEGATIVE: u32 = 1u;
const POSITIVE: u32 = 2u;

// Whether two rows are not compared: the column is behind the last one, or one of both is left out.
fn is_apart(row: u32, column: u32) -> bool {
    return column >= call.columns || !is_kept(row) || !is_kept(column);
}

// Rows of one label belong together; the anchor itself is neither.
fn labelled(row: u32, label: i32, column: u32) -> u32 {
    if (is_apart(row, column) || column == row) {
        return NEITHER;
    }
    return select(NEGATIVE, POSITIVE, load_label(column) == label);
}

// Rows of one number belong together.
fn paired(row: u32, column: u32) -> u32 {
    if (is_apart(row, column)) {
        return NEITHER;
    }
    return select(NEGATIVE, POSITIVE, column == row);
}
