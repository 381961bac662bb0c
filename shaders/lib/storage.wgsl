// Half-precision storage: two values a word, the first in the low half. No adapter feature is needed.

fn unpack_f16(word: u32) -> vec2<f32> {
    return unpack2x16float(word);
}

fn pack_f16(values: vec2<f32>) -> u32 {
    return f16_bits(values.x) | (f16_bits(values.y) << 16u);
}

// Rounds to nearest, ties to even; beyond 65504 to infinity. WGSL's pack2x16float leaves values out of range undefined.
fn f16_bits(x: f32) -> u32 {
    let bits = bitcast<u32>(x);
    let magnitude = bits & 0x7fffffffu;
    let rounded = (magnitude + 0xfffu + ((magnitude >> 13u) & 1u) - 0x38000000u) >> 13u;
    // Below the smallest normal value the unit in the last place is 2^-24.
    let subnormal = u32(round(min(abs(x), 1.0) * 16777216.0));
    var result = select(rounded, subnormal, magnitude < 0x38800000u);
    result = select(result, 0x7c00u, magnitude >= 0x477ff000u);
    result = select(result, 0x7e00u, magnitude > 0x7f800000u);
    return ((bits >> 16u) & 0x8000u) | result;
}

fn unpack_bf16(word: u32) -> vec2<f32> {
    return vec2<f32>(bitcast<f32>(word << 16u), bitcast<f32>(word & 0xffff0000u));
}

fn pack_bf16(values: vec2<f32>) -> u32 {
    return bf16_bits(values.x) | (bf16_bits(values.y) << 16u);
}

// Rounds to nearest, ties to even; a NaN stays one.
fn bf16_bits(x: f32) -> u32 {
    let bits = bitcast<u32>(x);
    let rounded = (bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u;
    return select(rounded, (bits >> 16u) | 0x40u, (bits & 0x7fffffffu) > 0x7f800000u);
}
