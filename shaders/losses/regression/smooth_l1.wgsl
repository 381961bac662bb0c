fn loss_and_grad(p: f32, t: f32) -> vec2<f32> {
    let e = p - t;
    let magnitude = abs(e);
    // Never true for beta = 0.
    if (magnitude < params.beta) {
        let ratio = e / params.beta;
        return vec2<f32>(0.5 * e * ratio, ratio);
    }
    return vec2<f32>(magnitude - 0.5 * params.beta, sign(e));
}
