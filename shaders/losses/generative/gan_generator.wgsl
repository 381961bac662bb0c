fn loss_and_grad(x: f32) -> vec2<f32> {
    if (params.saturating != 0u) {
        return -logistic_loss(x, 0.0, 1.0);
    }
    return logistic_loss(x, 1.0, 0.0);
}
