// Gradients of rows in their storage type: those of a panel where their rows lie, or all of them in order.
//
// Joined to what interface.wgsl lists.

@compute @workgroup_size(WORKGROUP_SIZE)
fn put_rows(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let first = (workgroup.y * call.across + workgroup.x) * call.span;
    let end = min(first + call.span, call.length);
    for (var i = first + thread.lane; i < end; i += WORKGROUP_SIZE) {
        let row = row_of(i / call.quads);
        if (row != NOWHERE) {
            put_quad(row - call.first_row, i % call.quads, rows[i]);
        }
    }
}
