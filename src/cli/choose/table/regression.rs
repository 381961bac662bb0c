//! Numbers and counts.

use wgloss::Reduction;

use super::pitfalls::{MASKS, NAN, NOTHING, REDUCTION, SHAPES, SUMS, WEIGHTS};
use crate::choose::tree::{Form, Numbers, Pick, Pitfall, Question, Sample, Situation, Step, Task, choice};

pub static REGRESSION: Task = Task {
    name: "regression",
    text: "a number: a price, a position, the pixels of an image",
    page: "docs/regression.md",
    step: Step::Ask(&Question {
        text: "What is special about the targets, or about errors?",
        usual: "nothing: errors are of about one size, and as bad on either side",
        step: Step::Take(&[Pick {
            choice: choice!(Mse),
            why: "draws the prediction to the mean of what is possible, and steers faster the farther off it is",
            advice: &[],
            reduction: Reduction::Mean,
            form: &NUMBERS,
        }]),
        others: &[
            (
                &OUTLIERS,
                Step::Take(&[
                    Pick {
                        choice: choice!(Huber { delta: 1.0 }),
                        why: "squares small errors, and lets a large one pull no harder than `delta`",
                        advice: &[(
                            "delta",
                            "the size of an ordinary error, in units of the target; less where outliers still pull, \
                             more where training stalls",
                        )],
                        reduction: Reduction::Mean,
                        form: &NUMBERS,
                    },
                    Pick {
                        choice: choice!(LogCosh),
                        why: "is as robust without a parameter and without a kink; its bend is at an error of about \
                              1, so scale the targets",
                        advice: &[],
                        reduction: Reduction::Mean,
                        form: &NUMBERS,
                    },
                ]),
            ),
            (
                &MEDIAN,
                Step::Take(&[Pick {
                    choice: choice!(Mae),
                    why: "draws the prediction to the median; its gradient is as large for a tiny error as for a huge \
                          one, so lower the learning rate towards the end",
                    advice: &[],
                    reduction: Reduction::Mean,
                    form: &NUMBERS,
                }]),
            ),
            (
                &UNCERTAINTY,
                Step::Take(&[Pick {
                    choice: choice!(GaussianNll { .. }),
                    why: "learns a variance beside each mean, and counts an error less where it was expected",
                    advice: &[(
                        "eps",
                        "the least variance, against a loss that falls without end where a target is met exactly; \
                         1e-6 for targets of size 1, more for larger ones",
                    )],
                    reduction: Reduction::Mean,
                    form: &MEAN_AND_VARIANCE,
                }]),
            ),
            (
                &QUANTILE,
                Step::Take(&[Pick {
                    choice: choice!(Quantile { quantile: 0.9 }),
                    why: "is least where the given share of the targets lies below the prediction",
                    advice: &[(
                        "quantile",
                        "the share; an output and a loss for each bound: 0.05 and 0.95 hold an interval of 90 %",
                    )],
                    reduction: Reduction::Mean,
                    form: &NUMBERS,
                }]),
            ),
            (
                &ONE_SIDED,
                Step::Take(&[
                    Pick {
                        choice: choice!(AsymmetricMse { over_penalty: 4.0 }),
                        why: "squares errors, and those above the target cost more",
                        advice: &[(
                            "over_penalty",
                            "what too high costs over what too low costs; below 1 where too low is worse",
                        )],
                        reduction: Reduction::Mean,
                        form: &NUMBERS,
                    },
                    Pick {
                        choice: choice!(Quantile { quantile: 0.2 }),
                        why: "does the same to absolute errors, where there are outliers too",
                        advice: &[(
                            "quantile",
                            "too high costs 1 − quantile and too low costs quantile: 0.2 is 4 to 1, as above",
                        )],
                        reduction: Reduction::Mean,
                        form: &NUMBERS,
                    },
                ]),
            ),
        ],
    }),
    pitfalls: &[&SHAPES, &SCALE, &VARIANCE, &BELOW_ZERO, &REDUCTION, &WEIGHTS, &MASKS, &NOTHING, &NAN, &SUMS],
};

