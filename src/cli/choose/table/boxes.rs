//! Boxes around objects.

use wgloss::Reduction;

use super::{
    SCORE,
    pitfalls::{MASKS, NAN, NOTHING, REDUCTION, SUMS, WEIGHTS},
};
use crate::choose::tree::{Advised, Form, Numbers, Pick, Pitfall, Question, Sample, Situation, Step, Task, choice};

pub static BOXES: Task = Task {
    name: "boxes",
    text: "boxes around objects",
    page: "docs/boxes.md",
    step: Step::Ask(&Question {
        text: "What does the network give, and how far are boxes from their targets at first?",
        usual: "corners, of boxes that need not overlap their targets yet",
        step: Step::Take(&[Pick {
            choice: choice!(Giou { .. }),
            why: "is the IoU, and draws boxes together that do not overlap, by how empty their hull is",
            advice: &[EPS],
            reduction: Reduction::Mean,
            form: &CORNERS,
        }]),
        others: &[
            (
                &ANCHORS,
                Step::Take(&[
                    Pick {
                        choice: choice!(Ciou { .. }),
                        why: "minds centres and proportions besides, and so arrives in fewer steps",
                        advice: &[EPS],
                        reduction: Reduction::Mean,
                        form: &CORNERS,
                    },
                    Pick {
                        choice: choice!(Diou { .. }),
                        why: "minds the centres alone, where proportions follow by themselves",
                        advice: &[EPS],
                        reduction: Reduction::Mean,
                        form: &CORNERS,
                    },
                ]),
            ),
            (
                &OFFSETS,
                Step::Take(&[Pick {
                    choice: choice!(SmoothL1 { beta: 0.1 }),
                    why: "takes each number by itself, and lets the few that are far off pull no harder than others",
                    advice: &[(
                        "beta",
                        "where an offset counts as near, in units of the offsets: 0.1 to 1; 0 is the absolute error",
                    )],
                    reduction: Reduction::Mean,
                    form: &Form {
                        last_layer: "none",
                        targets: "offsets `[*]`, floats of the prediction's shape",
                        inputs: &[
                            Sample {
                                name: "prediction",
                                numbers: Numbers::Floats(&[0.1, -0.2, 0.3, 0.0]),
                                shape: &[1, 4],
                            },
                            Sample { name: "target", numbers: Numbers::Floats(&[0.0, 0.0, 0.2, 0.5]), shape: &[1, 4] },
                        ],
                    },
                }]),
            ),
            (
                &SCORE,
                Step::Take(&[Pick {
                    choice: choice!(Iou { .. }),
                    why: "is 1 less the IoU; boxes that do not overlap have no gradient, so begin with `giou`",
                    advice: &[EPS],
                    reduction: Reduction::Mean,
                    form: &CORNERS,
                }]),
            ),
        ],
    }),
    pitfalls: &[&CORNER_ORDER, &APART, &UNITS, &SUMS, &REDUCTION, &WEIGHTS, &MASKS, &NOTHING, &NAN],
};

static ANCHORS: Situation =
    Situation { name: "anchors", text: "corners, of anchors that were matched to their targets and overlap them" };
static OFFSETS: Situation = Situation { name: "offsets", text: "offsets from anchors, or centres and sizes" };

const EPS: Advised = ("eps", "1e-7; it matters only for boxes whose area is no larger");

static CORNERS: Form = Form {
    last_layer: "none, or what brings corners into the image",
    targets: "corners x1 y1 x2 y2, `[N, 4]`, floats, x1 ≤ x2 and y1 ≤ y2",
    inputs: &[
        Sample {
            name: "prediction",
            numbers: Numbers::Floats(&[0.0, 0.0, 2.0, 2.0, 5.0, 5.0, 6.0, 6.0]),
            shape: &[2, 4],
        },
        Sample { name: "target", numbers: Numbers::Floats(&[1.0, 0.0, 3.0, 2.0, 7.0, 5.0, 9.0, 7.0]), shape: &[2, 4] },
    ],
};

static CORNER_ORDER: Pitfall = Pitfall {
    title: "Corners, or centre and size",
    trap: "Boxes as centre, width and height, or as corner, width and height, make sense as corners too, only not \
           the same.",
    guard: "Boxes are x1 y1 x2 y2. A target with x2 < x1 or y2 < y1, as many of the other forms have, is \
            `Error::Target`; a prediction may be inverted and is drawn back. Convert centres and sizes first.",
};
static APART: Pitfall = Pitfall {
    title: "Boxes that do not touch",
    trap: "Their IoU is 0 however far they are apart, and so is its gradient.",
    guard: "`giou`, `diou` and `ciou` have a gradient there.",
};
static UNITS: Pitfall = Pitfall {
    title: "Pixels or parts of the image",
    trap: "A `beta` for offsets of size 1 means nothing for pixels; losses of overlap do not mind.",
    guard: "The IoU and its relatives are the same in any unit whose squares f32 holds, from sides of 1e-19 to 1e19, \
            as long as areas are far above `eps`.",
};
