//! Labels that are there or not: one for each sample, or several.

use wgloss::Reduction;

use super::{
    IMBALANCED, LOGITS_OF_ROWS, MARGIN, NOISY_LABELS, PROBABILITIES,
    pitfalls::{IMBALANCE, LOGITS, MASKS, NAN, NOTHING, REDUCTION, SHAPES, WEIGHTS},
};
use crate::choose::tree::{Advised, Form, Numbers, Pick, Pitfall, Question, Sample, Situation, Step, Task, choice};

pub static BINARY: Task = Task {
    name: "binary",
    text: "yes or no for each sample: spam, a defect, a click",
    page: "docs/classification.md",
    step: Step::Ask(&Question {
        text: "What is special about the labels, or about the network?",
        usual: "nothing: logits, and labels of 0 and 1",
        step: Step::Take(&[Pick {
            choice: choice!(BceWithLogits { .. }),
            why: "is the likelihood of the labels, and keeps its digits where the prediction is sure",
            advice: &[],
            reduction: Reduction::Mean,
            form: &YES_OR_NO,
        }]),
        others: &[
            (
                &IMBALANCED,
                Step::Take(&[
                    Pick {
                        choice: choice!(BceWithLogits { pos_weight: 10.0, .. }),
                        why: "makes every positive count as several",
                        advice: &[(
                            "pos_weight",
                            "negatives over positives, 10 where one in eleven is positive; its root where that gives \
                             too many false alarms",
                        )],
                        reduction: Reduction::Mean,
                        form: &YES_OR_NO,
                    },
                    Pick {
                        choice: choice!(SigmoidFocal { .. }),
                        why: "fades items that are easily right, where almost all are easy negatives",
                        advice: FOCAL_ADVICE,
                        reduction: Reduction::Mean,
                        form: &YES_OR_NO,
                    },
                ]),
            ),
            (
                &NOISY_LABELS,
                Step::Take(&[Pick {
                    choice: choice!(BceWithLogits { label_smoothing: 0.1, .. }),
                    why: "lets no logit grow without end for a label that may be wrong",
                    advice: &[("label_smoothing", "0.05 to 0.2; 0.1 makes targets of 0.05 and 0.95")],
                    reduction: Reduction::Mean,
                    form: &YES_OR_NO,
                }]),
            ),
            (
                &PROBABILITIES,
                Step::Take(&[Pick {
                    choice: choice!(Bce),
                    why: "takes probabilities; from the logits `bce_with_logits` is more exact",
                    advice: &[],
                    reduction: Reduction::Mean,
                    form: &Form {
                        last_layer: "sigmoid",
                        targets: "0 or 1, or in between, `[*]`, floats",
                        inputs: &[
                            Sample { name: "prediction", numbers: Numbers::Floats(&[0.9, 0.2, 0.6, 0.1]), shape: &[4] },
                            Sample { name: "target", numbers: Numbers::Floats(&[1.0, 0.0, 0.0, 1.0]), shape: &[4] },
                        ],
                    },
                }]),
            ),
            (
                &MARGIN,
                Step::Take(&[
                    Pick {
                        choice: choice!(Hinge),
                        why: "asks for a margin of 1 and lets what has it rest",
                        advice: &[],
                        reduction: Reduction::Mean,
                        form: &SIGNS_FORM,
                    },
                    Pick {
                        choice: choice!(SquaredHinge),
                        why: "does the same without a kink, and minds outliers more",
                        advice: &[],
                        reduction: Reduction::Mean,
                        form: &SIGNS_FORM,
                    },
                ]),
            ),
            (
                &SIGNS,
                Step::Take(&[Pick {
                    choice: choice!(SoftMargin),
                    why: "is the cross-entropy of labels that are signs",
                    advice: &[],
                    reduction: Reduction::Mean,
                    form: &SIGNS_FORM,
                }]),
            ),
        ],
    }),
    pitfalls: &[&LOGITS, &SIGNED, &SHAPES, &IMBALANCE, &FADED, &REDUCTION, &WEIGHTS, &MASKS, &NOTHING, &NAN],
};

