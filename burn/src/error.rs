//! What can go wrong.

use burn::tensor::DType;

/// What can go wrong between Burn's tensors and a loss.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The loss refuses its parameters, its inputs or its options, or its targets were out of range.
    #[error(transparent)]
    Loss(#[from] wgloss::Error),
    /// A tensor is of another backend than Burn's wgpu.
    #[error("{loss}: `{tensor}` must be on a wgpu device of Burn's, found {found}")]
    Backend {
        /// The loss or operation.
        loss: &'static str,
        /// The tensor.
        tensor: String,
        /// The backend or device that it is on.
        found: String,
    },
    /// The device is one of Burn's that was not shared.
    #[error("{found} was not shared with wgloss: open it with `wgloss_burn::device`, or give its setup to `share`")]
    NotShared {
        /// The device.
        found: String,
    },
    /// A device was shared twice.
    #[error("{found} is shared already")]
    SharedAlready {
        /// The device.
        found: String,
    },
    /// Burn could not open its device.
    #[error("no device: {reason}")]
    NoDevice {
        /// Burn's words.
        reason: String,
    },
    /// Two tensors of a call are on different devices.
    #[error("{loss}: `{tensor}` is on {found}, other inputs on {expected}")]
    Devices {
        /// The loss.
        loss: &'static str,
        /// The tensor.
        tensor: String,
        /// Its device.
        found: String,
        /// The device of those before it.
        expected: String,
    },
    /// A tensor's elements are of a type that losses do not take.
    #[error("{loss}: `{tensor}` must be f32, f16, bf16 or whole numbers, found {found:?}")]
    DType {
        /// The loss.
        loss: &'static str,
        /// The tensor.
        tensor: String,
        /// Its type.
        found: DType,
    },
    /// A batch of nothing, whose loss is no number that training could use.
    #[error("{loss}: the batch is empty: `{tensor}` has shape {shape:?}")]
    Empty {
        /// The loss.
        loss: &'static str,
        /// The tensor.
        tensor: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// An input was given twice.
    #[error("{loss}: `{tensor}` was given twice")]
    Repeated {
        /// The loss.
        loss: &'static str,
        /// The tensor.
        tensor: String,
    },
    /// A result has another rank than the tensor that it is asked as.
    #[error("{loss}: `{tensor}` has shape {shape:?}, of rank {}, but rank {rank} was asked for", shape.len())]
    Rank {
        /// The loss.
        loss: &'static str,
        /// The result.
        tensor: String,
        /// The result's shape.
        shape: Vec<usize>,
        /// The rank asked for.
        rank: usize,
    },
    /// A result was asked for that the loss does not have, or not with these options.
    #[error("{loss}: it has no `{tensor}` with these options")]
    NoResult {
        /// The loss.
        loss: &'static str,
        /// The result.
        tensor: String,
    },
    /// More inputs have gradients than one step of Burn's autodiff takes here.
    #[error("{loss}: {found} inputs are differentiable, at most {most} can be")]
    Parents {
        /// The loss.
        loss: &'static str,
        /// How many there are.
        found: usize,
        /// How many there may be.
        most: usize,
    },
    /// Burn failed to run what was asked before, or to wait for it.
    #[error("Burn: {reason}")]
    Burn {
        /// Burn's words.
        reason: String,
    },
}

/// What is there; what is not is a panic where the program called.
#[track_caller]
pub(crate) fn granted<T>(result: Result<T, Error>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}
