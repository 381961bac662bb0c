const LN_2: f32 = 0.693147181;

fn loss_and_grad(p: f32, t: f32) -> vec2<f32> {
    let e = p - t;
    let magnitude = abs(e);
    let expm1 = expm1f(-magnitude);
    let power = 1.0 + expm1;
    // cosh(e) = 1 + (1 − exp(−|e|))²/(2 exp(−|e|)): nothing cancels near 0. Elsewhere it is exp|e|·(1 + exp(−2|e|))/2.
    let near = magnitude < 1.0;
    let excess = select(power * power, expm1 * expm1 / (2.0 * power), near);
    let loss = select(magnitude - LN_2, 0.0, near) + log1pf(excess);
    return vec2<f32>(loss, sign(e) * (-expm1 * (1.0 + power)) / (1.0 + power * power));
}
