// How four values of a row are stored, of rows that need not be whole quads.

fn put_quad(row: u32, quad: u32, values: vec4<f32>) {
    let first = row * call.columns + 4u * quad;
    let there = call.columns - 4u * quad;
    if (PAIRS) {
        put_pair(first / 2u, values.xy);
        if (there > 2u) {
            put_pair(first / 2u + 1u, values.zw);
        }
        return;
    }
    put_value(first, values.x);
    if (there > 1u) {
        put_value(first + 1u, values.y);
    }
    if (there > 2u) {
        put_value(first + 2u, values.z);
    }
    if (there > 3u) {
        put_value(first + 3u, values.w);
    }
}
