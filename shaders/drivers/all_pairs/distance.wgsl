// The distance that a pair's value stands for, and sums of distances.

fn distance_of(value: f32) -> f32 {
    if (COMPILED_DISTANCE == DISTANCE_EUCLIDEAN) {
        return sqrt(value);
    }
    return value;
}

// A distance from a row that is not finite is none.
fn finite_or_nan(sum: f32) -> f32 {
    return select(nan_from(sum), sum, is_finite(sum));
}
