//! A model of two layers, and batches for it.

use burn::{
    module::{Module, ModuleMapper, Param},
    nn::{Linear, LinearConfig},
    tensor::{Device, Gradients, Int, Tensor, TensorData, activation::relu},
};

#[derive(Module, Debug)]
pub struct Model {
    first: Linear,
    second: Linear,
}

impl Model {
    pub fn new(device: &Device) -> Self {
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        Model { first: linear(6, 16), second: linear(16, 5) }
    }

    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.second.forward(relu(self.first.forward(x)))
    }

    /// The model behind a step along its gradients.
    pub fn descended(self, gradients: &Gradients) -> Self {
        self.map(&mut Descend(gradients))
    }
}

struct Descend<'a>(&'a Gradients);

impl ModuleMapper for Descend<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let gradient = param.val().grad(self.0).expect("every parameter has a gradient");
        param.map(|value| (value.inner() - gradient * 0.3).autodiff().require_grad())
    }
}

/// Inputs, their classes, and values for each output.
pub fn batch(rows: usize, device: &Device) -> (Tensor<2>, Tensor<1, Int>, Tensor<2>) {
    let value = |i: usize| ((i * 37 % 101) as f32) / 50.0 - 1.0;
    let x = TensorData::new((0..rows * 6).map(value).collect::<Vec<_>>(), [rows, 6]);
    let classes = TensorData::new((0..rows).map(|i| (i * i % 5) as i32).collect::<Vec<_>>(), [rows]);
    let values = TensorData::new((0..rows * 5).map(|i| value(i + 3).abs()).collect::<Vec<_>>(), [rows, 5]);
    (Tensor::from_data(x, device), Tensor::from_data(classes, device), Tensor::from_data(values, device))
}
