//! Every loss of [wgloss] inside [Burn](burn): a fused kernel computes the loss and its gradients together, over Burn's
//! own buffers, on its own device and queue.

#![warn(missing_docs)]

mod backend;
mod backward;
mod cache;
mod check;
mod clip;
mod config;
mod device;
mod error;
mod evaluate;
mod in_place;
mod input;
mod launch;
mod losses;
mod reduction;
mod status;

pub use check::{check, try_check};
pub use clip::{clip_grad_norm, try_clip_grad_norm};
pub use device::{device, gpu, memory_cleanup, share};
pub use error::Error;
pub use evaluate::{Evaluated, evaluate, try_evaluate};
pub use input::{Input, Inputs};
pub use losses::*;
pub use reduction::IntoReduction;
pub use status::Checked;
pub use wgloss::{self, Reduction, Statistics};

/// Runs the code of the page on Burn.
#[cfg(doctest)]
#[doc = include_str!("../../docs/burn.md")]
struct BurnPage;
