//! What the tests share.

#![allow(dead_code, reason = "each test uses a part")]

use burn::tensor::{Device, Tensor};

/// The device of all tests.
pub fn device() -> Device {
    wgloss_burn::device().expect("there is an adapter")
}

/// A tensor's values.
pub fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_to_vec().expect("f32")
}

pub mod any;
pub mod draw;
pub mod model;
