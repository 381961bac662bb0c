// A loss of one number X = β·(x_w − x_l), as (loss, slope by X), as one of both x.
fn of_pair(loss: vec2<f32>) -> vec3<f32> {
    return vec3<f32>(loss.x, params.beta * loss.y, -params.beta * loss.y);
}

// σ(x) and its slope.
fn sigmoid_and_slope(x: f32) -> vec2<f32> {
    let s = sigmoid(x);
    return vec2<f32>(s, s * sigmoid(-x));
}

// σ(X)·(ln σ(X) − ln(1−ε)) + σ(−X)·(ln σ(−X) − ln ε), whose slope is σ(X)·σ(−X)·(X − ln(1−ε) + ln ε).
fn exo(x: f32) -> vec2<f32> {
    let smoothing = select(params.label_smoothing, 1e-3, params.label_smoothing == 0.0);
    let log_right = log1pf(-smoothing);
    let log_wrong = logf(smoothing);
    let s = sigmoid(x);
    let q = sigmoid(-x);
    let loss = -times(s, softplus(-x) + log_right) - times(q, softplus(x) + log_wrong);
    return vec2<f32>(loss, times(s * q, x - log_right + log_wrong));
}

// −ln σ(X)·(1 − m) + exp(−X)·m with m = σ(X/τ).
fn discopop(x: f32) -> vec2<f32> {
    let scaled = x / params.tau;
    let m = sigmoid(scaled);
    let rest = sigmoid(-scaled);
    let log_loss = softplus(-x);
    // exp(−X) overflows only where m vanishes: ln(exp(−X)·m) = −X − softplus(−X/τ), of negative X collected.
    let exponent = select(times(1.0 / params.tau - 1.0, x) - softplus(scaled), -x - softplus(-scaled), x >= 0.0);
    let exponential = expf(exponent);
    let of_m = rest / params.tau;
    let slope = times(of_m - 1.0, exponential) - times(of_m * m, log_loss) - sigmoid(-x) * rest;
    return vec2<f32>(times(rest, log_loss) + exponential, slope);
}

// σ(u)·σ(−u) − σ(v)·σ(−v), small ones by the squares of what σ is off ½, which do not cancel.
fn slopes_apart(u: f32, v: f32) -> f32 {
    let off = vec2<f32>(tanhf(0.5 * u), tanhf(0.5 * v));
    let is_small = max(abs(u), abs(v)) < 1.0;
    let apart = sigmoid(u) * sigmoid(-u) - sigmoid(v) * sigmoid(-v);
    return select(apart, 0.25 * (off.y - off.x) * (off.y + off.x), is_small);
}

// The loss of what both answers gain on the reference, and of what they gain a token.
fn loss_of_gains(a: f32, c: f32, per_token: f32, lengths: vec2<f32>) -> vec3<f32> {
    let beta = params.beta;
    let smoothing = params.label_smoothing;
    let x = beta * (a - c);
    if (params.form == FORM_SIGMOID) {
        return of_pair(logistic_loss(x, 1.0 - smoothing, smoothing));
    }
    if (params.form == FORM_HINGE) {
        let violation = 1.0 - x;
        return of_pair(select(vec2<f32>(), vec2<f32>(violation, -1.0), violation > 0.0));
    }
    if (params.form == FORM_IPO) {
        let e = per_token - 0.5 / beta;
        return vec3<f32>(e * e, 2.0 * e / lengths.x, -2.0 * e / lengths.y);
    }
    if (params.form == FORM_EXO) {
        return of_pair(exo(x));
    }
    if (params.form == FORM_NCA) {
        let of_chosen = logistic_loss(beta * a, 1.0, 0.5);
        let of_rejected = logistic_loss(beta * c, 0.0, 0.5);
        return vec3<f32>(of_chosen.x + of_rejected.x, beta * of_chosen.y, beta * of_rejected.y);
    }
    if (params.form == FORM_ROBUST) {
        let right = softplus_and_slope(-x);
        let wrong = softplus_and_slope(x);
        let loss = (1.0 - smoothing) * right.x - times(smoothing, wrong.x);
        let slope = -(1.0 - smoothing) * right.y - smoothing * wrong.y;
        return of_pair(vec2<f32>(loss, slope) / (1.0 - 2.0 * smoothing));
    }
    if (params.form == FORM_BCO) {
        let of_chosen = softplus_and_slope(-beta * a);
        let of_rejected = softplus_and_slope(beta * c);
        return vec3<f32>(of_chosen.x + of_rejected.x, -beta * of_chosen.y, beta * of_rejected.y);
    }
    if (params.form == FORM_SPPO) {
        let e = vec2<f32>(a - 0.5 / beta, c + 0.5 / beta);
        return vec3<f32>(dot(e, e), 2.0 * e);
    }
    if (params.form == FORM_APO_ZERO) {
        let of_chosen = sigmoid_and_slope(-beta * a);
        let of_rejected = sigmoid_and_slope(beta * c);
        return vec3<f32>(of_chosen.x + of_rejected.x, -beta * of_chosen.y, beta * of_rejected.y);
    }
    if (params.form == FORM_APO_DOWN) {
        let of_both = sigmoid_and_slope(-x);
        return vec3<f32>(sigmoid(beta * a) + of_both.x, beta * slopes_apart(beta * a, x), beta * of_both.y);
    }
    if (params.form == FORM_DISCOPOP) {
        return of_pair(discopop(x));
    }
    let norm = softplus_and_slope(-beta * per_token);
    return vec3<f32>(norm.x, -beta * norm.y / lengths.x, beta * norm.y / lengths.y);
}

fn loss_and_grad(
    chosen: f32,
    rejected: f32,
    ref_chosen: f32,
    ref_rejected: f32,
    chosen_length: f32,
    rejected_length: f32,
) -> vec3<f32> {
    let a = chosen - ref_chosen;
    let c = rejected - ref_rejected;
    let lengths = max(vec2<f32>(chosen_length, rejected_length), vec2<f32>(1.0));
    let per_token = a / lengths.x - c / lengths.y;
    let loss = loss_of_gains(a, c, per_token, lengths);
    // Of two infinities nothing is known: of what each answer gains, of what both do a token, or of their difference.
    let is_by_each = params.form == FORM_NCA || params.form == FORM_BCO || params.form == FORM_SPPO
        || params.form == FORM_APO_ZERO;
    let is_by_token = params.form == FORM_IPO || params.form == FORM_SIGMOID_NORM;
    let gain = select(select(a - c, per_token, is_by_token), a + c, is_by_each);
    let is_unknown = select(is_nan(gain), is_nan(a) || is_nan(c), is_by_each);
    return select(loss, vec3<f32>(gain), is_unknown);
}
