// The sum that a pair's value is made of is ‖x − y‖², of differences: ‖x‖² + ‖y‖² − 2x·y would have lost its digits for
// close rows. So half of the arithmetic, at best, are multiply-adds.

fn product_of(x: vec4<f32>, y: vec4<f32>) -> f32 {
    let difference = x - y;
    return dot(difference, difference);
}

// One dimension of a row, and of four others.
fn add_terms(sum: vec4<f32>, x: f32, y: vec4<f32>) -> vec4<f32> {
    let difference = y - x;
    return fma(difference, difference, sum);
}
