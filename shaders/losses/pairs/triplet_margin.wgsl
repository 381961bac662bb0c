const DISTANCE: u32 = COMPILED_DISTANCE;
// Of anchor and positive, of anchor and negative, and with `swap` of positive and negative.
const DISTANCES: u32 = 2u + COMPILED_SWAP;

fn distance_eps() -> f32 {
    return params.eps;
}

fn outcome_of(distances: vec3<f32>, label: f32) -> Outcome {
    // How much each of the two distances to the negative is the smaller one: a half in a tie.
    var shares = vec2<f32>(1.0, 0.0);
    var negative = distances.y;
    if (COMPILED_SWAP != 0u) {
        let swapped = 0.5 + 0.5 * sign(distances.y - distances.z);
        shares = vec2<f32>(1.0 - swapped, swapped);
        negative = min(distances.y, distances.z);
    }
    let violation = (distances.x - negative) + params.margin;
    return Outcome(max(violation, 0.0), select(vec3<f32>(), vec3<f32>(1.0, -shares), violation > 0.0));
}
