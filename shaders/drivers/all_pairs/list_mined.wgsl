// Of losses of the hardest rows: for each anchor its two mined rows, to be sorted by row, so that each row finds the
// anchors that have mined it. A lane takes an anchor at a time, a workgroup a contiguous span.

@compute @workgroup_size(WORKGROUP_SIZE)
fn list_mined(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let end = min((workgroup.x + 1u) * call.span, call.length);
    for (var row = workgroup.x * call.span + thread.lane; row < end; row += WORKGROUP_SIZE) {
        for (var i = 0u; i < 2u; i++) {
            // A row behind the last where nothing is owed.
            let owes = records[row].pulls[i] != 0.0 || records[row].radials[i] != 0.0 || is_nan(records[row].pulls[i]);
            lists[2u * row + i] = select(call.length, records[row].mined[i], owes);
            lists[call.list + 2u * row + i] = 2u * row + i;
        }
    }
}
