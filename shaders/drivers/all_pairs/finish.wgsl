// The gradient of an input from what was gathered for its rows, in its storage type. A lane takes a word of elements at
// a time, a workgroup a contiguous span.
//
// A store file gives store_word, which asks for the elements' gradients.

fn gradient_of(element: u32) -> f32 {
    let row = call.first_row + element / call.dimensions;
    if (!is_kept(call.first_item + element / call.dimensions)) {
        return 0.0;
    }
    let dimension = element % call.dimensions;
    let place = row * call.quads + dimension / 4u;
    var value = sums[place][dimension % 4u];
    if (UNIT) {
        value = records[row].inverse * (value + records[row].radial * rows[place][dimension % 4u]);
    }
    // Where no anchor counts, not even a row that is not finite has a gradient.
    value = select(gradient_scale() * value, 0.0, (workspace.items_low | workspace.items_high) == 0u);
    if (SATURATES && is_finite(value)) {
        // Of a row next to 0 it is beyond f16, whose infinity would end a training.
        value = clamp(value, -65504.0, 65504.0);
    }
    return value;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn finish(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let end = min((workgroup.x + 1u) * call.span, call.length);
    for (var word = workgroup.x * call.span + thread.lane; word < end; word += WORKGROUP_SIZE) {
        store_word(word);
    }
}
