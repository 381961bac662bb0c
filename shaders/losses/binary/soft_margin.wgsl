fn loss_and_grad(x: f32, t: f32) -> vec2<f32> {
    let margin = t * x;
    return vec2<f32>(softplus(-margin), -t * sigmoid(-margin));
}
