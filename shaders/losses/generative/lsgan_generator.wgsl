fn loss_and_grad(x: f32) -> vec2<f32> {
    let e = x - 1.0;
    return vec2<f32>(0.5 * e * e, e);
}
