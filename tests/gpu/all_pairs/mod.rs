//! What is particular to losses of a whole batch, on every adapter.

mod counts;
mod edges;
mod mined;
mod near_ties;
mod nonfinite;
mod panels;
mod runs;
mod tiles;
mod workspace;

use wgloss::{
    AnyLoss, DType, HostTensor, Loss, Named, losses,
    spec::{Anchors, LossSpec, Relation, Shape},
};

use crate::common::{adapters, agreement, effort};

type Inputs = Named<HostTensor<'static>>;

fn every_spec() -> impl Iterator<Item = &'static LossSpec> {
    losses::ALL.iter().copied().filter(|spec| spec.all_pairs().is_some())
}

/// Every loss at its defaults, and with what its kernels differ in.
fn every_loss() -> Vec<AnyLoss> {
    let mut losses: Vec<AnyLoss> = every_spec().map(|spec| loss(spec.name, &[])).collect();
    for name in ["triplet_batch_hard", "triplet_semi_hard", "triplet_batch_all"] {
        losses.extend(["squared_euclidean", "cosine"].map(|distance| loss(name, &[("distance", distance)])));
    }
    losses.push(loss("triplet_semi_hard", &[("fallback", "farthest")]));
    losses.push(loss("triplet_batch_all", &[("triplets", "semi_hard")]));
    losses.push(loss("info_nce", &[("normalize", "false"), ("temperature", "1")]));
    losses
}

fn loss(name: &str, settings: &[(&str, &str)]) -> AnyLoss {
    AnyLoss::new(name, settings).unwrap()
}

fn is_sorted(loss: &AnyLoss) -> bool {
    loss.spec().all_pairs().is_some_and(|batch| batch.anchors == Anchors::Sorted)
}

fn has_views(loss: &AnyLoss) -> bool {
    loss.spec().all_pairs().is_some_and(|batch| batch.relation == Relation::Views)
}

fn embeddings(values: &[f64], dtype: DType, rows: usize) -> HostTensor<'static> {
    HostTensor::rounded(values, dtype, [rows, values.len() / rows]).unwrap()
}

fn labels(labels: &[i32]) -> HostTensor<'static> {
    let bytes: Vec<u8> = labels.iter().flat_map(|label| label.to_le_bytes()).collect();
    HostTensor::from_bytes(DType::I32, [labels.len()], bytes).unwrap()
}

/// Inputs for embeddings of this shape: values without ties, some four rows a label, and weights if asked.
fn inputs(loss: &AnyLoss, [rows, dimensions]: [usize; 2], dtype: DType, weighted: bool) -> Inputs {
    let mut rng = fastrand::Rng::with_seed(11);
    let mut inputs = Inputs::new();
    for input in loss.spec().inputs.iter().filter(|input| weighted || !input.optional) {
        let tensor = match input.shape {
            Shape::Embeddings => {
                let values: Vec<f64> = (0..rows * dimensions).map(|_| 2.0 * rng.f64() - 1.0).collect();
                embeddings(&values, dtype, rows)
            }
            Shape::Scalar => HostTensor::rounded(&[1.5], dtype, []).unwrap(),
            _ if input.name == "labels" => {
                labels(&(0..rows).map(|_| rng.i32(-1..(rows as i32 / 4).max(1))).collect::<Vec<_>>())
            }
            _ => {
                let items = if has_views(loss) { 2 * rows } else { rows };
                let values: Vec<f64> = (0..items).map(|_| 0.5 + rng.f64()).collect();
                HostTensor::rounded(&values, DType::F32, [items]).unwrap()
            }
        };
        inputs = inputs.with(input.name, tensor);
    }
    inputs
}
