//! Every loss: a struct with its parameters, and its entry in the catalogue.

mod binary;
mod multiclass;
mod regression;

pub use binary::*;
pub use multiclass::*;
pub use regression::*;

use crate::{Error, spec::LossSpec};

/// Every loss, in the order of the catalogue.
pub static ALL: &[&LossSpec] = &[
    // Regression
    &MSE,
    &MAE,
    &HUBER,
    &SMOOTH_L1,
    &LOG_COSH,
    &QUANTILE,
    &ASYMMETRIC_MSE,
    &POISSON_NLL,
    &GAUSSIAN_NLL,
    // Binary and multi-label classification
    &BCE,
    &BCE_WITH_LOGITS,
    &SIGMOID_FOCAL,
    &HINGE,
    &SQUARED_HINGE,
    &SOFT_MARGIN,
    &KL_DIV,
    // Multi-class classification
    &CROSS_ENTROPY,
];

/// The entry of the loss with this name.
///
/// # Errors
/// [`Error::UnknownLoss`].
pub fn find(name: &str) -> Result<&'static LossSpec, Error> {
    ALL.iter().find(|spec| spec.name == name).copied().ok_or_else(|| Error::UnknownLoss { found: name.to_string() })
}
