//! What values are brought into that random ones hardly meet: where losses lose their digits, or are not finite.

use crate::{
    DType, HostTensor, Signature,
    spec::{Activation, Distance, Domain, Driver, Input, Kind, LossSpec, Reference, Relation, Shape, Values},
};

/// What a loss's inputs are brought into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Situation {
    /// Predictions are sure, and nearly all of them right: what is left of 1 are the digits that count. Items are
    /// measured each by itself.
    Sure,
    /// Classes are masked; other values are infinite or NaN.
    NotFinite,
    /// Inputs nearly agree, or are at the optimum.
    Near,
    Tiny,
    Huge,
}

impl Situation {
    const ALL: [Situation; 5] =
        [Situation::Sure, Situation::NotFinite, Situation::Near, Situation::Tiny, Situation::Huge];

    /// Those that a loss may meet.
    pub fn of(spec: &'static LossSpec) -> impl Iterator<Item = Situation> {
        Situation::ALL.into_iter().filter(|situation| situation.fits(spec))
    }

    /// Whether what is wrong may be so small that it would drown in what gradients are added to.
    pub fn is_subtle(self) -> bool {
        self != Situation::NotFinite
    }

    pub fn name(self) -> &'static str {
        match self {
            Situation::Sure => "sure",
            Situation::NotFinite => "masked and infinite",
            Situation::Near => "nearly equal",
            Situation::Tiny => "tiny",
            Situation::Huge => "huge",
        }
    }

    fn fits(self, spec: &LossSpec) -> bool {
        let inputs = || spec.inputs.iter().filter(|input| input.shape == spec.inputs[0].shape);
        let domains: Vec<Domain> = inputs().map(|input| input.domain).collect();
        let any = |is: fn(&Domain) -> bool| domains.iter().any(is);
        let is_unbounded = |domain: &Domain| matches!(domain, Domain::Real | Domain::Activated | Domain::NonNegative);
        match (self, spec.driver) {
            // Digits cannot be judged without a reference.
            (situation, _) if matches!(spec.reference, Reference::None) => situation == Situation::NotFinite,
            (Situation::Sure, Driver::Rows(_) | Driver::Regions(_)) => domains[0] != Domain::LogProbability,
            (Situation::Sure, Driver::Elementwise) => {
                any(|domain| *domain == Domain::Probability || *domain == Domain::Sign)
                    && domains[0] != Domain::LogProbability
            }
            (Situation::Sure, _) => false,
            // Their parts are losses by themselves, or squares of squares, which f32 holds neither of tiny nor of huge
            // values.
            (Situation::Near | Situation::NotFinite, Driver::Sum(_)) => false,
            // Nor do heads and sequences leave such values to their logits and sums.
            (_, Driver::Layers(_) | Driver::Gram | Driver::Linear(_) | Driver::Sequences(_)) => false,
            // There, one such value makes all others NaN.
            (Situation::NotFinite, Driver::AllPairs(_)) => false,
            (Situation::NotFinite, _) => true,
            (Situation::Near, Driver::Rows(_) | Driver::Elementwise) => {
                inputs().filter(|input| input.name != "weight" && !input.optional).count() > 1
                    && domains[1] != Domain::Sign
            }
            (Situation::Near, Driver::AllPairs(all_pairs)) => all_pairs.relation != Relation::Labelled,
            (Situation::Near, Driver::Boxes | Driver::Pairs) => true,
            (Situation::Near, Driver::Regions(_) | Driver::TopK(_)) => false,
            // Distances are next to nothing but `eps` then, and rounding decides on which side of a kink they are.
            (Situation::Tiny, Driver::Pairs) => false,
            // A ratio of probabilities of which f32 has neither is any number.
            (Situation::Huge, Driver::Rows(_)) if spec.own_values().any(|own| own.domain == Domain::LogProbability) => {
                false
            }
            (Situation::Tiny | Situation::Huge, _) => any(is_unbounded),
        }
    }
}

/// A case's inputs while they are drawn one after the other.
pub(super) struct Drawing<'a> {
    situation: Option<Situation>,
    values: &'a Values,
    /// The number of classes, and from one to the next.
    classes: [usize; 2],
    /// What all values of the case have in common: the lead of a sure class of a pixel, by how much inputs differ, the
    /// factor of tiny and huge ones, and whether masks leave losses finite.
    lead: f64,
    distance: f64,
    factor: f64,
    is_finite: bool,
    /// The first input, as it is stored.
    first: Vec<f64>,
}

