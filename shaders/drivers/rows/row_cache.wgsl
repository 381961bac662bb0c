// A row's logits are kept in workgroup memory from the first walk on, so that they are read once.

var<workgroup> row_cache: array<f32, ROW_CACHE>;

// The barriers: one before a row's logits replace those of the row before, one before other lanes read them.
fn begin_keeping() {
    workgroupBarrier();
}

fn keep_logit(column: u32, logit: f32) {
    row_cache[column] = logit;
}

fn keep_logits(column: u32, logits: vec4<f32>) {
    for (var i = 0u; i < 4u; i++) {
        row_cache[column + i] = logits[i];
    }
}

fn end_keeping() {
    workgroupBarrier();
}

fn kept_logit(row: Row, column: u32) -> f32 {
    return row_cache[column];
}

fn kept_logits(row: Row, column: u32) -> vec4<f32> {
    return vec4<f32>(row_cache[column], row_cache[column + 1u], row_cache[column + 2u], row_cache[column + 3u]);
}
