// A divisor that the caller has on the device, where all kernels find it.
//
// Joined to what interface.wgsl lists.

@compute @workgroup_size(1)
fn bring_divisor() {
    workspace.divisor = call.factor * load_divisor(0u);
}
