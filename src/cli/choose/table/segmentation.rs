//! Regions of an image.

use wgloss::{Activation, LogitActivation, Reduction, Scope};

use super::{
    IMBALANCED, SCORE,
    pitfalls::{IMBALANCE, LOGITS, MASKS, NAN, REDUCTION, SUMS, TARGETS},
};
use crate::choose::tree::{Advised, Form, Numbers, Pick, Pitfall, Question, Sample, Situation, Step, Task, choice};

pub static SEGMENTATION: Task = Task {
    name: "segmentation",
    text: "regions of an image or a volume: organs, roads, the foreground",
    page: "docs/segmentation.md",
    step: Step::Ask(&Question {
        text: "How many classes do pixels have?",
        usual: "each has exactly one of two or more, the background included",
        step: Step::Ask(&Question {
            text: WHAT_MATTERS,
            usual: ALL_ALIKE,
            step: Step::Take(&[Pick {
                choice: choice!(CeDice { .. }),
                why: "steers every pixel from the first step on, and minds small regions by their score",
                advice: &[
                    TERM_WEIGHTS,
                    SMOOTH,
                    ("ignore_index", "the index of pixels that nobody labelled, often 255"),
                ],
                reduction: Reduction::Mean,
                form: &ONE_CLASS,
            }]),
            others: &[
                (
                    &IMBALANCED,
                    Step::Take(&[
                        Pick {
                            choice: choice!(FocalDice { .. }),
                            why: "fades the many pixels that are easily background, and minds small regions by their \
                                  score",
                            advice: &[FOCAL_GAMMA, SMOOTH],
                            reduction: Reduction::Mean,
                            form: &ONE_CLASS,
                        },
                        Pick {
                            choice: choice!(CeDice { include_background: false, .. }),
                            why: "scores the foreground alone, while the cross-entropy still sees all pixels",
                            advice: &[BACKGROUND, SMOOTH],
                            reduction: Reduction::Mean,
                            form: &ONE_CLASS,
                        },
                    ]),
                ),
                (
                    &MISSES,
                    Step::Take(&[
                        Pick {
                            choice: choice!(Tversky {
                                activation: Activation::Softmax,
                                scope: Scope::Class,
                                alpha: 0.3,
                                beta: 0.7,
                                ..
                            }),
                            why: WEIGHS_MISSES,
                            advice: TVERSKY_ADVICE,
                            reduction: Reduction::Mean,
                            form: &ONE_CLASS,
                        },
                        Pick {
                            choice: choice!(FocalTversky {
                                activation: Activation::Softmax,
                                scope: Scope::Class,
                                alpha: 0.3,
                                beta: 0.7,
                                ..
                            }),
                            why: STEEPENS,
                            advice: FOCAL_TVERSKY_ADVICE,
                            reduction: Reduction::Mean,
                            form: &ONE_CLASS,
                        },
                    ]),
                ),
                (
                    &SCORE,
                    Step::Take(&[
                        Pick {
                            choice: choice!(Dice {
                                activation: Activation::Softmax,
                                scope: Scope::SampleClass,
                                include_background: false,
                                ..
                            }),
                            why: IS_THE_SCORE,
                            advice: SCORE_ADVICE,
                            reduction: Reduction::Mean,
                            form: &ONE_CLASS,
                        },
                        Pick {
                            choice: choice!(Jaccard {
                                activation: Activation::Softmax,
                                scope: Scope::SampleClass,
                                include_background: false,
                                ..
                            }),
                            why: IS_THE_IOU,
                            advice: SCORE_ADVICE,
                            reduction: Reduction::Mean,
                            form: &ONE_CLASS,
                        },
                    ]),
                ),
            ],
        }),
        others: &[(
            &OVERLAPPING,
            Step::Ask(&Question {
                text: WHAT_MATTERS,
                usual: ALL_ALIKE,
                step: Step::Take(&[Pick {
                    choice: choice!(CeDice { activation: LogitActivation::Sigmoid, .. }),
                    why: "steers every pixel of every region by itself, and minds small regions by their score",
                    advice: &[SOFTMAX_OR_SIGMOID, TERM_WEIGHTS, SMOOTH],
                    reduction: Reduction::Mean,
                    form: &REGIONS,
                }]),
                others: &[
                    (
                        &IMBALANCED,
                        Step::Take(&[Pick {
                            choice: choice!(FocalDice { activation: LogitActivation::Sigmoid, .. }),
                            why: "fades the many pixels that are easily outside, and minds small regions by their \
                                  score",
                            advice: &[
                                SOFTMAX_OR_SIGMOID,
                                FOCAL_GAMMA,
                                ("alpha", "the weight of pixels inside against 1 − alpha outside"),
                                SMOOTH,
                            ],
                            reduction: Reduction::Mean,
                            form: &REGIONS,
                        }]),
                    ),
                    (
                        &MISSES,
                        Step::Take(&[
                            Pick {
                                choice: choice!(Tversky {
                                    activation: Activation::Sigmoid,
                                    scope: Scope::Class,
                                    alpha: 0.3,
                                    beta: 0.7,
                                    ..
                                }),
                                why: WEIGHS_MISSES,
                                advice: TVERSKY_ADVICE,
                                reduction: Reduction::Mean,
                                form: &REGIONS,
                            },
                            Pick {
                                choice: choice!(FocalTversky {
                                    activation: Activation::Sigmoid,
                                    scope: Scope::Class,
                                    alpha: 0.3,
                                    beta: 0.7,
                                    ..
                                }),
                                why: STEEPENS,
                                advice: FOCAL_TVERSKY_ADVICE,
                                reduction: Reduction::Mean,
                                form: &REGIONS,
                            },
                        ]),
                    ),
                    (
                        &SCORE,
                        Step::Take(&[
                            Pick {
                                choice: choice!(Dice {
                                    activation: Activation::Sigmoid,
                                    scope: Scope::SampleClass,
                                    ..
                                }),
                                why: IS_THE_SCORE,
                                advice: SCORE_ADVICE,
                                reduction: Reduction::Mean,
                                form: &REGIONS,
                            },
                            Pick {
                                choice: choice!(Jaccard {
                                    activation: Activation::Sigmoid,
                                    scope: Scope::SampleClass,
                                    ..
                                }),
                                why: IS_THE_IOU,
                                advice: SCORE_ADVICE,
                                reduction: Reduction::Mean,
                                form: &REGIONS,
                            },
                        ]),
                    ),
                ],
            }),
        )],
    }),
    pitfalls: &[&ACTIVATION, &LOGITS, &TARGETS, &EMPTY, &SCOPES, &SUMS, &IMBALANCE, &REDUCTION, &MASKS, &NAN],
};

