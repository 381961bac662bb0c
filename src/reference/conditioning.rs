//! How well conditioned losses of distances are: what rounding errors of a loss and of its gradients are relative to.
//! Not part of any formula; parity measures errors by it.

use super::{
    distances::{Measured, Pull},
    dot,
};
use crate::spec::{Anchor, AnchorTerm, Distance, Term, Values};

/// The sine of an angle so small that rows which differ by it are hardly told from parallel ones: rounding errors are
/// measured against this.
const PARALLEL: f64 = 1e-4;

/// The term of an item whose loss is a sum and difference of terms of this magnitude, and whose gradients are sums of
/// these.
pub(super) fn of_distances(term: Term, dimensions: usize, pulls: &[Pull<'_>], magnitude: f64) -> Term {
    let magnitudes = sums_of_sizes(pulls, term.gradients.len(), dimensions);
    // What distances add to those of each row.
    let mut least = vec![0.0; term.gradients.len() / dimensions];
    for Pull { rows, slope, pair } in pulls {
        for (row, magnitude) in rows.iter().zip(gradient_magnitudes(pair)) {
            least[*row] += slope.abs() * magnitude;
        }
    }
    let largest = |row: &[f64]| row.iter().copied().fold(0.0, f64::max);
    let of_rows = magnitudes.chunks(dimensions).zip(least);
    let magnitude = magnitude.max(term.loss[0].abs());
    Term { gradient_magnitudes: of_rows.map(|(row, least)| largest(row) + least).collect(), ..term }
        .of_magnitude(magnitude)
}

/// Of each gradient of an item the sum of its terms' magnitudes.
pub(super) fn sums_of_sizes(pulls: &[Pull<'_>], gradients: usize, dimensions: usize) -> Vec<f64> {
    let mut sums = vec![0.0; gradients];
    for Pull { rows, slope, pair } in pulls {
        for (row, gradient) in rows.iter().zip(&pair.gradients) {
            for (sum, x) in sums[row * dimensions..].iter_mut().zip(gradient) {
                *sum += (slope * x).abs();
            }
        }
    }
    sums
}

/// The term of a loss and its gradients (behind it) that are computed from such arguments, each of which is rounded
/// before: errors are relative to how much all of it changes by that.
pub(super) fn of_arguments<const A: usize, const T: usize>(given: [f64; A], f: impl Fn([f64; A]) -> [f64; T]) -> Term {
    // Small enough for a slope, and large enough for f64's own digits.
    const STEP: f64 = 1.0 / (1 << 20) as f64;
    let at = f(given);
    let mut sizes = at.map(f64::abs);
    for (place, argument) in given.iter().enumerate().filter(|(_, argument)| argument.is_finite()) {
        let mut moved = given;
        moved[place] = argument * (1.0 + STEP);
        for (size, (moved, at)) in sizes.iter_mut().zip(f(moved).iter().zip(&at)) {
            *size += (moved - at).abs() / STEP;
        }
    }
    Term::new(at[0], &at[1..]).of_magnitude(sizes[0]).of_gradient_magnitudes(&sizes[1..])
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
pub(super) fn of_hardest(term: AnchorTerm, anchor: &Anchor<'_>, values: &Values) -> AnchorTerm {
    let Some(rows) = term.hardest else { return term };
    if values.flag("soft_margin") {
        let [positive, negative] = rows.map(|row| size(values, anchor.values[row]));
        return AnchorTerm { magnitude: term.loss, condition: positive + negative, ..term };
    }
    of_triplets(term, anchor, values, &[rows])
}

/// The term of triplets, each given by its positive and its negative.
pub(super) fn of_triplets(
    mut term: AnchorTerm,
    anchor: &Anchor<'_>,
    values: &Values,
    triplets: &[[usize; 2]],
) -> AnchorTerm {
    let margin = values.number("margin");
    for rows in triplets {
        let [positive, negative] = rows.map(|row| anchor.values[row]);
        // At the kink rounding may leave a little; farther below, nothing.
        if positive - negative + margin >= 0.0 {
            term.magnitude += size(values, positive) + size(values, negative) + margin.abs();
        }
    }
    term
}

/// What the rounding error of a distance is relative to: itself, or the 1 that a cosine is taken from.
pub(super) fn size(values: &Values, distance: f64) -> f64 {
    of_kind(values.word("distance"), distance)
}

/// The same of a given pair.
pub(super) fn size_of(pair: &Measured<'_>) -> f64 {
    of_kind(pair.by, pair.distance)
}

fn of_kind(kind: Distance, distance: f64) -> f64 {
    if kind == Distance::Cosine { distance.max(1.0) } else { distance }
}
