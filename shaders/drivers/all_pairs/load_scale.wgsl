// The scale of all values, where an input is its logarithm.

@compute @workgroup_size(1)
fn load_scale() {
    workspace.value_scale = expf(load_element(0u));
}
