// The logits of a panel: rows by classes, over the dimensions.

// Whether a quad is one of the depth: the last tile may reach behind the end, where strips end with it.
fn is_of_depth(dimension: u32) -> bool {
    return TILE_DEPTH == 4u || dimension < call.end_depth;
}

fn load_left(slot: u32, row: u32, dimension: u32) -> vec4<f32> {
    let quad = rows[min(row, call.rows - 1u) * call.quads + min(dimension / 4u, call.quads - 1u)];
    return select(vec4<f32>(), quad, is_of_depth(dimension));
}

fn load_right(slot: u32, label: u32, dimension: u32) -> vec4<f32> {
    let quad = load_head(min(label, call.columns - 1u), min(dimension / 4u, call.quads - 1u));
    return select(vec4<f32>(), quad, is_of_depth(dimension));
}

// What four classes have each of their own.
fn of_classes(first: u32) -> vec4<u32> {
    return call.first_column + min(first + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(call.columns - 1u));
}

fn value_of(sums: vec4<f32>, row: u32, label: u32) -> vec4<f32> {
    let own = of_classes(label);
    let bias = vec4<f32>(load_bias(own.x), load_bias(own.y), load_bias(own.z), load_bias(own.w));
    let inverse = vec4<f32>(
        inverse_length_of(own.x),
        inverse_length_of(own.y),
        inverse_length_of(own.z),
        inverse_length_of(own.w),
    );
    // Of a depth in several steps the first adds the biases.
    return call.factor * (sums * inverse + select(vec4<f32>(), bias, call.first_depth == 0u));
}
