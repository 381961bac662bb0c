// (1 − (I + s)/(I + α(P − I) + β(T − I) + s))^exponent. Squares of soft targets can make the base negative, which
// counts as 0.
fn region_loss(region: Region) -> Outcome {
    let tversky = ratio_loss(region, 1.0, params.alpha, params.beta);
    if (tversky.loss <= 0.0) {
        return Outcome();
    }
    let power = select(powf(tversky.loss, params.exponent), tversky.loss, is_nan(tversky.loss));
    return Outcome(power, scaled(tversky.slopes, params.exponent * power / tversky.loss));
}
