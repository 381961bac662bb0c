fn loss_and_grad(p: f32, t: f32) -> vec2<f32> {
    let e = p - t;
    let penalty = select(1.0, params.over_penalty, e > 0.0);
    return penalty * vec2<f32>(e * e, 2.0 * e);
}
