// −min(ρ, eps_high)·A·log p, in which the log-probability alone is not held.
fn surrogate(token: Token) -> vec2<f32> {
    let weight = product(min(token.ratio, params.eps_high), token.advantage);
    return -vec2<f32>(product(weight, token.log_prob), weight);
}
