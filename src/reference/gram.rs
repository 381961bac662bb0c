//! Losses of Gram matrices.

use super::{Call, Evaluation};
use crate::{Error, Options, Reduction};

/// The squares of what the Gram matrices of each sample's features and target differ in, G = F·Fᵀ/(C·P) for a sample's
/// rows F, `[C, P]`; and the gradient by the features, 4·(G − G′)·F/(C·P).
pub(super) fn evaluate(call: &Call, options: &Options) -> Result<Evaluation, Error> {
    let (rows, columns) = (call.signature.row as usize, call.signature.class_stride as usize);
    let elements = (rows * columns).max(1) as f64;
    let [features, target] = &call.inputs[..] else { unreachable!("Gram matrices are of features and a target") };
    let items = call.signature.items;
    let scale = match options.reduction {
        Reduction::Mean if items > 0 => (items as f64).recip(),
        Reduction::Mean => 0.0,
        _ => call.divisor.recip(),
    };
    let (mut sum, mut magnitude) = (0.0, 0.0);
    let mut gradients = call.no_gradients(options);
    let mut gradient_magnitudes: Vec<Vec<f64>> = gradients.iter().map(|(_, zeros)| zeros.clone()).collect();
    let slope = scale * call.upstream.at(0) * options.gradient_scale() * 4.0 / elements;
    // Rows without columns have no products, however many there are.
    let samples = if items == 0 { 0 } else { call.signature.batch };
    for sample in 0..samples as usize {
        let start = sample * rows * columns;
        let row = |tensor: &'_ [f64], row: usize| tensor[start + row * columns..][..columns].to_vec();
        let of = |tensor: &[f64]| (0..rows).map(|i| row(tensor, i)).collect::<Vec<_>>();
        let (features, target) = (of(&features.values), of(&target.values));
        let product = |rows: &[Vec<f64>], [i, j]: [usize; 2], size: fn(f64) -> f64| {
            rows[i].iter().zip(&rows[j]).map(|(a, b)| size(a * b)).sum::<f64>()
        };
        for i in 0..rows {
            for j in 0..rows {
                let (own, other) = (product(&features, [i, j], |x| x), product(&target, [i, j], |x| x));
                let difference = (own - other) / elements;
                // Rounding errors of a sum are relative to what is added.
                let size = (product(&features, [i, j], f64::abs) + product(&target, [i, j], f64::abs)) / elements;
                sum += difference * difference;
                magnitude += difference.abs() * size;
                for ((_, gradient), sizes) in gradients.iter_mut().zip(&mut gradient_magnitudes) {
                    let place = start + i * columns;
                    for (column, x) in features[j].iter().enumerate() {
                        gradient[place + column] += slope * difference * x;
                        sizes[place + column] += (slope * size * x).abs();
                    }
                }
            }
        }
    }
    Ok(Evaluation {
        loss: vec![scale * sum],
        items,
        gradients,
        gradient_magnitudes,
        magnitude: scale * magnitude,
        ..Evaluation::nothing()
    })
}
