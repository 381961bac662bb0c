//! Losses of several tasks as one, as in [`losses`](crate::losses): one function per loss.

use super::weighed;
use crate::spec::{Item, Term, Values};

/// [`WeightedSum`](crate::losses::WeightedSum).
pub fn weighted_sum(item: &Item<'_>, _: &Values) -> Term {
    let (loss, weight) = (item["losses"], item["weights"]);
    let product = if loss == 0.0 { 0.0 } else { weighed(weight, loss) };
    Term::new(product, [weight, loss])
}

/// [`UncertaintyWeighting`](crate::losses::UncertaintyWeighting).
pub fn uncertainty_weighting(item: &Item<'_>, _: &Values) -> Term {
    let (loss, log_var) = (item["losses"], item["log_vars"]);
    let precision = (-log_var).exp();
    // An infinite loss stays one, however large the variance.
    let weighed = if loss.is_infinite() { loss } else { precision * loss };
    // Both the loss and its derivative by the variance are differences, where a loss is what is expected of it.
    Term::new(weighed + log_var, [precision, 1.0 - weighed])
        .of_magnitude(weighed.abs() + log_var.abs())
        .of_gradient_magnitudes([precision, 1.0 + weighed.abs()])
}
