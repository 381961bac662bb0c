//! Metric learning over a whole batch: an anchor's loss from its values with all other rows.

use super::{Call, Evaluation};
use crate::{Error, Options, spec::Values};

/// An anchor's values with all rows that it is compared with, itself included.
#[derive(Clone, Copy, Debug)]
pub struct Anchor<'a> {
    /// Its distances, or its similarities divided by the temperature.
    pub values: &'a [f64],
    /// Which rows are its positives.
    pub positives: &'a [usize],
    /// Which rows are its negatives.
    pub negatives: &'a [usize],
}

/// The loss of one anchor, summed over its items.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnchorTerm {
    /// The loss.
    pub loss: f64,
    /// Its derivative by each of the values.
    pub slopes: Vec<f64>,
    /// How many items count.
    pub items: u64,
    /// How many triplets are selected.
    pub triplets: u64,
    /// How many of them have a loss above 0.
    pub active: u64,
    /// The hardest positive and negative, where the loss is theirs.
    pub hardest: Option<[usize; 2]>,
    /// The sum of the magnitudes that the losses are sums and differences of.
    pub magnitude: f64,
}

/// Loss and gradients of a call.
pub(super) fn evaluate(
    _call: &Call,
    _loss: fn(&Anchor<'_>, &Values) -> AnchorTerm,
    _options: &Options,
) -> Result<Evaluation, Error> {
    todo!()
}

/// triplet_batch_hard.
pub fn triplet_batch_hard(_anchor: &Anchor<'_>, _values: &Values) -> AnchorTerm {
    todo!()
}

/// triplet_semi_hard.
pub fn triplet_semi_hard(_anchor: &Anchor<'_>, _values: &Values) -> AnchorTerm {
    todo!()
}

/// triplet_batch_all.
pub fn triplet_batch_all(_anchor: &Anchor<'_>, _values: &Values) -> AnchorTerm {
    todo!()
}

/// info_nce.
pub fn info_nce(_anchor: &Anchor<'_>, _values: &Values) -> AnchorTerm {
    todo!()
}

/// clip.
pub fn clip(_anchor: &Anchor<'_>, _values: &Values) -> AnchorTerm {
    todo!()
}

/// nt_xent.
pub fn nt_xent(_anchor: &Anchor<'_>, _values: &Values) -> AnchorTerm {
    todo!()
}

/// sup_con.
pub fn sup_con(_anchor: &Anchor<'_>, _values: &Values) -> AnchorTerm {
    todo!()
}
