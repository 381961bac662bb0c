// The distance that a pair's value stands for.

fn distance_of(value: f32) -> f32 {
    if (COMPILED_DISTANCE == DISTANCE_EUCLIDEAN) {
        return sqrt(value);
    }
    return value;
}
