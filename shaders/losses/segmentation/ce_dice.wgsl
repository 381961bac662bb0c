// Cross-entropy of each pixel, −log p of its class, or of each class by its sigmoid, and dice.
const PIXEL_TERM: bool = true;

fn pixel_term(p: f32, q: f32, log_p: f32) -> vec2<f32> {
    return vec2<f32>(-log_p, -1.0);
}

fn element_term(x: f32, t: f32) -> vec2<f32> {
    return logistic_loss(x, t, 1.0 - t);
}

fn region_loss(region: Region) -> Outcome {
    return ratio_loss(region, 2.0, 1.0, 1.0);
}
