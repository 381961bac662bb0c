//! Language models that follow preferences, and what rewards and judges them.

use wgloss::Reduction;

use super::pitfalls::{NAN, SUMS};
use crate::choose::tree::{Form, Numbers, Pick, Pitfall, Question, Sample, Situation, Step, Task, choice};

pub static PREFERENCES: Task = Task {
    name: "preferences",
    text: "answers that people prefer: a language model, a reward model or a critic of answers",
    page: "docs/language_models.md",
    step: Step::Ask(&Question {
        text: "What is known of the answers?",
        usual: "of each pair which one is preferred, and what a reference model, as a rule the one training begins \
                with, makes of both",
        step: Step::Take(&[Pick {
            choice: choice!(Preference { .. }),
            why: "raises the chosen answer's likelihood over the rejected one's, beyond what the reference has",
            advice: &[
                (
                    "form",
                    "`sigmoid`, which is DPO; `ipo` where pairs are nearly always labelled right, `robust` where \
                          some are not, `apo_zero` where chosen answers are better than the model's own",
                ),
                ("beta", "0.1; 0.01 to 0.5. Larger stays nearer to the reference"),
                ("label_smoothing", "0; 0.1 where a tenth of the pairs may be labelled the wrong way round"),
                ("tau", "of `discopop` only; 0.05"),
                ("chosen_length", "the tokens of each answer, for `ipo` and `sigmoid_norm`"),
                ("rejected_length", "the same of the other answer"),
            ],
            reduction: Reduction::Mean,
            form: &Form {
                last_layer: "none: the sums of the log-probabilities of each answer's tokens",
                targets: "the same by the reference, without gradients",
                inputs: &[CHOSEN, REJECTED, sums("ref_chosen", &[-11.0, -24.5]), sums("ref_rejected", &[-11.5, -20.5])],
            },
        }]),
        others: &[
            (
                &NO_REFERENCE,
                Step::Take(&[
                    Pick {
                        choice: choice!(Simpo { beta: 2.0, .. }),
                        why: "compares means of log-probabilities, so that long answers gain nothing by their length",
                        advice: &[
                            ("beta", "2 to 2.5"),
                            ("gamma", "0.5 to 1.5: how much more likely the chosen answer is to be"),
                            ("label_smoothing", "0"),
                        ],
                        reduction: Reduction::Mean,
                        form: &MEANS,
                    },
                    Pick {
                        choice: choice!(Orpo { .. }),
                        why: "is added to the likelihood of the chosen answers in one stage of training, without one \
                          before it",
                        advice: &[("beta", "0.1")],
                        reduction: Reduction::Mean,
                        form: &MEANS,
                    },
                ]),
            ),
            (
                &SUMMED,
                Step::Take(&[Pick {
                    choice: choice!(Cpo { .. }),
                    why: "is DPO where the reference is taken for uniform, beside the likelihood of the chosen answers",
                    advice: &[("beta", "0.1"), ("label_smoothing", "0")],
                    reduction: Reduction::Mean,
                    form: &Form {
                        last_layer: "none: the sums of the log-probabilities of each answer's tokens",
                        targets: "none",
                        inputs: &[CHOSEN, REJECTED],
                    },
                }]),
            ),
            (
                &UNPAIRED,
                Step::Take(&[Pick {
                    choice: choice!(Kto { .. }),
                    why: "needs no pairs: each answer is good or bad by itself",
                    advice: &[
                        ("beta", "0.1"),
                        (
                            "desirable_weight",
                            "1; so that desirable and undesirable answers weigh alike where there are \
                                          fewer of them",
                        ),
                        ("undesirable_weight", "1"),
                    ],
                    reduction: Reduction::Mean,
                    form: &Form {
                        last_layer: "none: the sum of the log-probabilities of each answer's tokens",
                        targets: "1 for a desirable answer, 0 for another",
                        inputs: &[
                            sums("log_prob", &[-10.0, -22.0]),
                            sums("ref_log_prob", &[-11.0, -21.5]),
                            Sample { name: "desirable", numbers: Numbers::Indices(&[1, 0]), shape: &[2] },
                            Sample { name: "kl", numbers: Numbers::Floats(&[0.25]), shape: &[1] },
                        ],
                    },
                }]),
            ),
            (
                &REWARD,
                Step::Take(&[Pick {
                    choice: choice!(RewardPair { .. }),
                    why: "learns a reward of each answer from pairs",
                    advice: &[
                        ("center", "0; 0.01 keeps rewards around 0, which their differences leave open"),
                        ("margin", "left out; how much better the chosen answer is, where that is known"),
                    ],
                    reduction: Reduction::Mean,
                    form: &Form {
                        last_layer: "one value behind the last token of an answer, without an activation",
                        targets: "none",
                        inputs: &[sums("chosen", &[1.5, 0.25]), sums("rejected", &[0.5, 0.75])],
                    },
                }]),
            ),
            (
                &REWARDED,
                Step::Take(&[Pick {
                    choice: choice!(PolicyClipOfLogits { .. }),
                    why: "raises the tokens that were better than expected, as far as the policy that drew them allows",
                    advice: &[
                        ("eps_low", "0.2"),
                        ("eps_high", "0.2; 0.28 lets unlikely tokens gain more"),
                        ("delta", "0; 4 where single tokens of bad answers break training"),
                        ("kl", "0; 0.04 stays near a reference, whose `ref_log_prob` is given then"),
                        ("kl_correction", "false"),
                        ("temperature", "the one that answers were drawn with"),
                        ("ignore_index", "the target of prompts and padding"),
                        ("ref_log_prob", "log-probabilities by the reference"),
                        (
                            "importance",
                            "ratios of the trainer's log-probabilities to the sampler's, where those differ",
                        ),
                    ],
                    reduction: Reduction::Mean,
                    form: &Form {
                        last_layer: "none: logits `[N, V]` of all tokens of all answers",
                        targets: "the tokens that were drawn; of each its advantage and its log-probability then",
                        inputs: &[
                            Sample {
                                name: "logits",
                                numbers: Numbers::Floats(&[1.0, 0.5, -0.5, 0.25, 2.0, -1.0]),
                                shape: &[2, 3],
                            },
                            Sample { name: "target", numbers: Numbers::Indices(&[0, 1]), shape: &[2] },
                            sums("advantage", &[1.5, -0.5]),
                            sums("old_log_prob", &[-1.0, -0.25]),
                        ],
                    },
                }]),
            ),
            (
                &RETURNS,
                Step::Take(&[Pick {
                    choice: choice!(PpoValue { .. }),
                    why: "keeps a critic's values near those that its advantages were computed with",
                    advice: &[
                        ("clip", "0.2, in units of the returns"),
                        ("factor", "0.5; PPO weighs it with 0.1 to 1 more"),
                    ],
                    reduction: Reduction::Mean,
                    form: &Form {
                        last_layer: "one value a token or state, without an activation",
                        targets: "returns: values and advantages added",
                        inputs: &[
                            sums("value", &[1.0, 1.0]),
                            sums("old_value", &[0.5, 0.75]),
                            sums("returns", &[1.25, 0.25]),
                        ],
                    },
                }]),
            ),
        ],
    }),
    pitfalls: &[&MEANS_OR_SUMS, &REFERENCE, &DRAWN_BY_ANOTHER, &SUMS, &NAN],
};

