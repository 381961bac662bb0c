// 1 where the clip of an answer binds, else 0.
fn clipped_of(log_ratio: f32, advantage: f32) -> f32 {
    return f32(is_clipped(Token(0.0, advantage, expf(log_ratio), log_ratio)));
}
