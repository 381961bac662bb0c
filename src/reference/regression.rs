//! Regression, as in [`losses`](crate::losses): one function per loss.

use std::{
    cmp::Ordering,
    f64::consts::{LN_2, PI},
};

use super::weighed;
use crate::spec::{Item, Term, Values};

/// [`Mse`](crate::losses::Mse).
pub fn mse(item: &Item<'_>, _: &Values) -> Term {
    let e = error(item);
    Term::new(e * e, [2.0 * e])
}

/// [`Mae`](crate::losses::Mae).
pub fn mae(item: &Item<'_>, _: &Values) -> Term {
    let e = error(item);
    Term::new(e.abs(), [sign(e)])
}

/// [`Huber`](crate::losses::Huber).
pub fn huber(item: &Item<'_>, values: &Values) -> Term {
    let (e, delta) = (error(item), values.number("delta"));
    if e.abs() <= delta {
        Term::new(0.5 * e * e, [e])
    } else {
        Term::new(delta * (e.abs() - 0.5 * delta), [delta * sign(e)])
    }
}

/// [`SmoothL1`](crate::losses::SmoothL1).
pub fn smooth_l1(item: &Item<'_>, values: &Values) -> Term {
    let (e, beta) = (error(item), values.number("beta"));
    if e.abs() < beta { Term::new(0.5 * e * e / beta, [e / beta]) } else { Term::new(e.abs() - 0.5 * beta, [sign(e)]) }
}

/// [`LogCosh`](crate::losses::LogCosh).
pub fn log_cosh(item: &Item<'_>, _: &Values) -> Term {
    let e = error(item);
    let loss = if e.abs() < 1.0 {
        // The general form cancels near 0; cosh e = 1 + 2 sinh²(e/2) does not.
        (2.0 * (0.5 * e).sinh().powi(2)).ln_1p()
    } else {
        e.abs() + (-2.0 * e.abs()).exp().ln_1p() - LN_2
    };
    Term::new(loss, [e.tanh()])
}

/// [`Quantile`](crate::losses::Quantile).
pub fn quantile(item: &Item<'_>, values: &Values) -> Term {
    let (p, t, q) = (item["prediction"], item["target"], values.number("quantile"));
    let loss = weighed(q, t - p).max(weighed(q - 1.0, t - p));
    let gradient = match p.partial_cmp(&t) {
        Some(Ordering::Less) => -q,
        Some(Ordering::Greater) => 1.0 - q,
        _ => 0.0,
    };
    Term::new(loss, [gradient])
}

/// [`AsymmetricMse`](crate::losses::AsymmetricMse).
pub fn asymmetric_mse(item: &Item<'_>, values: &Values) -> Term {
    let e = error(item);
    let penalty = if e > 0.0 { values.number("over_penalty") } else { 1.0 };
    Term::new(penalty * e * e, [2.0 * penalty * e])
}

/// [`PoissonNll`](crate::losses::PoissonNll).
pub fn poisson_nll(item: &Item<'_>, values: &Values) -> Term {
    let (p, t) = (item["prediction"], item["target"]);
    // The loss and the gradient are differences of these.
    let (loss, gradient) = if values.flag("log_input") {
        ([p.exp(), weighed(t, p)], [p.exp(), t])
    } else {
        let eps = values.number("eps");
        // What is left of p − t is exact.
        let slope = if p == f64::INFINITY { 1.0 } else { (p - t + eps) / (p + eps) };
        ([p, t * (p + eps).ln()], [slope, 0.0])
    };
    let stirling = if values.flag("full") && t > 1.0 { [t * t.ln(), t, 0.5 * (2.0 * PI * t).ln()] } else { [0.0; 3] };
    let magnitude: f64 = loss.iter().chain(&stirling).map(|x| x.abs()).sum();
    // The rate outgrows its logarithm, and Stirling's sum all that t is a factor of.
    let value = if values.flag("full") && t == f64::INFINITY {
        t
    } else if p == f64::INFINITY {
        p
    } else {
        loss[0] - loss[1] + (stirling[0] - stirling[1] + stirling[2])
    };
    Term::new(value, [gradient[0] - gradient[1]])
        .of_magnitude(magnitude)
        .of_gradient_magnitudes([gradient[0].abs() + gradient[1].abs()])
}

/// [`GaussianNll`](crate::losses::GaussianNll).
pub fn gaussian_nll(item: &Item<'_>, values: &Values) -> Term {
    let (e, v) = (error(item), item["variance"].max(values.number("eps")));
    let constant = if values.flag("full") { 0.5 * (2.0 * PI).ln() } else { 0.0 };
    let term = Term::new(0.5 * (v.ln() + e * e / v) + constant, [e / v, 0.5 * (1.0 - e * e / v) / v]);
    term.of_magnitude(0.5 * (v.ln().abs() + e * e / v) + constant)
        .of_gradient_magnitudes([(e / v).abs(), 0.5 * (1.0 + e * e / v) / v])
}

fn error(item: &Item<'_>) -> f64 {
    item["prediction"] - item["target"]
}

/// −1, 0 or 1; NaN for NaN.
fn sign(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x.signum() }
}
