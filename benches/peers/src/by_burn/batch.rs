//! Losses of whole batches, which Burn does not have, as a program writes them with its tensor operations: the fastest
//! way that we found on lavapipe. What depends on labels alone is made before the timing.

use burn::tensor::{Bool, Device, Int, Tensor};

use super::{
    case::Checked,
    inputs::{BurnInputs, ByBurn, mean},
    step::Forward,
};

/// By the names of wgloss's.
pub const LOSSES: &[(&str, ByBurn)] = &[
    ("info_nce", |inputs| {
        inputs.step(["query", "key"], |[query, key]: [Tensor<2>; 2]| {
            let (query, key) = (unit(query), unit(key));
            let similarities = query.clone().matmul(key.clone().transpose());
            let exponentials = ((similarities - 1.0) / TEMPERATURE).exp();
            mean(exponentials.sum_dim(1).log() + (-own(query, key) + 1.0) / TEMPERATURE)
        })
    }),
    ("clip", |inputs| {
        inputs.step(["query", "key", "logit_scale"], |[query, key, logit_scale]: [Tensor<2>; 3]| {
            let scale = logit_scale.exp();
            let (query, key) = (unit(query) * scale.clone(), unit(key));
            let similarities = query.clone().matmul(key.clone().transpose());
            // No similarity is above the scale.
            let most = scale.inner();
            let exponentials = (similarities - most.clone()).exp();
            let both_ways = exponentials.clone().sum_dim(1).log() + exponentials.sum_dim(0).log().transpose();
            mean(both_ways / 2.0 - own(query, key) + most)
        })
    }),
    ("nt_xent", |inputs| {
        let rows = 2 * inputs.tensor::<2>("z_i").dims()[0];
        let is_other = others(rows, inputs.device);
        inputs.step(["z_i", "z_j"], move |[z_i, z_j]: [Tensor<2>; 2]| {
            let (z_i, z_j) = (unit(z_i), unit(z_j));
            let z = Tensor::cat(vec![z_i.clone(), z_j.clone()], 0);
            let similarities = z.clone().matmul(z.transpose());
            let exponentials = ((similarities - 1.0) / NT_XENT_TEMPERATURE).exp() * is_other.clone();
            mean(exponentials.sum_dim(1).log()) + (-mean(own(z_i, z_j)) + 1.0) / NT_XENT_TEMPERATURE
        })
    }),
    ("sup_con", |inputs| {
        let Labelled { positive, .. } = Labelled::new(inputs);
        let is_other = others(positive.dims()[0], inputs.device);
        let positives = positive.float();
        let counts = positives.clone().sum_dim(1);
        let counted = counts.clone().clamp_max(1.0);
        // Of an anchor the mean over its positives, of the loss the mean over the anchors that count.
        let shares = positives / counts.clamp_min(1.0) / counted.clone().sum().reshape([1, 1]);
        let counted = counted.clone() / counted.sum().reshape([1, 1]);
        inputs.step(["embeddings"], move |[rows]| {
            let rows = unit(rows);
            let logits = (rows.clone().matmul(rows.transpose()) - 1.0) / TEMPERATURE;
            let exponentials = logits.clone().exp() * is_other.clone();
            (exponentials.sum_dim(1).log() * counted.clone()).sum() - (logits * shares.clone()).sum()
        })
    }),
    ("triplet_batch_hard", |inputs| {
        let Labelled { positive, negative } = Labelled::new(inputs);
        let of_any = |mask: &Tensor<2, Bool>| mask.clone().float().max_dim(1);
        let counted = of_any(&positive) * of_any(&negative);
        let counted = counted.clone() / counted.sum().reshape([1, 1]);
        let (not_positive, not_negative) = (positive.bool_not(), negative.bool_not());
        inputs.step(["embeddings"], move |[rows]| {
            // Only what is chosen has a gradient.
            let squares = squared_distances(rows.clone().inner());
            let farthest = squares.clone().mask_fill(not_positive.clone(), -1.0).argmax(1);
            let nearest = squares.mask_fill(not_negative.clone(), FAR).argmin(1);
            let distance = |chosen: Tensor<2, Int>| {
                let chosen = rows.clone().select(0, chosen.squeeze_dim::<1>(1));
                (rows.clone() - chosen).square().sum_dim(1).sqrt()
            };
            ((distance(farthest) - distance(nearest) + MARGIN).clamp_min(0.0) * counted.clone()).sum()
        })
    }),
    ("triplet_batch_all", |inputs| {
        let Labelled { positive, negative } = Labelled::new(inputs);
        let (not_positive, not_negative) = (positive.bool_not(), negative.bool_not());
        inputs.step(["embeddings"], move |[rows]| {
            let distances = distances(rows);
            let known = distances.clone().inner();
            let positives = chunks(known.clone().mask_fill(not_positive.clone(), -FAR));
            let negatives = chunks(known.mask_fill(not_negative.clone(), FAR));
            // Of some anchors at a time, the values of all triplets, [anchors, N, N], and their gradients.
            let (mut sums, mut counts, mut slopes) = (Vec::new(), Vec::new(), Vec::new());
            for (positives, negatives) in positives.into_iter().zip(negatives) {
                let [positives, negatives] = [positives, negatives].map(|tensor| tensor.autodiff().require_grad());
                let values = positives.clone().unsqueeze_dim::<3>(2) - negatives.clone().unsqueeze_dim(1) + MARGIN;
                let values = values.clamp_min(0.0);
                counts.push(values.clone().inner().greater_elem(0.0).float().sum());
                let sum = values.sum();
                let gradients = sum.backward();
                let of = |tensor: Tensor<2>| tensor.grad(&gradients).expect("the sum depends on it");
                // What stands for pairs of other kinds has no gradient: none of these triplets has a loss.
                slopes.push(of(positives) + of(negatives));
                sums.push(sum.inner());
            }
            let [sum, count] = [sums, counts].map(|parts| Tensor::cat(parts, 0).sum());
            Forward { scalar: (distances * Tensor::cat(slopes, 0)).sum() / count.clone(), value: sum / count }
        })
    }),
];

