//! Embeddings that lie close where samples belong together, and scores that keep an order.

use wgloss::{Distance, Reduction};

use super::pitfalls::{MASKS, NAN, NOTHING, REDUCTION, SHAPES, SUMS, WEIGHTS};
use crate::choose::tree::{Advised, Form, Numbers, Pick, Pitfall, Question, Sample, Situation, Step, Task, choice};

pub static EMBEDDINGS: Task = Task {
    name: "embeddings",
    text: "an embedding in which what belongs together lies close: faces, products, sentences",
    page: "docs/metric_learning.md",
    step: Step::Ask(&Question {
        text: "What is known of the samples?",
        usual: "a label for each: those of one label belong together",
        step: Step::Take(&[
            Pick {
                choice: choice!(SupCon { .. }),
                why: "lets all positives and negatives of a batch take part in every step",
                advice: &[TEMPERATURE],
                reduction: Reduction::Mean,
                form: &LABELLED,
            },
            Pick {
                choice: choice!(TripletSemiHard { margin: 0.2, distance: Distance::SquaredEuclidean, .. }),
                why: "is steady from the first step on: negatives that are farther than the positive, but not by the \
                      margin",
                advice: &[
                    (
                        "margin",
                        "0.2 for squared distances of unit length, as in the paper; larger where embeddings have any \
                         length",
                    ),
                    (
                        "distance",
                        "squared_euclidean of unit length, as in the paper; euclidean where embeddings have any",
                    ),
                    ("fallback", "farthest counts pairs that have no such negative too"),
                ],
                reduction: Reduction::Mean,
                form: &LABELLED,
            },
        ]),
        others: &[
            (
                &FINE,
                Step::Take(&[
                    Pick {
                        choice: choice!(TripletBatchHard { margin: 0.3, .. }),
                        why: "looks at the hardest positive and negative of each anchor, which are never diluted",
                        advice: &[MARGIN, ("soft_margin", "true to push triplets on that are right already")],
                        reduction: Reduction::Mean,
                        form: &LABELLED,
                    },
                    Pick {
                        choice: choice!(TripletBatchAll { margin: 0.3, .. }),
                        why: "looks at every triplet that is not right yet, so that a wrong label counts for less",
                        advice: &[
                            MARGIN,
                            ("triplets", "semi_hard or hard to leave out the others"),
                            ("average", "all lets the loss shrink as fewer triplets are active"),
                        ],
                        reduction: Reduction::Mean,
                        form: &LABELLED,
                    },
                ]),
            ),
            (
                &VIEWS,
                Step::Take(&[Pick {
                    choice: choice!(NtXent { .. }),
                    why: "finds the other view of a sample among all rows of the batch",
                    advice: &[("temperature", "0.1 to 0.5; small ones want large batches and look at near rows alone")],
                    reduction: Reduction::Mean,
                    form: &Form {
                        last_layer: "none: embeddings `[N, D]` of either view, of any length",
                        targets: "none: row i of `z_i` and of `z_j` are views of one sample",
                        inputs: &[
                            Sample { name: "z_i", numbers: ROWS, shape: &[4, 2] },
                            Sample { name: "z_j", numbers: OTHER_ROWS, shape: &[4, 2] },
                        ],
                    },
                }]),
            ),
            (
                &QUERIES,
                Step::Take(&[Pick {
                    choice: choice!(InfoNce { .. }),
                    why: "finds the key of a query among all keys of the batch",
                    advice: &[
                        TEMPERATURE,
                        ("normalize", "false where dot products are compared; the temperature is then 1"),
                    ],
                    reduction: Reduction::Mean,
                    form: &Form {
                        last_layer: "none: embeddings `[N, D]` of any length",
                        targets: "none: key i belongs to query i",
                        inputs: &[QUERY, KEY],
                    },
                }]),
            ),
            (
                &TWO_ENCODERS,
                Step::Take(&[Pick {
                    choice: choice!(Clip { .. }),
                    why: "looks in both directions, and learns the temperature",
                    advice: &[(
                        "logit_scale",
                        "an input with a gradient, ln 1/τ: begin at ln(1/0.07) = 2.66 and keep it at most ln 100",
                    )],
                    reduction: Reduction::Mean,
                    form: &Form {
                        last_layer: "none: embeddings `[N, D]` of either encoder, of any length",
                        targets: "none: key i belongs to query i",
                        inputs: &[
                            QUERY,
                            KEY,
                            Sample { name: "logit_scale", numbers: Numbers::Floats(&[2.66]), shape: &[1] },
                        ],
                    },
                }]),
            ),
            (
                &PAIRS,
                Step::Take(&[
                    Pick {
                        choice: choice!(Contrastive { .. }),
                        why: "draws like pairs together and pushes the others apart up to a margin",
                        advice: &[("margin", "1 for unit length, where distances are at most 2")],
                        reduction: Reduction::Mean,
                        form: &Form {
                            last_layer: "none: embeddings `[N, D]`",
                            targets: "1 or 0 for each pair, `[N]`, i32 or floats",
                            inputs: &[
                                X1,
                                X2,
                                Sample { name: "label", numbers: Numbers::Indices(&[1, 1, 0, 0]), shape: &[4] },
                            ],
                        },
                    },
                    Pick {
                        choice: choice!(CosineEmbedding { margin: 0.2 }),
                        why: "compares directions alone, as text embeddings are searched",
                        advice: &[("margin", "which cosine pairs that do not belong together may have: 0 to 0.5")],
                        reduction: Reduction::Mean,
                        form: &Form {
                            last_layer: "none: embeddings `[N, D]`",
                            targets: "1 or −1 for each pair, `[N]`, i32 or floats",
                            inputs: &[
                                X1,
                                X2,
                                Sample { name: "label", numbers: Numbers::Indices(&[1, 1, -1, -1]), shape: &[4] },
                            ],
                        },
                    },
                ]),
            ),
            (
                &TRIPLETS,
                Step::Take(&[Pick {
                    choice: choice!(TripletMargin { .. }),
                    why: "asks that the negative be farther than the positive by a margin",
                    advice: &[
                        MARGIN,
                        ("swap", "true to take the nearer of anchor and positive beside the negative"),
                        ("distance", "cosine where embeddings are searched by it"),
                    ],
                    reduction: Reduction::Mean,
                    form: &Form {
                        last_layer: "none: embeddings `[N, D]`",
                        targets: "none: row i of `anchor`, `positive` and `negative` is a triplet",
                        inputs: &[
                            Sample { name: "anchor", numbers: ROWS, shape: &[4, 2] },
                            Sample { name: "positive", numbers: OTHER_ROWS, shape: &[4, 2] },
                            Sample {
                                name: "negative",
                                numbers: Numbers::Floats(&[0.0, 1.0, 0.3, 0.9, 1.0, 0.2, 0.8, 0.1]),
                                shape: &[4, 2],
                            },
                        ],
                    },
                }]),
            ),
            (
                &DISTANCES,
                Step::Take(&[Pick {
                    choice: choice!(HingeEmbedding { margin: 1.0 }),
                    why: "is for distances that the program measures itself",
                    advice: &[(
                        "margin",
                        "how far what does not belong together is to be apart, in the distance's units",
                    )],
                    reduction: Reduction::Mean,
                    form: &Form {
                        last_layer: "a distance, 0 or above, `[*]`",
                        targets: "1 or −1, `[*]`, i32 or floats",
                        inputs: &[
                            Sample { name: "prediction", numbers: Numbers::Floats(&[0.5, 0.25, 2.0]), shape: &[3] },
                            Sample { name: "target", numbers: Numbers::Indices(&[1, -1, -1]), shape: &[3] },
                        ],
                    },
                }]),
            ),
        ],
    }),
    pitfalls: &[&BATCHES, &COLLAPSE, &FALSE_NEGATIVES, &LENGTHS, &SUMS, &REDUCTION, &WEIGHTS, &MASKS, &NOTHING, &NAN],
};

