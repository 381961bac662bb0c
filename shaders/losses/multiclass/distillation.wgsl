// T²·KL(P ‖ Q) with P the teacher's and Q the student's softmax, or another divergence.
fn form() -> u32 {
    if (COMPILED_DIVERGENCE == DIVERGENCE_JENSEN_SHANNON) {
        return MIXTURE;
    }
    return select(FORWARD, REVERSE, COMPILED_DIVERGENCE == DIVERGENCE_REVERSE);
}

fn teacher_share() -> f32 {
    return 0.5;
}

fn loss_factor() -> f32 {
    return params.temperature * params.temperature;
}

// T² for the loss and 1/T for the logits.
fn slope_of(x: f32) -> f32 {
    return params.temperature;
}
