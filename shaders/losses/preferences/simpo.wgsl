fn loss_and_grad(chosen: f32, rejected: f32) -> vec3<f32> {
    let x = params.beta * (chosen - rejected) - params.gamma;
    let loss = logistic_loss(x, 1.0 - params.label_smoothing, params.label_smoothing);
    return vec3<f32>(loss.x, params.beta * loss.y, -params.beta * loss.y);
}
