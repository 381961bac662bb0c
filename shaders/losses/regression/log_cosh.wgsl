const LN_2: f32 = 0.693147181;

fn loss_and_grad(p: f32, t: f32) -> vec2<f32> {
    let e = p - t;
    let magnitude = abs(e);
    if (magnitude < 1.0) {
        // cosh(e) = 1 + (exp|e| − 1)²/(2 exp|e|): nothing cancels near 0.
        let expm1 = expm1f(magnitude);
        return vec2<f32>(log1pf(expm1 * expm1 / (2.0 + 2.0 * expm1)), tanhf(e));
    }
    return vec2<f32>(magnitude - LN_2 + log1pf(exp_nonpositive(-2.0 * magnitude)), tanhf(e));
}
