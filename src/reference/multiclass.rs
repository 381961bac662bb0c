//! Multi-class classification, as in [`losses`](crate::losses): one function per loss.

use super::{binary::logistic, choices, softmax::*, weighed};
use crate::spec::{Item, Smoothing, Term, Values};

/// [`CrossEntropy`](crate::losses::CrossEntropy).
pub fn cross_entropy(item: &Item<'_>, values: &Values) -> Term {
    let logits = seen_with_offset(item, values);
    let target = masses(&smoothed(item, &logits, values), item.row("class_weight"));
    let terms = [entropy(&logits, &target), z_term(&logits, values), entropy_bonus(&logits, values)];
    let slopes = item.row("logits").iter().map(|&x| softcap_slope(x, values.number("softcap")));
    let gradient = |(c, slope)| slope * terms.iter().map(|term| term.gradients[c]).sum::<f64>();
    let gradients: Vec<f64> = slopes.enumerate().map(gradient).collect();
    let sum = |of: fn(&Term) -> f64| terms.iter().map(of).sum::<f64>();
    Term::new(sum(|term| term.loss[0]), gradients)
        .of_magnitude(sum(|term| term.loss[0].abs()))
        .of_gradient_magnitudes([sum(|term| term.gradient_magnitudes[0])])
}

/// [`CrossEntropySoft`](crate::losses::CrossEntropySoft).
pub fn cross_entropy_soft(item: &Item<'_>, values: &Values) -> Term {
    let (logits, smoothing) = (item.row("logits"), values.number("label_smoothing"));
    let share = smoothing / logits.len() as f64;
    let targets = item.row("target_probabilities").iter().zip(logits);
    let targets = targets.map(|(t, &x)| t * (1.0 - smoothing) + unless_masked(x, share));
    entropy(logits, &masses(&targets.collect::<Vec<_>>(), item.row("class_weight")))
}

/// [`Focal`](crate::losses::Focal).
pub fn focal(item: &Item<'_>, values: &Values) -> Term {
    let (logits, class) = (item.row("logits"), item.class());
    focal_entropy(logits, &one_hot(logits.len(), class, item.row("class_weight")[class]), values)
}

/// [`Nll`](crate::losses::Nll).
pub fn nll(item: &Item<'_>, _: &Values) -> Term {
    let (class, ln_p) = (item.class(), item.row("log_probabilities"));
    let weight = item.row("class_weight")[class];
    Term::new(weighed(weight, -ln_p[class]), one_hot(ln_p.len(), class, -weight))
}

/// [`MultiMargin`](crate::losses::MultiMargin).
pub fn multi_margin(item: &Item<'_>, values: &Values) -> Term {
    let (class, logits) = (item.class(), item.row("logits"));
    let (margin, p) = (values.number("margin"), values.integer("p"));
    let factor = item.row("class_weight")[class] / logits.len() as f64;
    let violation = |(c, &x): (usize, &f64)| {
        if c == class { 0.0 } else { unless_masked(x, (margin - logits[class] + x).max(0.0)) }
    };
    let violations: Vec<f64> = logits.iter().enumerate().map(violation).collect();
    let loss = violations.iter().map(|v| v.powi(p)).sum();

    let slope = |v: &f64| if *v > 0.0 { weighed(factor, f64::from(p) * v.powi(p - 1)) } else { 0.0 };
    let mut gradients: Vec<f64> = violations.iter().map(slope).collect();
    gradients[class] = -gradients.iter().sum::<f64>();
    Term::new(weighed(factor, loss), gradients).of_doubts(doubts_of_hinges(class, logits, margin, p, factor))
}

/// What rounding may change about the gradients where a class is at the kink of its hinge.
fn doubts_of_hinges(class: usize, logits: &[f64], margin: f64, p: i32, factor: f64) -> Vec<f64> {
    // Squares have no jump in their slope.
    let in_doubt = |(c, x): (usize, &f64)| {
        let magnitude = margin.abs() + logits[class].abs() + x.abs();
        p == 1 && c != class && choices::is_at_kink(margin - logits[class] + x, magnitude)
    };
    let mut doubts: Vec<f64> =
        logits.iter().enumerate().map(|place| if in_doubt(place) { factor.abs() } else { 0.0 }).collect();
    doubts[class] = doubts.iter().sum();
    if doubts[class] == 0.0 { Vec::new() } else { doubts }
}

/// [`MultilabelSoftMargin`](crate::losses::MultilabelSoftMargin).
pub fn multilabel_soft_margin(item: &Item<'_>, _: &Values) -> Term {
    let logits = item.row("logits");
    let classes = logits.iter().zip(item.row("target_probabilities")).zip(item.row("class_weight"));
    let factor = 1.0 / logits.len() as f64;
    let terms: Vec<Term> = classes.map(|((x, t), w)| logistic(*x, factor * w * t, factor * w * (1.0 - t))).collect();
    let gradients: Vec<f64> = terms.iter().map(|term| term.gradients[0]).collect();
    let magnitude = terms.iter().map(|term| term.gradient_magnitudes[0]).fold(0.0, f64::max);
    Term::new(terms.iter().map(|term| term.loss[0]).sum(), gradients).of_gradient_magnitudes([magnitude])
}

/// The logits as the loss sees them: bounded by `softcap` or divided by `temperature`, where it has that parameter. A
/// masked class stays masked.
pub(crate) fn seen(logits: &[f64], values: &Values) -> Vec<f64> {
    let (softcap, temperature) = (values.number_or("softcap", 0.0), values.number_or("temperature", 1.0));
    let capped = |x: f64| if softcap > 0.0 && x != f64::NEG_INFINITY { softcap * (x / softcap).tanh() } else { x };
    logits.iter().map(|&x| capped(x) / temperature).collect()
}

