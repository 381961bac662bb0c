// Row losses, a lane a row: for few classes, and for classes that lie apart, where the lanes' logits lie side by side.
//
// Joined to rows.wgsl and walk.wgsl; a store_lane file gives ROWS_A_LANE and evaluate_rows.

// The row of that index, finished, by this lane alone. There may be none.
fn evaluate_row(index: u32) -> Row {
    if (index >= call.length) {
        return Row();
    }
    let label = load_target(index);
    var row = begin_row(index, label);
    let columns = columns_of(row);
    row = with_state(row, walk(row, 0u, columns, 0u, 1u));
    if (MIDDLE) {
        row.middle = walk_middle(row, 0u, columns, 0u, 1u);
    }
    return settle(row, index, label, true);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn evaluate(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let stride = ROWS_A_LANE * WORKGROUP_SIZE;
    let first = workgroup.x * call.span;
    let end = min(first + call.span, call.length);
    begin_tally();
    for (var index = first + ROWS_A_LANE * thread.lane; index < end; index += stride) {
        evaluate_rows(index);
    }
    store_tally(thread, workgroup.x);
}
