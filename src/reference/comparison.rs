//! How the rows of a whole batch are compared: distances or similarities, and what these make of the rows' gradients.

use super::{Call, dot, largest_finite, weighed};
use crate::spec::{Distance, Shape};

/// An embedding, and its length: NaN if it is not finite, or has squares that count and are beyond f32.
pub(super) struct Row<'a> {
    pub x: &'a [f64],
    length: f64,
}

/// The embeddings of all inputs, one input behind the other.
pub(super) fn rows<'a>(call: &'a Call, comparison: &Comparison) -> Vec<Row<'a>> {
    let is_rows = |name: &str| {
        call.signature.differentiable().any(|(input, _)| input.name == name && input.shape == Shape::Embeddings)
    };
    let embeddings = call.inputs.iter().filter(|column| is_rows(column.name));
    let rows = embeddings.flat_map(|column| column.values.chunks(column.width));
    rows.map(|x| {
        let squares = dot(x, x);
        let is_known = squares.is_finite() && (comparison.is_of_directions() || (squares as f32).is_finite());
        Row { x, length: if is_known { squares.sqrt() } else { f64::NAN } }
    })
    .collect()
}

/// What the value of two rows is.
pub(super) enum Comparison {
    Distance(Distance),
    /// The similarity, by unit vectors if so, times a scale.
    Similarity {
        normalize: bool,
        /// What shorter rows are divided by in place of their length.
        least_length: f64,
        scale: f64,
    },
}

impl Comparison {
    pub fn of(call: &Call) -> Self {
        let values = &call.values;
        if values.has("distance") {
            return Comparison::Distance(values.word("distance"));
        }
        let scale = match values.has("temperature") {
            true => values.number("temperature").recip(),
            false => call.item(0)["logit_scale"].exp(),
        };
        let (normalize, least_length) = (values.flag_or("normalize", true), values.number_or("norm_eps", 1e-12));
        Comparison::Similarity { normalize, least_length, scale }
    }

    /// Whether rows are brought to unit length.
    pub fn is_normalizing(&self) -> bool {
        matches!(self, Comparison::Similarity { normalize: true, .. })
    }

    /// Whether the lengths of rows are of no account.
    pub fn is_of_directions(&self) -> bool {
        self.is_normalizing() || matches!(self, Comparison::Distance(Distance::Cosine))
    }

    /// Whether f32 has no number for the scale of all values.
    pub fn is_beyond_f32(&self) -> bool {
        matches!(self, Comparison::Similarity { scale, .. } if (*scale as f32) == f32::INFINITY)
    }

    pub fn value(&self, a: &Row, b: &Row) -> f64 {
        let squares = || a.x.iter().zip(b.x).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
        match self {
            _ if a.length.is_nan() || b.length.is_nan() => f64::NAN,
            Comparison::Distance(Distance::Euclidean) => squares().sqrt(),
            Comparison::Distance(Distance::SquaredEuclidean) => squares(),
            Comparison::Distance(Distance::Cosine) => 1.0 - dot(a.x, b.x) / self.divisor(a, b),
            Comparison::Similarity { scale, .. } => scale * dot(a.x, b.x) / self.divisor(a, b),
        }
    }

    /// What a dot product is divided by.
    pub fn divisor(&self, a: &Row, b: &Row) -> f64 {
        match self {
            Comparison::Distance(_) => (a.length * b.length).max(LEAST_PRODUCT),
            Comparison::Similarity { normalize: true, least_length: least, .. } => {
                a.length.max(*least) * b.length.max(*least)
            }
            Comparison::Similarity { normalize: false, .. } => 1.0,
        }
    }

    /// Adds slope·∂value/∂a.
    pub fn pull(&self, slope: f64, value: f64, a: &Row, b: &Row, pulled: &mut Pulled) {
        match self {
            // The slope of a distance of 0 is 0.
            Comparison::Distance(Distance::Euclidean) => {
                pulled.add_difference(if value == 0.0 { 0.0 } else { slope / value }, a, b);
            }
            Comparison::Distance(Distance::SquaredEuclidean) => pulled.add_difference(2.0 * slope, a, b),
            Comparison::Distance(Distance::Cosine) => {
                let depends = a.length * b.length > LEAST_PRODUCT;
                pulled.add_turn(-slope, 1.0 - value, self.divisor(a, b), depends, a, b);
            }
            &Comparison::Similarity { normalize: true, least_length, scale } => {
                let depends = a.length > least_length;
                let divisor = self.divisor(a, b);
                pulled.add_turn(slope * scale, dot(a.x, b.x) / divisor, divisor, depends, a, b);
            }
            &Comparison::Similarity { normalize: false, scale, .. } => pulled.add(slope * scale, b.x.iter().copied()),
        }
    }
}

/// What the product of two lengths is at least in a cosine.
const LEAST_PRODUCT: f64 = 1e-8;

/// The gradient of a row: a sum over its pairs, less a multiple of the row itself where only its direction matters.
pub(super) struct Pulled {
    sum: Vec<f64>,
    /// The same sum of the terms' magnitudes.
    size: Vec<f64>,
    along: f64,
}

impl Pulled {
    pub fn nothing(dimensions: usize) -> Self {
        Pulled { sum: vec![0.0; dimensions], size: vec![0.0; dimensions], along: 0.0 }
    }

    pub fn add(&mut self, factor: f64, x: impl Iterator<Item = f64>) {
        for ((sum, size), x) in self.sum.iter_mut().zip(&mut self.size).zip(x) {
            *sum += factor * x;
            *size += (factor * x).abs();
        }
    }

    pub fn add_difference(&mut self, factor: f64, a: &Row, b: &Row) {
        self.add(factor, a.x.iter().zip(b.x).map(|(a, b)| a - b));
    }

    /// Adds slope·∂/∂a of the cosine a·b/divisor, whose divisor depends on a or not.
    pub fn add_turn(&mut self, slope: f64, cosine: f64, divisor: f64, depends: bool, a: &Row, b: &Row) {
        // A zero vector has no direction that could turn.
        let has_direction = if a.length == 0.0 { 0.0 } else { 1.0 };
        self.add(slope * has_direction / divisor, b.x.iter().copied());
        if depends {
            self.along += slope * cosine / (a.length * a.length);
        } else {
            // Kernels take the part along the row away first and add it again, which is as good where it counts.
            let size = (slope * a.length / divisor).abs();
            self.size.iter_mut().for_each(|sum| *sum += size);
        }
        if b.length == 0.0 && a.length != 0.0 {
            // Of the difference of both directions that is a's own, which kernels take away again.
            let size = (slope / a.length).abs();
            self.size.iter_mut().for_each(|sum| *sum += size);
        }
    }

    pub fn gradient(&self, row: &Row) -> Vec<f64> {
        self.sum.iter().zip(row.x).map(|(sum, &x)| sum - weighed(self.along, x)).collect()
    }

    /// The largest magnitude of what is added and subtracted, which may leave far less.
    pub fn magnitude(&self) -> f64 {
        largest_finite(self.size.iter().copied())
    }
}

/// The first of the rows with the largest value.
pub(super) fn farthest(values: &[f64], rows: &[usize]) -> Option<usize> {
    rows.iter().copied().reduce(|best, row| if values[row] > values[best] { row } else { best })
}

/// The first of the rows with the smallest value.
pub(super) fn nearest(values: &[f64], rows: &[usize]) -> Option<usize> {
    rows.iter().copied().reduce(|best, row| if values[row] < values[best] { row } else { best })
}
