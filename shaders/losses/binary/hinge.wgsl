fn loss_and_grad(x: f32, t: f32) -> vec2<f32> {
    let slack = 1.0 - t * x;
    return select(vec2<f32>(), vec2<f32>(slack, -t), slack > 0.0);
}
