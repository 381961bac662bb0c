fn loss_and_grad(x: f32) -> vec2<f32> {
    let is_real = params.real != 0u;
    let wanted = select(0.0, 1.0, is_real);
    // A real score is wanted high, another low.
    let sign = select(1.0, -1.0, is_real);
    if (COMPILED_GAME == GAME_LOGISTIC) {
        let both = softplus_and_slope(sign * x);
        return vec2<f32>(both.x, sign * both.y);
    }
    if (COMPILED_GAME == GAME_SQUARED) {
        let e = x - wanted;
        return vec2<f32>(0.5 * e * e, e);
    }
    if (COMPILED_GAME == GAME_HINGE) {
        let violation = 1.0 + sign * x;
        return select(vec2<f32>(), vec2<f32>(violation, sign), violation > 0.0);
    }
    return vec2<f32>(sign * x, sign);
}
