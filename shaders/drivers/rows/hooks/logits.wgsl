// Logits that are seen as they are.

const SEES: bool = false;

// |x − y| for two logits x and y as the loss sees them.
fn distance_of(x: f32, y: f32) -> f32 {
    return abs(x - y);
}

// A logit as the loss sees it.
fn seen_logit(x: f32) -> f32 {
    return x;
}

// The derivative of `seen_logit`.
fn slope_of(x: f32) -> f32 {
    return 1.0;
}
