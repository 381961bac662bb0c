//! Binary and multi-label classification, as in [`losses`](crate::losses): one function per loss.

use std::f64::consts::LN_2;

use super::{conditioning, weighed};
use crate::spec::{Item, Term, Values};

/// [`Bce`](crate::losses::Bce).
pub fn bce(item: &Item<'_>, _: &Values) -> Term {
    let (p, t) = (item["prediction"], item["target"]);
    let loss = -(t * p.ln().max(-100.0) + (1.0 - t) * (-p).ln_1p().max(-100.0));
    Term::new(loss, [(p - t) / (p * (1.0 - p)).max(1e-12)])
}

/// [`BceWithLogits`](crate::losses::BceWithLogits).
pub fn bce_with_logits(item: &Item<'_>, values: &Values) -> Term {
    let smoothing = values.number("label_smoothing");
    let t = item["target"] * (1.0 - smoothing) + 0.5 * smoothing;
    let pos_weight = values.number("pos_weight") * item["pos_weight"];
    logistic(item["logits"], weighed(t, pos_weight), 1.0 - t)
}

/// [`SigmoidFocal`](crate::losses::SigmoidFocal).
pub fn sigmoid_focal(item: &Item<'_>, values: &Values) -> Term {
    focal_logistic(item["logits"], item["target"], values.number("alpha"), values.number("gamma"))
}

/// α_t·(1 − p_t)^γ·(−ln p_t) of a logit and its target.
pub(super) fn focal_logistic(x: f64, t: f64, alpha: f64, gamma: f64) -> Term {
    let alpha_t = if alpha < 0.0 { 1.0 } else { alpha * t + (1.0 - alpha) * (1.0 - t) };

    // Powers of 1 − p_t = p(1−t) + (1−p)t in logarithms, which stay finite where p or 1 − p underflows.
    let (ln_p, ln_q) = (-softplus(-x), -softplus(x));
    let ln_miss = ln_add_exp(ln_p + (1.0 - t).ln(), ln_q + t.ln());
    let modulation = alpha_t * weighed(gamma, ln_miss).exp();
    // The derivative of ln(1 − p_t): p' = p(1−p), and 1 − p_t is p or 1 − p where t is 0 or 1.
    let ln_ratio = if t == 0.0 {
        ln_q
    } else if t == 1.0 {
        ln_p
    } else {
        ln_p + ln_q - ln_miss
    };
    let ln_miss_slope = (1.0 - 2.0 * t) * ln_ratio.exp();

    let Term { loss, gradients, gradient_magnitudes, .. } = logistic(x, t, 1.0 - t);
    let by_modulation = gamma * weighed(ln_miss_slope, loss[0]);
    let term = Term::new(weighed(modulation, loss[0]), [modulation * (gradients[0] + by_modulation)])
        .of_magnitude(weighed(modulation, loss[0]))
        .of_gradient_magnitudes([modulation * (gradient_magnitudes[0] + by_modulation.abs())]);
    // The exponent is rounded, and what it has as an error is one relative to the power.
    let exponent = weighed(gamma, ln_miss);
    if exponent.is_finite() { conditioning::amplified(term, 1.0 + exponent.abs()) } else { term }
}

/// [`Hinge`](crate::losses::Hinge).
pub fn hinge(item: &Item<'_>, _: &Values) -> Term {
    let (violation, t) = margin_violation(item);
    Term::new(violation, [if violation > 0.0 { -t } else { 0.0 }])
}

/// [`SquaredHinge`](crate::losses::SquaredHinge).
pub fn squared_hinge(item: &Item<'_>, _: &Values) -> Term {
    let (violation, t) = margin_violation(item);
    Term::new(violation * violation, [-2.0 * t * violation])
}

/// [`SoftMargin`](crate::losses::SoftMargin).
pub fn soft_margin(item: &Item<'_>, _: &Values) -> Term {
    let (x, t) = (item["logits"], item["target"]);
    Term::new(softplus(-t * x), [-t * sigmoid(-t * x)])
}

/// [`KlDiv`](crate::losses::KlDiv).
pub fn kl_div(item: &Item<'_>, values: &Values) -> Term {
    let (p, t) = (item["prediction"], item["target"]);
    if values.flag("log_target") {
        let loss = match (p, t) {
            (_, f64::NEG_INFINITY) => 0.0,
            // However little exp(t) is.
            (f64::NEG_INFINITY, _) => f64::INFINITY,
            _ => t.exp() * (t - p),
        };
        Term::new(loss, [-t.exp()])
    } else {
        let (loss, magnitude) = if t == 0.0 { (0.0, 0.0) } else { (t * (t.ln() - p), t * (t.ln().abs() + p.abs())) };
        Term::new(loss, [-t]).of_magnitude(magnitude)
    }
}

/// Cross-entropy of σ(x) against the masses of the positive and the negative class: −positive·ln σ(x) − negative·ln
/// σ(−x).
pub(super) fn logistic(x: f64, positive: f64, negative: f64) -> Term {
    let loss = weighed(positive, softplus(-x)) + weighed(negative, softplus(x));
    let terms = [negative * sigmoid(x), positive * sigmoid(-x)];
    Term::new(loss, [terms[0] - terms[1]]).of_gradient_magnitudes([terms[0].abs() + terms[1].abs()])
}

/// max(0, 1 − t·x), and t.
fn margin_violation(item: &Item<'_>) -> (f64, f64) {
    let (x, t) = (item["logits"], item["target"]);
    ((1.0 - t * x).max(0.0), t)
}

/// ln(1 + exp x).
pub(super) fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// σ(x).
pub(super) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// ln(exp a + exp b).
fn ln_add_exp(a: f64, b: f64) -> f64 {
    if a == b { a + LN_2 } else { a.max(b) + (-(a - b).abs()).exp().ln_1p() }
}
