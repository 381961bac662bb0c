//! Multi-class classification, as in [`losses`](crate::losses): one function per loss.

use super::{Item, Term};
use crate::spec::Values;

/// [`CrossEntropy`](crate::losses::CrossEntropy).
pub fn cross_entropy(item: &Item<'_>, _: &Values) -> Term {
    let class = item["target"] as usize;
    let ln_p = log_softmax(item.row("logits"));
    // p − onehot: exp(ln p) − 1 for the true class, without the cancellation.
    let gradient = |(c, ln_p): (usize, &f64)| if c == class { ln_p.exp_m1() } else { ln_p.exp() };
    let gradients: Vec<f64> = ln_p.iter().enumerate().map(gradient).collect();
    Term::new(-ln_p[class], gradients)
}

/// x − ln Σ exp(x), the logarithms of the classes' probabilities; −∞ for a masked class.
fn log_softmax(logits: &[f64]) -> Vec<f64> {
    // The lowest finite value to start from, so that −∞ minus the maximum is −∞ even where every class is masked.
    let max = logits.iter().copied().fold(f64::MIN, f64::max);
    // The maximum itself adds exp 0 = 1 to the sum, which ln_1p supplies: accurate also where the rest is next to
    // nothing.
    let top = logits.iter().position(|&x| x == max);
    let rest: f64 = logits.iter().enumerate().filter(|&(c, _)| Some(c) != top).map(|(_, x)| (x - max).exp()).sum();
    logits.iter().map(|x| x - max - rest.ln_1p()).collect()
}

pub fn cross_entropy_soft(_: &Item<'_>, _: &Values) -> Term { todo!() }
pub fn focal(_: &Item<'_>, _: &Values) -> Term { todo!() }
pub fn nll(_: &Item<'_>, _: &Values) -> Term { todo!() }
pub fn distillation(_: &Item<'_>, _: &Values) -> Term { todo!() }
pub fn multi_margin(_: &Item<'_>, _: &Values) -> Term { todo!() }
pub fn multilabel_soft_margin(_: &Item<'_>, _: &Values) -> Term { todo!() }
