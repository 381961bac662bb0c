//! Rows of embeddings: of pairs, and of whole batches with their labels.

use super::{Regime, draw};
use crate::{
    losses::Distance,
    spec::{Domain, Values},
};

/// The elements of embeddings, `length` in all, in rows of so many: of the first input, or of others with rows that are
/// equal to the first input's, nearly so, nearly parallel, or opposite to them. Some rows are 0.
pub(crate) fn draw_pairs(
    domain: Domain,
    regime: Regime,
    (length, dimensions): (usize, usize),
    first: &[f64],
    rng: &mut fastrand::Rng,
) -> Vec<f64> {
    let mut drawn = Vec::with_capacity(length);
    for row in 0..length.checked_div(dimensions).unwrap_or(0) {
        let anywhere: Vec<f64> = (0..dimensions).map(|_| draw(domain, regime, None, rng)).collect();
        // A row of 0 has the cosine distance 1 from any other. Beside one at no distance worth the name, rounding would
        // decide whether a margin of 1 is kept: rows of either kind take turns.
        let may_be_near = !first.is_empty() && row % 2 == 0;
        // What the first input's row is multiplied with, and how much of another is added.
        let (factor, part) = match rng.u8(..12) {
            0 if !may_be_near => (0.0, 0.0),
            1 if may_be_near => (1.0, 0.0),
            2 if may_be_near => (1.0, 1e-2),
            3 if may_be_near => (1.0, 1e-4),
            4 if may_be_near => (0.3 + rng.f64(), 1e-3),
            5 if !first.is_empty() => (-1.0, 1e-1),
            _ => (0.0, 1.0),
        };
        let origin = |dimension| first.get(row * dimensions + dimension).map_or(0.0, |x| factor * x);
        drawn.extend(anywhere.iter().enumerate().map(|(dimension, x)| origin(dimension) + part * x));
    }
    drawn
}

/// So many embeddings for a loss of a whole batch with these parameters, related to the first input's if there are any.
/// Some are 0, and some are the same as others.
pub(crate) fn draw_batch(
    regime: Regime,
    values: &Values,
    [rows, dimensions]: [usize; 2],
    first: &[f64],
    rng: &mut fastrand::Rng,
) -> Vec<f64> {
    let is_cosine = values.word_or("distance", Distance::Euclidean) == Distance::Cosine;
    let has_distances = values.has("distance") && !is_cosine;
    let scale = if values.has("normalize") && !values.flag("normalize") {
        // So that dot products over the temperature are moderate.
        (regime.pick([3.0, 30.0, 300.0]) * values.number("temperature") / dimensions as f64).sqrt()
    } else {
        regime.pick([3.0, 100.0, 1e4])
    };
    let mut drawn: Vec<f64> = Vec::with_capacity(rows * dimensions);
    for row in 0..rows {
        let earlier = drawn.len().checked_div(dimensions).filter(|&rows| rows > 0).map(|rows| rng.usize(..rows));
        let embedding: Vec<f64> = match (rng.u8(..16), earlier, first.chunks(dimensions).nth(row)) {
            (0, ..) => vec![0.0; dimensions],
            (1..=2, Some(earlier), _) => drawn[earlier * dimensions..][..dimensions].to_vec(),
            (3, _, Some(first)) => first.to_vec(),
            (4..=9, _, Some(first)) => first.iter().map(|x| x + 0.3 * scale * (2.0 * rng.f64() - 1.0)).collect(),
            // In a plane so many directions lie side by side that rounding would decide between any but these four.
            _ if is_cosine && dimensions == 2 => {
                let (along, x) = (rng.bool(), if rng.bool() { scale } else { -scale });
                if along { vec![x, 0.0] } else { vec![0.0, x] }
            }
            _ if has_distances => (0..dimensions).map(|_| on_grid(regime, dimensions, rng)).collect(),
            _ => (0..dimensions).map(|_| scale * (2.0 * rng.f64() - 1.0)).collect(),
        };
        drawn.extend(embedding);
    }
    drawn
}

/// A coordinate of an embedding on a coarse grid. In f32 squared distances are exact there, so that ties are ties in
/// any order of summation, and they are few different ones: their roots differ by a margin either exactly or clearly
/// not.
fn on_grid(regime: Regime, dimensions: usize, rng: &mut fastrand::Rng) -> f64 {
    let dimensions = dimensions as f64;
    let most = (8.0 / dimensions.sqrt()).max(1.0) as i32;
    let is_zero = rng.f64() > 30.0 / dimensions;
    if is_zero { 0.0 } else { f64::from(rng.i32(-most..=most)) * regime.pick([0.125, 8.0, 1024.0]) }
}

/// A label for each of so many rows, most of them one of so many labels, and some alone with their own.
pub(crate) fn draw_labels(rows: usize, labels: usize, rng: &mut fastrand::Rng) -> Vec<i32> {
    let labels = labels as i32;
    let label =
        |row: usize| if rng.u8(..8) == 0 { i32::MIN + row as i32 } else { rng.i32(-labels / 2..labels - labels / 2) };
    (0..rows).map(label).collect()
}
