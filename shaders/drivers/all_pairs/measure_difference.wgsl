// The value of a pair is ‖x − y‖², of differences: ‖x‖² + ‖y‖² − 2x·y would have lost its digits for close rows.

fn product_of(x: vec4<f32>, y: vec4<f32>) -> f32 {
    let difference = x - y;
    return dot(difference, difference);
}

fn value_of(sum: f32, row: u32, column: u32) -> f32 {
    return sum;
}
