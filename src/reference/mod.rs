//! The CPU reference: every loss in f64, in the form a textbook gives it, written independently of the kernels.
//!
//! It is the truth that kernels are checked against, and what `--adapter cpu` runs.

mod binary;
mod multiclass;
mod regression;

pub use binary::*;
pub use multiclass::*;
pub use regression::*;

use crate::spec::Values;

/// The reference of one loss, by driver.
#[derive(Clone, Copy, Debug)]
pub enum Reference {
    /// Loss and gradients of one element.
    Elementwise(fn(&Item<'_>, &Values) -> Term),
    /// Loss and gradients of one row, given its target class.
    Rows(fn(&[f64], usize, &Values) -> (f64, Vec<f64>)),
}

/// The values of one element's inputs, by name.
pub struct Item<'a>(&'a [(&'static str, f64)]);

/// Loss of one element and the gradients of the differentiable inputs, in the order of the spec.
pub struct Term {
    pub loss: f64,
    pub gradients: Vec<f64>,
}
