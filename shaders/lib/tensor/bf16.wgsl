// Brain floats, the upper halves of f32s, two a word. No adapter feature is needed.

fn unpack_bf16(word: u32) -> vec2<f32> {
    return vec2<f32>(bitcast<f32>(word << 16u), bitcast<f32>(word & 0xffff0000u));
}

// Rounds to nearest, ties to even; a NaN stays one.
fn pack_bf16(values: vec2<f32>) -> u32 {
    let bits = bitcast<vec2<u32>>(values);
    let rounded = bits + vec2<u32>(0x7fffu) + ((bits >> vec2<u32>(16u)) & vec2<u32>(1u));
    let is_nan = (bits & vec2<u32>(0x7fffffffu)) > vec2<u32>(0x7f800000u);
    let kept = select(rounded, bits | vec2<u32>(0x400000u), is_nan);
    return (kept.x >> 16u) | (kept.y & 0xffff0000u);
}

// Four elements side by side.
fn quad_of_bf16(words: vec2<u32>) -> vec4<f32> {
    return vec4<f32>(unpack_bf16(words.x), unpack_bf16(words.y));
}

fn words_of_bf16(values: vec4<f32>) -> vec2<u32> {
    return vec2<u32>(pack_bf16(values.xy), pack_bf16(values.zw));
}
