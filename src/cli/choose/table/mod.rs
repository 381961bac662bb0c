//! The table of tasks: which loss for what. The command asks by it, and the page of the documentation is made from it.
//!
//! A task more is a `Task` in one of these files and a line in [`TASKS`].

mod binary;
mod boxes;
mod embeddings;
mod generative;
mod multiclass;
mod pitfalls;
mod preferences;
mod regression;
mod segmentation;
mod tasks;

use super::tree::{Numbers, Sample, Situation, Task};

pub use pitfalls::COMMON;

/// Every task, in the order of the questions.
pub static TASKS: &[&Task] = &[
    &regression::REGRESSION,
    &regression::COUNTS,
    &binary::BINARY,
    &binary::MULTI_LABEL,
    &multiclass::MULTI_CLASS,
    &multiclass::DISTILLATION,
    &segmentation::SEGMENTATION,
    &boxes::BOXES,
    &embeddings::EMBEDDINGS,
    &embeddings::RANKING,
    &generative::ADVERSARIAL,
    &generative::AUTOENCODER,
    &generative::IMAGE_FEATURES,
    &tasks::TASKS,
    &preferences::PREFERENCES,
];

/// The task of that name.
pub fn task(name: &str) -> Option<&'static Task> {
    TASKS.iter().copied().find(|task| task.name == name)
}

static IMBALANCED: Situation =
    Situation { name: "imbalanced", text: "some classes, or the positives, are much rarer than the others" };
static NOISY_LABELS: Situation =
    Situation { name: "noisy-labels", text: "some labels are wrong, or predictions become too sure" };
static PROBABILITIES: Situation = Situation {
    name: "probabilities",
    text: "the network ends in a sigmoid or a log-softmax, which cannot be taken out",
};
static MARGIN: Situation =
    Situation { name: "margin", text: "right by a margin is enough, as for a support vector machine" };
static SCORE: Situation =
    Situation { name: "score", text: "what is reported, Dice or IoU, is itself to be as good as possible" };

/// The logits of two samples of three classes.
const LOGITS_OF_ROWS: Sample = Sample { name: "logits", numbers: LOGIT_VALUES, shape: &[2, 3] };
const LOGIT_VALUES: Numbers = Numbers::Floats(&[2.0, 1.5, -1.0, 0.1, 0.7, 0.3]);
