// What lib/tile.wgsl leaves, given to put_block as lib/strip.wgsl does, four rows and four columns at a time.
fn put_sums(thread: Thread, row: u32, column: u32) {
    for (var block = 0u; block < COLUMN_BLOCKS; block++) {
        put_block(total[block], row + own_row(thread), column + own_column(thread, block));
    }
}
