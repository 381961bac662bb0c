fn loss_and_grad(p: f32, t: f32) -> vec2<f32> {
    let e = t - p;
    if (e > 0.0) {
        return vec2<f32>(times(params.quantile, e), -params.quantile);
    }
    let share = 1.0 - params.quantile;
    return vec2<f32>(times(share, -e), -share * sign(e));
}
