//! Samples like those there are.

use wgloss::{Likelihood, Reduction};

use super::{
    PROBABILITIES,
    pitfalls::{LOGITS, NAN, REDUCTION, SUMS},
};
use crate::choose::tree::{Advised, Form, Numbers, Pick, Pitfall, Question, Sample, Situation, Step, Task, choice};

pub static ADVERSARIAL: Task = Task {
    name: "adversarial",
    text: "samples like those there are, by a generator and a discriminator that learn against each other",
    page: "docs/generative.md",
    step: Step::Ask(&Question {
        text: "How is the discriminator kept from winning?",
        usual: "by the balance of both alone, or by noise and augmentation of what it sees",
        step: Step::TakeBoth(&[
            Pick {
                choice: choice!(GanDiscriminator),
                why: "is the cross-entropy of telling what is real from what was made",
                advice: &[],
                reduction: Reduction::Mean,
                form: &SCORES,
            },
            Pick {
                choice: choice!(GanGenerator { .. }),
                why: "has a gradient also where the discriminator is sure, as at the start",
                advice: &[("saturating", "false; true is the minimax game, whose gradient vanishes there")],
                reduction: Reduction::Mean,
                form: &MADE,
            },
        ]),
        others: &[
            (
                &LEAST_SQUARES,
                Step::TakeBoth(&[
                    Pick {
                        choice: choice!(LsganDiscriminator),
                        why: "draws scores to 1 and 0 instead of apart without end",
                        advice: &[],
                        reduction: Reduction::Mean,
                        form: &SCORES,
                    },
                    Pick {
                        choice: choice!(LsganGenerator),
                        why: "pulls at what is on the right side too, but far from what is real",
                        advice: &[],
                        reduction: Reduction::Mean,
                        form: &MADE,
                    },
                ]),
            ),
            (
                &SPECTRAL_NORM,
                Step::TakeBoth(&[
                    Pick {
                        choice: choice!(HingeGanDiscriminator),
                        why: "lets scores rest that are right by a margin",
                        advice: &[],
                        reduction: Reduction::Mean,
                        form: &SCORES,
                    },
                    Pick {
                        choice: choice!(HingeGanGenerator),
                        why: "raises the score of what was made",
                        advice: &[],
                        reduction: Reduction::Mean,
                        form: &MADE,
                    },
                ]),
            ),
            (
                &CRITIC,
                Step::TakeBoth(&[
                    Pick {
                        choice: choice!(WganCritic),
                        why: "estimates the distance of both distributions, which falls as samples get better",
                        advice: &[],
                        reduction: Reduction::Mean,
                        form: &SCORES,
                    },
                    Pick {
                        choice: choice!(WganGenerator),
                        why: "lessens the distance that the critic estimates; take several steps of the critic for \
                              one of the generator",
                        advice: &[],
                        reduction: Reduction::Mean,
                        form: &MADE,
                    },
                ]),
            ),
        ],
    }),
    pitfalls: &[&NO_MEASURE, &WHOSE_GRADIENT, &STEEP, &LOGITS, &SUMS, &REDUCTION, &NAN],
};

