//! Fused GPU loss kernels: each computes a loss and its gradients together, on any adapter that [wgpu] finds.
//!
//! Regression, binary and multi-class losses, functions of rows, losses of pairs and triplets, of whole batches of
//! embeddings, of regions and of boxes, with f32, f16 or bf16 storage, weights, five reductions, upstream gradients and
//! accumulation into shared gradient buffers. Every kernel has a reference in f64 ([`reference`](mod@reference)) that
//! it is checked against (`parity`).
//!
//! # Quick start
//!
//! ```
//! use wgloss::{Gpu, Huber, Loss, Reduction};
//!
//! let gpu = Gpu::new_blocking()?;
//! let result = Huber { delta: 1.0 }.eval(&gpu, &[2.5_f32, 0.0, 4.0], &[3.0_f32, 0.0, 2.0], Reduction::Sum)?;
//! assert_eq!(result.loss.item(), 0.125 + 1.5);
//! assert_eq!(result.gradients.get("prediction").unwrap().to_f64(), [-0.5, 0.0, 1.0]);
//! # Ok::<(), wgloss::Error>(())
//! ```
//!
//! [`losses`] has them all; [`Loss`] is the trait with the methods used here.
//!
//! # Three levels
//!
//! 1. **Host slices.** [`Loss::eval`] takes slices, [`HostTensor`]s for other shapes and, by name, optional inputs
//!    ([`Loss::eval_with`]). It waits for the result.
//! 2. **Device tensors.** [`Loss::run`] takes [`Tensor`]s and gives an [`Output`] of tensors that stay on the device
//!    until [`Output::read`].
//! 3. **Plans.** A [`Plan`] is made once for a loss, types, shapes and [`Options`], and bound to the caller's own
//!    [`wgpu::Buffer`]s. [`BoundPlan::record`] only records commands. [`Gpu::from_device`] takes the caller's device.
//!
//! On wasm32, where nothing can wait, [`Gpu::new`], [`Loss::eval_async`] and the `read` methods are futures; the
//! `_blocking` ones, [`Loss::eval`] and [`Loss::eval_with`] do not exist there.
//!
//! # Conventions
//!
//! - A [`Reduction`] is always named, and gradients are those of the reduced loss. A mean over nothing is 0 with zero
//!   gradients.
//! - The optional input `weight` multiplies each item's loss and gradient; `upstream`, an option or an input,
//!   multiplies gradients only.
//! - Targets out of range are counted on the device, and an error where the result is read: see [`losses`].
//! - [`Converted`] makes inputs from tensors of other number types, such as u8 or i64 class indices.
//! - Storage may be f32, f16 or bf16, none of which needs a feature of the adapter; arithmetic and the loss are f32.
//! - [`Gradients`] are written, added, left out, or replace the inputs they belong to in their own buffers.
//! - A call larger than a binding may be is split. What cannot be split is [`Error::Limit`].
//! - The same call on the same device gives the same bits each time.
//! - What can go wrong is one type, [`Error`], with what and where in its fields. Of an unknown name its text suggests
//!   the nearest known one.
//!
//! # Rows
//!
//! The losses of [`multiclass`](losses::multiclass) and the functions of [`rows`](losses::rows) have a row of C logits
//! per item.
//!
//! - Logits are `[N, C]` or `[N, C, d1, …]`, and what there is one of for each row is `[N]` or `[N, d1, …]`.
//! - The rows of a matrix in device memory may have gaps between them: [`TensorType::with_row_stride`].
//! - [`Gradients::InPlace`] leaves the gradient where the logits were.
//! - [`Statistics`] come from the same pass: the log-sum-exp and the predicted class of each row. Of losses with class
//!   targets, [`Evaluation::correct`] and [`Status::correct`] count the right predictions.
//! - A logit of −∞ masks its class.
//! - A lane, a workgroup or several take a row, as its length and the number of rows ask for: [`RowKernel`].
//!
//! # Regions
//!
//! The losses of [`segmentation`](losses::segmentation) compare predicted regions with those that are wanted.
//!
//! - Predictions are `[N, C]` or `[N, C, d1, …]`, as probabilities or as logits ([`Activation`]). Targets are a value
//!   for each of them, or class indices `[N, d1, …]`.
//! - An item is a score, of the classes and samples that its [`Scope`] says.
//! - [`CeDice`] and [`FocalDice`] add a term for each pixel from the same softmax; [`Evaluation::terms`] has both.
//!
//! # Losses of one's own
//!
//! [`CustomLoss`] makes a loss of a few lines of WGSL while the program runs. [`loss!`] declares one with a type of its
//! own: its parameters, its inputs, a hook in WGSL, and the same formula in f64. Plans, storage types and the parity
//! check are as for every other loss. [`Signature`] tells the shapes of a loss's inputs.
//!
//! # Several tasks
//!
//! A [`JointPlan`] weighs the losses of several plans by [`UncertaintyWeighting`], [`WeightedSum`] or a loss of one's
//! own, and records a step of all of them without a readback between.
//!
//! # Around the loss
//!
//! [`ops`] has what a training loop needs besides: gradients clipped by their norm or value on the device, weights of
//! tasks and of samples, tensors diagnosed, and checks of a loss and its gradients in words.
//!
//! # Features
//!
//! - `parity`: the module `parity`, which compares kernels with the reference on an adapter.
//! - `bench`: the module `bench`, which measures device times and the fastest layout of kernels on an adapter. Includes
//!   `parity`.
//! - `cli`: the command `wgloss`, which lists, chooses, evaluates, checks, times and tunes losses. Includes `bench`.
//!
//! # Adapters
//!
//! [`Gpu::new`] opens the most capable adapter: GPUs come before CPU adapters, and GL serves only where there is
//! nothing else. [`Gpu::find_blocking`] and [`Adapter::find`] choose by name. [`Adapter::tuning`] tells how kernels are
//! laid out there, and [`Gpu::with_tuning`] changes it, where the adapter can run that. With the feature `bench`,
//! `Gpu::tune` measures what is the fastest; `Gpu::with_saved_tuning` takes what `wgloss tune` measured and saved.
//! Nothing is read from files otherwise.

