//! Multi-class classification, as in [`losses`](crate::losses): one function per loss.

use super::{binary::logistic, choices, softmax::*, weighed};
use crate::spec::{Divergence, Item, Smoothing, Term, Values};

/// [`CrossEntropy`](crate::losses::CrossEntropy).
pub fn cross_entropy(item: &Item<'_>, values: &Values) -> Term {
    let logits = seen(item.row("logits"), values);
    let target = masses(&smoothed(item, &logits, values), item.row("class_weight"));
    let (main, z_term) = (entropy(&logits, &target), z_term(&logits, values));
    let slopes = item.row("logits").iter().map(|&x| softcap_slope(x, values.number("softcap")));
    let gradients = main.gradients.iter().zip(&z_term.gradients).zip(slopes).map(|((g, z), slope)| (g + z) * slope);
    let z_magnitude = z_term.gradients.iter().copied().fold(0.0, |largest: f64, z| largest.max(z.abs()));
    Term::new(main.loss[0] + z_term.loss[0], gradients.collect::<Vec<_>>())
        .of_gradient_magnitudes([main.gradient_magnitudes[0] + z_magnitude])
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

/// [`Distillation`](crate::losses::Distillation).
pub fn distillation(item: &Item<'_>, values: &Values) -> Term {
    let shares = shares(item, values);
    let of_student = |gradients: Vec<f64>| -> Vec<f64> {
        item.row("logits").iter().zip(gradients).map(|(&x, gradient)| unless_masked(x, gradient)).collect()
    };
    let swapped = || shares.iter().map(|share| share.swapped());
    let (loss, gradients) = match values.word("divergence") {
        Divergence::Forward => (kl(shares.iter().copied()), shares.iter().map(|share| -share.gap()).collect()),
        Divergence::Reverse => {
            let (loss, gradients) = kl_and_gradients(swapped());
            (loss, of_student(gradients))
        }
        Divergence::JensenShannon => {
            // The share that M has in the gradient sums to 0.
            let (student, gradients) = kl_and_gradients(swapped().map(Share::midpoint));
            let teacher = kl(shares.iter().map(|share| share.midpoint()));
            (0.5 * (teacher + student), gradients.iter().map(|g| 0.5 * g).collect())
        }
    };
    let temperature = values.number("temperature");
    // T² of the loss, of which the logits' division takes one T from the gradient. A divergence is of the order of the
    // squared differences of probabilities, and these are known to 1e-8.
    let size = loss.abs().max(1e-16) * roundings(&shares);
    Term::new(temperature.powi(2) * loss, gradients.iter().map(|g| temperature * g).collect::<Vec<_>>())
        .of_magnitude(temperature.powi(2) * size)
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

/// The derivative of softcap·tanh(x/softcap), or of x without a softcap.
fn softcap_slope(x: f64, softcap: f64) -> f64 {
    if softcap > 0.0 { (x / softcap).cosh().recip().powi(2) } else { 1.0 }
}

/// The value, or 0 for the class of a masked logit.
fn unless_masked(logit: f64, value: f64) -> f64 {
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
    let gradients = ln_softmax(logits).into_iter().map(|ln_p| weighed(ln_p.exp(), 2.0 * z * lse));
    Term::new(weighed(z, lse * lse), gradients.collect::<Vec<_>>())
}

fn one_hot(classes: usize, class: usize, value: f64) -> Vec<f64> {
    (0..classes).map(|c| if c == class { value } else { 0.0 }).collect()
}

/// A class's shares of two distributions: p and q, and the logarithm of their ratio, which holds digits that p and q
/// have lost where they nearly agree.
#[derive(Clone, Copy)]
struct Share {
    p: f64,
    q: f64,
    ln_ratio: f64,
}

impl Share {
    /// p − q.
    fn gap(self) -> f64 {
        if self.ln_ratio < 0.0 { self.q * self.ln_ratio.exp_m1() } else { -self.p * (-self.ln_ratio).exp_m1() }
    }

    /// p·ln(p/q) − p + q: never below 0, and over all classes −p + q adds nothing.
    fn divergence(self) -> f64 {
        let d = self.ln_ratio;
        if d == f64::INFINITY {
            // However little p is: of a class that is there, it is above 0.
            d
        } else if d.abs() < 0.5 {
            // p·(exp(−d) − 1 + d) as a series: d²/2·(1 − d/3·(1 − d/4·(…))).
            let series = (3..=16).rev().fold(1.0, |rest, k| 1.0 - d / f64::from(k) * rest);
            self.p * 0.5 * d * d * series
        } else {
            weighed(self.p, d) - self.p + self.q
        }
    }

    fn swapped(self) -> Self {
        Share { p: self.q, q: self.p, ln_ratio: -self.ln_ratio }
    }

    /// With ½·(p + q) in place of q.
    fn midpoint(self) -> Self {
        // ln ½·(1 + q/p), with the larger of p and q taken out.
        let d = self.ln_ratio;
        let ln_midpoint = (-d).max(0.0) + (0.5 * (-d.abs()).exp_m1()).ln_1p();
        Share { p: self.p, q: 0.5 * (self.p + self.q), ln_ratio: -ln_midpoint }
    }
}

/// The logarithm of Σ exp(b + rise) over Σ exp b, with all its digits where rises are small; `ln_q` is the log-softmax
/// of b.
fn norm_ratio(rises: &[f64], ln_q: &[f64]) -> Option<f64> {
    let sum = || ln_q.iter().zip(rises).map(|(ln_q, rise)| ln_q.exp() * rise.exp_m1()).sum::<f64>();
    rises.iter().all(|rise| rise.abs() < 0.5).then(|| sum().ln_1p())
}

/// The shares of every class in the teacher's softmax and in the student's.
fn shares(item: &Item<'_>, values: &Values) -> Vec<Share> {
    let rows = [item.row("teacher_logits"), item.row("logits")];
    let [teacher, student] = rows.map(|logits| seen(logits, values));
    let [ln_p, ln_q] = [&teacher, &student].map(|logits| ln_softmax(logits));
    let [(max_p, above_p), (max_q, above_q)] = [rows[0], rows[1]]
        .map(|row| (row.iter().copied().fold(f64::MIN, f64::max), max_and_above(&seen(row, values)).1));
    // By how much more a class of the teacher's lies above its largest one, to all digits: subtracted first is what is
    // nearer, both rows, or each row's logits.
    let rise = |c: usize| {
        let (x, y) = (rows[0][c], rows[1][c]);
        let rows_agree = (x - y).abs().max((max_p - max_q).abs()) < (x - max_p).abs().max((y - max_q).abs());
        let raw = if rows_agree { (x - y) - (max_p - max_q) } else { (x - max_p) - (y - max_q) };
        if x == y && x.is_infinite() { 0.0 } else { raw / values.number("temperature") }
    };
    let rises: Vec<f64> = (0..teacher.len()).map(rise).collect();
    let shift = norm_ratio(&rises, &ln_q).unwrap_or(above_p - above_q);
    let share = |c: usize| {
        let ln_ratio = if ln_p[c].is_finite() && ln_q[c].is_finite() {
            rises[c] - shift
        } else if ln_p[c] == ln_q[c] {
            0.0
        } else {
            ln_p[c] - ln_q[c]
        };
        Share { p: ln_p[c].exp(), q: ln_q[c].exp(), ln_ratio }
    };
    let shares: Vec<Share> = (0..teacher.len()).map(share).collect();
    // Both sum to 1: what their differences sum to is the rounding error of the shift.
    let error: f64 = shares.iter().map(|share| share.gap()).sum();
    shares.into_iter().map(|share| Share { ln_ratio: share.ln_ratio - error, ..share }).collect()
}

/// How many times the rounding error of a probability near 1 a divergence has, in which that of a small one counts: the
/// error of a logarithm, rounded to 2⁻²⁴ of itself, is one relative to the probability. 8 of them are allowed for.
fn roundings(shares: &[Share]) -> f64 {
    let (mut sum, mut weighted) = (0.0, 0.0);
    for share in shares.iter().filter(|share| share.p > 0.0 && share.q > 0.0) {
        let size = share.divergence() + share.swapped().divergence();
        sum += size;
        weighted += size * share.p.min(share.q).ln().abs() / 8.0;
    }
    1.0 + if sum > 0.0 { weighted / sum } else { 0.0 }
}

/// KL(P ‖ Q).
fn kl(shares: impl Iterator<Item = Share>) -> f64 {
    shares.map(Share::divergence).sum()
}

/// KL(P ‖ Q), and its gradient with respect to the logits of P.
fn kl_and_gradients(shares: impl Iterator<Item = Share> + Clone) -> (f64, Vec<f64>) {
    let kl = kl(shares.clone());
    if kl == f64::INFINITY {
        // P has what Q has not. As Q's share of that falls to 0, the gradient grows beyond all bounds: it leads away
        // from these classes to the others of P.
        let steep = |share: Share| if share.ln_ratio == kl { kl } else { -kl };
        return (kl, shares.map(steep).collect());
    }
    // p·(ln_ratio − KL), with what the likeliest class has taken out of both: where that is nearly certain, they are
    // nearly equal.
    let likeliest = shares.clone().max_by(|a, b| a.p.total_cmp(&b.p));
    let base = likeliest.map_or(0.0, |share| share.ln_ratio);
    let mean: f64 = shares.clone().map(|share| weighed(share.p, share.ln_ratio - base)).sum();
    (kl, shares.map(|share| weighed(share.p, share.ln_ratio - base - mean)).collect())
}
