// The cosine of an angle and a margin together, cos θ·cos m − sin θ·sin m, and how that moves with cos θ. Beyond the
// angle π − m it would rise again, and is cos θ − m·sin m.
fn hardened(cosine: f32) -> vec2<f32> {
    let sine = sqrt(max((1.0 - cosine) * (1.0 + cosine), 1e-12));
    if (cosine >= -call.cos_margin) {
        let slope = call.cos_margin + call.sin_margin * (cosine / sine);
        return vec2<f32>(cosine * call.cos_margin - sine * call.sin_margin, slope);
    }
    return vec2<f32>(cosine - call.margin * call.sin_margin, 1.0);
}
