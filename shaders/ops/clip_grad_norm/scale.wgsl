// Gradients times what brings their norm down.

fn argument() -> f32 {
    return norms.coefficient;
}

fn is_identity(coefficient: f32) -> bool {
    return bitcast<u32>(coefficient) == 0x3f800000u;
}

// What is not finite is NaN times any coefficient that it comes to, and so is everything times NaN.
fn mapped(values: vec4<f32>, coefficient: f32) -> vec4<f32> {
    let scaled = values * coefficient;
    if (norms.first_nonfinite == NOWHERE && is_finite(coefficient)) {
        return scaled;
    }
    let nan = bitcast<vec4<f32>>(bitcast<vec4<u32>>(values) | vec4<u32>(0x7fc00000u));
    let is_lost = max(unsigned_bits_of(values), unsigned_bits_of(vec4<f32>(coefficient))) >= vec4<u32>(INFINITE);
    return select(scaled, nan, is_lost);
}