/// Losses of triplets from lists of the pairs of an anchor and a positive, `[pairs, N]`: a program that makes them of
/// its labels beforehand has far fewer values where classes are small.
pub const OF_LISTED_PAIRS: &[(&str, ByBurn)] = &[
    ("triplet_semi_hard", |inputs| {
        of_listed_pairs(inputs, |positives, negatives| {
            let nearer = negatives.clone().lower_equal(positives.clone()).float();
            let negatives = (negatives + nearer * FAR).min_dim(1);
            let counted = negatives.clone().lower_elem(FAR).float();
            ((positives - negatives + MARGIN).clamp_min(0.0) * counted.clone()).sum() / counted.sum()
        })
    }),
    ("triplet_batch_all", |inputs| {
        of_listed_pairs(inputs, |positives, negatives| {
            let values = (positives - negatives + MARGIN).clamp_min(0.0);
            values.clone().sum() / values.greater_elem(0.0).float().sum()
        })
    }),
];

/// The parameters, as by default in wgloss.
const TEMPERATURE: f64 = 0.07;
const NT_XENT_TEMPERATURE: f64 = 0.5;
const MARGIN: f64 = 1.0;

/// Farther than any row.
const FAR: f64 = 1e9;

/// Values of a chunk of anchors with all rows twice: 64 MiB, where a binding may have 128 MiB.
const CHUNK: usize = 1 << 24;

/// Which pairs of rows are of the same class, but for a row with itself, and which are not, `[N, N]`.
struct Labelled {
    positive: Tensor<2, Bool>,
    negative: Tensor<2, Bool>,
}

impl Labelled {
    fn new(inputs: &BurnInputs) -> Self {
        let labels = inputs.indices("labels");
        let rows = labels.dims()[0];
        let same = labels
            .clone()
            .reshape([rows, 1])
            .expand([rows, rows])
            .equal(labels.reshape([1, rows]).expand([rows, rows]));
        let itself = Tensor::<2, Int>::eye(rows, inputs.device).bool();
        Labelled { positive: same.clone().bool_and(itself.bool_not()), negative: same.bool_not() }
    }
}

/// Rows of unit length.
fn unit(rows: Tensor<2>) -> Tensor<2> {
    let lengths = rows.clone().square().sum_dim(1).sqrt().clamp_min(1e-12);
    rows / lengths
}

/// 1 for pairs of rows but those of a row with itself.
fn others(rows: usize, device: &Device) -> Tensor<2> {
    -Tensor::eye(rows, device) + 1.0
}

/// The products of rows of the same number, `[N, 1]`.
fn own(query: Tensor<2>, key: Tensor<2>) -> Tensor<2> {
    (query * key).sum_dim(1)
}

/// The distances of all rows, by one product of matrices.
fn distances(rows: Tensor<2>) -> Tensor<2> {
    squared_distances(rows).clamp_min(1e-12).sqrt()
}

fn squared_distances(rows: Tensor<2>) -> Tensor<2> {
    let squares = rows.clone().square().sum_dim(1);
    let products = rows.clone().matmul(rows.transpose());
    squares.clone() + squares.transpose() - products * 2.0
}

/// The rows, some at a time.
fn chunks(rows: Tensor<2>) -> Vec<Tensor<2>> {
    let [_, columns] = rows.dims();
    rows.split((CHUNK / columns.pow(2)).max(1), 0)
}

/// A loss of the distances of each listed pair, `[pairs, 1]`, and of its anchor to all negatives, `[pairs, N]`.
fn of_listed_pairs(inputs: &BurnInputs, loss: fn(Tensor<2>, Tensor<2>) -> Tensor<1>) -> Box<dyn Checked> {
    let Labelled { positive, negative } = Labelled::new(inputs);
    let [rows, _] = positive.dims();
    let not_negative = negative.bool_not();
    let pairs = positive.argwhere();
    let anchors = pairs.clone().narrow(1, 0, 1).squeeze_dim::<1>(1);
    let places = anchors.clone() * rows as i64 + pairs.narrow(1, 1, 1).squeeze_dim::<1>(1);
    inputs.step(["embeddings"], move |[embeddings]| {
        let distances = distances(embeddings);
        let positives = distances.clone().reshape([rows * rows, 1]).select(0, places.clone());
        let negatives = distances.mask_fill(not_negative.clone(), FAR).select(0, anchors.clone());
        loss(positives, negatives)
    })
}
