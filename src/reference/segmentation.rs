//! Segmentation, as in [`losses`](crate::losses): the score of a region from its sums, one function per loss.

use super::{Item, Term};
use crate::spec::Values;

/// The sums of one region, over the pixels and classes of a score.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sums {
    /// I = Σ p·t.
    pub intersection: f64,
    /// P = Σ p, or Σ p².
    pub prediction: f64,
    /// T = Σ t, or Σ t².
    pub target: f64,
}

/// What is lost with a score, and its derivatives by two of the sums.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// The loss.
    pub loss: f64,
    /// Its derivative by I.
    pub by_intersection: f64,
    /// Its derivative by P.
    pub by_prediction: f64,
}

/// The reference of a loss of regions.
#[derive(Clone, Copy, Debug)]
pub struct RegionReference {
    /// The loss of one score.
    pub score: fn(&Sums, &Values) -> Score,
    /// Of losses with a term for each pixel: that of a pixel, and its gradient by the pixel's logits.
    pub pixel: Option<fn(&Item<'_>, &Values) -> Term>,
}

/// [`dice`](crate::losses).
pub fn dice(_: &Sums, _: &Values) -> Score {
    unimplemented!()
}

/// [`tversky`](crate::losses).
pub fn tversky(_: &Sums, _: &Values) -> Score {
    unimplemented!()
}

/// [`focal_tversky`](crate::losses).
pub fn focal_tversky(_: &Sums, _: &Values) -> Score {
    unimplemented!()
}

/// [`jaccard`](crate::losses).
pub fn jaccard(_: &Sums, _: &Values) -> Score {
    unimplemented!()
}

/// [`pixel_cross_entropy`](crate::losses).
pub fn pixel_cross_entropy(_: &Item<'_>, _: &Values) -> Term {
    unimplemented!()
}

/// [`pixel_focal`](crate::losses).
pub fn pixel_focal(_: &Item<'_>, _: &Values) -> Term {
    unimplemented!()
}
