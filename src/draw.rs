//! Values of the kind that a loss's inputs ask for.

use crate::{
    losses::Distance,
    spec::{Domain, Values},
};

/// How large the values are. Errors are measured against the largest, so small ones need cases of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Regime {
    Small,
    Medium,
    /// Up to ±1e4.
    Large,
    /// For rows: small differences at ±1e4.
    Shifted,
}

impl Regime {
    fn pick(self, [small, medium, large]: [f64; 3]) -> f64 {
        match self {
            Regime::Small | Regime::Shifted => small,
            Regime::Medium => medium,
            Regime::Large => large,
        }
    }
}

/// A value of the domain, sometimes at or next to the first input's, where kinks are.
pub(crate) fn draw(domain: Domain, regime: Regime, first: Option<f64>, rng: &mut fastrand::Rng) -> f64 {
    let signed = |rng: &mut fastrand::Rng, scale: f64| (2.0 * rng.f64() - 1.0) * scale;
    match domain {
        Domain::Real => match (first, rng.u8(..8)) {
            (Some(first), 0) => first,
            (Some(first), 1) => first * (1.0 + signed(rng, 1e-2)),
            (None, 0) if regime != Regime::Shifted => 0.0,
            _ if regime == Regime::Shifted => 1e4 + signed(rng, 3.0),
            _ => signed(rng, regime.pick([3.0, 100.0, 1e4])),
        },
        Domain::LogRate | Domain::LogScale => signed(rng, regime.pick([2.0, 20.0, 80.0])),
        Domain::NonNegative => regime.pick([10.0, 1e2, 1e4]).powf(signed(rng, 1.0)),
        Domain::Count => (rng.f64() * regime.pick([4.0, 100.0, 1e4])).floor(),
        Domain::Probability => match (rng.u8(..4), regime) {
            // Certain values: for a prediction their gradient dwarfs all others, hence the regime of their own.
            (0, Regime::Large) => 0.0,
            (1, Regime::Large) => 1.0,
            _ => rng.f64(),
        },
        Domain::LogProbability => -rng.f64() * regime.pick([3.0, 20.0, 80.0]),
        Domain::Sign => f64::from(2 * i8::from(rng.bool()) - 1),
        Domain::Weight | Domain::ClassWeight => {
            if rng.u8(..8) == 0 {
                0.0
            } else {
                2.0 * rng.f64()
            }
        }
        Domain::Similar => f64::from(u8::from(rng.bool())),
        Domain::Class | Domain::Label | Domain::Activated | Domain::TargetBox | Domain::Where(..) => {
            unreachable!("labels and boxes are drawn apart, and domains are resolved")
        }
    }
}

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

/// The corners of so many boxes: of predictions, some of them inverted, or of targets for the predictions given.
pub(crate) fn draw_boxes(regime: Regime, boxes: usize, predictions: &[f64], rng: &mut fastrand::Rng) -> Vec<f64> {
    let scale = regime.pick([1.0, 100.0, 1e4]);
    let mut corners = Vec::with_capacity(4 * boxes);
    for index in 0..boxes {
        let equal = rng.u8(..8) == 0;
        let axes = [0, 1].map(|axis| match predictions.get(4 * index..4 * index + 4) {
            Some(prediction) if equal => sorted([prediction[axis], prediction[axis + 2]]),
            Some(prediction) => sorted(related(sorted([prediction[axis], prediction[axis + 2]]), scale, rng)),
            None => {
                let [low, high] = anywhere(scale, rng);
                if rng.u8(..8) == 0 { [high, low] } else { [low, high] }
            }
        });
        corners.extend([axes[0][0], axes[1][0], axes[0][1], axes[1][1]]);
    }
    corners
}

/// The ends of a box on one axis.
fn anywhere(scale: f64, rng: &mut fastrand::Rng) -> [f64; 2] {
    let low = (2.0 * rng.f64() - 1.0) * scale;
    [low, low + (0.02 + 0.98 * rng.f64()) * scale]
}

/// Ends in a relation to others: with some in common, next to them, within, around, shifted, touching or apart.
fn related([low, high]: [f64; 2], scale: f64, rng: &mut fastrand::Rng) -> [f64; 2] {
    let size = high - low;
    let side = if rng.bool() { 1.0 } else { -1.0 };
    let mut part = |most: f64| most * size * rng.f64();
    let (a, b) = (part(0.45), part(0.45));
    match rng.u8(..9) {
        0 => [low, high],
        1 => [low, high + side * a],
        2 => [low + side * a, high],
        3 => [low + 1e-3 * a, high + side * 1e-3 * b],
        4 => [low + a, high - b],
        5 => [low - a, high + b],
        6 => [low + side * a, high + side * b],
        7 if side > 0.0 => [high, high + a],
        7 => [high + a, high + size + b],
        _ => anywhere(scale, rng),
    }
}

fn sorted([a, b]: [f64; 2]) -> [f64; 2] {
    [a.min(b), a.max(b)]
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
