// The loss of a token of a policy and its derivative by the token's log-probability: `surrogate` of the ratio to the
// old policy, which each loss has its own, times the token's importance, and what parts the policy from a reference.

// What stands for a log-probability that was left out: none is above 0.
const LEFT_OUT: f32 = 1.0;

fn policy_loss(log_prob: f32, advantage: f32, old: f32, reference: f32, importance: f32) -> vec2<f32> {
    // A policy is its own old one and its own reference, which are held.
    let log_ratio = select(log_prob - old, 0.0, old == LEFT_OUT);
    let token = Token(log_prob, advantage, expf(log_ratio), log_ratio);
    let pull = surrogate(token);
    var loss = vec2<f32>(product(importance, pull.x), product(importance, pull.y));
    var lead = 0.0;
    if (COMPILED_KL != 0u) {
        lead = select(reference - log_prob, 0.0, reference == LEFT_OUT);
        let corrected = corrected_divergence(token, lead, old, reference);
        loss += params.kl * select(divergence(lead), corrected, params.kl_correction != 0u);
    }
    // Of two infinities nothing is known.
    return select(select(loss, vec2<f32>(lead), is_nan(lead)), vec2<f32>(log_ratio), is_nan(log_ratio));
}

// exp(r) − 1 − r of the reference's lead r, and its derivative by the log-probability.
fn divergence(lead: f32) -> vec2<f32> {
    let grown = growth(lead);
    // Beyond 90 the exponential is infinite, and an infinite lead would be subtracted from it.
    let far = grown - min(lead, 90.0);
    return vec2<f32>(select(far, exp_excess(clamp(lead, -NEAR, NEAR)), abs(lead) < NEAR), -grown);
}

// Where exp_excess holds.
const NEAR: f32 = 0.34;

// The same times the ratio: the product of both exponentials is one, which is finite where either is not, and of which
// exp(−r)·(1 + r) is taken away.
fn corrected_divergence(token: Token, lead: f32, old: f32, reference: f32) -> vec2<f32> {
    let power = select(reference - old, lead, old == LEFT_OUT);
    let far = expf(power) * (1.0 - product(1.0 + lead, expf(-lead)));
    let near = product(token.ratio, divergence(min(lead, 1.0)).x);
    return vec2<f32>(select(near, far, lead > 1.0), -product(token.ratio, lead));
}
