// What a mean of boxes or pairs divides by, where it is weighted or items are left out.

@compute @workgroup_size(WORKGROUP_SIZE)
fn measure(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let stride = WORKGROUP_SIZE;
    let first = workgroup.x * call.span;
    let end = min(first + call.span, call.length);
    var total = 0.0;
    for (var block = first; block < end; block += BLOCK * stride) {
        let block_end = min(block + BLOCK * stride, end);
        var block_total = 0.0;
        for (var index = block + thread.lane; index < block_end; index += stride) {
            let share = select(1.0, load_weight(index), call.measured == WEIGHTED);
            block_total += select(0.0, share, is_kept(index));
        }
        total += block_total;
    }
    total = reduce_add(thread, total);
    if (thread.lane == 0u) {
        workspace.partials[call.first_partial + workgroup.x] = Partial(total, 0u, 0u, NOWHERE, 0u);
    }
}
