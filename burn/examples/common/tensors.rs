//! Tensors from host memory and back.

use std::error::Error;

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::common::digits::{Digits, WIDTH};

/// Images `[N, 1, 8, 8]` of digits and their classes.
pub fn digits(digits: &Digits, device: &Device) -> (Tensor<4>, Tensor<1, Int>) {
    let count = digits.labels.len();
    let images = TensorData::new(digits.images.clone(), [count, 1, WIDTH, WIDTH]);
    let labels = TensorData::new(digits.labels.clone(), [count]);
    (Tensor::from_data(images, device), Tensor::from_data(labels, device))
}

/// A tensor's values.
pub fn floats<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, Box<dyn Error>> {
    Ok(tensor.into_data().convert::<f32>().try_to_vec()?)
}

/// The value of a tensor of one.
pub fn number(tensor: Tensor<1>) -> Result<f64, Box<dyn Error>> {
    Ok(floats(tensor)?.first().copied().unwrap_or(f32::NAN).into())
}
