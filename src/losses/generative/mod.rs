//! Generative models: losses of the scores that a discriminator or critic gives, of latent variables, and
//! of the features of images.

mod autoencoder;
mod discriminators;
mod features;
mod generators;
mod gram_term;
mod score;

pub use autoencoder::*;
pub use discriminators::*;
pub use features::*;
pub use generators::*;

#[doc(inline)]
pub use crate::spec::Likelihood;

use crate::spec::{ShaderFile, shader_file};

/// What a sum has for a kernel of its own: none, but what adds up its parts.
const NO_HOOK: ShaderFile = shader_file!("drivers/sum/combine.wgsl");
