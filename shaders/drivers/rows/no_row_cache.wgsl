// A row's logits are read again for each walk: where a row is too long to be kept, or caches keep it anyway.

fn begin_keeping() {}

fn keep_logit(column: u32, logit: f32) {}

fn keep_logits(column: u32, logits: vec4<f32>) {}

fn end_keeping() {}

fn kept_logit(row: Row, column: u32) -> f32 {
    return load_first(address(row.base, column));
}

fn kept_logits(row: Row, column: u32) -> vec4<f32> {
    return load_first_quad((row.base + column) / 4u);
}
