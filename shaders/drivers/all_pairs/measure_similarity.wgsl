// The value of a pair is x·y times the scale of all values.

fn product_of(x: vec4<f32>, y: vec4<f32>) -> f32 {
    return dot(x, y);
}

fn value_of(sum: f32, row: u32, column: u32) -> f32 {
    return sum * value_scale();
}
