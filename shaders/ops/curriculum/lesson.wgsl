// What the steps of `curriculum` leave for each other.

struct Lesson {
    // The host's.
    progress: f32,
    // Samples that are not too difficult, and the weight of each.
    selected: u32,
    weight: f32,
    // Those of each workgroup.
    partials: array<u32>,
}

// NaN never counts.
fn are_selected(difficulty: vec4<f32>) -> vec4<bool> {
    let is_number = unsigned_bits_of(difficulty) <= vec4<u32>(INFINITE);
    return is_number & (difficulty <= vec4<f32>(lesson.progress));
}
