//! Tensors: their types, in host and in device memory, and by name.

mod any;
mod device;
mod dtype;
mod host;
mod named;
mod tensor_type;

pub use any::{AnyTensor, Number, NumberType};
pub use device::Tensor;
pub use dtype::{DType, Element};
pub use host::HostTensor;
pub use named::Named;
pub use tensor_type::TensorType;
