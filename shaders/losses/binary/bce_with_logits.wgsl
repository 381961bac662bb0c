fn loss_and_grad(x: f32, target_probability: f32, pos_weight: f32) -> vec2<f32> {
    let smoothing = params.label_smoothing;
    let t = target_probability * (1.0 - smoothing) + 0.5 * smoothing;
    let positive = times(t, params.pos_weight * pos_weight);
    return logistic_loss(x, positive, 1.0 - t);
}
