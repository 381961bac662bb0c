// Counts of 64 bits as two words, the low one first.

fn wide(low: u32) -> vec2<u32> {
    return vec2<u32>(low, 0u);
}

fn plus_wide(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = a.x + b.x;
    return vec2<u32>(low, a.y + b.y + select(0u, 1u, low < a.x));
}

fn wide_to_float(count: vec2<u32>) -> f32 {
    return f32(count.y) * 4294967296.0 + f32(count.x);
}

// The sum over the workgroup, of 16 bits at a time.
fn reduce_add_wide(thread: Thread, count: vec2<u32>) -> vec2<u32> {
    let low = reduce_add_u32(thread, count.x & 0xffffu);
    let middle = reduce_add_u32(thread, count.x >> 16u);
    let high = reduce_add_u32(thread, count.y);
    return plus_wide(vec2<u32>(low, high), vec2<u32>(middle << 16u, middle >> 16u));
}
