//! Generative models, as in [`losses`](crate::losses): one function per loss.

use super::{binary::logistic, conditioning, dot};
use crate::spec::{Game, Item, Term, Values};

/// [`GanGenerator`](crate::losses::GanGenerator).
pub fn gan_generator(item: &Item<'_>, values: &Values) -> Term {
    match values.flag("saturating") {
        true => logistic(item["fake"], 0.0, 1.0).map(|x| -x),
        false => logistic(item["fake"], 1.0, 0.0),
    }
}

/// [`LsganGenerator`](crate::losses::LsganGenerator).
pub fn lsgan_generator(item: &Item<'_>, _: &Values) -> Term {
    let e = item["fake"] - 1.0;
    Term::new(0.5 * e * e, [e])
}

/// [`HingeGanGenerator`](crate::losses::HingeGanGenerator) and [`WganGenerator`](crate::losses::WganGenerator).
pub fn wgan_generator(item: &Item<'_>, _: &Values) -> Term {
    Term::new(-item["fake"], [-1.0])
}

/// [`GaussianKl`](crate::losses::GaussianKl).
pub fn gaussian_kl(item: &Item<'_>, _: &Values) -> Term {
    let (mu, logvar) = (item["mu"], item["logvar"]);
    // exp(logvar) outgrows logvar, and both nearly cancel around 0, where the rest of the series is left.
    let excess = if logvar == f64::INFINITY {
        f64::INFINITY
    } else if logvar.abs() < 1e-3 {
        logvar * logvar * (0.5 + logvar * (1.0 / 6.0 + logvar * (1.0 / 24.0 + logvar / 120.0)))
    } else {
        logvar.exp_m1() - logvar
    };
    Term::new(0.5 * (mu * mu + excess), [mu, 0.5 * logvar.exp_m1()])
}

/// A discriminator's or critic's loss of a score.
pub(crate) fn score_term(item: &Item<'_>, values: &Values) -> Term {
    let (x, is_real) = (item["score"], values.flag("real"));
    let (wanted, sign) = if is_real { (1.0, -1.0) } else { (0.0, 1.0) };
    match values.word("game") {
        Game::Logistic => logistic(x, wanted, 1.0 - wanted),
        Game::Squared => Term::new(0.5 * (x - wanted).powi(2), [x - wanted]),
        Game::Hinge if sign * x > -1.0 => Term::new(1.0 + sign * x, [sign]),
        Game::Hinge => Term::new(0.0, [0.0]),
        Game::Linear => Term::new(sign * x, [sign]),
    }
}

/// [`GradientPenalty`](crate::losses::GradientPenalty).
pub fn gradient_penalty(item: &Item<'_>, values: &Values) -> Term {
    let (gradient, lambda, target) = (item.row("gradient"), values.number("lambda"), values.number("norm_target"));
    let norm = dot(gradient, gradient).sqrt();
    let gap = norm - target;
    let slope = |x: &f64| if norm == 0.0 { 0.0 } else { 2.0 * lambda * gap * x / norm };
    let slopes: Vec<f64> = gradient.iter().map(slope).collect();
    let largest = slopes.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
    let term = Term::new(lambda * gap * gap, slopes).of_gradient_magnitudes([largest]);
    let magnitude = term.loss[0];
    // The gap is a difference of the norm and what it should be.
    if gap == 0.0 { term } else { conditioning::amplified(term.of_magnitude(magnitude), (norm + target) / gap.abs()) }
}
