//! Burn's tensors of a rank that is known when the test runs.

use burn::tensor::{DType, Device, Gradients, Int, Tensor, TensorData};
use wgloss::HostTensor;
use wgloss_burn::{Evaluated, Input};

/// A tensor of floats, or of whole numbers.
#[derive(Clone)]
pub enum Any {
    R1(Tensor<1>),
    R2(Tensor<2>),
    R3(Tensor<3>),
    R4(Tensor<4>),
    I1(Tensor<1, Int>),
    I2(Tensor<2, Int>),
    I3(Tensor<3, Int>),
}

impl Any {
    /// The tensor of the host on a device; of rank 1 in place of 0.
    pub fn new(host: &HostTensor<'_>, device: &Device) -> Any {
        let shape = if host.shape().is_empty() { vec![1] } else { host.shape().to_vec() };
        let dtype = match host.dtype() {
            wgloss::DType::F32 => DType::F32,
            wgloss::DType::F16 => DType::F16,
            wgloss::DType::BF16 => DType::BF16,
            wgloss::DType::I32 => DType::I32,
        };
        let data = TensorData::from_bytes_vec(host.bytes().to_vec(), shape.clone(), dtype);
        match (host.dtype().is_float(), shape.len()) {
            (true, 1) => Any::R1(Tensor::from_data(data, (device, dtype))),
            (true, 2) => Any::R2(Tensor::from_data(data, (device, dtype))),
            (true, 3) => Any::R3(Tensor::from_data(data, (device, dtype))),
            (true, 4) => Any::R4(Tensor::from_data(data, (device, dtype))),
            (false, 1) => Any::I1(Tensor::from_data(data, (device, dtype))),
            (false, 2) => Any::I2(Tensor::from_data(data, (device, dtype))),
            (false, 3) => Any::I3(Tensor::from_data(data, (device, dtype))),
            _ => panic!("no test has such a tensor: {shape:?}"),
        }
    }

    pub fn require_grad(self) -> Any {
        match self {
            Any::R1(tensor) => Any::R1(tensor.require_grad()),
            Any::R2(tensor) => Any::R2(tensor.require_grad()),
            Any::R3(tensor) => Any::R3(tensor.require_grad()),
            Any::R4(tensor) => Any::R4(tensor.require_grad()),
            other => other,
        }
    }

    pub fn input(&self) -> Input {
        match self.clone() {
            Any::R1(tensor) => tensor.into(),
            Any::R2(tensor) => tensor.into(),
            Any::R3(tensor) => tensor.into(),
            Any::R4(tensor) => tensor.into(),
            Any::I1(tensor) => tensor.into(),
            Any::I2(tensor) => tensor.into(),
            Any::I3(tensor) => tensor.into(),
        }
    }

    /// The bytes of the gradient.
    pub fn gradient(&self, gradients: &Gradients) -> Option<Vec<u8>> {
        match self {
            Any::R1(tensor) => tensor.grad(gradients).map(bytes),
            Any::R2(tensor) => tensor.grad(gradients).map(bytes),
            Any::R3(tensor) => tensor.grad(gradients).map(bytes),
            Any::R4(tensor) => tensor.grad(gradients).map(bytes),
            _ => None,
        }
    }
}

/// The loss's bytes, and its sum with these weights, one for each value.
pub fn loss_and_sum(evaluated: &Evaluated, weights: &Any) -> (Vec<u8>, Tensor<1>) {
    match weights.clone() {
        Any::R1(weights) => (bytes(evaluated.loss::<1>()), (evaluated.loss::<1>() * weights).sum()),
        Any::R2(weights) => (bytes(evaluated.loss::<2>()), (evaluated.loss::<2>() * weights).sum()),
        Any::R3(weights) => (bytes(evaluated.loss::<3>()), (evaluated.loss::<3>() * weights).sum()),
        _ => panic!("no test has such a loss"),
    }
}

pub fn bytes<const D: usize>(tensor: Tensor<D>) -> Vec<u8> {
    tensor.into_data().as_bytes().to_vec()
}
