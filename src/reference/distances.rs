//! Distances of two rows and their gradients.

use super::dot;
use crate::spec::Distance;

/// A distance of two rows and its gradients.
pub(super) struct Measured<'a> {
    pub by: Distance,
    pub rows: [&'a [f64]; 2],
    pub distance: f64,
    pub gradients: [Vec<f64>; 2],
}

impl<'a> Measured<'a> {
    /// ‖a − b + eps‖₂; its gradient at 0 is 0.
    pub fn euclidean([a, b]: [&'a [f64]; 2], eps: f64) -> Self {
        let difference: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b + eps).collect();
        let distance = dot(&difference, &difference).sqrt();
        let slope = |x: &f64| if distance == 0.0 { 0.0 } else { x / distance };
        Measured::new(Distance::Euclidean, [a, b], distance, difference.iter().map(slope).collect())
    }

    /// Σ (a − b)²; NaN where it is beyond f32.
    pub fn squared_euclidean([a, b]: [&'a [f64]; 2]) -> Self {
        let difference: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
        let by_a = difference.iter().map(|x| 2.0 * x).collect();
        let square = dot(&difference, &difference);
        let distance = if (square as f32).is_finite() { square } else { f64::NAN };
        Measured::new(Distance::SquaredEuclidean, [a, b], distance, by_a)
    }

    /// 1 − a·b / max(‖a‖·‖b‖, 1e-8).
    pub fn cosine([a, b]: [&'a [f64]; 2]) -> Self {
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
    pub fn pull(&self, rows: [usize; 2], slope: f64) -> Pull<'_> {
        Pull { rows, slope, pair: self }
    }
}

/// A distance between two of an item's rows, and the derivative of the loss by it.
pub(super) struct Pull<'a> {
    pub rows: [usize; 2],
    pub slope: f64,
    pub pair: &'a Measured<'a>,
}
