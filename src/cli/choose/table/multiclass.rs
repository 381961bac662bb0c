//! One of several classes, and what another network says of them.

use wgloss::{Reduction, Tail};

use super::{
    IMBALANCED, LOGIT_VALUES, LOGITS_OF_ROWS, MARGIN, NOISY_LABELS, PROBABILITIES,
    pitfalls::{IMBALANCE, LOGITS, MASKS, NAN, NOTHING, REDUCTION, SUMS, TARGETS, WEIGHTS},
};
use crate::choose::tree::{Advised, Form, Numbers, Pick, Pitfall, Question, Sample, Situation, Step, Task, choice};

pub static MULTI_CLASS: Task = Task {
    name: "multi-class",
    text: "one of several classes: a digit, a species, the next word",
    page: "docs/classification.md",
    step: Step::Ask(&Question {
        text: "What is special about the classes, or about the network?",
        usual: "nothing: logits, and a class for each sample",
        step: Step::Take(&[Pick {
            choice: choice!(CrossEntropy { .. }),
            why: "is the likelihood of the classes, with softmax and logarithm in one",
            advice: &[],
            reduction: Reduction::Mean,
            form: &CLASSES,
        }]),
        others: &[
            (
                &IMBALANCED,
                Step::Take(&[
                    Pick {
                        choice: choice!(CrossEntropy { .. }),
                        why: "lets each class count by how rare it is",
                        advice: &[
                            (
                                "class_weight",
                                "the optional input `[C]`: N over C times the class's samples, or its root where \
                                 that shakes training",
                            ),
                            (
                                "class_offset",
                                "in its place, `[C]`: the logarithm of the class's share of the samples, in training \
                                 only; predictions then treat classes alike",
                            ),
                        ],
                        reduction: Reduction::Mean,
                        form: &WEIGHTED_CLASSES,
                    },
                    Pick {
                        choice: choice!(Focal { alpha: 1.0, .. }),
                        why: "fades samples that are easily right, whichever class is rare",
                        advice: &[
                            ("gamma", "0.5 to 5; 2 where most samples are easy, 0 is cross-entropy"),
                            ("alpha", "a factor of all rows; 1 keeps the scale of cross-entropy"),
                        ],
                        reduction: Reduction::Mean,
                        form: &CLASSES,
                    },
                ]),
            ),
            (
                &NOISY_LABELS,
                Step::Take(&[Pick {
                    choice: choice!(CrossEntropy { label_smoothing: 0.1, .. }),
                    why: "asks for 1 − ε of the class instead of all, so that no logit grows without end",
                    advice: &[
                        ("label_smoothing", "0.05 to 0.2; 0 for a network that will be distilled from"),
                        ("smoothing", "uniform shares ε among all classes, as PyTorch does; others among the others"),
                    ],
                    reduction: Reduction::Mean,
                    form: &CLASSES,
                }]),
            ),
            (
                &SOFT_TARGETS,
                Step::Take(&[Pick {
                    choice: choice!(CrossEntropySoft { .. }),
                    why: "takes a probability for each class",
                    advice: &[("label_smoothing", "0: the targets are soft already")],
                    reduction: Reduction::Mean,
                    form: &DISTRIBUTIONS_FORM,
                }]),
            ),
            (
                &PROBABILITIES,
                Step::Take(&[Pick {
                    choice: choice!(Nll { .. }),
                    why: "takes log-probabilities; from the logits `cross_entropy` is more exact and one pass less",
                    advice: &[],
                    reduction: Reduction::Mean,
                    form: &Form {
                        last_layer: "log-softmax",
                        targets: CLASS_INDICES,
                        inputs: &[
                            Sample {
                                name: "log_probabilities",
                                numbers: Numbers::Floats(&[-0.2, -2.0, -3.0, -1.1, -1.1, -1.1]),
                                shape: &[2, 3],
                            },
                            TARGET,
                        ],
                    },
                }]),
            ),
            (
                &TOKENS,
                Step::Ask(&Question {
                    text: "What does the network give?",
                    usual: "logits for each token",
                    step: Step::Take(&[Pick {
                        choice: choice!(CrossEntropy { z_loss: 1e-4, .. }),
                        why: "leaves padding out by its index, and keeps the logits of a large vocabulary from \
                              drifting",
                        advice: &[Z_LOSS, TOKENS_IGNORED, SOFTCAP],
                        reduction: Reduction::Mean,
                        form: &Form {
                            last_layer: "none: logits, `[tokens, vocabulary]`",
                            targets: "token indices `[tokens]`, i32, −100 for those that do not count",
                            inputs: &[
                                Sample {
                                    name: "logits",
                                    numbers: Numbers::Floats(&[2.0, 0.5, -1.0, 0.1, 1.5, 0.3, 0.0, 0.0, 0.0]),
                                    shape: &[3, 3],
                                },
                                Sample { name: "target", numbers: Numbers::Indices(&[0, 1, -100]), shape: &[3] },
                            ],
                        },
                    }]),
                    others: &[(
                        &HEAD,
                        Step::Take(&[Pick {
                            choice: choice!(LinearCrossEntropy { z_loss: 1e-4, shift: 1, .. }),
                            why: "is the same loss of hidden states and the head's weight: the logits are made for a \
                                  panel of tokens at a time and never stored whole",
                            advice: &[
                                Z_LOSS,
                                TOKENS_IGNORED,
                                SOFTCAP,
                                (
                                    "shift",
                                    "1 where the target is the sequence itself, of which each token is held to \
                                           the next one; else 0",
                                ),
                                ("bias", "the optional input `[vocabulary]`, where the head has one"),
                            ],
                            reduction: Reduction::Mean,
                            form: &Form {
                                last_layer: "the one before the head: hidden states, `[sequences, tokens, H]`; the \
                                             head's weight is an input, with a gradient",
                                targets: "token indices `[sequences, tokens]`, i32, −100 for those that do not count",
                                inputs: &[
                                    Sample {
                                        name: "hidden",
                                        numbers: Numbers::Floats(&[0.5, -1.0, 2.0, 0.25, -0.75, 1.5]),
                                        shape: &[1, 3, 2],
                                    },
                                    HEAD_WEIGHT,
                                    Sample { name: "target", numbers: Numbers::Indices(&[0, 2, 3]), shape: &[1, 3] },
                                ],
                            },
                        }]),
                    )],
                }),
            ),
            (
                &MARGIN,
                Step::Take(&[Pick {
                    choice: choice!(MultiMargin { .. }),
                    why: "asks that the class's score lead every other by a margin",
                    advice: &[
                        ("margin", "1; it only sets the scale of the scores"),
                        ("p", "2 to have no kink, and to mind large violations more"),
                    ],
                    reduction: Reduction::Mean,
                    form: &CLASSES,
                }]),
            ),
        ],
    }),
    pitfalls: &[&LOGITS, &TARGETS, &CLASS_AXIS, &IMBALANCE, &REDUCTION, &WEIGHTS, &MASKS, &NOTHING, &NAN],
};

