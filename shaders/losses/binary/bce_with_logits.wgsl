fn loss_and_grad(x: f32, target_probability: f32, pos_weight: f32) -> vec2<f32> {
    let smoothing = params.label_smoothing;
    let t = target_probability * (1.0 - smoothing) + 0.5 * smoothing;
    let positive = params.pos_weight * pos_weight * t;
    let negative = 1.0 - t;
    // softplus(−x) = max(−x, 0) + log1p(exp(−|x|)), collected so that nothing cancels for a confident x of either sign.
    let log_norm = log1pf(exp_nonpositive(-abs(x)));
    let loss = abs(x) * select(positive, negative, x >= 0.0) + (positive + negative) * log_norm;
    return vec2<f32>(loss, negative * sigmoid(x) - positive * sigmoid(-x));
}
