//! Losses of pairs and given triplets, as in [`losses`](crate::losses): one function per loss.

use crate::spec::{Distance, Item, Term, Values};

/// [`Contrastive`](crate::losses::Contrastive).
pub fn contrastive(item: &Item<'_>, values: &Values) -> Term {
    let (margin, factor) = (values.number("margin"), values.number("factor"));
    let pair = Measured::euclidean(item.row("x1"), item.row("x2"), values.number("eps"));
    let d = pair.distance;
    if item["label"] == 1.0 {
        return Pulls::new(2, item).with([0, 1], 2.0 * factor * d, &pair).term(factor * d * d, 0.0);
    }
    let gap = (margin - d).max(0.0);
    let mut term = Pulls::new(2, item).with([0, 1], -2.0 * factor * gap, &pair).term(factor * gap * gap, 0.0);
    // The gap is a difference of distance and margin.
    if gap > 0.0 {
        let condition = (margin + d) / gap;
        term.magnitude.iter_mut().chain(&mut term.gradient_magnitudes).for_each(|magnitude| *magnitude *= condition);
    }
    term
}

/// [`CosineEmbedding`](crate::losses::CosineEmbedding).
pub fn cosine_embedding(item: &Item<'_>, values: &Values) -> Term {
    let margin = values.number("margin");
    let pair = Measured::cosine(item.row("x1"), item.row("x2"));
    if item["label"] == 1.0 {
        return Pulls::new(2, item).with([0, 1], 1.0, &pair).term(pair.distance, pair.magnitude);
    }
    let cosine = 1.0 - pair.distance;
    if cosine > margin {
        Pulls::new(2, item).with([0, 1], -1.0, &pair).term(cosine - margin, 1.0 + margin.abs())
    } else {
        Pulls::new(2, item).term(0.0, 0.0)
    }
}

/// [`MarginRanking`](crate::losses::MarginRanking).
pub fn margin_ranking(item: &Item<'_>, values: &Values) -> Term {
    let (y, margin) = (item["label"], values.number("margin"));
    let difference = item["x1"] - item["x2"];
    let violation = -y * difference + margin;
    if violation > 0.0 {
        Term::new(violation, [-y, y]).of_magnitude(difference.abs() + margin.abs())
    } else {
        Term::new(0.0, [0.0, 0.0])
    }
}

/// [`HingeEmbedding`](crate::losses::HingeEmbedding).
pub fn hinge_embedding(item: &Item<'_>, values: &Values) -> Term {
    let (x, gap) = (item["prediction"], values.number("margin") - item["prediction"]);
    if item["target"] == 1.0 {
        Term::new(x, [1.0])
    } else if gap > 0.0 {
        Term::new(gap, [-1.0])
    } else {
        Term::new(0.0, [0.0])
    }
}

/// [`TripletMargin`](crate::losses::TripletMargin).
pub fn triplet_margin(item: &Item<'_>, values: &Values) -> Term {
    let distance = |a: &str, b: &str| {
        let (a, b) = (item.row(a), item.row(b));
        match values.word("distance") {
            Distance::Euclidean => Measured::euclidean(a, b, values.number("eps")),
            Distance::SquaredEuclidean => Measured::squared_euclidean(a, b),
            Distance::Cosine => Measured::cosine(a, b),
        }
    };
    let positive = distance("anchor", "positive");
    let [of_anchor, of_positive] = [distance("anchor", "negative"), distance("positive", "negative")];
    // The shares of both in the distance to the negative.
    let shares = match of_positive.distance.total_cmp(&of_anchor.distance) {
        _ if !values.flag("swap") => [1.0, 0.0],
        std::cmp::Ordering::Less => [0.0, 1.0],
        std::cmp::Ordering::Equal => [0.5, 0.5],
        std::cmp::Ordering::Greater => [1.0, 0.0],
    };
    let negative = shares[0] * of_anchor.distance + shares[1] * of_positive.distance;
    let margin = values.number("margin");
    let violation = positive.distance - negative + margin;
    if violation > 0.0 {
        Pulls::new(3, item)
            .with([0, 1], 1.0, &positive)
            .with([0, 2], -shares[0], &of_anchor)
            .with([1, 2], -shares[1], &of_positive)
            .term(violation, positive.magnitude + negative + margin)
    } else {
        Pulls::new(3, item).term(0.0, 0.0)
    }
}

