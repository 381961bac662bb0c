fn loss_and_grad(p: f32, t: f32) -> vec2<f32> {
    let loss = -(t * max(logf(p), -100.0) + (1.0 - t) * max(log1pf(-p), -100.0));
    return vec2<f32>(loss, (p - t) / max(p * (1.0 - p), 1e-12));
}