#![warn(missing_docs)]

#[cfg(all(feature = "bench", not(target_arch = "wasm32")))]
pub mod bench;
mod converted;
mod custom;
mod dispatch;
#[cfg(feature = "parity")]
mod draw;
mod drivers;
mod error;
mod evaluation;
mod extra;
mod gpu;
mod joint;
mod kernel;
mod loss;
pub mod losses;
pub mod ops;
mod options;
mod out_of_range;
#[cfg(feature = "parity")]
pub mod parity;
mod plan;
mod program;
mod reduction;
pub mod reference;
pub mod spec;
mod suggest;
mod tensor;

pub use converted::Converted;
pub use custom::{CustomFault, CustomLoss, CustomLossBuilder};
pub use drivers::Signature;
pub use error::Error;
pub use evaluation::{Evaluation, Hardest, Output};
pub use extra::{Extra, Mining};
pub use gpu::{Adapter, Gpu, RowKernel, Tuning};
pub use joint::{BoundJoint, JointPlan, JointStatus};
pub use kernel::Reduce;
pub use loss::{AnyLoss, Loss};
pub use losses::{
    Distance,
    answers::*,
    binary::*,
    boxes::*,
    divergences::*,
    generative::*,
    linear::*,
    linear_tokens::*,
    metric_learning::*,
    multiclass::*,
    pairs::*,
    policies::*,
    preferences::*,
    regression::*,
    rows::*,
    segmentation::*,
    sequences::{PolicySequence, PolicySequenceOfLogits, SequenceRatio},
    tasks::*,
};
pub use options::{Gradients, Options, Statistics};
pub use out_of_range::Offender;
pub use plan::{BoundPlan, BufferSlice, Plan, Status};
pub use reduction::Reduction;
pub use tensor::{AnyTensor, DType, Element, HostTensor, Named, Number, NumberType, Tensor, TensorType};

/// The version of `half` whose `f16` and `bf16` are [`Element`]s; those of another version are other types.
pub use half;
/// The version of wgpu whose devices, buffers and encoders the API takes; those of another version are other types.
pub use wgpu;

/// Runs the code in the README with the other examples.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// Compiles the code of the page on rows.
#[cfg(doctest)]
#[doc = include_str!("../docs/rows.md")]
struct RowsPage;

/// Compiles the code of the page on segmentation.
#[cfg(doctest)]
#[doc = include_str!("../docs/segmentation.md")]
struct SegmentationPage;

/// Runs the code of the page on losses of one's own, which checks them by the parity harness.
#[cfg(all(doctest, feature = "parity"))]
#[doc = include_str!("../docs/own_loss.md")]
struct OwnLossPage;

/// Runs the code of the page on metric learning.
#[cfg(doctest)]
#[doc = include_str!("../docs/metric_learning.md")]
struct MetricLearningPage;

/// Runs the code of the page on generative models.
#[cfg(doctest)]
#[doc = include_str!("../docs/generative.md")]
struct GenerativePage;

/// Runs the code of the page on numbers.
#[cfg(doctest)]
#[doc = include_str!("../docs/regression.md")]
struct RegressionPage;

/// Runs the code of the page on labels.
#[cfg(doctest)]
#[doc = include_str!("../docs/classification.md")]
struct ClassificationPage;

/// Runs the code of the page on boxes.
#[cfg(doctest)]
#[doc = include_str!("../docs/boxes.md")]
struct BoxesPage;

/// Runs the code of the page on language models.
#[cfg(doctest)]
#[doc = include_str!("../docs/language_models.md")]
struct LanguageModelsPage;

/// Runs the code of the page on several tasks.
#[cfg(doctest)]
#[doc = include_str!("../docs/tasks.md")]
struct TasksPage;

/// Runs the programs of the page that tells which loss to take.
#[cfg(doctest)]
#[doc = include_str!("../docs/which_loss.md")]
struct WhichLossPage;

/// Runs the code of the page on training loops.
#[cfg(doctest)]
#[doc = include_str!("../docs/training_loop.md")]
struct TrainingLoopPage;