pub static DISTILLATION: Task = Task {
    name: "distillation",
    text: "what another network says: a small one learns from a large one",
    page: "docs/classification.md",
    step: Step::Ask(&Question {
        text: "What is there of the other network?",
        usual: "its logits for each sample",
        step: Step::Take(&[Pick {
            choice: choice!(Distillation { temperature: 2.0, .. }),
            why: "compares both softmaxes at a temperature that shows what the teacher holds for nearly right; labels, \
                      where there are any, are `cross_entropy` besides, added with a weight of 0.1 to 0.5",
            advice: &[
                ("temperature", "2 to 4; 1 where the teacher is unsure by itself, more where it is very sure"),
                (
                    "divergence",
                    "forward covers all that the teacher says; reverse keeps a small student to the main thing; \
                         jensen_shannon is bounded",
                ),
            ],
            reduction: Reduction::Mean,
            form: &TEACHER_FORM,
        }]),
        others: &[
            (
                &HEAD,
                Step::Take(&[Pick {
                    choice: choice!(LinearDistillation { temperature: 2.0, .. }),
                    why: "is `distillation` of hidden states and the weights of both heads, whose logits are never \
                          stored whole",
                    advice: &[("temperature", "2 to 4"), ("divergence", "forward, reverse or jensen_shannon")],
                    reduction: Reduction::Mean,
                    form: &Form {
                        last_layer: "the one before the head: hidden states, `[N, H]`; the head's weight is an input, \
                                     with a gradient",
                        targets: "the teacher's hidden states `[N, G]` and its head's weight",
                        inputs: &[
                            Sample {
                                name: "hidden",
                                numbers: Numbers::Floats(&[0.5, -1.0, 2.0, 0.25]),
                                shape: &[2, 2],
                            },
                            HEAD_WEIGHT,
                            Sample { name: "teacher_hidden", numbers: Numbers::Floats(&[1.5, -0.5]), shape: &[2, 1] },
                            Sample {
                                name: "teacher_weight",
                                numbers: Numbers::Floats(&[1.0, 0.5, -0.5, 2.0]),
                                shape: &[4, 1],
                            },
                        ],
                    },
                }]),
            ),
            (
                &OWN_SAMPLES,
                Step::Take(&[
                    Pick {
                        choice: choice!(JensenShannon { .. }),
                        why: "is bounded, so that what the teacher never says costs no more than something",
                        advice: &[
                            (
                                "beta",
                                "0.1 to 0.9: small covers all that the teacher says, large keeps to its main thing. \
                                 0 and 1 are the divergences of `distillation`, with another scale",
                            ),
                            ("temperature", "1"),
                            ("scale_by_t2", "true where T changes and the weight against other terms does not"),
                        ],
                        reduction: Reduction::Mean,
                        form: &TEACHER_FORM,
                    },
                    Pick {
                        choice: choice!(TotalVariation { .. }),
                        why: "counts how often the two would differ, and is the least moved by single tokens",
                        advice: &[("temperature", "1")],
                        reduction: Reduction::Mean,
                        form: &TEACHER_FORM,
                    },
                ]),
            ),
            (
                &LIKELIEST,
                Step::Take(&[Pick {
                    choice: choice!(JensenShannonTopK { beta: 0.0, tail: Tail::Bucket, .. }),
                    why: "is KL(P ‖ Q) of these classes and of all others together, or another divergence of both",
                    advice: &[
                        (
                            "beta",
                            "0 covers all that the teacher says, 1 keeps to its main thing; between them it is bounded",
                        ),
                        ("temperature", "that of the teacher's log-probabilities"),
                        ("tail", "bucket; renormalize where the classes that are not given are not to count"),
                    ],
                    reduction: Reduction::Mean,
                    form: &Form {
                        last_layer: "none: logits `[N, C]`",
                        targets: "the teacher's classes, i32, and their log-probabilities, both `[N, K]`; class \
                                  indices too where rows are to be left out",
                        inputs: &[
                            Sample { name: "logits", numbers: LOGIT_VALUES, shape: &[2, 3] },
                            Sample {
                                name: "teacher_indices",
                                numbers: Numbers::Indices(&[0, 1, 1, 2]),
                                shape: &[2, 2],
                            },
                            Sample {
                                name: "teacher_log_probs",
                                numbers: Numbers::Floats(&[-0.125, -2.25, -0.5, -1.5]),
                                shape: &[2, 2],
                            },
                        ],
                    },
                }]),
            ),
            (
                &DISTRIBUTIONS,
                Step::Take(&[
                    Pick {
                        choice: choice!(KlDiv { .. }),
                        why: "is the divergence of distributions, 0 where both agree",
                        advice: &[("log_target", "true where the targets are log-probabilities too")],
                        reduction: Reduction::BatchMean,
                        form: &Form {
                            last_layer: "log-softmax",
                            targets: "probabilities `[N, C]`, floats",
                            inputs: &[
                                Sample {
                                    name: "prediction",
                                    numbers: Numbers::Floats(&[-0.2, -2.0, -3.0, -1.1, -1.1, -1.1]),
                                    shape: &[2, 3],
                                },
                                Sample { name: "target", numbers: DISTRIBUTION_VALUES, shape: &[2, 3] },
                            ],
                        },
                    },
                    Pick {
                        choice: choice!(CrossEntropySoft { .. }),
                        why: "has the same gradient, straight from logits",
                        advice: &[("label_smoothing", "0: the targets are soft already")],
                        reduction: Reduction::Mean,
                        form: &DISTRIBUTIONS_FORM,
                    },
                ]),
            ),
        ],
    }),
    pitfalls: &[&SQUARED_TEMPERATURE, &DIRECTION, &LOGITS, &SUMS, &REDUCTION, &MASKS, &NAN],
};

