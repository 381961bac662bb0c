// The logits of a panel: rows by classes, over the dimensions.

fn load_left(slot: u32, row: u32, dimension: u32) -> vec4<f32> {
    return rows[min(row, call.rows - 1u) * call.quads + min(dimension / 4u, call.quads - 1u)];
}

fn load_right(slot: u32, label: u32, dimension: u32) -> vec4<f32> {
    return load_head(min(label, call.columns - 1u), min(dimension / 4u, call.quads - 1u));
}

fn value_of(sums: vec4<f32>, row: u32, label: u32) -> vec4<f32> {
    let last = call.columns - 1u;
    let bias = vec4<f32>(
        load_bias(call.first_column + label),
        load_bias(call.first_column + min(label + 1u, last)),
        load_bias(call.first_column + min(label + 2u, last)),
        load_bias(call.first_column + min(label + 3u, last)),
    );
    return call.factor * (sums + bias);
}
