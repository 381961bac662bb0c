// The divergence of a token from the reference, whatever its weight in the loss.
fn kl_of(log_prob: f32, advantage: f32, old: f32, reference: f32, importance: f32) -> f32 {
    let lead = select(reference - log_prob, 0.0, reference == LEFT_OUT);
    // Of two infinities nothing is known.
    return select(divergence(lead).x, lead, is_nan(lead));
}
