// 1 where the clip of a token binds, else 0.
fn clipped_of(log_prob: f32, advantage: f32, old: f32, reference: f32, importance: f32) -> f32 {
    let log_ratio = select(log_prob - old, 0.0, old == LEFT_OUT);
    let token = Token(log_prob, advantage, expf(log_ratio), log_ratio);
    // Of two infinities nothing is known.
    return select(f32(is_clipped(token)), log_ratio, is_nan(log_ratio));
}
