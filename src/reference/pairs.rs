//! Losses of pairs and given triplets, as in [`losses`](crate::losses): one function per loss.

use super::{
    choices, conditioning,
    distances::{Measured, Pull},
};
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
    hinge(item, 2, cosine - margin, &[pair.pull([0, 1], -1.0)], [1.0 + margin.abs(); 2])
}

/// [`MarginRanking`](crate::losses::MarginRanking).
pub fn margin_ranking(item: &Item<'_>, values: &Values) -> Term {
    let (y, margin) = (item["label"], values.number("margin"));
    let difference = item["x1"] - item["x2"];
    let violation = -y * difference + margin;
    let magnitude = difference.abs() + margin.abs();
    let doubt = if choices::is_at_kink(violation, magnitude) { vec![1.0; 2] } else { Vec::new() };
    // Of two infinities nothing is known.
    if violation > 0.0 || violation.is_nan() {
        Term::new(violation, [-y, y]).of_magnitude(magnitude).of_doubts(doubt)
    } else {
        Term::new(0.0, [0.0, 0.0]).of_doubts(doubt)
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
    let (shares, negative) = match of_positive.distance.total_cmp(&of_anchor.distance) {
        _ if !values.flag("swap") => ([1.0, 0.0], of_anchor.distance),
        // Nothing is known of the smaller one.
        _ if (of_anchor.distance + of_positive.distance).is_nan() => ([1.0, 0.0], f64::NAN),
        std::cmp::Ordering::Less => ([0.0, 1.0], of_positive.distance),
        std::cmp::Ordering::Equal => ([0.5, 0.5], of_anchor.distance),
        std::cmp::Ordering::Greater => ([1.0, 0.0], of_anchor.distance),
    };
    let margin = values.number("margin");
    let pulls = [positive.pull([0, 1], 1.0), of_anchor.pull([0, 2], -shares[0]), of_positive.pull([1, 2], -shares[1])];
    let magnitude = conditioning::magnitude(&positive) + negative + margin.abs();
    let [size, size_of_anchor, size_of_positive] = [&positive, &of_anchor, &of_positive].map(conditioning::size_of);
    // Of equal distances only the margin is left.
    let rounded = if positive.distance == negative { 0.0 } else { size + size_of_anchor + margin.abs() };
    let mut term = hinge(item, 3, positive.distance - negative + margin, &pulls, [magnitude, rounded]);
    let either = size_of_anchor + size_of_positive;
    let is_active = term.gradients.iter().any(|&x| x != 0.0) || !term.doubts.is_empty();
    if values.flag("swap") && is_active && choices::is_either_larger(of_anchor.distance, of_positive.distance, either) {
        let swapped = [of_anchor.pull([0, 2], 1.0), of_positive.pull([1, 2], 1.0)];
        let doubts = conditioning::sums_of_sizes(&swapped, term.gradients.len(), item.dimensions());
        term.doubts.resize(doubts.len(), 0.0);
        term.doubts.iter_mut().zip(doubts).for_each(|(sum, doubt)| *sum += doubt);
    }
    term
}

/// The term of an item of so many rows whose loss is a violation where that is above 0, with the gradients that its
/// distances make. The violation is a sum and difference of terms of a magnitude, and rounding makes an error relative
/// to the other.
fn hinge(item: &Item<'_>, rows: usize, violation: f64, pulls: &[Pull<'_>], [magnitude, rounded]: [f64; 2]) -> Term {
    let at_kink = choices::is_at_kink_of_distances(violation, rounded);
    let mut term = if violation > 0.0 || violation.is_nan() {
        pulled(item, rows, violation, pulls, magnitude)
    } else {
        pulled(item, rows, 0.0, &[], if at_kink { magnitude } else { 0.0 })
    };
    if at_kink {
        term.doubts = conditioning::sums_of_sizes(pulls, term.gradients.len(), item.dimensions());
    }
    term
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