static SOFT_TARGETS: Situation =
    Situation { name: "soft-targets", text: "a target is a distribution: mixed samples, several annotators" };
static TOKENS: Situation =
    Situation { name: "tokens", text: "a language model: thousands of classes, and tokens that do not count" };
static OWN_SAMPLES: Situation = Situation {
    name: "own-samples",
    text: "its logits for each token of text that the student wrote itself, much of which the teacher never would",
};
static LIKELIEST: Situation = Situation {
    name: "top-k",
    text: "the likeliest classes of each token and their log-probabilities, as servers give them",
};
static HEAD: Situation = Situation {
    name: "head",
    text: "hidden states and the head's weight: logits would take more memory than all else",
};
static DISTRIBUTIONS: Situation =
    Situation { name: "distributions", text: "probabilities alone, without logits: a distribution for each sample" };

const Z_LOSS: Advised = ("z_loss", "1e-4; 0 where logits stay small by themselves");
const TOKENS_IGNORED: Advised = ("ignore_index", "the target of tokens that do not count");
const SOFTCAP: Advised = ("softcap", "30 where the network was trained so; else 0");
const HEAD_WEIGHT: Sample =
    Sample { name: "weight", numbers: Numbers::Floats(&[1.0, 0.5, -0.5, 2.0, 0.25, -1.5, 1.5, 1.0]), shape: &[4, 2] };
