// The value of a pair is x·y times the scale of all values. Of D dimensions, with multiply-adds or without, its error
// is at most D·2⁻²⁴·Σ|x_d·y_d| to first order, and for rows of unit length Σ|x_d·y_d| is 1 at most: for 128 dimensions
// the error is below 7.7e-6 whichever way rows point, and typically a √D-th of that. A softmax sees it times the scale,
// as an error relative to each exponential, and needs no more: nothing there asks for what is left of 1.

fn product_of(x: vec4<f32>, y: vec4<f32>) -> f32 {
    return dot(x, y);
}

// One dimension of a row, and of four others.
fn add_terms(sum: vec4<f32>, x: f32, y: vec4<f32>) -> vec4<f32> {
    return fma(vec4<f32>(x), y, sum);
}

fn value_of(sum: f32, row: u32, column: u32) -> f32 {
    return sum * value_scale();
}
