fn loss_and_grad(log_prob: f32, ref_log_prob: f32, desirable: f32, kl: f32) -> vec2<f32> {
    let sign = select(-1.0, 1.0, desirable == 1.0);
    let weight = select(params.undesirable_weight, params.desirable_weight, desirable == 1.0);
    let gain = log_prob - ref_log_prob - max(kl, 0.0);
    let x = sign * params.beta * gain;
    let miss = sigmoid(-x);
    let loss = weight * vec2<f32>(miss, -sign * params.beta * miss * sigmoid(x));
    // Of two infinities nothing is known.
    return select(loss, vec2<f32>(gain), is_nan(gain));
}
