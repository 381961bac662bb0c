fn loss_and_grad(x: f32) -> vec2<f32> {
    // −softplus(x), or softplus(−x).
    let sign = select(-1.0, 1.0, params.saturating != 0u);
    let both = softplus_and_slope(sign * x);
    return vec2<f32>(-sign * both.x, -both.y);
}
