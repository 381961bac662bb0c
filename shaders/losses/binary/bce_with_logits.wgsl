fn loss_and_grad(x: f32, target_probability: f32, pos_weight: f32) -> vec2<f32> {
    let smoothing = params.label_smoothing;
    let t = target_probability * (1.0 - smoothing) + 0.5 * smoothing;
    let positive = times(t, params.pos_weight * pos_weight);
    let negative = 1.0 - t;
    // The likelier class has the probability 1/(1 + e), the other e/(1 + e).
    let e = exp_nonpositive(-abs(x));
    let is_positive = x >= 0.0;
    // softplus(−x) = max(−x, 0) + log1p(exp(−|x|)), collected so that nothing cancels for a confident x of either sign.
    let loss = times(select(positive, negative, is_positive), abs(x)) + (positive + negative) * log1pf(e);
    let gradient = negative * select(e, 1.0, is_positive) - positive * select(1.0, e, is_positive);
    return vec2<f32>(loss, gradient / (1.0 + e));
}
