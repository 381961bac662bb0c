// The value of a pair is x·y times the scale of all values. Each of D dimensions rounds once or twice, so the error of
// x·y is at most 2D·2⁻²⁴·Σ|x_d·y_d|, and by multiply-adds half of that. Of rows of unit length Σ|x_d·y_d| is at most 1: for
// 128 dimensions the error is below 1.6e-5, and below 7.7e-6 by multiply-adds, whatever their directions; typically it is
// a √D-th of that. A softmax of similarities needs no more: it sees the error times the scale, relative to 1.

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
