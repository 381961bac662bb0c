// How many samples of a workgroup are not too difficult.

@compute @workgroup_size(WORKGROUP_SIZE)
fn count_selected(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let first = workgroup.x * call.span;
    let end = min(first + call.span, (call.length + 3u) / 4u);
    var selected = vec4<u32>();
    for (var quad = first + thread.lane; quad < end; quad += WORKGROUP_SIZE) {
        selected += select(vec4<u32>(), vec4<u32>(1u), are_inside(quad) & are_selected(load_values(quad)));
    }
    let count = reduce_add_u32(thread, (selected.x + selected.y) + (selected.z + selected.w));
    if (thread.lane == 0u) {
        lesson.partials[call.first_partial + workgroup.x] = count;
    }
}
