//! Several losses at once.

use wgloss::Reduction;

use super::pitfalls::{NAN, SUMS};
use crate::choose::tree::{Form, Numbers, Pick, Pitfall, Question, Sample, Situation, Step, Task, choice};

pub static TASKS: Task = Task {
    name: "multi-task",
    text: "several of these by one network, whose losses become one",
    page: "docs/tasks.md",
    step: Step::Ask(&Question {
        text: "How much does each task count?",
        usual: "as much as its own uncertainty allows, which is learnt with the network",
        step: Step::Take(&[Pick {
            choice: choice!(UncertaintyWeighting),
            why: "divides each loss by a variance of its own, so that losses of any size count alike",
            advice: &[],
            reduction: Reduction::Sum,
            form: &Form {
                last_layer: "none: the losses of the tasks; `log_vars` are parameters, 0 at first",
                targets: "none",
                inputs: &[LOSSES, Sample { name: "log_vars", numbers: Numbers::Floats(&[0.0, 0.5]), shape: &[2] }],
            },
        }]),
        others: &[(
            &WEIGHTS,
            Step::Take(&[Pick {
                choice: choice!(WeightedSum),
                why: "adds the losses up with weights on the device, which an operation there may change each step",
                advice: &[],
                reduction: Reduction::Sum,
                form: &Form {
                    last_layer: "none: the losses of the tasks",
                    targets: "none",
                    inputs: &[LOSSES, Sample { name: "weights", numbers: Numbers::Floats(&[1.0, 0.5]), shape: &[2] }],
                },
            }]),
        )],
    }),
    pitfalls: &[&SUMS, &RUNAWAY, &READ_BACK, &NAN],
};

static WEIGHTS: Situation =
    Situation { name: "weights", text: "by weights: chosen beforehand, or balanced by `ops::GradNorm`" };

const LOSSES: Sample = Sample { name: "losses", numbers: Numbers::Floats(&[1.5, 0.25]), shape: &[2] };

static RUNAWAY: Pitfall = Pitfall {
    title: "A task that is weighed away or for ever",
    trap: "A loss that falls to 0 raises its own weight without end, and a loss that may be below 0 has no best \
           variance: `log_vars` then run off until an exponential is infinite.",
    guard: "A logarithm of a variance that is not finite, or below −88.7, is `Error::Target` with the task's index, \
            and trains nothing. Give losses that are never below 0 to `uncertainty_weighting`.",
};
static READ_BACK: Pitfall = Pitfall {
    title: "A wait between the losses",
    trap: "Reading each loss to add them up on the host stops the device several times a step.",
    guard: "`JointPlan` weighs plans of losses on the device and records a step of all into one encoder.",
};
