// Rows of which some classes are left out, each by a bit: they are masked, whatever their logits.

fn is_left_out(row: Row, column: u32) -> bool {
    let word = load_left_out(call.left_out_base + row.index * call.left_out_words + column / 32u);
    return ((word >> (column % 32u)) & 1u) != 0u;
}

fn present_logit(row: Row, column: u32, logit: f32) -> f32 {
    return bitcast<f32>(select(bitcast<u32>(logit), 0xff800000u, is_left_out(row, column)));
}

fn present_logits(row: Row, column: u32, logits: vec4<f32>) -> vec4<f32> {
    let low = vec2<f32>(present_logit(row, column, logits.x), present_logit(row, column + 1u, logits.y));
    return vec4<f32>(low, present_logit(row, column + 2u, logits.z), present_logit(row, column + 3u, logits.w));
}
