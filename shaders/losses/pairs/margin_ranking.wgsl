fn loss_and_grad(x1: f32, x2: f32, label: f32) -> vec3<f32> {
    let violation = params.margin - label * (x1 - x2);
    // Of two infinities nothing is known.
    let counts = violation > 0.0 || is_nan(violation);
    return select(vec3<f32>(), vec3<f32>(violation, -label, label), counts);
}
