//! How well conditioned losses of distances are: what rounding errors of a loss and of its gradients are relative to,
//! and how far choices are from being made otherwise. Not part of any formula; parity measures errors by it.

use super::{
    distances::{Measured, Pull},
    dot,
};
use crate::spec::{Anchor, AnchorTerm, Distance, Term, Triplets, Values};

/// The sine of an angle so small that rows which differ by it are hardly told from parallel ones: rounding errors are
/// measured against this.
const PARALLEL: f64 = 1e-4;

/// The term of an item whose loss is a sum and difference of terms of this magnitude, and whose gradients are sums of
/// these.
pub(super) fn of_distances(term: Term, dimensions: usize, pulls: &[Pull<'_>], magnitude: f64) -> Term {
    // Of each element the sum of its terms' magnitudes, and of each row what distances add to those.
    let mut magnitudes = vec![0.0; term.gradients.len()];
    let mut least = vec![0.0; term.gradients.len() / dimensions];
    for Pull { rows, slope, pair } in pulls {
        for ((row, gradient), magnitude) in rows.iter().zip(&pair.gradients).zip(gradient_magnitudes(pair)) {
            for (sum, x) in magnitudes[row * dimensions..].iter_mut().zip(gradient) {
                *sum += (slope * x).abs();
            }
            least[*row] += slope.abs() * magnitude;
        }
    }
    let largest = |row: &[f64]| row.iter().copied().fold(0.0, f64::max);
    let of_rows = magnitudes.chunks(dimensions).zip(least);
    let magnitude = magnitude.max(term.loss[0].abs());
    Term { gradient_magnitudes: of_rows.map(|(row, least)| largest(row) + least).collect(), ..term }
        .of_magnitude(magnitude)
}

/// The term where all rounding errors are larger by a factor.
pub(super) fn amplified(mut term: Term, factor: f64) -> Term {
    term.magnitude.iter_mut().chain(&mut term.gradient_magnitudes).for_each(|magnitude| *magnitude *= factor);
    term
}

/// What rounding errors of a distance are relative to.
pub(super) fn magnitude(pair: &Measured<'_>) -> f64 {
    if has_direction(pair) { pair.distance + PARALLEL * PARALLEL } else { pair.distance }
}

/// What rounding errors of a distance's gradients are relative to, where it is above the largest of their elements.
fn gradient_magnitudes(pair: &Measured<'_>) -> [f64; 2] {
    if !has_direction(pair) {
        return [0.0; 2];
    }
    let [length_a, length_b] = pair.rows.map(|row| dot(row, row).sqrt());
    let product = (length_a * length_b).max(1e-8);
    // Opposite rows have the terms of a gradient, which cancel.
    let part = PARALLEL + pair.distance;
    [part * length_b / product, part * length_a / product]
}

/// Whether the distance is that of two directions.
fn has_direction(pair: &Measured<'_>) -> bool {
    pair.by == Distance::Cosine && pair.rows.iter().all(|row| dot(row, row) != 0.0)
}

/// The term of an anchor's cross-entropy over all other rows.
pub(super) fn of_softmax(term: AnchorTerm, anchor: &Anchor<'_>) -> AnchorTerm {
    let condition = anchor.others().map(|other| anchor.values[other].abs()).fold(0.0, f64::max);
    AnchorTerm { magnitude: term.loss, condition, ..term }
}

/// The term of an anchor's hardest triplet.
pub(super) fn of_hardest(mut term: AnchorTerm, anchor: &Anchor<'_>, values: &Values) -> AnchorTerm {
    let Some([positive, negative]) = term.hardest else { return term };
    let triplet = Triplet::new(anchor, values, [positive, negative]);
    if values.flag("soft_margin") {
        term.magnitude = term.loss;
        term.condition = triplet.sizes;
    } else {
        triplet.measure(&mut term);
    }
    let others = anchor.positives.iter().map(|&p| (p, positive)).chain(anchor.negatives.iter().map(|&n| (n, negative)));
    term.keep_clear(others.map(|(other, chosen)| gap(values, anchor.values[other], anchor.values[chosen])));
    term
}

/// The term of the triplets of an anchor's positives with the nearest negatives farther than these.
pub(super) fn of_semi_hard(
    mut term: AnchorTerm,
    anchor: &Anchor<'_>,
    values: &Values,
    selected: &[[usize; 2]],
) -> AnchorTerm {
    let distance = |row: usize| anchor.values[row];
    for &[positive, negative] in selected {
        Triplet::new(anchor, values, [positive, negative]).measure(&mut term);
        let farther = anchor.farther_negatives(positive);
        let candidates = if farther.is_empty() { anchor.negatives } else { &farther[..] };
        term.keep_clear(candidates.iter().map(|&other| gap(values, distance(other), distance(negative))));
    }
    term.keep_clear(anchor.pairs().map(|[p, n]| gap(values, distance(p), distance(n))));
    term
}

/// The term of all triplets of an anchor, or of those that are selected.
pub(super) fn of_all(
    mut term: AnchorTerm,
    anchor: &Anchor<'_>,
    values: &Values,
    selected: &[[usize; 2]],
) -> AnchorTerm {
    selected.iter().for_each(|&rows| Triplet::new(anchor, values, rows).measure(&mut term));
    if values.word::<Triplets>("triplets") != Triplets::All {
        let selection = |rows: [usize; 2]| {
            let triplet = Triplet::new(anchor, values, rows);
            gap(values, triplet.positive, triplet.negative).min(triplet.clearance())
        };
        term.keep_clear(anchor.pairs().map(selection));
    }
    term
}

impl AnchorTerm {
    fn keep_clear(&mut self, gaps: impl Iterator<Item = f64>) {
        self.clearance = gaps.fold(self.clearance, f64::min);
    }
}

/// The distances of a triplet, and its margin.
struct Triplet {
    positive: f64,
    negative: f64,
    margin: f64,
    /// What the rounding errors of the distances are relative to.
    sizes: f64,
}

impl Triplet {
    fn new(anchor: &Anchor<'_>, values: &Values, rows: [usize; 2]) -> Self {
        let [positive, negative] = rows.map(|row| anchor.values[row]);
        let sizes = size(values, positive) + size(values, negative);
        Triplet { positive, negative, margin: values.number("margin"), sizes }
    }

    /// What the hinge is of.
    fn x(&self) -> f64 {
        self.positive - self.negative + self.margin
    }

    /// The sum of the magnitudes of what the hinge is of.
    fn size(&self) -> f64 {
        self.sizes + self.margin.abs()
    }

    /// Adds to a term what is to know of the triplet's hinge.
    fn measure(&self, term: &mut AnchorTerm) {
        // At the kink rounding may leave a little; farther below, nothing.
        if self.x() >= 0.0 {
            term.magnitude += self.size();
        }
        term.keep_clear(std::iter::once(self.clearance()));
    }

    /// How far the hinge is from its kink. Where both distances are the same, their difference is not rounded.
    fn clearance(&self) -> f64 {
        let x = self.x();
        if x == 0.0 || self.positive == self.negative { f64::INFINITY } else { x.abs() / self.size() }
    }
}

/// What the rounding error of a distance is relative to: itself, or the 1 that a cosine is taken from.
fn size(values: &Values, distance: f64) -> f64 {
    if values.word::<Distance>("distance") == Distance::Cosine { distance.max(1.0) } else { distance }
}

/// How far two distances are apart; infinite where they are the same.
fn gap(values: &Values, a: f64, b: f64) -> f64 {
    if a == b { f64::INFINITY } else { (a - b).abs() / size(values, a.max(b)) }
}
