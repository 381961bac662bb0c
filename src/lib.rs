//! Fused GPU loss kernels.

mod dtype;
mod error;
mod host;
mod loss;
pub mod losses;
mod named;
mod options;
mod reduction;
pub mod reference;
mod signature;
pub mod spec;

pub use dtype::{DType, Element};
pub use error::Error;
pub use host::{HostTensor, TensorType};
pub use loss::{AnyLoss, Loss};
pub use named::Named;
pub use options::{Gradients, Options};
pub use reduction::Reduction;
