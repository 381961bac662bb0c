//! Divergences of a student from a teacher, as in [`losses`](crate::losses).

use super::{
    choices, is_poison,
    multiclass::{seen, unless_masked},
    softmax::*,
    weighed,
};
use crate::spec::{Divergence, Item, Tail, Term, Values};

/// [`Distillation`](crate::losses::Distillation).
pub fn distillation(item: &Item<'_>, values: &Values) -> Term {
    let teacher_share = match values.word("divergence") {
        Divergence::Forward => 0.0,
        Divergence::Reverse => 1.0,
        Divergence::JensenShannon => 0.5,
    };
    divergence(both(item), values, teacher_share, values.number("temperature").powi(2))
}

/// [`JensenShannon`](crate::losses::JensenShannon).
pub fn jensen_shannon(item: &Item<'_>, values: &Values) -> Term {
    divergence(both(item), values, values.number("beta"), factor(values))
}

/// [`JensenShannonTopK`](crate::losses::JensenShannonTopK).
pub fn jensen_shannon_top_k(item: &Item<'_>, values: &Values) -> Term {
    let (logits, temperature) = (item.row("logits"), values.number("temperature"));
    let given: Vec<usize> = item.row("teacher_indices").iter().map(|&class| class as usize).collect();
    let ln_p = item.row("teacher_log_probs");
    let mut is_given = vec![false; logits.len()];
    given.iter().for_each(|&class| is_given[class] = true);
    let has_bucket = values.word::<Tail>("tail") == Tail::Bucket;
    let others: Vec<usize> = (0..logits.len()).filter(|&class| has_bucket && !is_given[class]).collect();

    // Logits whose softmax are the probabilities of the outcomes.
    let mut student: Vec<f64> = given.iter().map(|&class| logits[class]).collect();
    let mut teacher: Vec<f64> = ln_p.iter().map(|ln_p| temperature * ln_p).collect();
    let rest: Vec<f64> = others.iter().map(|&class| logits[class] / temperature).collect();
    let p: Vec<f64> = ln_p.iter().map(|ln_p| ln_p.exp()).collect();
    if !others.is_empty() {
        student.push(temperature * ln_sum_exp(&rest));
        teacher.push(temperature * (1.0 - p.iter().sum::<f64>()).max(0.0).ln());
    }
    if student.iter().chain(&teacher).copied().any(is_poison) {
        let gradient = |class: usize| if is_given[class] || has_bucket { f64::NAN } else { 0.0 };
        return Term::new(f64::NAN, (0..logits.len()).map(gradient).collect::<Vec<_>>());
    }

    let Term { loss, gradients, magnitude, doubts, .. } =
        divergence([&teacher, &student], values, values.number("beta"), factor(values));
    // An outcome's gradient goes to its classes by their shares of it.
    let shares: Vec<f64> = ln_softmax(&rest).into_iter().map(f64::exp).collect();
    let of_classes = |outcomes: &[f64]| -> Vec<f64> {
        let mut of_classes = vec![0.0; logits.len()];
        given.iter().zip(outcomes).for_each(|(&class, &outcome)| of_classes[class] = outcome);
        others
            .iter()
            .zip(&shares)
            .for_each(|(&class, &share)| of_classes[class] = weighed(share, outcomes[given.len()]));
        of_classes
    };
    let rounding = if others.is_empty() { [0.0; 2] } else { rounding_of_bucket(&p, &teacher, &student, values) };
    let term = Term::new(loss[0], of_classes(&gradients))
        .of_magnitude(magnitude.unwrap_or(loss[0].abs()) + factor(values) * rounding[0])
        .of_gradient_magnitudes([factor(values) / temperature * rounding[1]]);
    if doubts.is_empty() { term } else { term.of_doubts(of_classes(&doubts)) }
}

/// What the rounding of what the given classes leave of 1 has in the divergence, and in its derivatives.
fn rounding_of_bucket(p: &[f64], teacher: &[f64], student: &[f64], values: &Values) -> [f64; 2] {
    let likeliest = p.iter().copied().fold(0.0, f64::max);
    // It is a difference of what the likeliest leaves and the others have.
    let size = (1.0 - likeliest).max(0.0) + (p.iter().sum::<f64>() - likeliest);
    let bucket = p.len();
    let [p, q] = [teacher, student].map(|logits| ln_softmax(&seen(logits, values))[bucket].exp());
    let beta = values.number("beta");
    let [slope, derivative] = match beta {
        _ if p == 0.0 => [0.0; 2],
        0.0 => [(p / q).ln().abs() + 1.0, 1.0],
        1.0 => [q / p; 2],
        _ => [beta * (p / (beta * p + (1.0 - beta) * q)).ln().abs(), 1.0],
    };
    [slope, derivative].map(|x| if x.is_finite() { x * size } else { 0.0 })
}

