// Brain floats, the upper halves of f32s, two a word. No adapter feature is needed.

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

// Four elements side by side.
fn quad_of_bf16(words: vec2<u32>) -> vec4<f32> {
    return vec4<f32>(unpack_bf16(words.x), unpack_bf16(words.y));
}

fn words_of_bf16(values: vec4<f32>) -> vec2<u32> {
    return vec2<u32>(pack_bf16(values.xy), pack_bf16(values.zw));
}
