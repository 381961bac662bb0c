// What the surrogates of a policy are made of.

struct Token {
    log_prob: f32,
    advantage: f32,
    // The ratio to the old policy, and its logarithm.
    ratio: f32,
    log_ratio: f32,
}

// a·b, 0 where either is 0, even beside an infinity.
fn product(a: f32, b: f32) -> f32 {
    return select(times(a, b), 0.0, b == 0.0);
}

// exp(x) − 1, infinite where the exponential is.
fn growth(x: f32) -> f32 {
    return select(expm1f(min(x, 60.0)), expf(x), x > 60.0);
}
