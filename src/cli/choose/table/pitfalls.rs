//! What goes wrong in training with many losses.

use crate::choose::tree::Pitfall;

/// The pitfalls of many tasks.
pub static COMMON: &[&Pitfall] =
    &[&LOGITS, &TARGETS, &SHAPES, &REDUCTION, &NOTHING, &IMBALANCE, &WEIGHTS, &SUMS, &NAN, &MASKS];

pub static LOGITS: Pitfall = Pitfall {
    title: "Logits or probabilities",
    trap: "A softmax or sigmoid in the network and the same again in the loss learns slowly and is never sure; a \
           logarithm of a probability that has become 0 is infinite.",
    guard: "An input is named for what it takes: `logits`, `log_probabilities`, or a `prediction` whose range \
            `wgloss list LOSS` states. A probability outside [0, 1] or a log-probability above 0 is `Error::Target` \
            with the count and the first place. Probabilities given as logits cannot be told from logits: let the \
            network end without an activation, and take the loss of logits, which keeps its digits where p is next to \
            0 or 1.",
};

pub static TARGETS: Pitfall = Pitfall {
    title: "Class indices or a value for each class",
    trap: "One-hot rows where indices are asked for, or the other way round; classes that count from 1; a label that \
           means \"unknown\".",
    guard: "Indices are i32 `[N]` and values floats `[N, C]`: another type is `Error::DType` and another shape \
            `Error::Shape`, which name the input, and one-hot rows are pointed to `cross_entropy_soft`. An index that \
            is no class is `Error::Target` with the count and the first such item, and `ignore_index` leaves out the \
            one that means nothing.",
};

pub static SHAPES: Pitfall = Pitfall {
    title: "Shapes that broadcast by accident",
    trap: "A prediction `[N, 1]` beside a target `[N]` makes N² errors of N, and a model learns the mean of all \
           targets.",
    guard: "`[N, 1]` beside `[N]` is an error. Other shapes broadcast as in PyTorch, and the count of items tells how \
            many errors there were.",
};

pub static REDUCTION: Pitfall = Pitfall {
    title: "Mean over what",
    trap: "A sum grows with the batch, and its gradients with it, so that a learning rate suits one size of batch \
           only. A mean over pixels of a batch makes a sample with few of them count for little.",
    guard: "The reduction is always named, never a default, and every result says how many items it is over. \
            `batch_mean` divides by the first axis. Scale the learning rate, or keep to `mean`, where batches change \
            their size.",
};

pub static NOTHING: Pitfall = Pitfall {
    title: "A mean over nothing",
    trap: "A batch with all targets ignored divides 0 by 0, and one NaN ends the training.",
    guard: "Such a mean is 0 with gradients of 0, and the count of items says so.",
};

pub static IMBALANCE: Pitfall = Pitfall {
    title: "Rare classes",
    trap: "With 1 % of positives, \"never\" is right in 99 % of cases, and the loss is small before anything is \
           learnt. Weights, a focal loss and balanced sampling all correct this: two of them together correct it \
           twice.",
    guard: "Take one: `pos_weight` or `class_weight`, a focal loss, or sampling, and judge by recall or by the area \
            under a curve, not by accuracy. Each of them shifts the probabilities: set the threshold on held-out \
            samples.",
};

pub static WEIGHTS: Pitfall = Pitfall {
    title: "Weights and the mean",
    trap: "A `weight` of 0.1 for each item makes a tenth of the gradient, as `mean` divides by the items.",
    guard: "`weighted_mean` divides by the weights. In `cross_entropy` and `nll`, `mean` divides by the class weights \
            of the targets, as in PyTorch; in the other losses of rows it does not.",
};

pub static SUMS: Pitfall = Pitfall {
    title: "Sums of several losses",
    trap: "A term of 100 drowns one of 0.1, whatever was meant by giving both the weight 1, and their sizes change as \
           training goes on.",
    guard: "`Gradients::Add { weight }` adds each loss's gradient with a weight of its own, and each loss is read by \
            itself: look at their sizes before choosing weights. The terms of `ce_dice` and `focal_dice` are \
            `Evaluation::terms()`.",
};

pub static NAN: Pitfall = Pitfall {
    title: "NaN",
    trap: "A NaN that a maximum or a comparison has swallowed looks like a loss of 0.",
    guard: "NaN is never hidden: the loss is NaN, and so are the gradients of that item, and of no other item of an \
            elementwise loss or a loss of rows. With `none` the loss of each item shows where it comes from.",
};

pub static MASKS: Pitfall = Pitfall {
    title: "Padding and missing targets",
    trap: "What is multiplied by 0 still counts in the mean, and a NaN times 0 is NaN.",
    guard: "Where the input `mask` is 0 an item is left out: of the sum, of the divisor and of the checks, whatever \
            it holds, and its gradient is 0. Every loss takes it that is no sum of others.",
};
