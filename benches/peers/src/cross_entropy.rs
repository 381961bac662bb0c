//! Cross-entropy of logits against class indices.

use burn::{
    nn::loss::CrossEntropyLossConfig,
    tensor::{Device, Int, Tensor, TensorData},
};
use wgloss::{CrossEntropy, Error, Gpu, HostTensor, Named};

use crate::{
    libraries::{BurnStep, WglossStep},
    step::{Case, Step, StepResult},
};

/// Logits of shape `[N, C]` or `[N, C, d1, …]`, and a class for each of their N·d1·… items.
struct Inputs {
    shape: Vec<usize>,
    logits: Vec<f32>,
    target: Vec<i32>,
}

impl Inputs {
    fn new(shape: &[usize]) -> Self {
        let (elements, classes) = (shape.iter().product::<usize>(), shape[1]);
        let logits = (0..elements).map(|i| (i as f64 * 0.37).sin() as f32 * 4.0).collect();
        let target = (0..elements / classes).map(|item| (item * 7 % classes) as i32).collect();
        Inputs { shape: shape.to_vec(), logits, target }
    }

    /// N, C, and the product of the others.
    fn sizes(&self) -> [usize; 3] {
        [self.shape[0], self.shape[1], self.shape[2..].iter().product()]
    }
}

/// The loss at this shape.
pub fn case(gpu: &Gpu, device: &Device, shape: &[usize]) -> Result<Case, Error> {
    let inputs = Inputs::new(shape);
    let (wgloss, truth) = by_wgloss(gpu, &inputs)?;
    Ok(Case { wgloss: Box::new(wgloss), peer: by_burn(device, &inputs), truth })
}

fn by_wgloss(gpu: &Gpu, inputs: &Inputs) -> Result<(WglossStep, StepResult), Error> {
    let mut target_shape = inputs.shape.clone();
    target_shape.remove(1);
    let inputs = Named::<HostTensor>::new()
        .with("logits", HostTensor::new(&inputs.logits, inputs.shape.clone())?)
        .with("target", HostTensor::new(&inputs.target, target_shape)?);
    WglossStep::new(gpu, &CrossEntropy::default(), &inputs)
}

/// Burn's loss takes `[N, C]` only. Of other shapes the classes go last first, and the gradient comes back the same
/// way, which a program with such logits has to do as well.
fn by_burn(device: &Device, inputs: &Inputs) -> Box<dyn Step> {
    let [batch, classes, inner] = inputs.sizes();
    let loss = CrossEntropyLossConfig::new().init(device);
    let target = Tensor::<1, Int>::from_data(TensorData::new(inputs.target.clone(), [batch * inner]), device);
    let logits = inputs.logits.clone();
    if inner == 1 {
        let logits = Tensor::<2>::from_data(TensorData::new(logits, [batch, classes]), device);
        Box::new(BurnStep::new(logits, move |logits| loss.forward(logits, target.clone())))
    } else {
        let logits = Tensor::<3>::from_data(TensorData::new(logits, [batch, classes, inner]), device);
        Box::new(BurnStep::new(logits, move |logits| {
            loss.forward(logits.swap_dims(1, 2).reshape([batch * inner, classes]), target.clone())
        }))
    }
}
