//! Every bad input gives its own error, with the fields that say what is wrong.

mod binding;
mod devices;
mod targets;
mod tensors;

use wgloss::{DType, Gpu};

use crate::common::{
    adapters, agreement, caller, device, effort, futures, inputs,
    inputs::{Inputs, tensor},
};

/// Zeros of the given types, by name.
fn zeros(types: &[(&str, DType, &[usize])]) -> Inputs {
    let zeros = |&(name, dtype, shape): &(&str, DType, &[usize])| {
        (name.to_string(), tensor(&vec![0.0; shape.iter().product()], dtype, shape))
    };
    types.iter().map(zeros).collect()
}

fn pair() -> Inputs {
    zeros(&[("prediction", DType::F32, &[4]), ("target", DType::F32, &[4])])
}

/// Another device of the same adapter.
fn opened_again(gpu: &Gpu) -> Gpu {
    Gpu::find_blocking(&gpu.adapter_id()).unwrap()
}
