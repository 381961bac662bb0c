fn loss_and_grad(p: f32, t: f32) -> vec2<f32> {
    let e = p - t;
    return vec2<f32>(e * e, 2.0 * e);
}