/// The same of the item's logits, with the classes' offsets added where the loss has them.
pub(super) fn seen_with_offset(item: &Item<'_>, values: &Values) -> Vec<f64> {
    let seen = seen(item.first(), values);
    match item.row_of("class_offset") {
        // A class that either masks is masked.
        Some(offsets) => seen.iter().zip(offsets).map(|(x, offset)| x + offset).collect(),
        None => seen,
    }
}

/// The derivative of softcap·tanh(x/softcap), or of x without a softcap.
fn softcap_slope(x: f64, softcap: f64) -> f64 {
    if softcap > 0.0 { (x / softcap).cosh().recip().powi(2) } else { 1.0 }
}

/// The value, or 0 for the class of a masked logit.
pub(super) fn unless_masked(logit: f64, value: f64) -> f64 {
    if logit == f64::NEG_INFINITY { 0.0 } else { value }
}

/// The target of class indices after label smoothing; a masked class gets no share.
fn smoothed(item: &Item<'_>, logits: &[f64], values: &Values) -> Vec<f64> {
    let (class, smoothing) = (item.class(), values.number("label_smoothing"));
    let classes = logits.len() as f64;
    let (own, other) = match values.word("smoothing") {
        Smoothing::Uniform => (smoothing / classes, smoothing / classes),
        Smoothing::Others => (0.0, smoothing / (classes - 1.0)),
    };
    let target = |(c, &x): (usize, &f64)| {
        if c == class { 1.0 - smoothing + unless_masked(x, own) } else { unless_masked(x, other) }
    };
    logits.iter().enumerate().map(target).collect()
}

/// −Σ m·ln p with p = softmax(logits) and the classes' masses m; a class without mass adds nothing.
pub(super) fn entropy(logits: &[f64], masses: &[f64]) -> Term {
    let ln_p = ln_softmax(logits);
    let slopes: Vec<f64> = masses.iter().map(|mass| -mass).collect();
    let loss = slopes.iter().zip(&ln_p).map(|(&slope, &ln_p)| weighed(slope, ln_p)).sum();
    Term::new(loss, ln_softmax_pullback(&ln_p, &slopes))
        .of_gradient_magnitudes([ln_softmax_pullback_magnitude(&ln_p, &slopes)])
}

/// −Σ α·m·(1 − p)^γ·ln p, as [`entropy`].
pub(super) fn focal_entropy(logits: &[f64], masses: &[f64], values: &Values) -> Term {
    let (alpha, gamma) = (values.number("alpha"), values.number("gamma"));
    let ln_p = ln_softmax(logits);
    let by_class = |(&mass, &ln_p): (&f64, &f64)| {
        if mass == 0.0 {
            return (0.0, 0.0);
        }
        let (p, miss) = (ln_p.exp(), -ln_p.exp_m1());
        let factor = alpha * mass * miss.powf(gamma);
        // Where nothing is missed, −ln p is 1 − p.
        let ratio = if miss == 0.0 { 1.0 } else { -ln_p / miss };
        (weighed(factor, -ln_p), -factor * (1.0 + gamma * weighed(p, ratio)))
    };
    let (losses, slopes): (Vec<f64>, Vec<f64>) = masses.iter().zip(&ln_p).map(by_class).unzip();
    Term::new(losses.iter().sum(), ln_softmax_pullback(&ln_p, &slopes))
}

/// The masses of classes: their targets, each weighed.
fn masses(target: &[f64], class_weight: &[f64]) -> Vec<f64> {
    target.iter().zip(class_weight).map(|(t, w)| w * t).collect()
}

/// z·lse².
fn z_term(logits: &[f64], values: &Values) -> Term {
    let (z, lse) = (values.number("z_loss"), ln_sum_exp(logits));
    let gradients: Vec<f64> = ln_softmax(logits).into_iter().map(|ln_p| weighed(ln_p.exp(), 2.0 * z * lse)).collect();
    let magnitude = gradients.iter().fold(0.0, |largest: f64, z| largest.max(z.abs()));
    Term::new(weighed(z, lse * lse), gradients).of_gradient_magnitudes([magnitude])
}

/// −Σ p·ln p of log-probabilities; what has no probability adds nothing.
pub(super) fn shannon_entropy(ln_p: &[f64]) -> f64 {
    ln_p.iter().map(|&ln_p| weighed(ln_p.exp(), -ln_p)).sum()
}

/// What the rounding error of the entropy is relative to. The error of a logarithm, rounded to 2⁻²⁴ of itself, is one
/// relative to the probability: 8 of them are allowed for, as in divergences.
pub(super) fn shannon_magnitude(ln_p: &[f64]) -> f64 {
    ln_p.iter().map(|&ln_p| weighed(ln_p.exp(), -ln_p * (1.0 - ln_p / 8.0))).sum()
}

/// −bonus·H, with H the entropy; the derivative of H by a logit is −p·(ln p + H).
fn entropy_bonus(logits: &[f64], values: &Values) -> Term {
    let (bonus, ln_p) = (values.number("entropy_bonus"), ln_softmax(logits));
    let entropy = shannon_entropy(&ln_p);
    let terms = ln_p.iter().map(|&ln_p| (weighed(bonus * ln_p.exp(), ln_p), bonus * ln_p.exp() * entropy));
    let (sizes, gradients): (Vec<f64>, Vec<f64>) = terms.map(|(own, all)| (all - own, own + all)).unzip();
    Term::new(-bonus * entropy, gradients).of_gradient_magnitudes([sizes.into_iter().fold(0.0, f64::max)])
}

fn one_hot(classes: usize, class: usize, value: f64) -> Vec<f64> {
    (0..classes).map(|c| if c == class { value } else { 0.0 }).collect()
}
