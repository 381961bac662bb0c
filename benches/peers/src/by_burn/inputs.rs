//! The inputs of a loss in Burn, and steps of them.

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::{
    case::Checked,
    step::{BurnStep, Forward},
};
use crate::inputs::Inputs;

/// Makes the step of a loss.
pub type ByBurn = fn(&BurnInputs) -> Box<dyn Checked>;

/// The inputs of a loss, on their way to Burn.
pub struct BurnInputs<'a> {
    pub device: &'a Device,
    pub inputs: &'a Inputs,
    /// The name of the first one.
    pub first: &'static str,
}

impl BurnInputs<'_> {
    /// The input of that name, or one of N, C and the product of the other axes where it has more axes than asked for;
    /// where it has fewer, the last ones are 1.
    pub fn tensor<const D: usize>(&self, name: &str) -> Tensor<D> {
        let input = self.inputs.get(name).expect("the loss has this input");
        let values: Vec<f32> = input.to_vec().expect("all floats are f32");
        let mut shape = input.shape().to_vec();
        let inner = shape.drain((D - 1).min(shape.len())..).product();
        shape.resize(D - 1, 1);
        shape.push(inner);
        Tensor::from_data(TensorData::new(values, shape), self.device)
    }

    /// Whether there are axes after the classes.
    fn has_inner_axes(&self) -> bool {
        self.inputs.get(self.first).is_some_and(|input| input.shape().len() > 2)
    }

    /// An input of classes as `[rows, C]`.
    pub fn rows(&self, name: &str) -> Tensor<2> {
        if self.has_inner_axes() { rows(self.tensor(name)) } else { self.tensor(name) }
    }

    /// An input of indices, such as classes.
    pub fn indices(&self, name: &str) -> Tensor<1, Int> {
        let input = self.inputs.get(name).expect("the loss has this input");
        let indices: Vec<i32> = input.to_vec().expect("indices are i32");
        let count = indices.len();
        Tensor::from_data(TensorData::new(indices, [count]), self.device)
    }

    /// Targets that are class indices.
    pub fn classes(&self) -> Tensor<1, Int> {
        self.indices("target")
    }

    /// Targets that are 0 or 1, which Burn takes as integers.
    pub fn labels(&self) -> Tensor<2, Int> {
        self.tensor("target").int()
    }

    /// A step with gradients for these inputs.
    pub fn step<const D: usize, const K: usize, R: Into<Forward> + 'static>(
        &self,
        names: [&str; K],
        forward: impl Fn([Tensor<D>; K]) -> R + 'static,
    ) -> Box<dyn Checked> {
        Box::new(BurnStep::new(names.map(|name| self.tensor(name)), forward))
    }

    /// An elementwise loss of the first input and the target.
    pub fn with_target(&self, forward: impl Fn(Tensor<2>, Tensor<2>) -> Tensor<1> + 'static) -> Box<dyn Checked> {
        let target = self.tensor("target");
        self.step([self.first], move |[first]| forward(first, target.clone()))
    }

    /// A loss of rows. Burn's take `[N, C]` only: of other shapes the classes go last first, and the gradient comes
    /// back the same way, which a program with such logits has to do as well.
    pub fn of_rows(&self, forward: impl Fn(Tensor<2>) -> Tensor<1> + 'static) -> Box<dyn Checked> {
        if self.has_inner_axes() {
            self.step(["logits"], move |[logits]: [Tensor<3>; 1]| forward(rows(logits)))
        } else {
            self.step(["logits"], move |[logits]: [Tensor<2>; 1]| forward(logits))
        }
    }

    /// A loss of regions, of logits `[N, C, H, W]`: of volumes the last axes are one. What makes the target one-hot is
    /// no part of the step.
    pub fn of_regions(&self, forward: impl Fn(Tensor<4>, &RegionTarget) -> Tensor<1> + 'static) -> Box<dyn Checked> {
        let logits = self.tensor(self.first);
        let [batch, classes, height, width] = logits.dims();
        let target = self.classes().reshape([batch, 1, height, width]);
        let one_hot = target.clone().reshape([batch, height, width]).one_hot::<4>(classes);
        let target = RegionTarget { classes: target, one_hot: one_hot.permute([0, 3, 1, 2]).float() };
        Box::new(BurnStep::new([logits], move |[logits]| forward(logits, &target)))
    }

    /// A loss of boxes, of predictions and targets as `[boxes, 4]`.
    pub fn of_boxes(&self, forward: impl Fn(Tensor<2>, Tensor<2>) -> Tensor<1> + 'static) -> Box<dyn Checked> {
        let boxes = |name| self.tensor::<2>(name).reshape([-1, 4]);
        let target = boxes("target");
        Box::new(BurnStep::new([boxes(self.first)], move |[prediction]| forward(prediction, target.clone())))
    }

    /// A function of a value per class along axis 1, for tensors without and with more axes.
    pub fn per_class(
        &self,
        of_matrix: impl Fn(Tensor<2>, usize) -> Tensor<2> + 'static,
        of_volume: impl Fn(Tensor<3>, usize) -> Tensor<3> + 'static,
    ) -> Box<dyn Checked> {
        if self.has_inner_axes() {
            self.with_upstream(move |logits| of_volume(logits, 1))
        } else {
            self.with_upstream(move |logits| of_matrix(logits, 1))
        }
    }

    fn with_upstream<const D: usize>(&self, function: impl Fn(Tensor<D>) -> Tensor<D> + 'static) -> Box<dyn Checked> {
        let upstream = self.tensor("upstream");
        self.step(["logits"], move |[logits]| Forward::with_upstream(function(logits), upstream.clone()))
    }
}

/// Which class each pixel is of.
pub struct RegionTarget {
    /// `[N, 1, H, W]`.
    pub classes: Tensor<4, Int>,
    /// 1 for a pixel's class and 0 for the others, `[N, C, H, W]`.
    pub one_hot: Tensor<4>,
}

/// The mean, as a program has to write it that wants the right one of many values on lavapipe: `README.md` says how
/// Burn's own goes wrong there. This one is faster as well.
pub fn mean<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    let count = tensor.dims().iter().product::<usize>() as f64;
    tensor.sum() / count
}

/// `[N, C, d]` as `[N·d, C]`.
fn rows(tensor: Tensor<3>) -> Tensor<2> {
    let [batch, classes, inner] = tensor.dims();
    tensor.swap_dims(1, 2).reshape([batch * inner, classes])
}