static OVERLAPPING: Situation = Situation {
    name: "overlapping",
    text: "a pixel may have several classes or none: regions overlap, or there is a single one",
};
static MISSES: Situation =
    Situation { name: "misses", text: "to miss a part of a region is worse than to mark too much, or less bad" };

const WHAT_MATTERS: &str = "What matters most?";
const ALL_ALIKE: &str = "every region alike, and none is tiny";
const WEIGHS_MISSES: &str = "weighs what is missed against what is too much";
const STEEPENS: &str = "gives more of the gradient to regions that are nearly right, to finish them";
const IS_THE_SCORE: &str = "is 1 less the Dice score, by sample and class as it is reported";
const IS_THE_IOU: &str = "is 1 less the IoU, which has the same order and is steeper where regions are good";

const SMOOTH: Advised = (
    "smooth",
    "1; 1e-5 where small regions are to be scored exactly, though a class that is absent is then all or nothing",
);
const TERM_WEIGHTS: Advised = ("dice_weight", "½ each; more for `ce_weight` where training does not start");
const FOCAL_GAMMA: Advised = ("gamma", "0.5 to 5; 2 where most pixels are easy");
const EXPONENT: Advised = ("exponent", "0.5 to 1; the paper's γ is 1/exponent, 4/3");
const SOFTMAX_OR_SIGMOID: Advised =
    ("activation", "softmax for one class a pixel, sigmoid for each region by itself; none for probabilities");
const SCOPE: Advised =
    ("scope", "sample_class as most scores are reported; class where regions are small or missing in many samples");
const BACKGROUND: Advised =
    ("include_background", "false where class 0 is large and easy; true where it is a class as any other");
const ALPHA: Advised = ("alpha", "the weight of what is too much; 1 − beta keeps the size of Dice");
const BETA: Advised = ("beta", "the weight of what is missed: 0.7 to 0.9, and below ½ where marking too much is worse");
const TVERSKY_ADVICE: &[Advised] = &[SOFTMAX_OR_SIGMOID, SCOPE, ALPHA, BETA, SMOOTH];
const FOCAL_TVERSKY_ADVICE: &[Advised] = &[SOFTMAX_OR_SIGMOID, SCOPE, ALPHA, BETA, EXPONENT];
const SCORE_ADVICE: &[Advised] = &[SOFTMAX_OR_SIGMOID, SCOPE, BACKGROUND, SMOOTH];

const PREDICTION: Sample = Sample {
    name: "prediction",
    numbers: Numbers::Floats(&[1.5, 0.5, -0.5, -1.0, -1.5, -0.5, 1.0, 2.0]),
    shape: &[1, 2, 2, 2],
};
static ONE_CLASS: Form = Form {
    last_layer: "none: logits `[N, C, d…]`",
    targets: "class indices `[N, d…]`, i32, or a value for each class `[N, C, d…]`",
    inputs: &[PREDICTION, Sample { name: "target", numbers: Numbers::Indices(&[0, 0, 1, 1]), shape: &[1, 2, 2] }],
};
static REGIONS: Form = Form {
    last_layer: "none: logits `[N, C, d…]`",
    targets: "0 or 1 for each region `[N, C, d…]`, floats",
    inputs: &[
        PREDICTION,
        Sample {
            name: "target",
            numbers: Numbers::Floats(&[1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0]),
            shape: &[1, 2, 2, 2],
        },
    ],
};

static ACTIVATION: Pitfall = Pitfall {
    title: "Which activation",
    trap: "A softmax over one channel is 1 everywhere, and over regions that overlap it takes from one what it gives \
           to the other.",
    guard: "The parameter `activation` names it. `dice`, `jaccard` and the losses of Tversky take probabilities \
            unless told otherwise, and logits there are `Error::Target`; a softmax of one class is an error.",
};
static EMPTY: Pitfall = Pitfall {
    title: "Regions that are not there",
    trap: "A score of an empty region is 0 over 0, and one stray pixel makes it as bad as it can be.",
    guard: "It is 0 where nothing is wanted and nothing predicted; `smooth` decides how fast a little too much \
            counts. Larger scopes have fewer empty regions.",
};
static SCOPES: Pitfall = Pitfall {
    title: "Score of what",
    trap: "A score over all classes together is ruled by the background; one for each sample is noisy where regions \
           are small.",
    guard: "`scope` says what a score is of, `include_background` whether class 0 has one, and the count of items is \
            the number of scores.",
};
