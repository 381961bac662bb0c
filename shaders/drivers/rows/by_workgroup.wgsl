// Row losses, a workgroup a row: its lanes interleave along the classes, which lie side by side. A workgroup owns a
// contiguous span of rows and works on one at a time.
//
// Joined to rows.wgsl and a walk file; a store_row file gives store_row.

@compute @workgroup_size(WORKGROUP_SIZE)
fn evaluate(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let first = workgroup.x * call.span;
    let end = min(first + call.span, call.length);
    // Rows are worked on by all lanes alike, so the tally is the same in each.
    begin_tally();
    for (var index = first; index < end; index++) {
        let label = load_target(index);
        var row = begin_row(index, label);
        let columns = columns_of(row);
        begin_keeping();
        row = with_state(row, reduce_state(thread, walk(row, 0u, columns, thread.lane, WORKGROUP_SIZE)));
        end_keeping();
        if (MIDDLE) {
            row.middle = reduce_middle(thread, walk_middle(row, 0u, columns, thread.lane, WORKGROUP_SIZE));
        }
        row = settle(row, index, label, thread.lane == 0u);
        if (IN_PLACE) {
            before_overwriting();
        }
        store_row(thread, row, 0u, call.classes);
    }
    if (thread.lane == 0u) {
        workspace.partials[call.first_partial + workgroup.x] = partial_of(tally);
    }
}
