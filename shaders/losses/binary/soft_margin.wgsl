fn loss_and_grad(x: f32, t: f32) -> vec2<f32> {
    let both = softplus_and_slope(-t * x);
    return vec2<f32>(both.x, -t * both.y);
}
