fn loss_and_grad(p: f32, t: f32) -> vec2<f32> {
    let e = t - p;
    if (e > 0.0) {
        return params.quantile * vec2<f32>(e, -1.0);
    }
    return (1.0 - params.quantile) * vec2<f32>(-e, -sign(e));
}
