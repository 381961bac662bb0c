//! Kernels are shared by what they are made of, whatever losses they serve.

use std::{collections::HashSet, sync::Arc};

use super::calls::simplest;
use crate::{
    kernel::Kernel,
    losses::{CE_DICE, CROSS_ENTROPY, DICE, FOCAL_TVERSKY, HUBER, IOU, JACCARD, MSE, TRIPLET_MARGIN, TVERSKY},
    spec::LossSpec,
};

/// The kernel of an entry point in the simplest call of a loss.
fn kernel_of(spec: &'static LossSpec, entry: &str) -> Arc<Kernel> {
    let step = simplest(spec).program().steps.into_iter().find(|step| step.entry == entry);
    step.unwrap_or_else(|| panic!("{} has no step {entry}", spec.name)).kernel
}

/// How many kernels these losses have for an entry point, and how many texts.
fn kernels_and_texts(specs: &[&'static LossSpec], entry: &str) -> (usize, usize) {
    let kernels: HashSet<Arc<Kernel>> = specs.iter().map(|spec| kernel_of(spec, entry)).collect();
    let texts: HashSet<String> = kernels.iter().map(|kernel| kernel.assemble().source).collect();
    (kernels.len(), texts.len())
}

#[test]
fn losses_of_scores_share_the_kernel_of_pixels() {
    let losses = [&DICE, &TVERSKY, &JACCARD, &FOCAL_TVERSKY];
    assert_eq!(kernels_and_texts(&losses, "sum_regions"), (1, 1));
    assert_eq!(kernels_and_texts(&losses, "evaluate_gradients"), (1, 1));
    assert_eq!(kernels_and_texts(&losses, "score_regions"), (4, 4));
    // One with a term for each pixel has a kernel of its own.
    assert_eq!(kernels_and_texts(&[&DICE, &CE_DICE], "sum_regions"), (2, 2));
}

#[test]
fn items_of_all_drivers_share_the_kernel_that_finalizes() {
    let losses = [&HUBER, &MSE, &CROSS_ENTROPY, &IOU, &DICE];
    assert_eq!(kernels_and_texts(&losses, "finalize_items"), (1, 1));
    assert_eq!(kernels_and_texts(&[&HUBER, &MSE, &CROSS_ENTROPY, &IOU, &TRIPLET_MARGIN], "evaluate"), (5, 5));
}
