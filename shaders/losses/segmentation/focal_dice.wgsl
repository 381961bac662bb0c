// Focal loss of each pixel, −α·(1 − p)^γ·log p of its class, or of each class by its sigmoid, and dice.
const PIXEL_TERM: bool = true;

fn pixel_term(p: f32, q: f32, log_p: f32) -> vec2<f32> {
    let modulator = params.alpha * powf(q, params.gamma);
    // −log p / (1 − p) is 1 where p is.
    let ratio = select(1.0, -log_p / q, q > 0.0);
    return vec2<f32>(times(modulator, -log_p), -modulator * (1.0 + params.gamma * select(0.0, p * ratio, p > 0.0)));
}

fn element_term(x: f32, t: f32) -> vec2<f32> {
    return focal_logistic_loss(x, t, params.alpha, params.gamma);
}

fn region_loss(region: Region) -> Outcome {
    return ratio_loss(region, 2.0, 1.0, 1.0);
}
