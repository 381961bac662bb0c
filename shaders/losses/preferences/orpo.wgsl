// ln(1 − eˣ) of x ≤ 0, from that of the two forms which does not cancel.
fn log1mexpf(x: f32) -> f32 {
    let is_near = x > -0.693147182;
    return select(log1pf(-exp_nonpositive(x)), logf(-expm1f(x)), is_near);
}

fn loss_and_grad(chosen: f32, rejected: f32) -> vec3<f32> {
    // What rounding has brought above 0 is 0.
    let w = min(chosen, 0.0);
    let l = min(rejected, 0.0);
    let log_odds = w - l - log1mexpf(w) + log1mexpf(l);
    // σ(−log_odds)/(1 − eʷ) = 1/((1 − eʷ) + eʷ⁻ˡ·(1 − eˡ)): nothing to divide by vanishes where the answer is sure.
    let miss = vec2<f32>(-expm1f(w), -expm1f(l));
    let slope = params.beta / (miss.x + times(miss.y, expf(w - l)));
    let loss = vec3<f32>(params.beta * softplus(-log_odds), -slope, slope * miss.x / miss.y);
    // Of two answers that are sure, or impossible, nothing is known.
    return select(loss, vec3<f32>(log_odds), is_nan(log_odds));
}
