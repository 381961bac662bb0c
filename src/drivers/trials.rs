//! The shapes that parity tries a driver's losses with.

/// The shape of a call, and of rows what lies between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TrialShape {
    pub shape: Vec<usize>,
    /// Elements between one row and the next.
    pub gap: usize,
    /// Where inputs are broadcast, which axes they have in turn.
    pub broadcast: &'static [Axes],
    /// How many layers there are, of losses that have them.
    pub layers: usize,
}

/// Which axes of a call's shape an input has; the others are of length 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Axes {
    All,
    First,
    Last,
    Ends,
    None,
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
        TrialShape { shape: shape.to_vec(), gap, broadcast: &[], layers: 1 }
    }

    /// A shape to which inputs are broadcast.
    pub fn broadcasting(shape: &[usize], broadcast: &'static [Axes]) -> Self {
        TrialShape { broadcast, ..TrialShape::dense(shape) }
    }

    /// The shape of the input of that number, which would have this one.
    pub fn shape_of(&self, number: usize, mut shape: Vec<usize>) -> Vec<usize> {
        let axes = self.broadcast.get(number % self.broadcast.len().max(1)).copied().unwrap_or(Axes::All);
        let last = shape.len().saturating_sub(1);
        for (place, length) in shape.iter_mut().enumerate() {
            let has = match axes {
                Axes::All => true,
                Axes::First => place == 0,
                Axes::Last => place == last,
                Axes::Ends => place == 0 || place == last,
                Axes::None => false,
            };
            *length = if has { *length } else { 1 };
        }
        shape
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
