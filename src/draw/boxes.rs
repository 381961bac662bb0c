//! Boxes, and others in many relations to these.

use super::Regime;

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
