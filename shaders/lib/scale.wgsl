// What gradients are multiplied with besides weight and upstream: 0 where nothing counts.
fn gradient_scale() -> f32 {
    if (call.measured == 0u) {
        return call.scale;
    }
    return select(call.scale / workspace.divisor, 0.0, is_no_divisor(workspace.divisor));
}
