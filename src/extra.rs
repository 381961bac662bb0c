//! What drivers tell of a run besides loss and items.

use std::fmt;

use crate::Named;

/// Something that a driver tells of a run besides loss and items.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Extra {
    /// How many of the items that counted have their target as the predicted class.
    Correct(u64),
    /// A term of a loss that is a sum, without its weight: its name and value.
    Term(&'static str, f32),
    /// What a triplet loss found in its batch.
    Mining(Mining),
    /// What a weighted mean divides by, where there are weights of items.
    WeightSum(f32),
}

impl Extra {
    pub(crate) fn correct(extras: &[Extra]) -> Option<u64> {
        extras.iter().find_map(|extra| if let Extra::Correct(count) = extra { Some(*count) } else { None })
    }

    pub(crate) fn terms(extras: &[Extra]) -> Named<f32> {
        let term = |extra: &Extra| match extra {
            Extra::Term(name, term) => Some((name.to_string(), *term)),
            _ => None,
        };
        extras.iter().filter_map(term).collect()
    }

    pub(crate) fn weight_sum(extras: &[Extra]) -> Option<f32> {
        extras.iter().find_map(|extra| if let Extra::WeightSum(sum) = extra { Some(*sum) } else { None })
    }

    pub(crate) fn mining(extras: &[Extra]) -> Option<Mining> {
        extras.iter().find_map(|extra| if let Extra::Mining(mining) = extra { Some(*mining) } else { None })
    }
}

/// The triplets that a triplet loss found in a whole batch, in figures that trainers plot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mining {
    /// The triplets that the loss selected: of `triplet_batch_hard` one for each anchor that counts, of
    /// `triplet_semi_hard` one for each pair that counts.
    pub triplets: u64,
    /// How many of the selected triplets have a loss above 0.
    pub active: u64,
    /// The mean distance of two rows of one label, over all ordered pairs; 0 if there are none.
    pub positive_distance: f32,
    /// The mean distance of two rows of different labels, over all ordered pairs; 0 if there are none.
    pub negative_distance: f32,
}

impl fmt::Display for Mining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mining { triplets, active, positive_distance, negative_distance } = self;
        write!(f, "{triplets} triplets, {active} of them active, at mean distances of {positive_distance} for ")?;
        write!(f, "positives and {negative_distance} for negatives")
    }
}

impl Mining {
    /// The part of the selected triplets that is active; 0 if there are none.
    pub fn active_fraction(&self) -> f64 {
        if self.triplets == 0 { 0.0 } else { self.active as f64 / self.triplets as f64 }
    }
}
