// −min(ρ'·A, clamp(ρ)·A). On the bounds themselves the ratio is free.
fn surrogate(token: Token) -> vec2<f32> {
    let is_bounded = params.delta > 0.0 && token.ratio > params.delta;
    let free = select(token.ratio, params.delta, is_bounded);
    let clamped = clamp(token.ratio, 1.0 - params.eps_low, 1.0 + params.eps_high);
    // The smaller product is by the smaller ratio, but where the advantage is below 0.
    let taken = select(min(free, clamped), max(free, clamped), token.advantage < 0.0);
    let pulls = select(clamped == token.ratio, !is_bounded, taken == free);
    return -vec2<f32>(product(taken, token.advantage), select(0.0, product(token.ratio, token.advantage), pulls));
}