impl<'a> Drawing<'a> {
    pub fn new(
        situation: Option<Situation>,
        values: &'a Values,
        signature: &Signature,
        dtype: DType,
        rng: &mut fastrand::Rng,
    ) -> Self {
        // At the farther end squares vanish or overflow, which is of no account to directions, nor to the lengths of
        // given pairs and triplets, unless the loss is a square itself; those of others are just in reach. Other
        // distances and the sides of boxes have to be numbers.
        let spec = values.spec();
        let is_squared = ["contrastive", "gradient_penalty"].contains(&spec.name)
            || values.word_or("distance", Distance::Euclidean) == Distance::SquaredEuclidean;
        let farthest = match (situation, spec.driver) {
            (_, Driver::Pairs) if !is_squared => 70,
            (_, Driver::AllPairs(_)) if !values.has("distance") => 70,
            (_, Driver::Pairs | Driver::Boxes | Driver::AllPairs(_)) => 40,
            (Some(Situation::Tiny), _) => 70,
            _ => 58,
        };
        let exponent = if dtype == DType::F16 { 11 } else { [40, farthest][rng.usize(..2)] };
        let exponent = match situation {
            Some(Situation::Huge) => exponent,
            Some(Situation::Tiny) => -exponent,
            _ => 0,
        };
        Drawing {
            situation,
            values,
            classes: [signature.row as usize, signature.class_stride as usize],
            lead: LEAD[rng.usize(..LEAD.len())],
            distance: 2f64.powi([-8, -14, -20][rng.usize(..3)]),
            factor: 2f64.powi(exponent),
            is_finite: rng.u8(..3) == 0,
            first: Vec::new(),
        }
    }

    /// The first input, as it is stored but for the factor of all values; empty before it is drawn.
    pub fn first(&self) -> Vec<f64> {
        let domain = self.values.spec().inputs[0].domain.resolve(self.values);
        let factor = if is_scaled(domain) { self.factor } else { 1.0 };
        self.first.iter().map(|x| x / factor).collect()
    }

    pub fn is_drawn(&mut self, host: &HostTensor<'_>) {
        if self.first.is_empty() {
            self.first = host.to_f64();
        }
    }

    /// Brings what was drawn for an input into the situation.
    pub fn adapt(&self, input: &Input, drawn: &mut [f64], rng: &mut fastrand::Rng) {
        if self.situation == Some(Situation::NotFinite) && input.domain == Domain::ClassWeight {
            // What has no weight does not count, though it be infinite.
            drawn.iter_mut().filter(|_| rng.bool()).for_each(|x| *x = 0.0);
        }
        // Nothing is related to them, and they are finite.
        if input.optional || input.kind == Kind::Label && input.shape != Shape::Items {
            return;
        }
        let domain = input.domain.resolve(self.values);
        match self.situation {
            None => {}
            Some(Situation::Sure) => self.make_sure(input.shape, domain, drawn, rng),
            Some(Situation::NotFinite) => self.make_infinite(input.shape, domain, drawn, rng),
            Some(Situation::Near) => self.make_near(input.shape, domain, drawn, rng),
            // The logarithm of a scale is no scale.
            Some(Situation::Tiny | Situation::Huge) if input.shape == Shape::Scalar => {}
            Some(Situation::Tiny | Situation::Huge) => {
                drawn.iter_mut().filter(|_| is_scaled(domain)).for_each(|x| *x *= self.factor);
            }
        }
    }

    /// Brings class indices into the situation.
    pub fn adapt_labels(&self, input: &Input, labels: &mut [i32], rng: &mut fastrand::Rng) {
        let classes = self.classes[0] as i32;
        if input.domain != Domain::Class || self.first.len() != labels.len() * self.classes[0] {
            return;
        }
        for (item, label) in labels.iter_mut().enumerate().filter(|(_, label)| (0..classes).contains(*label)) {
            let row = self.row(item);
            match self.situation {
                Some(Situation::Sure) if rng.u8(..4) > 0 => *label = self.surest(&row) as i32,
                Some(Situation::NotFinite) if self.is_finite && row[*label as usize] == f64::NEG_INFINITY => {
                    *label = row.iter().position(|&x| x != f64::NEG_INFINITY).unwrap_or(0) as i32;
                }
                _ => {}
            }
        }
    }

    /// An item's part of the first input.
    pub fn row(&self, item: usize) -> Vec<f64> {
        let [classes, _] = self.classes;
        (0..classes).map(|class| self.first[self.place(item, class)]).collect()
    }

