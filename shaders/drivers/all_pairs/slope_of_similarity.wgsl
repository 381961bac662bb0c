// Of losses of similarities: what a derivative by a pair's value adds to the gradients of both rows. That of x is the
// sum of this times y.
fn pull_of(slope: f32) -> f32 {
    return slope * value_scale();
}