pub static RANKING: Task = Task {
    name: "ranking",
    text: "an order: which of two scores is to be the larger",
    page: "docs/metric_learning.md",
    step: Step::Take(&[Pick {
        choice: choice!(MarginRanking { margin: 1.0 }),
        why: "asks that the better score lead by a margin, and lets what does rest",
        advice: &[("margin", "1; it only sets the scale of the scores, and 0 lets all of them be alike")],
        reduction: Reduction::Mean,
        form: &Form {
            last_layer: "none: scores `[*]`",
            targets: "1 where x1 is to be larger, −1 where x2 is, `[*]`, i32 or floats",
            inputs: &[
                Sample { name: "x1", numbers: Numbers::Floats(&[2.0, 0.5, 1.0]), shape: &[3] },
                Sample { name: "x2", numbers: Numbers::Floats(&[1.0, 1.0, 0.75]), shape: &[3] },
                Sample { name: "label", numbers: Numbers::Indices(&[1, 1, -1]), shape: &[3] },
            ],
        },
    }]),
    pitfalls: &[&ALL_EQUAL, &SHAPES, &REDUCTION, &WEIGHTS, &MASKS, &NOTHING, &NAN],
};

static FINE: Situation = Situation {
    name: "fine",
    text: "labels, of classes that are hard to tell apart: easy triplets teach nothing more",
};
static VIEWS: Situation = Situation { name: "views", text: "no labels, but two views of each: crops, noise, dropout" };
static QUERIES: Situation = Situation { name: "queries", text: "queries with their keys: questions and answers" };
static TWO_ENCODERS: Situation =
    Situation { name: "two-encoders", text: "two kinds of input that are to find each other: images and texts" };