    /// Where a tensor with an axis of classes has an item's value for a class.
    fn place(&self, item: usize, class: usize) -> usize {
        let [classes, stride] = self.classes;
        (item / stride * classes + class) * stride + item % stride
    }

    /// The class of the largest value.
    fn surest(&self, row: &[f64]) -> usize {
        (0..row.len()).reduce(|best, class| if row[class] > row[best] { class } else { best }).unwrap_or(0)
    }

    /// Whether classes compete in a softmax.
    fn has_softmax(&self) -> bool {
        let spec = self.values.spec();
        match spec.rows() {
            Some(rows) => !rows.softmax_of.is_empty() || spec.inputs.iter().any(|input| input.kind == Kind::Index),
            None => self.values.word_or("activation", Activation::Softmax) == Activation::Softmax,
        }
    }

    fn lead(&self, rng: &mut fastrand::Rng) -> f64 {
        // Pixels are measured against the surest of them, so that all are alike.
        if self.values.spec().regions().is_some() { self.lead } else { LEAD[rng.usize(..LEAD.len())] }
    }

    fn make_sure(&self, shape: Shape, domain: Domain, drawn: &mut [f64], rng: &mut fastrand::Rng) {
        let is_first = self.first.is_empty();
        match (shape, domain) {
            (Shape::Rows, Domain::Real) if self.has_softmax() => {
                for item in 0..drawn.len() / self.classes[0].max(1) {
                    let row: Vec<f64> = (0..self.classes[0]).map(|class| drawn[self.place(item, class)]).collect();
                    let class = if is_first { rng.usize(..row.len()) } else { self.surest(&self.row(item)) };
                    let largest = row.iter().copied().fold(f64::MIN, f64::max);
                    drawn[self.place(item, class)] = largest + self.lead(rng);
                }
                // So that their differences are exact: an exponential would make more of their rounding.
                drawn.iter_mut().for_each(|x| *x = (*x * 1024.0).round() / 1024.0);
            }
            (Shape::Rows, Domain::Probability) if !is_first && self.has_softmax() => {
                for item in 0..drawn.len() / self.classes[0].max(1) {
                    let surest = self.surest(&self.row(item));
                    let class = if rng.u8(..4) > 0 { surest } else { rng.usize(..self.classes[0]) };
                    (0..self.classes[0]).for_each(|c| drawn[self.place(item, c)] = f64::from(u8::from(c == class)));
                }
            }
            (_, Domain::Real) if is_first => {
                drawn.iter_mut().for_each(|x| *x = self.lead(rng).copysign(*x));
            }
            // Next to an end, by 2⁻⁴ to 2⁻¹⁰, which halves can still tell from 1.
            (_, Domain::Probability) if is_first => {
                let gap = |rng: &mut fastrand::Rng| 2f64.powi(-rng.i32(4..=10));
                drawn.iter_mut().for_each(|x| *x = if *x < 0.5 { gap(rng) } else { 1.0 - gap(rng) });
            }
            (_, Domain::Probability | Domain::Sign) if drawn.len() == self.first.len() => {
                let middle = if self.values.spec().inputs[0].domain.resolve(self.values) == Domain::Probability {
                    0.5
                } else {
                    0.0
                };
                let [low, high] = if domain == Domain::Sign { [-1.0, 1.0] } else { [0.0, 1.0] };
                for (x, &first) in drawn.iter_mut().zip(&self.first) {
                    *x = if (first > middle) == (rng.u8(..4) > 0) { high } else { low };
                }
            }
            _ => {}
        }
    }

