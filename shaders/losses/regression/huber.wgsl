fn loss_and_grad(p: f32, t: f32) -> vec2<f32> {
    let e = p - t;
    let magnitude = abs(e);
    if (magnitude <= params.delta) {
        return vec2<f32>(0.5 * e * e, e);
    }
    return params.delta * vec2<f32>(magnitude - 0.5 * params.delta, sign(e));
}