pub static AUTOENCODER: Task = Task {
    name: "autoencoder",
    text: "a code for each sample from which it is made again, and new ones are drawn: a variational autoencoder",
    page: "docs/generative.md",
    step: Step::Ask(&Question {
        text: "What are the values that are made again?",
        usual: "they are in [0, 1], and the network gives logits of them",
        step: Step::Take(&[Pick {
            choice: choice!(Vae { likelihood: Likelihood::BceWithLogits, .. }),
            why: "is the evidence lower bound, with its digits kept where a value is surely 0 or 1",
            advice: &[BETA, LIKELIHOOD],
            reduction: Reduction::BatchMean,
            form: &CODED,
        }]),
        others: &[
            (
                &PROBABILITIES,
                Step::Take(&[Pick {
                    choice: choice!(Vae { .. }),
                    why: "takes probabilities; from the logits `bce_with_logits` is more exact",
                    advice: &[BETA, LIKELIHOOD],
                    reduction: Reduction::BatchMean,
                    form: &Form {
                        last_layer: "sigmoid for the reconstruction; none for `mu` and `logvar`",
                        targets: "values in [0, 1], `[N, …]`, floats",
                        inputs: &[
                            Sample {
                                name: "reconstruction",
                                numbers: Numbers::Floats(&[0.9, 0.2, 0.6]),
                                shape: &[1, 3],
                            },
                            TARGET,
                            MU,
                            LOGVAR,
                        ],
                    },
                }]),
            ),
            (
                &UNBOUNDED,
                Step::Take(&[Pick {
                    choice: choice!(Vae { likelihood: Likelihood::Mse, .. }),
                    why: "squares errors, which is a normal distribution of the variance ½ around each value",
                    advice: &[BETA, LIKELIHOOD],
                    reduction: Reduction::BatchMean,
                    form: &Form {
                        last_layer: "none for the reconstruction, for `mu` and for `logvar`",
                        targets: "values `[N, …]`, floats",
                        inputs: &[RECONSTRUCTION, TARGET, MU, LOGVAR],
                    },
                }]),
            ),
            (
                &OWN_LIKELIHOOD,
                Step::Take(&[Pick {
                    choice: choice!(GaussianKl),
                    why: "is the divergence alone, to be added to any loss of the reconstruction",
                    advice: &[],
                    reduction: Reduction::BatchMean,
                    form: &Form { last_layer: "none for `mu` and `logvar`", targets: "none", inputs: &[MU, LOGVAR] },
                }]),
            ),
        ],
    }),
    pitfalls: &[&BOTH_SUMS, &COLLAPSED_CODE, &LOGVAR_NOT_VARIANCE, &LOGITS, &SUMS, &NAN],
};

pub static IMAGE_FEATURES: Task = Task {
    name: "image-features",
    text: "images that look like others, by what a trained network sees in both: super-resolution, style transfer",
    page: "docs/generative.md",
    step: Step::Ask(&Question {
        text: "What is to be alike?",
        usual: "what is shown, and where",
        step: Step::Take(&[Pick {
            choice: choice!(Perceptual),
            why: "compares the features of several layers, which forgive what nobody sees",
            advice: &[LAYER_WEIGHTS],
            reduction: Reduction::Mean,
            form: &FEATURES,
        }]),
        others: &[(
            &STYLE_ALONE,
            Step::Take(&[Pick {
                choice: choice!(Style),
                why: "compares which channels go together, wherever they do",
                advice: &[LAYER_WEIGHTS],
                reduction: Reduction::Mean,
                form: &FEATURES,
            }]),
        )],
    }),
    pitfalls: &[&SCALES_OF_LAYERS, &FROZEN, &SUMS, &NAN],
};

static LEAST_SQUARES: Situation =
    Situation { name: "least-squares", text: "its scores are drawn to fixed values, as gradients vanished before" };
static SPECTRAL_NORM: Situation =
    Situation { name: "spectral-norm", text: "its layers are normalised by their spectrum, for large images" };
static CRITIC: Situation = Situation {
    name: "critic",
    text: "it is a critic with a bounded slope, whose value is to tell how far training is",
};
static STYLE_ALONE: Situation =
    Situation { name: "style", text: "colours, strokes and textures, whatever is shown and wherever" };
static UNBOUNDED: Situation = Situation { name: "unbounded", text: "they may be any numbers" };
static OWN_LIKELIHOOD: Situation = Situation {
    name: "own-likelihood",
    text: "a loss that is chosen apart, or is one of your own, says how well they are made again",
};

const BETA: Advised =
    ("beta", "1 for the bound itself; less for sharper samples, more for variables that mean one thing each");
const LIKELIHOOD: Advised = ("likelihood", "bce_with_logits of logits, bce of probabilities, mse of any numbers");

const LAYER_WEIGHTS: Advised =
    ("layer_weights", "left out, 1 for each layer; more for early layers keeps detail, for deep ones what is shown");

const RECONSTRUCTION: Sample =
    Sample { name: "reconstruction", numbers: Numbers::Floats(&[2.0, -1.5, 0.3]), shape: &[1, 3] };
const TARGET: Sample = Sample { name: "target", numbers: Numbers::Floats(&[1.0, 0.0, 0.5]), shape: &[1, 3] };
const MU: Sample = Sample { name: "mu", numbers: Numbers::Floats(&[0.5, -1.0]), shape: &[1, 2] };
const LOGVAR: Sample = Sample { name: "logvar", numbers: Numbers::Floats(&[-0.5, 0.2]), shape: &[1, 2] };
const FAKE: Sample = Sample { name: "fake", numbers: Numbers::Floats(&[-0.4, 0.3]), shape: &[2] };

