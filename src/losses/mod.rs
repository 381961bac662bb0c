//! Every loss: a struct with its parameters, and its entry in the catalogue.
//!
//! Each struct's page gives the loss of one item, and then:
//!
//! - **Inputs**, in the order in which the positional calls take them. ∂ marks those that have a gradient, of the same
//!   shape and storage type. `[*]` is any shape, to which smaller inputs that have it are broadcast as in PyTorch; the
//!   gradient of one is a sum. Of `[N, …]`, N may be left out where there is one item: a row of classes `[C]`, vectors
//!   `[D]`, a box `[4]`; but not of regions and whole batches. Floating inputs are f32, f16 or bf16, each its own;
//!   indices are i32. Every loss takes the optional input [`UPSTREAM`](crate::spec::UPSTREAM) besides, every one that
//!   has a sum [`DIVISOR`](crate::spec::DIVISOR), and every one but those made of others [`MASK`](crate::spec::MASK).
//!   Of a name that ends in `.k` there is one for each layer, from 0 on.
//! - **Checked values.** Where an input is *checked*, an item with a value outside contributes nothing to the loss and
//!   the gradients, is counted, and reading the result is [`Error::Target`] with the count and the first such item, and
//!   where the inputs are in host memory with its value as an [`Offender`](crate::Offender). NaN is never outside: it
//!   flows through, as infinity does.
//! - **Parameters**, the struct's fields, with the names of the command line. A value against its rule is
//!   [`Error::Parameter`] when the loss is evaluated or planned; a shape or type that does not fit is [`Error::Shape`]
//!   or [`Error::DType`].
//! - **Source**: the paper, or the loss of another library that it agrees with.
//!
//! The statics are the same losses as data: what `wgloss list` prints.

pub mod answers;
pub mod binary;
pub mod boxes;
mod declare;
pub mod divergences;
pub mod generative;
pub mod linear;
pub mod linear_tokens;
pub mod metric_learning;
pub mod multiclass;
pub mod pairs;
pub mod policies;
pub mod preferences;
pub mod regression;
pub mod rows;
pub mod segmentation;
pub mod sequences;
pub(crate) mod tail;
pub mod tasks;

#[doc(inline)]
pub use crate::spec::Distance;

pub use answers::*;
pub use binary::*;
pub use boxes::*;
pub use divergences::*;
pub use generative::*;
pub use linear::*;
pub use linear_tokens::*;
pub use metric_learning::*;
pub use multiclass::*;
pub use pairs::*;
pub use policies::*;
pub use preferences::*;
pub use regression::*;
pub use rows::*;
pub use segmentation::*;
pub use sequences::{
    POLICY_SEQUENCE, POLICY_SEQUENCE_OF_LOGITS, PolicySequence, PolicySequenceOfLogits, SequenceRatio,
};
pub use tasks::*;

use crate::{Error, spec::LossSpec, suggest};

