fn loss_and_grad(x: f32, t: f32) -> vec2<f32> {
    let gap = params.margin - x;
    let apart = select(vec2<f32>(), vec2<f32>(gap, -1.0), gap > 0.0);
    return select(vec2<f32>(x, 1.0), apart, t < 0.0);
}
