// The rows of a panel brought to unit length.
//
// Joined to what interface.wgsl lists.

@compute @workgroup_size(WORKGROUP_SIZE)
fn normalize_rows(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let first = (workgroup.y * call.across + workgroup.x) * call.span;
    let end = min(first + call.span, call.length);
    for (var i = first + thread.lane; i < end; i += WORKGROUP_SIZE) {
        rows[i] *= lengths[i / call.quads];
    }
}
