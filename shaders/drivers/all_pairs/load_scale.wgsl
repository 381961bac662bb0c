// The scale of all values, where an input is its logarithm.

@compute @workgroup_size(1)
fn load_scale() {
    let logarithm = load_element(0u);
    let scale = expf(logarithm);
    let known = select(NO_SCALE, scale, is_finite(scale));
    workspace.value_scale = select(known, logarithm, is_nan(logarithm));
}
