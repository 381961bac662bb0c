const DISTANCE: u32 = DISTANCE_EUCLIDEAN;
const DISTANCES: u32 = 1u;

fn distance_eps() -> f32 {
    return params.eps;
}

fn outcome_of(distances: vec3<f32>, label: f32) -> Outcome {
    let d = distances.x;
    // What is squared, and its slope: similar rows are to be at 0, others at the margin or beyond.
    let apart = vec2<f32>(max(params.margin - d, 0.0), -1.0);
    let gap = select(apart, vec2<f32>(d, 1.0), label == 1.0);
    return Outcome(params.factor * gap.x * gap.x, vec3<f32>(2.0 * params.factor * gap.x * gap.y, 0.0, 0.0));
}
