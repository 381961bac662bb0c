//! What a training loop needs around the loss: gradients clipped by their norm or value, weights of tasks and of
//! samples, and what is wrong with a tensor.
//!
//! An [`Operation`] takes tensors by name: any number of f32, f16 and bf16, mixed, by names of the caller's, or those
//! that it says. Like losses, operations come at three levels: [`Operation::eval`] takes host tensors,
//! [`Operation::run`] tensors on the device, and [`Operation::plan`] prepares one that is bound once to the caller's
//! buffers and recorded every step, behind the loss and in front of the optimizer, without a submit or a readback
//! between.
//!
//! ```
//! use wgloss::{Gpu, HostTensor, Named, ops::{ClipGradNorm, Operation}};
//! let gpu = Gpu::new_blocking()?;
//! let gradients = Named::<HostTensor>::new().with("weight", &[3.0_f32, 0.0]).with("bias", &[4.0_f32]);
//! let clipped = ClipGradNorm::new(1.0).eval(&gpu, &gradients)?;
//! assert_eq!(clipped.report.norm, 5.0);
//! approx::assert_abs_diff_eq!(clipped.tensors.get("weight").unwrap().to_f64()[0], 0.6, epsilon = 1e-6);
//! # Ok::<(), wgloss::Error>(())
//! ```
//!
//! [`sanity`] reads an [`Evaluation`](crate::Evaluation) or diagnoses and says what is wrong, in words.

mod checks;
pub(crate) mod clip_grad_norm;
mod clip_grad_value;
pub(crate) mod curriculum;
pub(crate) mod diagnose;
pub(crate) mod grad_norm;
mod plan;
pub mod sanity;
mod scale_gradients;
pub(crate) mod walk;

pub use clip_grad_norm::{ClipGradNorm, ClippedNorm, NonFinite, Norm};
pub use clip_grad_value::ClipGradValue;
pub use curriculum::{Curriculum, Selection};
pub use diagnose::{Diagnose, Diagnosis};
pub use grad_norm::{Balance, GradNorm};
pub use plan::{BoundOp, OpPlan};
pub use scale_gradients::ScaleGradients;

use std::fmt;

use crate::{
    Error, Gpu, HostTensor, Named, Tensor, TensorType, evaluation,
    gpu::readback::{self, Range},
};

pub(crate) mod rules {
    //! What only the crate calls of an operation.

    use super::walk::{Walk, Work};
    use crate::{DType, Error, TensorType};

    /// What the crate asks of an operation.
    pub trait Rules {
        /// What messages call it.
        const NAME: &'static str;
        /// What it tells on the device besides: tensors that a caller may bind.
        const OUTPUTS: &'static [&'static str] = &[];
        /// What a run tells.
        type Report: Clone + std::fmt::Debug + PartialEq;

        /// That its parameters are allowed.
        fn check(&self) -> Result<(), Error>;

        /// That it takes these tensors: any number of any names, unless it says otherwise.
        fn check_tensors(_: &[(String, TensorType)]) -> Result<(), Error> {
            Ok(())
        }

        /// Whether it writes to the tensor of that name.
        fn writes(tensor: &str) -> bool;

        /// The type of an output, one number unless it says otherwise.
        fn output(_: &str, _: &[(String, TensorType)]) -> TensorType {
            TensorType::new(DType::F32, [1])
        }

        /// Its steps.
        fn work(&self, walk: &Walk<'_>) -> Result<Work, Error>;

        /// What its workspace begins with, where a run does not write that first.
        fn beginning(&self) -> Vec<u8> {
            Vec::new()
        }

        /// What the bytes of the workspace tell of tensors with these first partials.
        fn report(
            bytes: &[u8],
            tensors: &[(String, TensorType)],
            first_partials: &[u32],
        ) -> Result<Self::Report, Error>;
    }
}

/// An operation over tensors: [`ClipGradNorm`], [`ClipGradValue`], [`ScaleGradients`], [`Diagnose`], [`GradNorm`] or
/// [`Curriculum`].
pub trait Operation: rules::Rules + Clone + fmt::Debug {
    /// Prepares the operation for tensors of these types.
    ///
    /// # Errors
    /// [`Error::Parameter`], [`Error::NoTensors`], [`Error::MissingTensor`], [`Error::UnexpectedTensor`],
    /// [`Error::Shape`], [`Error::DType`], [`Error::Operand`], [`Error::Limit`], [`Error::DeviceLost`].
    fn plan(&self, gpu: &Gpu, tensors: &Named<TensorType>) -> Result<OpPlan<Self>, Error> {
        OpPlan::new(gpu, self, tensors)
    }

