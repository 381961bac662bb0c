// Losses of a logit x by its sigmoid: each gives the loss and its derivative by x.

// −positive·log σ(x) − negative·log(1 − σ(x)).
fn logistic_loss(x: f32, positive: f32, negative: f32) -> vec2<f32> {
    // The likelier class has the probability 1/(1 + e), the other e/(1 + e).
    let e = exp_nonpositive(-abs(x));
    let is_positive = x >= 0.0;
    // softplus(−x) = max(−x, 0) + log1p(exp(−|x|)), collected so that nothing cancels for a confident x of either sign.
    let loss = times(select(positive, negative, is_positive), abs(x)) + (positive + negative) * log1pf(e);
    let gradient = negative * select(e, 1.0, is_positive) - positive * select(1.0, e, is_positive);
    return vec2<f32>(loss, gradient / (1.0 + e));
}

// The same of a target t, times α_t·(1 − p_t)^γ with p_t the probability of what is wanted; α below 0 is none.
fn focal_logistic_loss(x: f32, t: f32, alpha: f32, gamma: f32) -> vec2<f32> {
    let alpha_of_target = select(alpha * t + (1.0 - alpha) * (1.0 - t), 1.0, alpha < 0.0);
    // With e = exp(−|x|), the likelier label has probability 1/(1 + e) and the other e/(1 + e).
    let e = exp_nonpositive(-abs(x));
    let log_norm = log1pf(e);
    let is_positive = x >= 0.0;
    let likelier = select(1.0 - t, t, is_positive);
    // 1 − p_t = mixed/(1 + e). Where the target is the likelier label alone, mixed is e, whose logarithm is known and
    // whose ratio to e is 1.
    let mixed = (1.0 - likelier) + likelier * e;
    let certain = likelier == 1.0;
    let log_mixed = select(logf(mixed), -abs(x), certain);
    let ratio = select(e / mixed, 1.0, certain);

    let bce = times(1.0 - likelier, abs(x)) + log_norm;
    let modulator = alpha_of_target * select(exp_nonpositive(gamma * (log_mixed - log_norm)), 1.0, gamma == 0.0);
    // d(1 − p_t)/dx = (1 − 2t)p(1 − p), and p(1 − p)/(1 − p_t) = ratio/(1 + e) never divides 0 by 0.
    let slope = gamma * (1.0 - 2.0 * t) * times(ratio, bce);
    let bce_gradient = (1.0 - t) * select(e, 1.0, is_positive) - t * select(1.0, e, is_positive);
    return vec2<f32>(times(modulator, bce), modulator * ((slope + bce_gradient) / (1.0 + e)));
}
