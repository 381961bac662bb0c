// A factor of 0 leaves nothing of the other one, of infinity either.
fn loss_and_grad(l: f32, w: f32) -> vec3<f32> {
    return vec3<f32>(select(times(w, l), 0.0, l == 0.0), w, l);
}
