// Blocks as the Euclidean norm takes them.

fn terms_of(values: vec4<f32>) -> vec4<f32> {
    return values * values;
}

fn sums_of_block(squares: f32, first: u32, end: u32) -> vec3<f32> {
    return scaled_squares(squares, first, end);
}
