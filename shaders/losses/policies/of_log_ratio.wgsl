fn loss_and_grad(log_ratio: f32, advantage: f32) -> vec2<f32> {
    return surrogate(Token(0.0, advantage, expf(log_ratio), log_ratio));
}
