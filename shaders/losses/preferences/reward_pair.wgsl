fn loss_and_grad(chosen: f32, rejected: f32, margin: f32) -> vec3<f32> {
    let gap = chosen - rejected - margin;
    let both = chosen + rejected;
    let pull = softplus_and_slope(-gap);
    let centring = 2.0 * times(params.center, both);
    let loss = vec3<f32>(pull.x + times(params.center, both * both), centring - pull.y, centring + pull.y);
    // Of two infinities nothing is known.
    return select(loss, vec3<f32>(gap), is_nan(gap));
}
