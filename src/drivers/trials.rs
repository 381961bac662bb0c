//! The shapes that parity tries a driver's losses with.

/// The shape of a call, and of rows what lies between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TrialShape {
    pub shape: Vec<usize>,
    /// Elements between one row and the next.
    pub gap: usize,
}

/// Shapes whose calls have the same kernel, if the same kernel of rows takes them.
pub(crate) struct Arrangement {
    /// The one for all reductions and parameters.
    pub middle: TrialShape,
    /// Sizes around the workgroup and the span of one workgroup, odd ones, and some that fill many workgroups.
    pub others: Vec<TrialShape>,
}

impl TrialShape {
    /// A shape whose rows follow each other.
    pub fn dense(shape: &[usize]) -> Self {
        TrialShape::with_gap(shape, 0)
    }

    /// A shape with so many elements between one row and the next.
    pub fn with_gap(shape: &[usize], gap: usize) -> Self {
        TrialShape { shape: shape.to_vec(), gap }
    }
}

/// What is asked of a driver's shapes.
pub(crate) struct Trials {
    /// The lanes of a workgroup, around which sizes should lie.
    pub lanes: usize,
    /// Whether there is time for large and many shapes.
    pub full: bool,
}

impl Trials {
    /// An arrangement: the middle shape, others, and those for which there may be no time.
    pub fn arrangement(&self, middle: &[usize], others: &[&[usize]], more: &[&[usize]]) -> Arrangement {
        let more = if self.full { more } else { &[] };
        let others = others.iter().chain(more).map(|shape| TrialShape::dense(shape)).collect();
        Arrangement { middle: TrialShape::dense(middle), others }
    }
}
