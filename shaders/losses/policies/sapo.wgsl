// −(4/τ)·σ(τ·(ρ − 1))·A.
fn surrogate(token: Token) -> vec2<f32> {
    let tau = select(params.tau_negative, params.tau_positive, token.advantage > 0.0);
    let x = tau * growth(token.log_ratio);
    let e = exp_nonpositive(-abs(x));
    let gate = select(e, 1.0, x >= 0.0) / (1.0 + e);
    let slope = product(e / ((1.0 + e) * (1.0 + e)), token.ratio);
    return -4.0 * vec2<f32>(product(gate, token.advantage) / tau, product(slope, token.advantage));
}