/// What a divergence is multiplied with.
fn factor(values: &Values) -> f64 {
    if values.flag("scale_by_t2") { values.number("temperature").powi(2) } else { 1.0 }
}

/// The logits of the teacher and of the student.
fn both<'a>(item: &'a Item<'_>) -> [&'a [f64]; 2] {
    [item.row("teacher_logits"), item.first()]
}

/// A factor times β·KL(P ‖ M) + (1 − β)·KL(Q ‖ M) with M = β·P + (1 − β)·Q; at the ends of β, KL(P ‖ Q) and KL(Q ‖ P).
fn divergence(rows: [&[f64]; 2], values: &Values, beta: f64, factor: f64) -> Term {
    let shares = shares(rows, values);
    let swapped: Vec<Share> = shares.iter().map(|share| share.swapped()).collect();
    let of_student = |gradients: Vec<f64>| -> Vec<f64> {
        rows[1].iter().zip(gradients).map(|(&x, gradient)| unless_masked(x, gradient)).collect()
    };
    let (loss, gradients) = if beta == 0.0 {
        (kl(shares.iter().copied()), shares.iter().map(|share| -share.gap()).collect())
    } else if beta == 1.0 {
        let reverse = kl(swapped.iter().copied());
        (reverse, of_student(gradients(reverse, &swapped, |share, other| share.ln_ratio - other.ln_ratio)))
    } else {
        // The share that M has in the gradient sums to 0.
        let student = kl(swapped.iter().map(|share| share.mixed(1.0 - beta)));
        let teacher = kl(shares.iter().map(|share| share.mixed(beta)));
        let gradients = gradients(student, &swapped, |share, other| share.mixed_above(other, 1.0 - beta));
        let gradients = gradients.iter().map(|gradient| (1.0 - beta) * gradient).collect();
        (beta * teacher + (1.0 - beta) * student, of_student(gradients))
    };
    // A divergence is of the order of the squared differences of probabilities, and these are known to 1e-8.
    let size = loss.abs().max(1e-16) * roundings(&shares, |share| share.divergence() + share.swapped().divergence());
    let slope = factor / values.number("temperature");
    let gradients: Vec<f64> = gradients.iter().map(|g| slope * g).collect();
    let doubts = doubts_of_lost(&shares, &gradients);
    Term::new(factor * loss, gradients).of_magnitude(factor * size).of_doubts(doubts)
}

/// What gradients owe to classes of which the student has less than f32 holds, which may be nothing there: in a row
/// that has no others besides a certain one it is all there is. Empty where it is next to nothing.
fn doubts_of_lost(shares: &[Share], gradients: &[f64]) -> Vec<f64> {
    let is_lost = |share: &Share| share.q < 2.0 * f64::from(f32::MIN_POSITIVE);
    let of_lost = shares.iter().zip(gradients).filter(|(share, _)| is_lost(share));
    let lost: f64 = of_lost.map(|(_, gradient)| gradient.abs()).filter(|gradient| gradient.is_finite()).sum();
    let largest = gradients.iter().fold(0.0, |largest: f64, gradient| largest.max(gradient.abs()));
    if lost <= choices::ROUNDING * largest {
        return Vec::new();
    }
    let doubt = |(share, gradient): (&Share, &f64)| if is_lost(share) { gradient.abs() } else { share.q * lost };
    shares.iter().zip(gradients).map(doubt).collect()
}

/// [`TotalVariation`](crate::losses::TotalVariation).
pub fn total_variation(item: &Item<'_>, values: &Values) -> Term {
    let shares = shares(both(item), values);
    let gaps: Vec<f64> = shares.iter().map(|share| share.gap()).collect();
    let loss = 0.5 * gaps.iter().map(|gap| gap.abs()).sum::<f64>();
    let sign = |gap: &f64| if *gap == 0.0 { 0.0 } else { -gap.signum() };
    let signs: Vec<f64> = gaps.iter().map(sign).collect();
    let q: Vec<f64> = shares.iter().map(|share| share.q).collect();
    let slope = 0.5 / values.number("temperature");
    let gradients: Vec<f64> = softmax_pullback(&q, &signs).iter().map(|gradient| slope * gradient).collect();

    // Where rounding decides which of p and q is larger, the sign may be any.
    let in_doubt: Vec<bool> = sizes_of_ratios(item, values)
        .iter()
        .zip(&shares)
        .map(|(&size, share)| choices::is_at_kink(share.ln_ratio, 4.0 * (1.0 + size)))
        .collect();
    let doubtful: f64 = q.iter().zip(&in_doubt).filter(|(_, doubt)| **doubt).map(|(q, _)| q).sum();
    let doubt = |(q, own): (&f64, &bool)| 2.0 * slope * q * (doubtful + if *own { 1.0 } else { 0.0 });
    let doubts: Vec<f64> = q.iter().zip(&in_doubt).map(doubt).collect();
    let term = Term::new(loss, gradients).of_magnitude(loss * roundings(&shares, |share| share.gap().abs()));
    if doubtful > 0.0 { term.of_doubts(doubts) } else { term }
}

