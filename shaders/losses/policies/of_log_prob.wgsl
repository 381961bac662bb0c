fn loss_and_grad(log_prob: f32, advantage: f32, old: f32, reference: f32, importance: f32) -> vec2<f32> {
    return policy_loss(log_prob, advantage, old, reference, importance);
}