/// Every loss, in the order of the catalogue.
pub static ALL: &[&LossSpec] = &[
    // Regression
    &MSE,
    &MAE,
    &HUBER,
    &SMOOTH_L1,
    &LOG_COSH,
    &QUANTILE,
    &ASYMMETRIC_MSE,
    &POISSON_NLL,
    &GAUSSIAN_NLL,
    // Binary and multi-label classification
    &BCE,
    &BCE_WITH_LOGITS,
    &SIGMOID_FOCAL,
    &HINGE,
    &SQUARED_HINGE,
    &SOFT_MARGIN,
    &KL_DIV,
    // Multi-class classification
    &CROSS_ENTROPY,
    &CROSS_ENTROPY_SOFT,
    &FOCAL,
    &NLL,
    &DISTILLATION,
    &JENSEN_SHANNON,
    &JENSEN_SHANNON_TOP_K,
    &TOTAL_VARIATION,
    &MULTI_MARGIN,
    &MULTILABEL_SOFT_MARGIN,
    // Functions of rows
    &LOG_SUM_EXP,
    &SOFTMAX,
    &LOG_SOFTMAX,
    // Pairs and given triplets
    &CONTRASTIVE,
    &COSINE_EMBEDDING,
    &MARGIN_RANKING,
    &HINGE_EMBEDDING,
    &TRIPLET_MARGIN,
    // Whole-batch metric learning
    &TRIPLET_BATCH_HARD,
    &TRIPLET_SEMI_HARD,
    &TRIPLET_BATCH_ALL,
    &INFO_NCE,
    &CLIP,
    &NT_XENT,
    &SUP_CON,
    // Segmentation
    &DICE,
    &TVERSKY,
    &FOCAL_TVERSKY,
    &JACCARD,
    &CE_DICE,
    &FOCAL_DICE,
    // Boxes
    &IOU,
    &GIOU,
    &DIOU,
    &CIOU,
    // Generative models
    &GAN_DISCRIMINATOR,
    &GAN_GENERATOR,
    &LSGAN_DISCRIMINATOR,
    &LSGAN_GENERATOR,
    &HINGE_GAN_DISCRIMINATOR,
    &HINGE_GAN_GENERATOR,
    &WGAN_CRITIC,
    &WGAN_GENERATOR,
    &GRADIENT_PENALTY,
    &GAUSSIAN_KL,
    &VAE,
    &PERCEPTUAL,
    &STYLE,
    // Several tasks
    &WEIGHTED_SUM,
    &UNCERTAINTY_WEIGHTING,
    // Linear heads with their loss
    &LINEAR_CROSS_ENTROPY,
    &LINEAR_FOCAL,
    &LINEAR_CROSS_ENTROPY_SOFT,
    &LINEAR_DISTILLATION,
    &LINEAR_JENSEN_SHANNON,
    &NORMALIZED_SOFTMAX,
    &COSFACE,
    &ARCFACE,
    &SUBCENTER_ARCFACE,
    &PROXY_NCA,
    &LINEAR_TOKEN_LOG_PROB,
    &LINEAR_POLICY_CLIP,
    &LINEAR_POLICY_CISPO,
    &LINEAR_POLICY_SAPO,
    &LINEAR_POLICY_SEQUENCE,
    &LINEAR_PREFERENCE,
    &LINEAR_CPO,
    &LINEAR_SIMPO,
    &LINEAR_ORPO,
    &LINEAR_KTO,
    // Policies and preferences
    &TOKEN_LOG_PROB,
    &POLICY_CLIP,
    &POLICY_CLIP_OF_LOGITS,
    &POLICY_CISPO,
    &POLICY_CISPO_OF_LOGITS,
    &POLICY_SAPO,
    &POLICY_SAPO_OF_LOGITS,
    &POLICY_SEQUENCE,
    &POLICY_SEQUENCE_OF_LOGITS,
    &PPO_VALUE,
    &PREFERENCE,
    &CPO,
    &SIMPO,
    &ORPO,
    &KTO,
    &REWARD_PAIR,
    &PREFERENCE_OF_LOGITS,
    &CPO_OF_LOGITS,
    &SIMPO_OF_LOGITS,
    &ORPO_OF_LOGITS,
    &KTO_OF_LOGITS,
];

/// The entry of the loss with this name.
///
/// # Errors
/// [`Error::UnknownLoss`].
pub fn find(name: &str) -> Result<&'static LossSpec, Error> {
    ALL.iter().find(|spec| spec.name == name).copied().ok_or_else(|| Error::UnknownLoss {
        found: name.to_string(),
        known: ALL.iter().map(|spec| spec.name).collect(),
    })
}

/// The loss that was probably meant by a name that none has: by one of another library, with or without its path and
/// the `loss` at its end, or by a slip of the pen.
pub(crate) fn meant(found: &str) -> Option<&'static LossSpec> {
    let name = found.rsplit(['.', ':', '/']).next().unwrap_or(found);
    let names = ALL.iter().flat_map(|spec| names(spec).map(move |name| Name { name: bare(name), spec }));
    suggest::nearest(&bare(name), names).map(|meant| meant.spec)
}

/// A loss by one of its names.
struct Name {
    name: String,
    spec: &'static LossSpec,
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.name
    }
}

/// The names that a loss has here and elsewhere.
fn names(spec: &LossSpec) -> impl Iterator<Item = &'static str> {
    std::iter::once(spec.name).chain(spec.aliases.iter().copied())
}

/// A name without the `loss` at its end, which losses have elsewhere, but not here.
fn bare(name: &str) -> String {
    let lower = name.to_lowercase();
    lower.strip_suffix("loss").map_or(lower.clone(), str::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_means_two_losses() {
        let mut meant: Vec<(String, &str)> = Vec::new();
        for spec in ALL {
            for name in names(spec) {
                let letters = suggest::letters(&bare(name));
                assert!(!letters.is_empty(), "{name}");
                match meant.iter().find(|(known, _)| *known == letters) {
                    Some((_, other)) => assert_eq!(*other, spec.name, "`{name}`"),
                    None => meant.push((letters, spec.name)),
                }
            }
        }
    }

    #[test]
    fn every_name_leads_to_its_loss() {
        for spec in ALL {
            for name in names(spec) {
                let with_path =
                    ["", "nn.", "torch.nn.functional.", "keras::losses::"].map(|path| format!("{path}{name}"));
                for name in with_path {
                    assert_eq!(super::meant(&name).map(|meant| meant.name), Some(spec.name), "{name}");
                }
            }
        }
    }
}
