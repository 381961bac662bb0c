// Losses of regions without a term for each pixel.
const PIXEL_TERM: bool = false;

// Of the probability p of a pixel's class, with q = 1 − p and log p: the loss, and its derivative by log p.
fn pixel_term(p: f32, q: f32, log_p: f32) -> vec2<f32> {
    return vec2<f32>();
}

// The term of each class by itself, with its logit x and target t: the loss, and its derivative by x.
fn element_term(x: f32, t: f32) -> vec2<f32> {
    return vec2<f32>();
}
