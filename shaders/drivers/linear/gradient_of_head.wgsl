// What a panel adds to the head's gradient: classes by dimensions, over the rows.

fn load_left(slot: u32, label: u32, row: u32) -> vec4<f32> {
    let place = min(row, call.last_depth) * call.logit_stride + call.first_class + label;
    return select(vec4<f32>(), logits[min(place / 4u, call.last_quad)], row < call.end_depth);
}

fn load_right(slot: u32, dimension: u32, row: u32) -> vec4<f32> {
    let quad = rows[min(row, call.last_depth) * call.quads + min(dimension / 4u, call.quads - 1u)];
    return select(vec4<f32>(), quad, row < call.end_depth);
}

fn value_of(sums: vec4<f32>, label: u32, dimension: u32) -> vec4<f32> {
    return call.factor * sums;
}
