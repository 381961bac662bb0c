// 1 − (I + s)/(P + T − I + s).
fn region_loss(region: Region) -> Outcome {
    return ratio_loss(region, 1.0, 1.0, 1.0);
}
