// Blocks as the largest absolute value takes them, which is kept for every norm.

fn terms_of(values: vec4<f32>) -> vec4<f32> {
    return vec4<f32>();
}

fn sums_of_block(terms: f32, first: u32, end: u32) -> vec3<f32> {
    return vec3<f32>();
}
