//! Functions of rows, as in [`losses`](crate::losses).

use super::softmax::*;
use crate::spec::{Item, Term, Values};

/// [`LogSumExp`](crate::losses::LogSumExp).
pub fn log_sum_exp(item: &Item<'_>, _: &Values) -> Term {
    let logits = item.row("logits");
    let p: Vec<f64> = ln_softmax(logits).iter().map(|ln_p| ln_p.exp()).collect();
    Term::new(ln_sum_exp(logits), p)
}

/// [`Softmax`](crate::losses::Softmax).
pub fn softmax(item: &Item<'_>, _: &Values) -> Term {
    let (logits, upstream) = (item.row("logits"), item.upstream());
    let p: Vec<f64> = ln_softmax(logits).iter().map(|ln_p| ln_p.exp()).collect();
    let gradients = softmax_pullback(&p, upstream);
    Term::per_class(p, gradients)
}

/// [`LogSoftmax`](crate::losses::LogSoftmax).
pub fn log_softmax(item: &Item<'_>, _: &Values) -> Term {
    let ln_p = ln_softmax(item.row("logits"));
    let upstream = item.upstream();
    let gradients = ln_softmax_pullback(&ln_p, upstream);
    // What is left of the upstream after a share of its sum is taken away.
    let total: f64 = upstream.iter().sum();
    let largest =
        ln_p.iter().zip(upstream).map(|(ln_p, g)| g.abs().max((ln_p.exp() * total).abs())).fold(0.0, f64::max);
    Term::per_class(ln_p, gradients).of_gradient_magnitudes([largest])
}
