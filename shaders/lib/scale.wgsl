// `call.measured` where the divisor is the sum of the weights of the items that count.
const WEIGHTED: u32 = 2u;

// What gradients are multiplied with besides weight and upstream: 0 where nothing counts.
fn gradient_scale() -> f32 {
    if (call.measured == 0u) {
        return call.scale;
    }
    return select(call.scale / workspace.divisor, 0.0, is_negligible(workspace.divisor));
}
