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
    return gradient_scale() * value;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn finish(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let end = min((workgroup.x + 1u) * call.span, call.length);
    for (var word = workgroup.x * call.span + thread.lane; word < end; word += WORKGROUP_SIZE) {
        store_word(word);
    }
}