static PAIRS: Situation = Situation { name: "pairs", text: "pairs: these two belong together, those do not" };
static TRIPLETS: Situation = Situation { name: "triplets", text: "triplets: this one is nearer than that one" };
static DISTANCES: Situation = Situation { name: "distances", text: "distances that were measured elsewhere" };

const TEMPERATURE: Advised =
    ("temperature", "0.05 to 0.2; small ones look at the nearest rows alone and want large batches");

const MARGIN: Advised = ("margin", "0.2 to 1, in units of the distance");

const ROWS: Numbers = Numbers::Floats(&[1.0, 0.1, 0.9, 0.3, 0.2, 1.0, 0.0, 0.8]);
const OTHER_ROWS: Numbers = Numbers::Floats(&[0.9, 0.2, 1.0, 0.2, 0.1, 0.9, 0.1, 1.0]);
const QUERY: Sample = Sample { name: "query", numbers: ROWS, shape: &[4, 2] };
const KEY: Sample = Sample { name: "key", numbers: OTHER_ROWS, shape: &[4, 2] };
const X1: Sample = Sample { name: "x1", numbers: ROWS, shape: &[4, 2] };
const X2: Sample = Sample { name: "x2", numbers: OTHER_ROWS, shape: &[4, 2] };

static LABELLED: Form = Form {
    last_layer: "none: embeddings `[N, D]`",
    targets: "labels `[N]`, i32, any numbers",
    inputs: &[
        Sample {
            name: "embeddings",
            numbers: Numbers::Floats(&[1.0, 0.0, 0.8, 0.5, 0.3, 0.9, 0.6, 0.7]),
            shape: &[4, 2],
        },
        Sample { name: "labels", numbers: Numbers::Indices(&[0, 0, 1, 1]), shape: &[4] },
    ],
};

static BATCHES: Pitfall = Pitfall {
    title: "Batches without positives",
    trap: "With many classes, a batch drawn at random has each of them once, and nothing to draw together.",
    guard: "An anchor without a positive does not count, and the count of items tells how many did. Draw P classes \
            with K samples each.",
};
static COLLAPSE: Pitfall = Pitfall {
    title: "Collapse to a point",
    trap: "The hardest triplets of an untrained network pull everything together, and the loss stays at the margin.",
    guard: "`Evaluation::mining()` has the share of active triplets and the mean distances of positives and \
            negatives: at 1 with both near 0 it has collapsed. Begin with `triplet_semi_hard`, or lower the learning \
            rate.",
};
static FALSE_NEGATIVES: Pitfall = Pitfall {
    title: "Negatives that are none",
    trap: "Losses with keys or views take every other row for a negative, the second sample of one kind too.",
    guard: "Keep duplicates out of a batch, or give labels and take `sup_con`. Losses of different batch sizes do not \
            compare: they grow by about ln N.",
};
static LENGTHS: Pitfall = Pitfall {
    title: "Length of embeddings",
    trap: "A margin can be met by making all embeddings longer.",
    guard: "`sup_con`, `nt_xent`, `info_nce`, `clip` and the cosine distance compare directions; normalise before the \
            other losses, and what is stored, where only the direction is to count.",
};
static ALL_EQUAL: Pitfall = Pitfall {
    title: "Scores that are all alike",
    trap: "With a margin of 0, equal scores have no loss and no gradient.",
    guard: "Set a `margin` above 0.",
};
