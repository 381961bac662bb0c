// The gradient of the logarithm of the scale, a single value.
//
// A store file gives store_word.

fn gradient_of(element: u32) -> f32 {
    return gradient_scale() * workspace.slope;
}

@compute @workgroup_size(1)
fn store_scale() {
    store_word(0u);
}
