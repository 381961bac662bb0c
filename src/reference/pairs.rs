//! Losses of pairs and given triplets, as in [`losses`](crate::losses): one function per loss.

use super::{conditioning, dot};
use crate::spec::{Distance, Item, Term, Values};

/// [`Contrastive`](crate::losses::Contrastive).
pub fn contrastive(item: &Item<'_>, values: &Values) -> Term {
    let (margin, factor) = (values.number("margin"), values.number("factor"));
    let pair = Measured::euclidean([item.row("x1"), item.row("x2")], values.number("eps"));
    let d = pair.distance;
    if item["label"] == 1.0 {
        return pulled(item, 2, factor * d * d, &[pair.pull([0, 1], 2.0 * factor * d)], 0.0);
    }
    let gap = (margin - d).max(0.0);
    let term = pulled(item, 2, factor * gap * gap, &[pair.pull([0, 1], -2.0 * factor * gap)], 0.0);
    // The gap is a difference of distance and margin.
    if gap > 0.0 { conditioning::amplified(term, (margin + d) / gap) } else { term }
}

/// [`CosineEmbedding`](crate::losses::CosineEmbedding).
pub fn cosine_embedding(item: &Item<'_>, values: &Values) -> Term {
    let margin = values.number("margin");
    let pair = Measured::cosine([item.row("x1"), item.row("x2")]);
    if item["label"] == 1.0 {
        return pulled(item, 2, pair.distance, &[pair.pull([0, 1], 1.0)], conditioning::magnitude(&pair));
    }
    let cosine = 1.0 - pair.distance;
    if cosine > margin {
        pulled(item, 2, cosine - margin, &[pair.pull([0, 1], -1.0)], 1.0 + margin.abs())
    } else {
        pulled(item, 2, 0.0, &[], 0.0)
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
            Distance::Euclidean => Measured::euclidean([a, b], values.number("eps")),
            Distance::SquaredEuclidean => Measured::squared_euclidean([a, b]),
            Distance::Cosine => Measured::cosine([a, b]),
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
        let pulls =
            [positive.pull([0, 1], 1.0), of_anchor.pull([0, 2], -shares[0]), of_positive.pull([1, 2], -shares[1])];
        pulled(item, 3, violation, &pulls, conditioning::magnitude(&positive) + negative + margin)
    } else {
        pulled(item, 3, 0.0, &[], 0.0)
    }
}

/// A distance of two rows and its gradients.
pub(super) struct Measured<'a> {
    pub by: Distance,
    pub rows: [&'a [f64]; 2],
    pub distance: f64,
    pub gradients: [Vec<f64>; 2],
}

impl<'a> Measured<'a> {
    /// ‖a − b + eps‖₂; its gradient at 0 is 0.
    fn euclidean([a, b]: [&'a [f64]; 2], eps: f64) -> Self {
        let difference: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b + eps).collect();
        let distance = dot(&difference, &difference).sqrt();
        let slope = |x: &f64| if distance == 0.0 { 0.0 } else { x / distance };
        Measured::new(Distance::Euclidean, [a, b], distance, difference.iter().map(slope).collect())
    }

    /// Σ (a − b)².
    fn squared_euclidean([a, b]: [&'a [f64]; 2]) -> Self {
        let difference: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
        let by_a = difference.iter().map(|x| 2.0 * x).collect();
        Measured::new(Distance::SquaredEuclidean, [a, b], dot(&difference, &difference), by_a)
    }

    /// 1 − a·b / max(‖a‖·‖b‖, 1e-8).
    fn cosine([a, b]: [&'a [f64]; 2]) -> Self {
        let [length_a, length_b] = [dot(a, a).sqrt(), dot(b, b).sqrt()];
        if length_a == 0.0 || length_b == 0.0 {
            return Measured::new(Distance::Cosine, [a, b], 1.0, vec![0.0; a.len()]);
        }
        let product = (length_a * length_b).max(1e-8);
        let cosine = dot(a, b) / product;
        // A larger divisor than that is constant.
        let of_length = if length_a * length_b < 1e-8 { 0.0 } else { cosine };
        let by = |own: &[f64], length: f64, other: &[f64]| -> Vec<f64> {
            own.iter().zip(other).map(|(x, y)| of_length * x / (length * length) - y / product).collect()
        };
        let gradients = [by(a, length_a, b), by(b, length_b, a)];
        Measured { by: Distance::Cosine, rows: [a, b], distance: 1.0 - cosine, gradients }
    }

    /// A distance with these gradients by a, and their negatives by b.
    fn new(by: Distance, rows: [&'a [f64]; 2], distance: f64, by_a: Vec<f64>) -> Self {
        let by_b = by_a.iter().map(|x| -x).collect();
        Measured { by, rows, distance, gradients: [by_a, by_b] }
    }

    /// How the distance, of these two of an item's rows, moves a loss with this slope by it.
    fn pull(&self, rows: [usize; 2], slope: f64) -> Pull<'_> {
        Pull { rows, slope, pair: self }
    }
}

/// A distance between two of an item's rows, and the derivative of the loss by it.
pub(super) struct Pull<'a> {
    pub rows: [usize; 2],
    pub slope: f64,
    pub pair: &'a Measured<'a>,
}

/// The term of an item of so many rows, with the gradients that its distances make, and a loss that is a sum and
/// difference of terms of this magnitude.
fn pulled(item: &Item<'_>, rows: usize, loss: f64, pulls: &[Pull<'_>], magnitude: f64) -> Term {
    let dimensions = item.dimensions();
    let mut gradients = vec![0.0; rows * dimensions];
    for Pull { rows, slope, pair } in pulls {
        for (row, gradient) in rows.iter().zip(&pair.gradients) {
            for (sum, x) in gradients[row * dimensions..].iter_mut().zip(gradient) {
                *sum += slope * x;
            }
        }
    }
    conditioning::of_distances(Term::new(loss, gradients), dimensions, pulls, magnitude)
}
