// What rows are multiplied with to have unit length: of a panel, or of the head. A lane takes a row.
//
// Joined to what interface.wgsl lists.

// The largest magnitude comes first, so that squares neither overflow nor vanish.
fn inverse_length(row: u32) -> f32 {
    var largest = 0.0;
    for (var quad = 0u; quad < call.quads; quad++) {
        let values = abs(load_row(row, quad));
        largest = max(largest, max(max(values.x, values.y), max(values.z, values.w)));
    }
    // Of an infinite row nothing is left, and no number where it is infinite.
    if (!is_finite(largest)) {
        return 0.0;
    }
    let scale = select(largest, 1.0, largest == 0.0);
    var sum = 0.0;
    for (var block = 0u; block < call.quads; block += BLOCK) {
        var part = 0.0;
        for (var quad = block; quad < min(block + BLOCK, call.quads); quad++) {
            let values = load_row(row, quad) / scale;
            part += dot(values, values);
        }
        sum += part;
    }
    return 1.0 / max(sqrt(sum) * scale, call.least_length);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn measure_lengths(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let first = (workgroup.y * call.across + workgroup.x) * call.span;
    let end = min(first + call.span, call.length);
    for (var row = first + thread.lane; row < end; row += WORKGROUP_SIZE) {
        lengths[call.first_class + row] = inverse_length(row);
    }
}
