// A row's gradients, by all lanes of a workgroup: each class in a word of its own, or none stored.

fn store_row(thread: Thread, row: Row, first_column: u32, end_column: u32) {
    if (STORES) {
        for (var column = first_column + thread.lane; column < end_column; column += WORKGROUP_SIZE) {
            store_class(row, column);
        }
    }
}