    /// Submits the operation for tensors on the device, which it changes where they are. Nothing is read back until
    /// [`BoundOp::read`].
    ///
    /// # Errors
    /// The errors of [`Operation::plan`] and of [`OpPlan::bind_tensors`].
    fn run(&self, gpu: &Gpu, tensors: &Named<Tensor>) -> Result<BoundOp<Self>, Error> {
        let types = tensors.iter().filter(|(name, _)| !Self::OUTPUTS.contains(name));
        let types = types.map(|(name, tensor)| (name.to_string(), tensor.ty().clone())).collect();
        let bound = self.plan(gpu, &types)?.bind_tensors(tensors)?;
        gpu.catching(Self::NAME, |device| {
            let mut encoder =
                device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some(Self::NAME) });
            bound.record(&mut encoder);
            gpu.queue().submit([encoder.finish()]);
        })?;
        Ok(bound)
    }

    /// Runs the operation for tensors in host memory, and waits for it.
    ///
    /// # Errors
    /// The errors of [`Operation::run`] and of [`BoundOp::read`].
    #[cfg(not(target_arch = "wasm32"))]
    fn eval(&self, gpu: &Gpu, tensors: &Named<HostTensor<'_>>) -> Result<OpEvaluation<Self::Report>, Error> {
        let running = Running::start(gpu, self, tensors)?;
        running.evaluation(readback::read_blocking(gpu, &running.ranges())?)
    }

    /// [`Operation::eval`] as a future, which blocks no executor.
    ///
    /// # Errors
    /// The errors of [`Operation::run`] and of [`BoundOp::read`].
    fn eval_async(
        &self,
        gpu: &Gpu,
        tensors: &Named<HostTensor<'_>>,
    ) -> impl Future<Output = Result<OpEvaluation<Self::Report>, Error>> {
        async move {
            let running = Running::start(gpu, self, tensors)?;
            running.evaluation(readback::read(gpu, &running.ranges()).await?)
        }
    }
}

/// An operation that was submitted for tensors in host memory.
struct Running<O: Operation> {
    bound: BoundOp<O>,
    /// The tensors that are written to.
    written: Named<Tensor>,
}

impl<O: Operation> Running<O> {
    fn start(gpu: &Gpu, operation: &O, tensors: &Named<HostTensor<'_>>) -> Result<Self, Error> {
        let tensors = evaluation::upload(gpu, tensors)?;
        let bound = operation.run(gpu, &tensors)?;
        let written = tensors.iter().filter(|(name, _)| O::writes(name) || O::OUTPUTS.contains(name));
        let written = written.map(|(name, tensor)| (name.to_string(), tensor.clone())).collect();
        Ok(Running { bound, written })
    }

    /// What is read back: what the run tells, then the tensors.
    fn ranges(&self) -> Vec<Range<'_>> {
        std::iter::once(self.bound.range()).chain(self.written.iter().map(|(_, tensor)| tensor.range())).collect()
    }

    /// The evaluation from the bytes of the ranges.
    fn evaluation(&self, read: Vec<Vec<u8>>) -> Result<OpEvaluation<O::Report>, Error> {
        let mut read = read.into_iter();
        let report = self.bound.report(&read.next().unwrap_or_default())?;
        let host = |((name, tensor), bytes): ((&str, &Tensor), Vec<u8>)| Ok((name.to_string(), tensor.host(bytes)?));
        let tensors = self.written.iter().zip(read).map(host).collect::<Result<_, Error>>()?;
        Ok(OpEvaluation { tensors, report })
    }
}

impl<O: rules::Rules + Clone + fmt::Debug> Operation for O {}

/// What an operation makes of tensors in host memory.
#[derive(Clone, Debug, PartialEq)]
pub struct OpEvaluation<R> {
    /// The tensors that it writes, as they are now; none of an operation that changes nothing.
    pub tensors: Named<HostTensor<'static>>,
    /// What the run tells.
    pub report: R,
}