/// The sine of an angle so small that rows which differ by it are hardly told from parallel ones: rounding errors are
/// measured against this.
const PARALLEL: f64 = 1e-4;

/// A distance of two rows and its gradients.
struct Measured {
    distance: f64,
    gradients: [Vec<f64>; 2],
    /// What rounding errors of the distance are relative to.
    magnitude: f64,
    /// The same of the gradients, where it is above the largest of their elements.
    gradient_magnitudes: [f64; 2],
}

impl Measured {
    /// ‖a − b + eps‖₂; its gradient at 0 is 0.
    fn euclidean(a: &[f64], b: &[f64], eps: f64) -> Self {
        let difference: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b + eps).collect();
        let distance = dot(&difference, &difference).sqrt();
        let slope = |x: &f64| if distance == 0.0 { 0.0 } else { x / distance };
        let by_a: Vec<f64> = difference.iter().map(slope).collect();
        Measured::new(distance, by_a)
    }

    /// Σ (a − b)².
    fn squared_euclidean(a: &[f64], b: &[f64]) -> Self {
        let difference: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
        Measured::new(dot(&difference, &difference), difference.iter().map(|x| 2.0 * x).collect())
    }

    /// A distance with these gradients by a, and their negatives by b.
    fn new(distance: f64, by_a: Vec<f64>) -> Self {
        let by_b = by_a.iter().map(|x| -x).collect();
        Measured { distance, gradients: [by_a, by_b], magnitude: distance, gradient_magnitudes: [0.0; 2] }
    }

    /// 1 − a·b / max(‖a‖·‖b‖, 1e-8).
    fn cosine(a: &[f64], b: &[f64]) -> Self {
        let [length_a, length_b] = [dot(a, a).sqrt(), dot(b, b).sqrt()];
        if length_a == 0.0 || length_b == 0.0 {
            return Measured::new(1.0, vec![0.0; a.len()]);
        }
        let product = (length_a * length_b).max(1e-8);
        let cosine = dot(a, b) / product;
        // A larger divisor than that is constant.
        let of_length = if length_a * length_b < 1e-8 { 0.0 } else { cosine };
        let by = |own: &[f64], length: f64, other: &[f64]| -> Vec<f64> {
            own.iter().zip(other).map(|(x, y)| of_length * x / (length * length) - y / product).collect()
        };
        let distance = 1.0 - cosine;
        // Opposite rows have the terms of a gradient, which cancel.
        let part = PARALLEL + distance;
        Measured {
            distance,
            gradients: [by(a, length_a, b), by(b, length_b, a)],
            magnitude: distance + PARALLEL * PARALLEL,
            gradient_magnitudes: [part * length_b / product, part * length_a / product],
        }
    }
}

/// The gradients of an item's rows, sums of those of distances.
struct Pulls {
    dimensions: usize,
    gradients: Vec<f64>,
    /// Of each element, the sum of its terms' magnitudes.
    magnitudes: Vec<f64>,
    /// Of each row, what a distance adds to those.
    least: Vec<f64>,
}

impl Pulls {
    fn new(rows: usize, item: &Item<'_>) -> Self {
        let dimensions = item.dimensions();
        let zeros = vec![0.0; rows * dimensions];
        Pulls { dimensions, gradients: zeros.clone(), magnitudes: zeros, least: vec![0.0; rows] }
    }

    /// Adds the gradients of a distance between two of the rows, times its slope.
    fn with(mut self, rows: [usize; 2], slope: f64, pair: &Measured) -> Self {
        for (part, row) in rows.into_iter().enumerate() {
            for (dimension, x) in pair.gradients[part].iter().enumerate() {
                self.gradients[row * self.dimensions + dimension] += slope * x;
                self.magnitudes[row * self.dimensions + dimension] += (slope * x).abs();
            }
            self.least[row] += slope.abs() * pair.gradient_magnitudes[part];
        }
        self
    }

    /// The item's term, of a loss that is a sum and difference of terms of this magnitude.
    fn term(self, loss: f64, magnitude: f64) -> Term {
        let largest = |row: &[f64]| row.iter().copied().fold(0.0, f64::max);
        let of_rows = self.magnitudes.chunks(self.dimensions).zip(self.least);
        Term {
            gradient_magnitudes: of_rows.map(|(row, least)| largest(row) + least).collect(),
            ..Term::new(loss, self.gradients).of_magnitude(magnitude.max(loss.abs()))
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
