// The rows of a panel, as quads of f32; behind a row's end, and where no row counts or its target is out of range, 0.
//
// Joined to what interface.wgsl lists.

@compute @workgroup_size(WORKGROUP_SIZE)
fn take_rows(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let first = (workgroup.y * call.across + workgroup.x) * call.span;
    let end = min(first + call.span, call.length);
    for (var i = first + thread.lane; i < end; i += WORKGROUP_SIZE) {
        let place = call.first_place + i / call.quads;
        if (kept[place] == 1) {
            rows[i] = load_quad(order[place] - call.first_row, i % call.quads);
        } else {
            rows[i] = vec4<f32>();
        }
    }
}
