fn loss_and_grad(x: f32, t: f32) -> vec2<f32> {
    let slack = max(1.0 - t * x, 0.0);
    return slack * vec2<f32>(slack, -2.0 * t);
}