/// How large the logits' differences are that the logarithm of each class's ratio is formed from.
fn sizes_of_ratios(item: &Item<'_>, values: &Values) -> Vec<f64> {
    let rows = both(item);
    let largest = rows.map(|row| row.iter().copied().fold(f64::MIN, f64::max));
    let size = |class: usize| (0..2).map(|row| (rows[row][class] - largest[row]).abs()).sum::<f64>();
    (0..rows[0].len()).map(|class| size(class) / values.number("temperature")).collect()
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

    /// With m = a·p + (1 − a)·q in place of q, for an a between 0 and 1.
    fn mixed(self, a: f64) -> Self {
        // ln(m/p) = ln(a + (1 − a)·q/p), with the larger of p and q taken out.
        let d = self.ln_ratio;
        let smaller = if d > 0.0 { 1.0 - a } else { a };
        let ln_mixture = (-d).max(0.0) + (smaller * (-d.abs()).exp_m1()).ln_1p();
        Share { p: self.p, q: a * self.p + (1.0 - a) * self.q, ln_ratio: -ln_mixture }
    }

    /// By how much ln(p/m) of this class is above that of another.
    fn mixed_above(self, other: Self, a: f64) -> f64 {
        let odds = (1.0 - a) / a;
        if self.ln_ratio.min(other.ln_ratio) > odds.ln().max(1.0) {
            // Of both q is next to nothing: −ln a, which they have in common, would drown what differs.
            return (odds * (-other.ln_ratio).exp()).ln_1p() - (odds * (-self.ln_ratio).exp()).ln_1p();
        }
        self.mixed(a).ln_ratio - other.mixed(a).ln_ratio
    }
}

/// The logarithm of Σ exp(b + rise) over Σ exp b, with all its digits where rises are small; `ln_q` is the log-softmax
/// of b.
fn norm_ratio(rises: &[f64], ln_q: &[f64]) -> Option<f64> {
    let sum = || ln_q.iter().zip(rises).map(|(ln_q, rise)| ln_q.exp() * rise.exp_m1()).sum::<f64>();
    rises.iter().all(|rise| rise.abs() < 0.5).then(|| sum().ln_1p())
}

/// The shares of every class in the teacher's softmax and in the student's.
fn shares(rows: [&[f64]; 2], values: &Values) -> Vec<Share> {
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

/// How many times the rounding error of a probability near 1 a sum of such sizes over the classes has, in which that of
/// a small one counts: the error of a logarithm, rounded to 2⁻²⁴ of itself, is one relative to the probability. 8 of
/// them are allowed for.
fn roundings(shares: &[Share], size: impl Fn(Share) -> f64) -> f64 {
    let (mut sum, mut weighted) = (0.0, 0.0);
    for &share in shares.iter().filter(|share| share.p > 0.0 && share.q > 0.0) {
        let size = size(share);
        sum += size;
        weighted += size * share.p.min(share.q).ln().abs() / 8.0;
    }
    1.0 + if sum > 0.0 { weighted / sum } else { 0.0 }
}

/// KL(P ‖ Q).
fn kl(shares: impl Iterator<Item = Share>) -> f64 {
    shares.map(Share::divergence).sum()
}

/// The gradient of a divergence KL(P ‖ …) of this value with respect to the logits of P: p·(ln_ratio − KL). `above` is
/// by how much the logarithm of a class's ratio is above another's.
fn gradients(kl: f64, shares: &[Share], above: impl Fn(Share, Share) -> f64) -> Vec<f64> {
    if kl == f64::INFINITY {
        // P has what the other has not. As the other's share of that falls to 0, the gradient grows beyond all bounds:
        // it leads away from these classes to the others of P.
        return shares.iter().map(|share| if share.ln_ratio == kl { kl } else { -kl }).collect();
    }
    // With what the likeliest class has taken out of both: where that is nearly certain, they are nearly equal.
    let Some(&likeliest) = shares.iter().max_by(|a, b| a.p.total_cmp(&b.p)) else { return Vec::new() };
    let mean: f64 = shares.iter().map(|&share| weighed(share.p, above(share, likeliest))).sum();
    shares.iter().map(|&share| weighed(share.p, above(share, likeliest) - mean)).collect()
}
