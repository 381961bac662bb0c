// What a panel adds to the gradient of the classes' biases: the sums of the logits' gradients over its rows.
//
// Joined to what interface.wgsl lists.

@compute @workgroup_size(WORKGROUP_SIZE)
fn sum_rows(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let first = (workgroup.y * call.across + workgroup.x) * call.span;
    let end = min(first + call.span, call.length);
    for (var i = first + thread.lane; i < end; i += WORKGROUP_SIZE) {
        var sum = vec4<f32>();
        for (var block = call.first_depth; block < call.end_depth; block += BLOCK) {
            var part = vec4<f32>();
            for (var row = block; row < min(block + BLOCK, call.end_depth); row++) {
                part += logits[row * call.length + i];
            }
            sum += part;
        }
        sums[i] = select(vec4<f32>(), sums[i], call.adds != 0u) + call.factor * sum;
    }
}
