// IEEE halves, two a word. No adapter feature is needed.

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

// Four elements side by side.
fn quad_of_f16(words: vec2<u32>) -> vec4<f32> {
    return vec4<f32>(unpack_f16(words.x), unpack_f16(words.y));
}

fn words_of_f16(values: vec4<f32>) -> vec2<u32> {
    return vec2<u32>(pack_f16(values.xy), pack_f16(values.zw));
}