static NO_REFERENCE: Situation =
    Situation { name: "no-reference", text: "of each pair which one is preferred; there is no reference model" };
static SUMMED: Situation = Situation {
    name: "summed",
    text: "of each pair which one is preferred; there is no reference model, and answers are of similar lengths",
};
static UNPAIRED: Situation =
    Situation { name: "unpaired", text: "of each answer whether it is desirable, without another to compare it with" };
static REWARD: Situation =
    Situation { name: "reward", text: "of each pair which one is preferred, for a reward model" };
static REWARDED: Situation =
    Situation { name: "rewarded", text: "of each that the policy drew a reward, or how much better than others it is" };
static RETURNS: Situation = Situation { name: "returns", text: "what they returned, for the critic of PPO" };

const fn sums(name: &'static str, values: &'static [f32]) -> Sample {
    Sample { name, numbers: Numbers::Floats(values), shape: &[2] }
}

const CHOSEN: Sample = sums("chosen", &[-10.0, -22.0]);
const REJECTED: Sample = sums("rejected", &[-12.0, -21.5]);

static MEANS: Form = Form {
    last_layer: "none: the means of the log-probabilities of each answer's tokens",
    targets: "none",
    inputs: &[sums("chosen", &[-0.75, -1.5]), sums("rejected", &[-1.5, -1.25])],
};

static MEANS_OR_SUMS: Pitfall = Pitfall {
    title: "Sums or means of tokens",
    trap: "The losses differ in whether an answer's log-probability is the sum or the mean over its tokens, and every \
           one of them trains with the other, worse.",
    guard: "`wgloss list LOSS` says which a loss takes. `preference` takes sums and divides by the lengths itself \
            where its `form` asks for that.",
};
static REFERENCE: Pitfall = Pitfall {
    title: "A reference that sees something else",
    trap: "A reference with another template, another end of text or with dropout makes differences that no preference \
           has to do with.",
    guard: "Before the first step policy and reference are the same: `preference` of the usual `form` is ln 2 then. \
            Look at it once.",
};
static DRAWN_BY_ANOTHER: Pitfall = Pitfall {
    title: "Log-probabilities of a sampler",
    trap: "A fast sampler rounds otherwise than the trainer, cuts the tail of the softmax or divides by another \
           temperature. Its log-probabilities as the old ones make ratios that no step of training has made.",
    guard: "`old_log_prob` from the trainer, with the `temperature` of the sampler; left out where there is one step \
            for each draw. What sampler and trainer differ in is `importance`.",
};
