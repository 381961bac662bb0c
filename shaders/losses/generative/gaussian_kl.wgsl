fn loss_and_grad(mu: f32, logvar: f32) -> vec3<f32> {
    // Where it is large, the exponential is all that counts, even infinity.
    let is_large = logvar > 80.0;
    let growth = select(expm1f(logvar), expf(logvar), is_large);
    // exp(s) − 1 − s, without cancellation where s is small.
    let excess = select(growth - select(logvar, 0.0, is_large), exp_excess(logvar), abs(logvar) <= 0.34);
    return vec3<f32>(0.5 * (mu * mu + excess), mu, 0.5 * growth);
}
