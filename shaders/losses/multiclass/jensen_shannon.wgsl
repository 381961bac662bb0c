// β·KL(P ‖ M) + (1 − β)·KL(Q ‖ M) with M = β·P + (1 − β)·Q; at the ends of β, KL(P ‖ Q) and KL(Q ‖ P).
fn form() -> u32 {
    return select(select(MIXTURE, REVERSE, params.beta == 1.0), FORWARD, params.beta == 0.0);
}

fn teacher_share() -> f32 {
    return params.beta;
}

fn loss_factor() -> f32 {
    return select(1.0, params.temperature * params.temperature, params.scale_by_t2 != 0u);
}

fn slope_of(x: f32) -> f32 {
    return select(1.0 / params.temperature, params.temperature, params.scale_by_t2 != 0u);
}
