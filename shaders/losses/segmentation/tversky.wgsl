// 1 − (I + s)/(I + α(P − I) + β(T − I) + s).
fn region_loss(region: Region) -> Outcome {
    return ratio_loss(region, 1.0, params.alpha, params.beta);
}
