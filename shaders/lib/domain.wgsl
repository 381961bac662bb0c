// Whether a value may be a target. A NaN may: it flows through to the loss instead.

fn is_probability(value: f32) -> bool {
    return is_nan(value) || (value >= 0.0 && value <= 1.0);
}

fn is_sign(value: f32) -> bool {
    return is_nan(value) || abs(value) == 1.0;
}
