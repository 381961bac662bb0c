// The weight of each sample: one for all that are not too difficult, and none for others.

fn argument() -> f32 {
    return lesson.weight;
}

fn is_identity(weight: f32) -> bool {
    return false;
}

fn mapped(difficulty: vec4<f32>, weight: f32) -> vec4<f32> {
    return select(vec4<f32>(), vec4<f32>(weight), are_selected(difficulty));
}
