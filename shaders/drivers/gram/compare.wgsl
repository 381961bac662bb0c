// What two Gram matrices differ in: the sums of a sample's products over all slices, divided, in place of those of the
// first. The loss is the sum of its squares. A workgroup owns a contiguous span of entries.
//
// Joined to what interface.wgsl lists.

@compute @workgroup_size(WORKGROUP_SIZE)
fn compare(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let stride = WORKGROUP_SIZE;
    let matrix = call.rows * call.rows;
    let entries = call.samples * matrix;
    let number = workgroup.y * call.across + workgroup.x;
    let first = min(number * call.span, entries);
    let end = min(first + call.span, entries);
    let share = loss_share();
    var loss = 0.0;
    for (var block = first; block < end; block += BLOCK * stride) {
        let block_end = min(block + BLOCK * stride, end);
        var block_loss = 0.0;
        for (var entry = block + thread.lane; entry < block_end; entry += stride) {
            let place = entry / matrix * call.slices * matrix + entry % matrix;
            var total = 0.0;
            for (var slice = 0u; slice < call.slices; slice++) {
                total += products[place + slice * matrix];
            }
            let difference = total * call.inverse;
            products[place] = difference;
            block_loss += (share * difference) * difference;
        }
        loss += block_loss;
    }
    loss = reduce_add(thread, loss);
    if (thread.lane == 0u && first < end) {
        workspace.partials[call.first_partial + number] = Partial(loss, end - first, 0u, NOWHERE, 0u);
    }
}
