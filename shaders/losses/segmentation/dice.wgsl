// 1 − (2I + s)/(P + T + s).
fn region_loss(region: Region) -> Outcome {
    return ratio_loss(region, 2.0, 1.0, 1.0);
}
