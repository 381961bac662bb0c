// Walks over the columns of a row from `first` to `end`, of which each of `lanes` lanes takes every `lanes`th. `BLOCK`
// at a time, so that rounding does not grow with the length.

// The state of a lane's columns.
fn walk(row: Row, first: u32, end: u32, lane: u32, lanes: u32) -> State {
    var total = no_state();
    // The largest bits without their sign.
    var unsigned = 0u;
    for (var block_start = first + lane; block_start < end; block_start += BLOCK * lanes) {
        let block_end = min(block_start + BLOCK * lanes, end);
        let logit = load_first(address(row.base, block_start));
        unsigned = max(unsigned, bitcast<u32>(logit) << 1u);
        keep_logit(block_start, logit);
        var block = state_of(row, load_cell(row, block_start, logit));
        for (var column = block_start + lanes; column < block_end; column += lanes) {
            let logit = load_first(address(row.base, column));
            unsigned = max(unsigned, bitcast<u32>(logit) << 1u);
            keep_logit(column, logit);
            block = merge(block, state_of(row, load_cell(row, column, logit)));
        }
        total = join(total, block);
    }
    return with_nan(total, unsigned);
}

// The sums of the second walk over a lane's columns.
fn walk_middle(row: Row, first: u32, end: u32, lane: u32, lanes: u32) -> vec4<f32> {
    var sums = MiddleSums();
    for (var block_start = first + lane; block_start < end; block_start += BLOCK * lanes) {
        let block_end = min(block_start + BLOCK * lanes, end);
        var block = vec4<f32>();
        for (var column = block_start; column < block_end; column += lanes) {
            block += middle_sums(row, load_cell(row, column, kept_logit(row, column)));
        }
        sums = with_block(sums, block);
    }
    return sums.total + sums.recent;
}