    fn make_infinite(&self, shape: Shape, domain: Domain, drawn: &mut [f64], rng: &mut fastrand::Rng) {
        let any = |rng: &mut fastrand::Rng| [f64::INFINITY, f64::NEG_INFINITY, f64::NAN][rng.usize(..3)];
        let is_probability = domain == Domain::Probability;
        match (shape, domain) {
            (Shape::Rows, Domain::Real | Domain::LogProbability) => {
                drawn.iter_mut().filter(|_| rng.u8(..4) == 0).for_each(|x| *x = f64::NEG_INFINITY);
                let is_of_regions = self.values.spec().regions().is_some();
                for item in 0..drawn.len() / self.classes[0].max(1) {
                    let place = |class| self.place(item, class);
                    match rng.u8(..32) {
                        0 if !self.is_finite && !is_of_regions => {
                            (0..self.classes[0]).for_each(|class| drawn[place(class)] = f64::NEG_INFINITY);
                        }
                        1 if !self.is_finite && !is_of_regions => drawn[place(rng.usize(..self.classes[0]))] = any(rng),
                        _ if (0..self.classes[0]).all(|class| drawn[place(class)] == f64::NEG_INFINITY) => {
                            drawn[place(rng.usize(..self.classes[0]))] = 0.0;
                        }
                        _ => {}
                    }
                }
            }
            // Targets of masked classes.
            (Shape::Rows, _) if is_probability && self.is_finite && drawn.len() == self.first.len() => {
                let masked = drawn.iter_mut().zip(&self.first).filter(|(_, x)| **x == f64::NEG_INFINITY);
                masked.for_each(|(target, _)| *target = 0.0);
            }
            (Shape::Items, Domain::Real | Domain::LogRate) => {
                for x in drawn {
                    *x = if rng.u8(..8) == 0 { any(rng) } else { *x };
                }
            }
            (Shape::Items | Shape::ItemRows, Domain::LogProbability) => {
                drawn.iter_mut().filter(|_| rng.u8(..8) == 0).for_each(|x| *x = f64::NEG_INFINITY);
            }
            (Shape::Boxes | Shape::Embeddings, _) => {
                for row in drawn.chunks_mut(self.classes[0].max(1)) {
                    let place = rng.usize(..row.len());
                    let value = match domain {
                        // Left and above of the other corner, or to its right and below.
                        Domain::TargetBox => [f64::NEG_INFINITY, f64::INFINITY][place / 2],
                        _ => any(rng),
                    };
                    row[place] = if rng.u8(..8) == 0 { value } else { row[place] };
                }
            }
            _ => {}
        }
    }

    fn make_near(&self, shape: Shape, domain: Domain, drawn: &mut [f64], rng: &mut fastrand::Rng) {
        let spec = self.values.spec();
        let near = |x: f64, rng: &mut fastrand::Rng| x * (1.0 + self.distance * (2.0 * rng.f64() - 1.0));
        if spec.all_pairs().is_some_and(|all_pairs| all_pairs.relation == Relation::Views) && self.first.is_empty() {
            // The second view.
            let (first, second) = drawn.split_at_mut(drawn.len() / 2);
            second.iter_mut().zip(first).for_each(|(x, first)| *x = near(*first, rng));
        }
        if self.first.is_empty() || drawn.len() != self.first.len() {
            return;
        }
        let of_first = spec.inputs[0].domain.resolve(self.values);
        match (of_first, domain) {
            (_, Domain::TargetBox) => {
                for (target, first) in drawn.chunks_mut(4).zip(self.first.chunks(4)) {
                    for axis in 0..2 {
                        let [a, b] = [first[axis], first[axis + 2]];
                        let shift = |rng: &mut fastrand::Rng| self.distance * (b - a) * (2.0 * rng.f64() - 1.0);
                        let ends = [a.min(b) + shift(rng), a.max(b) + shift(rng)];
                        [target[axis], target[axis + 2]] = ends;
                    }
                }
            }
            (Domain::Real, Domain::Probability) if shape == Shape::Rows && self.has_softmax() => {
                for item in 0..drawn.len() / self.classes[0].max(1) {
                    let row = self.row(item);
                    let largest = row.iter().copied().fold(f64::MIN, f64::max);
                    let sum: f64 = row.iter().map(|x| (x - largest).exp()).sum();
                    for (class, x) in row.iter().enumerate() {
                        drawn[self.place(item, class)] = (x - largest).exp() / sum;
                    }
                }
            }
            _ => {
                for (x, &first) in drawn.iter_mut().zip(&self.first) {
                    *x = match (of_first, domain) {
                        (Domain::Real, Domain::Real) | (Domain::NonNegative, Domain::Count) => near(first, rng),
                        (Domain::Real, Domain::Probability) => 1.0 / (1.0 + (-first).exp()),
                        // Where the loss is least.
                        (Domain::Real, Domain::LogVariance) => first.abs().ln().clamp(-60.0, 60.0),
                        (Domain::Probability, Domain::Probability) => near(first, rng).min(1.0),
                        (Domain::LogProbability, Domain::LogProbability) => near(first, rng),
                        (Domain::LogProbability, Domain::Probability) | (Domain::LogRate, Domain::Count) => first.exp(),
                        _ => *x,
                    };
                }
            }
        }
    }
}

/// Whether values are made tiny and huge.
fn is_scaled(domain: Domain) -> bool {
    matches!(domain, Domain::Real | Domain::TargetBox | Domain::NonNegative)
}

/// By how much a sure class leads.
const LEAD: [f64; 5] = [8.0, 12.0, 16.0, 20.0, 26.0];
