// What the losses of items are multiplied with besides weight, where they are added up.
fn loss_share() -> f32 {
    return mean_share(select(call.divisor, workspace.divisor, call.measured != 0u));
}
