fn loss_and_grad(p: f32, t: f32) -> vec2<f32> {
    if (COMPILED_LOG_TARGET != 0u) {
        let probability = expf(t);
        return vec2<f32>(probability * (t - p), -probability);
    }
    let loss = select(t * (logf(t) - p), 0.0, t == 0.0);
    return vec2<f32>(loss, -t);
}
