//! Fused GPU loss kernels.

mod chunk;
mod dtype;
mod error;
mod evaluation;
mod gpu;
mod host;
mod loss;
pub mod losses;
mod named;
mod options;
#[cfg(feature = "parity")]
pub mod parity;
mod pipeline;
mod plan;
mod readback;
mod reduction;
pub mod reference;
mod shader;
#[cfg(test)]
mod shader_tests;
mod signature;
pub mod spec;
mod tensor;
mod tuning;

pub use dtype::{DType, Element};
pub use error::Error;
pub use evaluation::{Evaluation, Output};
pub use gpu::{Adapter, Gpu};
pub use host::{HostTensor, TensorType};
pub use loss::{AnyLoss, Loss};
pub use losses::*;
pub use named::Named;
pub use options::{Gradients, Options};
pub use plan::{BoundPlan, BufferSlice, Plan, Status};
pub use reduction::Reduction;
pub use tensor::Tensor;
pub use tuning::{Reduce, Tuning};
