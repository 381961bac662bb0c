// Values in another order, as their bits: each comes from the place that an index names, or is what stands for none.
//
// Joined to what interface.wgsl lists.

@compute @workgroup_size(WORKGROUP_SIZE)
fn pick(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let first = (workgroup.y * call.across + workgroup.x) * call.span;
    let end = min(first + call.span, call.length);
    for (var i = first + thread.lane; i < end; i += WORKGROUP_SIZE) {
        let place = indices[i];
        if (place == NOWHERE) {
            picked[i] = call.absent;
        } else {
            picked[i] = load_bits(place + call.shift);
        }
    }
}
