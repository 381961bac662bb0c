// Gradients held between ±limit; a NaN stays one.

fn argument() -> f32 {
    return call.limit;
}

fn is_identity(limit: f32) -> bool {
    return false;
}

fn mapped(values: vec4<f32>, limit: f32) -> vec4<f32> {
    let is_nan = unsigned_bits_of(values) > vec4<u32>(INFINITE);
    return select(clamp(values, vec4<f32>(-limit), vec4<f32>(limit)), values, is_nan);
}