pub static COUNTS: Task = Task {
    name: "counts",
    text: "how often something happens: visits, defects, events in an hour",
    page: "docs/regression.md",
    step: Step::Take(&[Pick {
        choice: choice!(PoissonNll { .. }),
        why: "knows that a count scatters as the root of its mean, so that 110 for 100 is a smaller error than 11 for \
              1",
        advice: &[
            (
                "log_input",
                "true where the network gives ln of the rate; false where its last layer makes the rate itself, by \
                 softplus for example",
            ),
            ("full", "true where the value is to be compared with other likelihoods; gradients are the same"),
        ],
        reduction: Reduction::Mean,
        form: &Form {
            last_layer: "none: it gives ln of the rate",
            targets: "counts `[*]`, floats",
            inputs: &[
                Sample { name: "prediction", numbers: Numbers::Floats(&[0.0, 1.2, 0.7, -0.3]), shape: &[4] },
                Sample { name: "target", numbers: Numbers::Floats(&[1.0, 3.0, 2.0, 0.0]), shape: &[4] },
            ],
        },
    }]),
    pitfalls: &[&RATES, &BELOW_ZERO, &SHAPES, &REDUCTION, &WEIGHTS, &MASKS, &NOTHING, &NAN],
};

static OUTLIERS: Situation = Situation { name: "outliers", text: "some targets are far off" };
static MEDIAN: Situation =
    Situation { name: "median", text: "targets are skewed, and the one in the middle is wanted, not the mean" };
static UNCERTAINTY: Situation =
    Situation { name: "uncertainty", text: "some targets are noisier than others, and the network is to say how much" };
static QUANTILE: Situation =
    Situation { name: "quantile", text: "a bound is wanted that a given share of the targets stays below" };
static ONE_SIDED: Situation = Situation { name: "one-sided", text: "too high is worse than too low, or less bad" };

static NUMBERS: Form = Form {
    last_layer: "none",
    targets: "values `[*]`, floats of the prediction's shape",
    inputs: &[
        Sample { name: "prediction", numbers: Numbers::Floats(&[2.5, 0.0, 2.1, 7.8]), shape: &[4] },
        Sample { name: "target", numbers: Numbers::Floats(&[3.0, -0.5, 2.0, 8.0]), shape: &[4] },
    ],
};
static MEAN_AND_VARIANCE: Form = Form {
    last_layer: "none for the mean; softplus or exp for `variance`",
    targets: "values `[*]`, floats of the prediction's shape",
    inputs: &[
        Sample { name: "prediction", numbers: Numbers::Floats(&[2.5, 0.0, 2.1, 7.8]), shape: &[4] },
        Sample { name: "target", numbers: Numbers::Floats(&[3.0, -0.5, 2.0, 8.0]), shape: &[4] },
        Sample { name: "variance", numbers: Numbers::Floats(&[0.5, 0.5, 0.1, 0.2]), shape: &[4] },
    ],
};

static SCALE: Pitfall = Pitfall {
    title: "The targets' units",
    trap: "Prices of 300,000 make squared errors of 10¹⁰, and a `delta` of 1 is then nothing at all.",
    guard: "Bring targets to a mean of 0 and a deviation of 1, and undo that when predicting. Parameters such as \
            `delta` and `beta` are in the units of the targets and always shown beside the result.",
};
static VARIANCE: Pitfall = Pitfall {
    title: "A variance that is none",
    trap: "A linear layer gives variances below 0; one that gives ln of the variance needs an exponential.",
    guard: "A `variance` below 0 is `Error::Target`, and one below `eps` counts as that. Train the mean alone for some \
            epochs first where both do not settle.",
};
static BELOW_ZERO: Pitfall = Pitfall {
    title: "A loss below 0",
    trap: "A likelihood has no floor at 0: a small variance or a large rate makes its negative logarithm negative, \
           and \"stop at 0\" stops in the middle.",
    guard: "Read the fall of the loss, not its value; `full` adds the constants that a likelihood of its own has.",
};
static RATES: Pitfall = Pitfall {
    title: "Rates or their logarithms",
    trap: "An exponential in the network and `log_input` take it twice; without either, rates come below 0.",
    guard: "`log_input` says which, and a rate below 0 is `Error::Target`.",
};
