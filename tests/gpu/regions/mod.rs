//! What is particular to losses of regions, on every adapter.

mod buffers;
mod empty;
mod out_of_range;
mod runs;
mod spread;
mod terms;
mod workspace;

use wgloss::{AnyLoss, DType, Evaluation, HostTensor, Loss, Reduction};

use crate::common::{
    adapters, agreement, bound, device, effort, inputs,
    inputs::{Inputs, sample, tensor},
};

/// Samples, classes and pixels of each sample: an odd number, so that halves of two classes share words.
const SHAPE: [usize; 3] = [2, 3, 5];
/// More classes than a lane keeps in registers.
const MANY_CLASSES: [usize; 3] = [2, 40, 5];

const ACTIVATIONS: [&str; 3] = ["none", "sigmoid", "softmax"];
const SCOPES: [&str; 4] = ["all", "class", "sample_class", "sample"];
/// The losses that are sums of two terms.
const SUMS: [&str; 2] = ["ce_dice", "focal_dice"];
const NONE: f64 = -100.0;
const MASKED: f64 = f64::NEG_INFINITY;

/// What the target gives of each pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Target {
    /// Its class.
    Indices,
    /// A value for each class.
    Values,
}

const TARGETS: [Target; 2] = [Target::Indices, Target::Values];

fn loss(name: &str, settings: &[(&str, &str)]) -> AnyLoss {
    AnyLoss::new(name, settings).unwrap()
}

fn dice(activation: &str, scope: &str, smooth: &str) -> AnyLoss {
    loss("dice", &[("activation", activation), ("scope", scope), ("smooth", smooth)])
}

/// The loss with its parameters, for messages.
fn described(loss: &AnyLoss) -> String {
    loss.to_string()
}

/// The only reduction of a sum of terms, or no reduction.
fn least_reduced(loss: &AnyLoss) -> Reduction {
    if SUMS.contains(&loss.spec().name) { Reduction::Mean } else { Reduction::None }
}

/// All of a loss's inputs but `upstream`, with class weights.
fn given(loss: &AnyLoss, shape: &[usize], target: Target) -> Inputs {
    let inputs = sample(loss, shape, DType::F32, true);
    match target {
        Target::Values => inputs,
        Target::Indices => with_indices(&inputs, |pixel| (pixel * 7 % shape[1]) as f64),
    }
}

/// The inputs with a class for each pixel instead.
fn with_indices(inputs: &Inputs, class: impl Fn(usize) -> f64) -> Inputs {
    let shape = inputs.get("prediction").unwrap().shape();
    let shape = [&shape[..1], &shape[2..]].concat();
    let classes: Vec<f64> = (0..shape.iter().product()).map(class).collect();
    with_other(inputs, "target", tensor(&classes, DType::I32, &shape))
}

/// The inputs with another tensor in the place of one of them.
fn with_other(inputs: &Inputs, name: &str, other: HostTensor<'static>) -> Inputs {
    let kept = inputs.iter().map(|(known, given)| (known, if known == name { &other } else { given }));
    kept.map(|(name, tensor)| (name.to_string(), tensor.clone())).collect()
}

fn gradient(evaluation: &Evaluation) -> Vec<f64> {
    evaluation.gradients.get("prediction").unwrap().to_f64()
}

/// The index of a sample's value for a class of a pixel.
fn element(shape: [usize; 3], pixel: usize, class: usize) -> usize {
    let [_, classes, pixels] = shape;
    (pixel / pixels * classes + class) * pixels + pixel % pixels
}
