fn loss_and_grad(l: f32, s: f32) -> vec3<f32> {
    let inverse = expf(-s);
    // An infinite loss stays one, also where the inverse variance is too small for f32.
    let weighed = select(l, inverse * l, is_finite(l));
    return vec3<f32>(weighed + s, inverse, 1.0 - weighed);
}
