// The gradients of a panel's rows: rows by dimensions, over the classes.

fn load_left(slot: u32, row: u32, label: u32) -> vec4<f32> {
    let place = min(row, call.rows - 1u) * call.logit_stride + call.first_class + label;
    return before_end(logits[min(place / 4u, call.last_quad)], label, call.end_depth);
}

fn load_right(slot: u32, dimension: u32, label: u32) -> vec4<f32> {
    let quad = load_head(min(label, call.last_depth), min(dimension / 4u, call.quads - 1u));
    return select(vec4<f32>(), inverse_length_of(call.first_class + label) * quad, label < call.end_depth);
}

fn value_of(sums: vec4<f32>, row: u32, dimension: u32) -> vec4<f32> {
    return call.factor * sums;
}
