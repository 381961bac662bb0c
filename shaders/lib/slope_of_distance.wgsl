// Of losses of distances: what a derivative by a pair's distance adds to the gradients of both rows. That of x is the sum of
// panel·(y − x); of a cosine there is a second plane, whose sum is multiplied with x itself.

fn put_slope(place: u32, slope: f32, value: f32, row: u32, column: u32) {
    if (COMPILED_DISTANCE == DISTANCE_EUCLIDEAN) {
        panel[place] = select(-slope / sqrt(value), 0.0, value == 0.0);
    } else if (COMPILED_DISTANCE == DISTANCE_SQUARED_EUCLIDEAN) {
        panel[place] = -2.0 * slope;
    } else {
        let product = records[params.first_row + row].norm * records[params.first_column + column].norm;
        let kept = -slope * kept_cosine(product);
        panel[place] = kept;
        // 1 − cos; where a least divisor is constant, 1.
        panel[params.plane + place] = kept * select(value, 1.0, product < LEAST_DIVISOR);
    }
}
