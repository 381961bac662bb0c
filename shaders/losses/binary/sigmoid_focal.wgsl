fn loss_and_grad(x: f32, t: f32) -> vec2<f32> {
    return focal_logistic_loss(x, t, params.alpha, params.gamma);
}