static SCORES: Form = Form {
    last_layer: "none: scores of what is real and of what was made",
    targets: "none",
    inputs: &[Sample { name: "real", numbers: Numbers::Floats(&[0.6, 0.2]), shape: &[2] }, FAKE],
};
static MADE: Form = Form { last_layer: "none: scores of what was made", targets: "none", inputs: &[FAKE] };
static CODED: Form = Form {
    last_layer: "none: logits; none for `mu` and `logvar`",
    targets: "values in [0, 1], `[N, …]`, floats",
    inputs: &[RECONSTRUCTION, TARGET, MU, LOGVAR],
};

static FEATURES: Form = Form {
    last_layer: "none: what some layers of a frozen network make of the image",
    targets: "what the same layers make of the other image, of the same shapes",
    inputs: &[
        Sample { name: "features.0", numbers: Numbers::Floats(&[0.5, 0.0, 1.5, 0.25]), shape: &[1, 2, 2] },
        Sample { name: "target_features.0", numbers: Numbers::Floats(&[0.0, 1.0, 1.0, 0.5]), shape: &[1, 2, 2] },
        Sample { name: "features.1", numbers: Numbers::Floats(&[0.75, 2.0]), shape: &[1, 2] },
        Sample { name: "target_features.1", numbers: Numbers::Floats(&[1.0, 0.5]), shape: &[1, 2] },
    ],
};

static SCALES_OF_LAYERS: Pitfall = Pitfall {
    title: "Layers of other scales",
    trap: "A layer with large activations drowns the others, and squares make that worse: which layers matter is then \
           an accident of the network.",
    guard: "Each layer has its own mean, and the gradient of `layer_weights` is the loss of each layer: look at it \
            once, and weigh by its inverse.",
};
static FROZEN: Pitfall = Pitfall {
    title: "A network that learns to agree",
    trap: "Where the network that sees learns too, all features alike is the best that it can do.",
    guard: "The targets have no gradient here; keep the network's weights as they are, and pass on the gradients of \
            the features to the image alone.",
};
static NO_MEASURE: Pitfall = Pitfall {
    title: "A loss that measures nothing",
    trap: "Losses of a game do not fall: each network's loss depends on how good the other is.",
    guard: "`Evaluation::terms()` has the parts of real and of made samples: at ln 2 each, a discriminator of logits \
            can tell nothing. Look at samples; the critic's value alone follows their quality.",
};
static WHOSE_GRADIENT: Pitfall = Pitfall {
    title: "Whose gradient",
    trap: "The generator's step also leaves gradients in the discriminator that it passes through, and the next step \
           of that takes them along.",
    guard: "Gradients here end at the scores, and are written unless `Gradients::Add` is asked for. Passing them on, \
            and to which weights, is the program's part.",
};
static STEEP: Pitfall = Pitfall {
    title: "A critic without bounds",
    trap: "A critic whose slope is free makes its loss as negative as it likes by growing steep.",
    guard: "No loss can see that from the scores: bound the slope by clipping, by spectral normalisation, or by \
            `gradient_penalty`.",
};
static BOTH_SUMS: Pitfall = Pitfall {
    title: "Means of both terms",
    trap: "A mean over pixels and a mean over latent variables weigh the terms by how many there are of each, as a \
           beta of some hundreds would.",
    guard: "`vae` has the reductions `sum` and `batch_mean`, and `mean` is an error. Take `batch_mean` of \
            `gaussian_kl` beside `batch_mean` of the other loss.",
};
static COLLAPSED_CODE: Pitfall = Pitfall {
    title: "A code that says nothing",
    trap: "The divergence falls to 0 first, and a strong decoder then goes without the code.",
    guard: "`Evaluation::terms()` has both terms of `vae`: where the divergence stays at 0, begin with a small `beta` \
            and raise it.",
};
static LOGVAR_NOT_VARIANCE: Pitfall = Pitfall {
    title: "The variance or its logarithm",
    trap: "A variance given for its logarithm still trains, to another distribution.",
    guard: "The input is named `logvar`; sample with exp(½·`logvar`).",
};