const CLASS_INDICES: &str = "class indices `[N]` from 0, i32";
const DISTRIBUTION_VALUES: Numbers = Numbers::Floats(&[0.7, 0.25, 0.05, 0.1, 0.8, 0.1]);
const TARGET: Sample = Sample { name: "target", numbers: Numbers::Indices(&[0, 1]), shape: &[2] };

static CLASSES: Form =
    Form { last_layer: "none: logits `[N, C]`", targets: CLASS_INDICES, inputs: &[LOGITS_OF_ROWS, TARGET] };
static WEIGHTED_CLASSES: Form = Form {
    last_layer: "none: logits `[N, C]`",
    targets: CLASS_INDICES,
    inputs: &[
        LOGITS_OF_ROWS,
        TARGET,
        Sample { name: "class_weight", numbers: Numbers::Floats(&[0.5, 1.5, 3.0]), shape: &[3] },
    ],
};
static TEACHER_FORM: Form = Form {
    last_layer: "none: logits `[N, C]`",
    targets: "the teacher's logits `[N, C]`, floats; class indices too where rows are to be left out",
    inputs: &[
        Sample { name: "logits", numbers: LOGIT_VALUES, shape: &[2, 3] },
        Sample { name: "teacher_logits", numbers: Numbers::Floats(&[3.0, 1.0, -2.0, 0.2, 2.5, 1.0]), shape: &[2, 3] },
    ],
};
static DISTRIBUTIONS_FORM: Form = Form {
    last_layer: "none: logits `[N, C]`",
    targets: "a probability for each class, `[N, C]`, floats",
    inputs: &[LOGITS_OF_ROWS, Sample { name: "target_probabilities", numbers: DISTRIBUTION_VALUES, shape: &[2, 3] }],
};

static CLASS_AXIS: Pitfall = Pitfall {
    title: "The axis of the classes",
    trap: "Logits `[batch, time, classes]` where classes are the second axis make classes of time steps.",
    guard: "Logits are `[N, C]` or `[N, C, d…]`, and a target `[batch, time]` beside them is `Error::Shape`, which \
            says so. Give logits whose classes come last as `[rows, C]`.",
};
static SQUARED_TEMPERATURE: Pitfall = Pitfall {
    title: "The square of the temperature",
    trap: "A softmax at temperature T has gradients about T² times smaller; a factor T² that is added twice, or not \
           at all, makes another loss of every temperature.",
    guard: "`distillation` has the factor, so its weight against other terms stays when the temperature changes. Give \
            it logits, not softmaxes.",
};
static DIRECTION: Pitfall = Pitfall {
    title: "Which of the two is the target",
    trap: "A divergence with its arguments exchanged is another loss, and a mean over elements is C times smaller than \
           the divergence.",
    guard: "Inputs have names; `kl_div` refuses a prediction above 0, which is no log-probability, and a target \
            outside [0, 1]. `batch_mean` is the divergence of a row.",
};
