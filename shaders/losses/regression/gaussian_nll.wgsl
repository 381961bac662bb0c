const HALF_LN_TWO_PI: f32 = 0.918938533;

fn loss_and_grad(p: f32, t: f32, variance: f32) -> vec3<f32> {
    let e = p - t;
    let v = max(variance, params.eps);
    let ratio = e / v;
    var loss = 0.5 * (logf(v) + e * ratio);
    if (params.full != 0u) {
        loss += HALF_LN_TWO_PI;
    }
    return vec3<f32>(loss, ratio, 0.5 * (1.0 / v - ratio * ratio));
}
