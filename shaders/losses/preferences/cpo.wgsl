fn loss_and_grad(chosen: f32, rejected: f32) -> vec3<f32> {
    let loss = logistic_loss(params.beta * (chosen - rejected), 1.0 - params.label_smoothing, params.label_smoothing);
    return vec3<f32>(loss.x, params.beta * loss.y, -params.beta * loss.y);
}
