// Of losses of distances: what a derivative by a pair's distance adds to the gradients of both rows. That of x is the
// sum of the first number times (y − x), and for a cosine of the second times x itself.
fn pull_of(slope: f32, value: f32, row: u32, column: u32) -> vec2<f32> {
    if (COMPILED_DISTANCE == DISTANCE_EUCLIDEAN) {
        return vec2<f32>(select(-slope / sqrt(value), 0.0, value == 0.0), 0.0);
    } else if (COMPILED_DISTANCE == DISTANCE_SQUARED_EUCLIDEAN) {
        return vec2<f32>(-2.0 * slope, 0.0);
    }
    let product = records[call.first_row + row].norm * records[call.first_column + column].norm;
    let kept = -slope * kept_cosine(product);
    // 1 − cos; where a least divisor is constant, 1.
    return vec2<f32>(kept, kept * select(value, 1.0, product < LEAST_DIVISOR));
}
