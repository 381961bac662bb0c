// A cosine less a margin, and how that moves with it.
fn hardened(cosine: f32) -> vec2<f32> {
    return vec2<f32>(cosine - call.margin, 1.0);
}
