// Whether the ratio is beyond the bound at which its gradient ends.
fn is_clipped(token: Token) -> bool {
    let is_above = token.ratio > 1.0 + params.eps_high;
    let is_below = token.ratio < 1.0 - params.eps_low;
    let is_bounded = params.delta > 0.0 && token.ratio > params.delta;
    return (token.advantage > 0.0 && is_above) || (token.advantage < 0.0 && (is_below || is_bounded));
}
