const TWO_PI: f32 = 6.28318531;

fn loss_and_grad(p: f32, t: f32) -> vec2<f32> {
    var result: vec2<f32>;
    if (COMPILED_LOG_INPUT != 0u) {
        let reduced = reduce_exponential(clamp(p, -110.0, 90.0));
        let power = scale_by_power_of_two(1.0, reduced.exponent);
        let rate = scale_by_power_of_two(1.0 + reduced.expm1, reduced.exponent);
        // What is near the count is subtracted before the rate is rounded.
        let gradient = select(rate - t, (power - t) + power * reduced.expm1, is_finite(power));
        result = vec2<f32>(rate - times(t, p), gradient);
    } else {
        let rate = p + params.eps;
        let gradient = ((p - t) + params.eps) / rate;
        result = vec2<f32>(p - t * logf(rate), select(gradient, 1.0, bitcast<u32>(p) == 0x7f800000u));
    }
    // The rate outgrows its logarithm.
    result.x = select(result.x, p, bitcast<u32>(p) == 0x7f800000u);
    if (COMPILED_FULL != 0u && t > 1.0) {
        // Stirling's approximation of ln t!, which outgrows all that t is a factor of.
        let stirling = t * logf(t) - t + 0.5 * logf(TWO_PI * t);
        result.x = select(result.x + stirling, t, bitcast<u32>(t) == 0x7f800000u);
    }
    return result;
}
