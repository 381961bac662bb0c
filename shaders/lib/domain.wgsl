// Whether a value may be what an input says it is. A NaN may, but for the logarithm of a variance: it flows through to
// the loss instead.

// How far rounding may bring a probability, or its logarithm, beyond the ends of what it may be.
const SLACK: f32 = 1e-6;

fn is_probability(value: f32) -> bool {
    return is_nan(value) || (value >= -SLACK && value <= 1.0 + SLACK);
}

// What is beyond an end counts as that end.
fn as_probability(value: f32) -> f32 {
    return select(clamp(value, 0.0, 1.0), value, is_nan(value));
}

fn is_log_probability(value: f32) -> bool {
    return is_nan(value) || value <= SLACK;
}

fn is_non_negative(value: f32) -> bool {
    return is_nan(value) || value >= 0.0;
}

// A finite number, of whose negative the exponential is one too: the bound is the last f32 of which it is.
fn is_log_variance(value: f32) -> bool {
    return is_finite(value) && value >= -88.7228317;
}

fn is_sign(value: f32) -> bool {
    return is_nan(value) || abs(value) == 1.0;
}

fn is_similar(value: f32) -> bool {
    return is_nan(value) || value == 0.0 || value == 1.0;
}

// Whether the corners x1 y1 x2 y2 are in order.
fn is_target_box(corners: vec4<f32>) -> bool {
    return is_in_order(corners.x, corners.z) && is_in_order(corners.y, corners.w);
}

fn is_in_order(low: f32, high: f32) -> bool {
    return low <= high || is_nan(low) || is_nan(high);
}
