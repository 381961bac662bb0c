// Whether a token that is to be likelier has less weight than its ratio.
fn is_clipped(token: Token) -> bool {
    return token.advantage > 0.0 && token.ratio > params.eps_high;
}
