//! What losses of rows and of regions share: the softmax and its logarithm.

use super::is_poison;

/// ln Σ exp(x); −∞ for a row of masked classes.
pub fn ln_sum_exp(logits: &[f64]) -> f64 {
    let (max, above) = max_and_above(logits);
    if logits.contains(&max) { max + above } else { f64::NEG_INFINITY }
}

/// x − ln Σ exp(x), the logarithms of the classes' probabilities; −∞ for a masked class.
pub fn ln_softmax(logits: &[f64]) -> Vec<f64> {
    let (max, above) = max_and_above(logits);
    logits.iter().map(|x| x - max - above).collect()
}

/// What a gradient with respect to the logarithms of the probabilities is with respect to the logits: g − p·Σ g.
pub fn ln_softmax_pullback(ln_p: &[f64], upstream: &[f64]) -> Vec<f64> {
    let total: f64 = upstream.iter().sum();
    // (1 − p)·g less p times what the others have: nearly certain classes lose no digits.
    ln_p.iter().zip(upstream).map(|(ln_p, g)| -ln_p.exp_m1() * g - ln_p.exp() * (total - g)).collect()
}

/// The largest magnitude of the terms that [`ln_softmax_pullback`] is a sum of.
pub(super) fn ln_softmax_pullback_magnitude(ln_p: &[f64], upstream: &[f64]) -> f64 {
    let total: f64 = upstream.iter().map(|g| g.abs()).sum();
    let terms = ln_p.iter().zip(upstream).map(|(ln_p, g)| -ln_p.exp_m1() * g.abs() + ln_p.exp() * (total - g.abs()));
    terms.fold(0.0, f64::max)
}

/// What a gradient with respect to the probabilities is with respect to the logits: p·(g − Σ p·g).
pub fn softmax_pullback(p: &[f64], upstream: &[f64]) -> Vec<f64> {
    // The same amount added to every upstream value changes nothing. Without that of the likeliest class, the mean has
    // no large term that would cancel.
    let base = argmax(p).map_or(f64::NAN, |top| upstream[top]);
    let mean: f64 = p.iter().zip(upstream).map(|(p, g)| p * (g - base)).sum();
    p.iter().zip(upstream).map(|(p, g)| p * ((g - base) - mean)).collect()
}

/// The largest logit, and by how much ln Σ exp(x) is above it.
pub(super) fn max_and_above(logits: &[f64]) -> (f64, f64) {
    // The lowest finite value to start from, so that −∞ minus the maximum is −∞ even where every class is masked.
    let max = logits.iter().copied().fold(f64::MIN, f64::max);
    // The maximum itself adds exp 0 = 1 to the sum, which ln_1p supplies: accurate also where the rest is next to
    // nothing.
    let top = logits.iter().position(|&x| x == max);
    let rest: f64 = logits.iter().enumerate().filter(|&(c, _)| Some(c) != top).map(|(_, x)| (x - max).exp()).sum();
    (max, rest.ln_1p())
}

/// The first of the largest values of a row without NaN and +∞.
pub(super) fn argmax(row: &[f64]) -> Option<usize> {
    let first_largest = (0..row.len()).reduce(|best, class| if row[class] > row[best] { class } else { best });
    first_largest.filter(|_| !row.iter().copied().any(is_poison))
}
