fn loss_and_grad(p: f32, t: f32) -> vec2<f32> {
    if (COMPILED_LOG_TARGET != 0u) {
        let probability = expf(t);
        // Where the prediction masks what the target has, infinite however little that is.
        let loss = select(probability * (t - p), -p, is_masked(p));
        return vec2<f32>(select(loss, 0.0, is_masked(t)), -probability);
    }
    let loss = select(t * (logf(t) - p), 0.0, t == 0.0);
    return vec2<f32>(loss, -t);
}
