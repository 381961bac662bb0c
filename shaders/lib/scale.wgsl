// What gradients are multiplied with besides weight and upstream: 0 where nothing counts.
fn gradient_scale() -> f32 {
    if (params.measured == 0u) {
        return params.scale;
    }
    return select(params.scale / workspace.divisor, 0.0, workspace.divisor == 0.0);
}
