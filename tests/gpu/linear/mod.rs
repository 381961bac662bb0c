//! Losses of logits that heads make panel by panel: how panels, segments and slices are cut, which rows count, and what
//! a head that is frozen saves.

mod counted;
mod errors;
mod frozen;
mod panels;
mod size;
mod slices;
mod tiles;
mod values;

use wgloss::{
    AnyLoss, DType, Evaluation, Gpu, HostTensor, Loss, Named, Options, losses,
    spec::{Driver, Linear},
};

use crate::common::{
    adapters,
    agreement::{self, evaluated},
    device, effort,
    inputs::{Inputs, changed, sample, tensor},
};

/// A call's sizes: the shape of the items, dimensions and classes.
struct Size<'a> {
    items: &'a [usize],
    dimensions: usize,
    classes: usize,
}

impl Size<'_> {
    fn rows(&self) -> usize {
        self.items.iter().product()
    }
}

fn values(count: usize, scale: f64, seed: u64) -> Vec<f64> {
    let mut rng = fastrand::Rng::with_seed(seed);
    (0..count).map(|_| (rng.f64() - 0.5) * 2.0 * scale).collect()
}

/// Hidden states, a head with biases, and targets, of which each ninth is to be ignored.
fn head(size: &Size<'_>, dtype: DType) -> Inputs {
    let Size { items, dimensions, classes } = *size;
    let floats = |shape: &[usize], scale, seed| tensor(&values(shape.iter().product(), scale, seed), dtype, shape);
    let target: Vec<f64> =
        (0..size.rows()).map(|row| if row % 9 == 5 { -100.0 } else { (row * 7 % classes) as f64 }).collect();
    Named::new()
        .with("hidden", floats(&[items, &[dimensions]].concat(), 1.0, 1))
        .with("weight", floats(&[classes, dimensions], 1.0, 2))
        .with("bias", floats(&[classes], 0.5, 3))
        .with("target", tensor(&target, DType::I32, items))
}

/// The inputs with another tensor for one of them, or with one more.
fn with(inputs: &Inputs, name: &str, other: HostTensor<'static>) -> Inputs {
    without(inputs, name).with(name, other)
}

fn without(inputs: &Inputs, name: &str) -> Inputs {
    inputs.iter().filter(|(known, _)| *known != name).map(|(known, host)| (known.to_string(), host.clone())).collect()
}

fn gradient<'a>(found: &'a Evaluation, input: &str) -> &'a HostTensor<'static> {
    found.gradients.get(input).unwrap_or_else(|| panic!("no gradient of {input}"))
}

/// Every loss of heads.
fn every_loss() -> Vec<AnyLoss> {
    let linear = losses::ALL.iter().filter(|spec| matches!(spec.driver, Driver::Linear(_)));
    linear.map(|spec| AnyLoss::new(spec.name, &[]).unwrap()).collect()
}

/// What is particular to a loss of a head.
fn linear(loss: &impl Loss) -> Linear {
    match loss.spec().driver {
        Driver::Linear(linear) => linear,
        other => panic!("{other:?} has no head"),
    }
}

/// So many bytes that a panel has this many rows.
fn bytes_of(rows: usize, classes: usize) -> u64 {
    (rows * classes.next_multiple_of(4) * size_of::<f32>()) as u64
}

/// The evaluation on an adapter, without the reference.
#[track_caller]
fn run(gpu: &Gpu, loss: &impl Loss, inputs: &Inputs, options: impl Into<Options>) -> Evaluation {
    loss.eval_with(gpu, inputs, options).unwrap_or_else(|error| panic!("{error} on {gpu:?}"))
}
