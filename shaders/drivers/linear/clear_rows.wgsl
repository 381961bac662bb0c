// The gradients of rows that do not count: 0.
//
// Joined to what interface.wgsl lists.

@compute @workgroup_size(WORKGROUP_SIZE)
fn clear_rows(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let first = (workgroup.y * call.across + workgroup.x) * call.span;
    let end = min(first + call.span, call.length);
    for (var i = first + thread.lane; i < end; i += WORKGROUP_SIZE) {
        let row = i / call.quads;
        if (places[call.first_row + row] == NOWHERE) {
            put_quad(row, i % call.quads, vec4<f32>());
        }
    }
}
