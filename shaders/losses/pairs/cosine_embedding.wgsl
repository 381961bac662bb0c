const DISTANCE: u32 = DISTANCE_COSINE;
const DISTANCES: u32 = 1u;

fn distance_eps() -> f32 {
    return 0.0;
}

fn outcome_of(distances: vec3<f32>, label: f32) -> Outcome {
    let violation = (1.0 - distances.x) - params.margin;
    let apart = select(vec2<f32>(), vec2<f32>(violation, -1.0), violation > 0.0);
    let outcome = select(apart, vec2<f32>(distances.x, 1.0), label == 1.0);
    return Outcome(outcome.x, vec3<f32>(outcome.y, 0.0, 0.0));
}