pub static MULTI_LABEL: Task = Task {
    name: "multi-label",
    text: "several labels at once, each there or not: the tags of a picture",
    page: "docs/classification.md",
    step: Step::Ask(&Question {
        text: "What is special about the labels?",
        usual: "nothing: each is 0 or 1",
        step: Step::Take(&[
            Pick {
                choice: choice!(BceWithLogits { .. }),
                why: "takes every label of every sample for a question of its own",
                advice: &[],
                reduction: Reduction::Mean,
                form: &LABELS,
            },
            Pick {
                choice: choice!(MultilabelSoftMargin),
                why: "is the same, averaged over the labels of a sample first: an item is a sample, with a weight and \
                      a mask of its own",
                advice: &[("class_weight", "an optional input `[C]`; more for labels that matter more")],
                reduction: Reduction::Mean,
                form: &LABELS_OF_ROWS,
            },
        ]),
        others: &[
            (
                &IMBALANCED,
                Step::Take(&[
                    Pick {
                        choice: choice!(BceWithLogits { .. }),
                        why: "lets each label's positives count by how rare they are",
                        advice: &[(
                            "pos_weight",
                            "the optional input `[C]`: negatives over positives of each label, at most 10 or so",
                        )],
                        reduction: Reduction::Mean,
                        form: &WEIGHTED_LABELS,
                    },
                    Pick {
                        choice: choice!(SigmoidFocal { .. }),
                        why: "fades the many labels that are easily absent",
                        advice: FOCAL_ADVICE,
                        reduction: Reduction::Mean,
                        form: &LABELS,
                    },
                ]),
            ),
            (
                &NOISY_LABELS,
                Step::Take(&[Pick {
                    choice: choice!(BceWithLogits { label_smoothing: 0.1, .. }),
                    why: "lets no logit grow without end for a label that may be missing",
                    advice: &[("label_smoothing", "0.05 to 0.2; 0.1 makes targets of 0.05 and 0.95")],
                    reduction: Reduction::Mean,
                    form: &LABELS,
                }]),
            ),
        ],
    }),
    pitfalls: &[&LOGITS, &ONE_OF_ALL, &IMBALANCE, &FADED, &REDUCTION, &WEIGHTS, &MASKS, &NOTHING, &NAN],
};

static SIGNS: Situation = Situation { name: "signs", text: "labels are −1 and 1" };

/// What holds of the parameters of `sigmoid_focal`.
const FOCAL_ADVICE: &[Advised] = &[
    ("gamma", "0.5 to 5; 2 where most items are easy, 0 where none is"),
    ("alpha", "the weight of positives against 1 − alpha of negatives: less with a larger gamma; −1 for none"),
];
const LABEL_VALUES: Numbers = Numbers::Floats(&[1.0, 0.0, 1.0, 0.0, 0.0, 1.0]);

static YES_OR_NO: Form = Form {
    last_layer: "none: logits",
    targets: "0 or 1, or in between, `[*]`, floats",
    inputs: &[
        Sample { name: "logits", numbers: Numbers::Floats(&[2.0, -1.5, 0.3, -2.0]), shape: &[4] },
        Sample { name: "target", numbers: Numbers::Floats(&[1.0, 0.0, 0.0, 1.0]), shape: &[4] },
    ],
};
static SIGNS_FORM: Form = Form {
    last_layer: "none: scores",
    targets: "−1 or 1, `[*]`, floats",
    inputs: &[
        Sample { name: "logits", numbers: Numbers::Floats(&[2.0, -1.5, 0.3, -2.0]), shape: &[4] },
        Sample { name: "target", numbers: Numbers::Floats(&[1.0, -1.0, -1.0, 1.0]), shape: &[4] },
    ],
};
static LABELS: Form = Form {
    last_layer: "none: logits `[N, C]`",
    targets: "0 or 1 for each label, `[N, C]`, floats",
    inputs: &[LOGITS_OF_ROWS, Sample { name: "target", numbers: LABEL_VALUES, shape: &[2, 3] }],
};
static WEIGHTED_LABELS: Form = Form {
    last_layer: "none: logits `[N, C]`",
    targets: "0 or 1 for each label, `[N, C]`, floats",
    inputs: &[
        LOGITS_OF_ROWS,
        Sample { name: "target", numbers: LABEL_VALUES, shape: &[2, 3] },
        Sample { name: "pos_weight", numbers: Numbers::Floats(&[1.0, 4.0, 9.0]), shape: &[3] },
    ],
};
static LABELS_OF_ROWS: Form = Form {
    last_layer: "none: logits `[N, C]`",
    targets: "0 or 1 for each label, `[N, C]`, floats",
    inputs: &[LOGITS_OF_ROWS, Sample { name: "target_probabilities", numbers: LABEL_VALUES, shape: &[2, 3] }],
};

static SIGNED: Pitfall = Pitfall {
    title: "Labels of 0 and 1, or of −1 and 1",
    trap: "A hinge with a label of 0 has a constant loss and no gradient, and the sample is never learnt.",
    guard: "`hinge`, `squared_hinge` and `soft_margin` take −1 and 1, the others what is in [0, 1]: anything else is \
            `Error::Target`.",
};
static FADED: Pitfall = Pitfall {
    title: "A focal loss is small",
    trap: "What it fades is gone from the mean, so that gradients are several times smaller, and a network that \
           begins at p = ½ for everything drowns its few positives.",
    guard: "Let the last layer's bias begin at −ln(99), for p = 0.01; in detection take `sum` and divide by the \
            positives, which the option or the input `divisor` does to the loss and its gradients.",
};
static ONE_OF_ALL: Pitfall = Pitfall {
    title: "Softmax where labels are independent",
    trap: "`cross_entropy` makes labels compete: two that are both there get ½ each at most.",
    guard: "Losses of independent labels take a value for each `[N, C]`; indices `[N]` are an error there.",
};
