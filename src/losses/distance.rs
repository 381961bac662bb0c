//! The distances that losses of embeddings measure with.

use std::fmt;

use crate::spec::Param;

/// How far two embeddings a and b are apart.
///
/// ```
/// use wgloss::{Distance, TripletBatchHard};
/// let loss = TripletBatchHard { distance: Distance::Cosine, ..TripletBatchHard::default() };
/// assert_eq!(loss.distance.name(), "cosine");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Distance {
    /// ‖a − b‖₂; its gradient at 0 is 0.
    #[default]
    Euclidean,
    /// Σ (a − b)².
    SquaredEuclidean,
    /// 1 − a·b / max(‖a‖·‖b‖, 1e-8). A zero vector is at the distance 1 from everything, and its gradient is 0.
    Cosine,
}

impl Distance {
    pub(crate) const ALL: [Self; 3] = [Distance::Euclidean, Distance::SquaredEuclidean, Distance::Cosine];
    pub(crate) const NAMES: &[&str] = &["euclidean", "squared_euclidean", "cosine"];
    /// The parameter of losses that have one.
    pub(crate) const PARAM: Param = Param::word("distance", "euclidean", Self::NAMES).compiled();

    /// The name used on the command line.
    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

impl fmt::Display for Distance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
