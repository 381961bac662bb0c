//! The CPU reference against what can be known without it: finite differences, worked values, limits and identities.

mod all_pairs;
mod boxes;
mod divergences;
mod divisors;
mod generative;
mod linear;
mod pairs;
mod policies;
mod preferences;
mod regions;
mod rows;
mod typed_losses;

use fastrand::Rng;
use proptest::prelude::*;
use wgloss::{
    AnyLoss, DType, Error, Gradients, HostTensor, Loss, Named, Options, Reduction, Signature, Statistics, losses,
    reference::{self, Evaluation},
    spec::{Domain, Driver, Input, Kind, LossSpec, MeanOver, Rows, Shape, Value, Values},
};

type Settings = &'static [(&'static str, &'static str)];

/// Parameter settings to check besides the defaults.
const SETTINGS: &[(&str, &[Settings])] = &[
    ("huber", &[&[("delta", "0.25")], &[("delta", "3")]]),
    ("smooth_l1", &[&[("beta", "0")], &[("beta", "0.5")]]),
    ("quantile", &[&[("quantile", "0.1")], &[("quantile", "0.75")]]),
    ("asymmetric_mse", &[&[("over_penalty", "0.25")]]),
    (
        "poisson_nll",
        &[&[("full", "true")], &[("log_input", "false")], &[("log_input", "false"), ("full", "true"), ("eps", "0.1")]],
    ),
    ("gradient_penalty", &[&[("lambda", "2"), ("norm_target", "0")], &[("norm_target", "3")]]),
    ("gan_generator", &[&[("saturating", "true")]]),
    ("vae", &[&[("beta", "0.25")], &[("likelihood", "bce_with_logits")], &[("likelihood", "mse"), ("beta", "4")]]),
    ("gaussian_nll", &[&[("full", "true")], &[("eps", "0.125")]]),
    (
        "bce_with_logits",
        &[
            &[("pos_weight", "3")],
            &[("pos_weight", "0")],
            &[("label_smoothing", "0.1")],
            &[("pos_weight", "0.5"), ("label_smoothing", "0.3")],
        ],
    ),
    (
        "sigmoid_focal",
        &[
            &[("gamma", "0")],
            &[("gamma", "0.5")],
            &[("gamma", "1"), ("alpha", "-1")],
            &[("gamma", "3.5"), ("alpha", "1")],
        ],
    ),
    ("kl_div", &[&[("log_target", "true")]]),
    (
        "cross_entropy",
        &[
            &[("ignore_index", "2")],
            &[("label_smoothing", "0.1")],
            &[("label_smoothing", "0.3"), ("smoothing", "others")],
            &[("z_loss", "0.25")],
            &[("softcap", "2")],
            &[("label_smoothing", "0.2"), ("z_loss", "0.125"), ("softcap", "5")],
            &[("label_smoothing", "0.5"), ("smoothing", "others"), ("z_loss", "0.5"), ("softcap", "3")],
            &[("entropy_bonus", "0.5")],
            &[("entropy_bonus", "-0.25"), ("label_smoothing", "0.2"), ("softcap", "3")],
        ],
    ),
    ("cross_entropy_soft", &[&[("label_smoothing", "0.1")]]),
    (
        "focal",
        &[
            &[("gamma", "0"), ("alpha", "1")],
            &[("gamma", "0.5")],
            &[("gamma", "1")],
            &[("gamma", "3.5"), ("ignore_index", "1")],
        ],
    ),
    ("nll", &[&[("ignore_index", "2")]]),
    (
        "distillation",
        &[
            &[("temperature", "0.5")],
            &[("divergence", "reverse")],
            &[("divergence", "reverse"), ("temperature", "4")],
            &[("divergence", "jensen_shannon")],
            &[("divergence", "jensen_shannon"), ("temperature", "1.5"), ("ignore_index", "2")],
        ],
    ),
    (
        "jensen_shannon",
        &[
            &[("beta", "0")],
            &[("beta", "0.1"), ("temperature", "0.5")],
            &[("beta", "0.75"), ("scale_by_t2", "true"), ("temperature", "4")],
            &[("beta", "1"), ("ignore_index", "2")],
        ],
    ),
    (
        "jensen_shannon_top_k",
        &[
            &[("beta", "0"), ("tail", "bucket"), ("temperature", "0.5")],
            &[("beta", "0.1"), ("temperature", "0.5")],
            &[("tail", "bucket"), ("ignore_index", "2")],
            &[("beta", "0.75"), ("tail", "bucket"), ("scale_by_t2", "true"), ("temperature", "4")],
            &[("beta", "1"), ("tail", "bucket")],
            &[("beta", "1"), ("ignore_index", "2")],
        ],
    ),
    ("total_variation", &[&[("temperature", "0.5")]]),
    (
        "linear_cross_entropy",
        &[
            &[("ignore_index", "2"), ("shift", "1")],
            &[("label_smoothing", "0.3"), ("smoothing", "others"), ("temperature", "0.5")],
            &[("z_loss", "0.25"), ("logit_scale", "0.125")],
            &[("softcap", "2"), ("logit_scale", "0.125"), ("temperature", "0.5")],
            &[("label_smoothing", "0.2"), ("z_loss", "0.125"), ("softcap", "5"), ("shift", "1")],
            &[("entropy_bonus", "0.25"), ("temperature", "0.5")],
        ],
    ),
    (
        "linear_focal",
        &[
            &[("gamma", "0"), ("alpha", "1"), ("logit_scale", "0.25")],
            &[("gamma", "3.5"), ("ignore_index", "1"), ("temperature", "4"), ("shift", "1")],
        ],
    ),
    (
        "linear_cross_entropy_soft",
        &[&[("label_smoothing", "0.1"), ("temperature", "2")], &[("logit_scale", "0.25"), ("temperature", "0.5")]],
    ),
    (
        "linear_distillation",
        &[
            &[("temperature", "4"), ("logit_scale", "0.5")],
            &[("divergence", "reverse"), ("logit_scale", "0.125")],
            &[("divergence", "jensen_shannon"), ("temperature", "1.5"), ("ignore_index", "2")],
        ],
    ),
    (
        "linear_jensen_shannon",
        &[
            &[("beta", "0.25"), ("temperature", "4"), ("logit_scale", "0.5")],
            &[("scale_by_t2", "true"), ("temperature", "2"), ("ignore_index", "2")],
        ],
    ),
    ("normalized_softmax", &[&[("scale", "4"), ("ignore_index", "2")]]),
    ("cosface", &[&[("scale", "4"), ("margin", "0.125"), ("ignore_index", "2")]]),
    ("arcface", &[&[("scale", "4"), ("margin", "2"), ("ignore_index", "2")]]),
    ("subcenter_arcface", &[&[("scale", "4"), ("margin", "0.25"), ("ignore_index", "2")]]),
    ("proxy_nca", &[&[("scale", "4"), ("ignore_index", "2")]]),
    ("linear_token_log_prob", OF_HEADS),
    ("linear_policy_clip", POLICY_CLIP_OF_LOGITS),
    ("linear_policy_clip", OF_HEADS),
    (
        "linear_policy_cispo",
        &[&[("eps_high", "0.5"), ("temperature", "2")], &[("kl", "0.5"), ("kl_correction", "true")]],
    ),
    ("linear_policy_cispo", OF_HEADS),
    ("linear_policy_sapo", POLICY_SAPO_OF_LOGITS),
    ("linear_policy_sapo", OF_HEADS),
    (
        "linear_policy_sequence",
        &[
            &[
                ("ratio", "sum"),
                ("eps_low", "0.5"),
                ("eps_high", "3"),
                ("delta", "8"),
                ("temperature", "2"),
                ("logit_scale", "0.125"),
            ],
            &[("eps_high", "3"), ("delta", "1.5"), ("ignore_index", "2"), ("logit_scale", "0.125")],
        ],
    ),
    (
        "linear_preference",
        &[
            &[("label_smoothing", "0.25"), ("beta", "0.5"), ("logit_scale", "0.125")],
            &[("form", "ipo"), ("ignore_index", "2"), ("logit_scale", "0.125")],
            &[("form", "discopop"), ("tau", "0.25"), ("logit_scale", "0.125")],
        ],
    ),
    ("linear_cpo", &[&[("beta", "0.5"), ("label_smoothing", "0.25"), ("ignore_index", "2"), ("logit_scale", "0.125")]]),
    (
        "linear_simpo",
        &[&[
            ("beta", "2"),
            ("gamma", "-0.5"),
            ("label_smoothing", "0.25"),
            ("ignore_index", "2"),
            ("logit_scale", "0.125"),
        ]],
    ),
    ("linear_orpo", &[&[("beta", "0.5"), ("ignore_index", "2"), ("logit_scale", "0.125")]]),
    (
        "linear_kto",
        &[&[
            ("beta", "0.5"),
            ("desirable_weight", "0.5"),
            ("undesirable_weight", "2"),
            ("ignore_index", "2"),
            ("logit_scale", "0.125"),
        ]],
    ),
    ("multi_margin", &[&[("margin", "0.25")], &[("p", "2"), ("ignore_index", "1")], &[("margin", "-0.5"), ("p", "2")]]),
    ("contrastive", &[&[("margin", "9")], &[("margin", "6"), ("factor", "1.25"), ("eps", "0.25")]]),
    ("cosine_embedding", &[&[("margin", "-0.75")], &[("margin", "0.25")]]),
    ("margin_ranking", &[&[("margin", "1.5")], &[("margin", "-0.75")]]),
    ("hinge_embedding", &[&[("margin", "0.5")]]),
    (
        "triplet_margin",
        &[
            &[("margin", "5"), ("eps", "0.25")],
            &[("swap", "true"), ("margin", "3")],
            &[("distance", "squared_euclidean"), ("margin", "50")],
            &[("distance", "squared_euclidean"), ("margin", "50"), ("swap", "true")],
            &[("distance", "cosine")],
            &[("distance", "cosine"), ("swap", "true")],
        ],
    ),
    ("triplet_batch_hard", &[&[("margin", "3")], &[("distance", "cosine")], &[("soft_margin", "true")]]),
    ("triplet_semi_hard", &[&[("margin", "3"), ("distance", "squared_euclidean")], &[("fallback", "farthest")]]),
    (
        "triplet_batch_all",
        &[
            &[("margin", "3"), ("distance", "squared_euclidean")],
            &[("triplets", "semi_hard")],
            &[("triplets", "hard"), ("average", "all")],
        ],
    ),
    ("info_nce", &[&[("temperature", "0.5"), ("norm_eps", "0.25")], &[("temperature", "4"), ("normalize", "false")]]),
    ("clip", &[&[("norm_eps", "0.25")]]),
    ("nt_xent", &[&[("temperature", "2"), ("norm_eps", "0.25")]]),
    ("sup_con", &[&[("temperature", "0.5"), ("norm_eps", "0.25")]]),
    ("iou", &[&[("eps", "0.5")]]),
    ("giou", &[&[("eps", "0.5")]]),
    ("diou", &[&[("eps", "0.5")]]),
    ("ciou", &[&[("eps", "0.5")]]),
    ("token_log_prob", &[&[("temperature", "0.5"), ("ignore_index", "2")]]),
    ("policy_clip", POLICY_CLIP),
    ("policy_clip_of_logits", POLICY_CLIP_OF_LOGITS),
    ("policy_cispo", &[&[("eps_high", "0.5")], &[("kl", "0.5")], &[("kl", "0.5"), ("kl_correction", "true")]]),
    (
        "policy_cispo_of_logits",
        &[
            &[("eps_high", "0.5"), ("temperature", "2")],
            &[("kl", "0.5"), ("kl_correction", "true"), ("ignore_index", "2")],
        ],
    ),
    ("policy_sapo", POLICY_SAPO),
    ("policy_sapo_of_logits", POLICY_SAPO_OF_LOGITS),
    (
        "policy_sequence",
        &[&[("ratio", "sum"), ("eps_low", "0.5"), ("eps_high", "3")], &[("eps_high", "3"), ("delta", "1.5")]],
    ),
    (
        "policy_sequence_of_logits",
        &[
            &[("ratio", "sum"), ("eps_low", "0.5"), ("eps_high", "3"), ("temperature", "2")],
            &[("eps_high", "3"), ("delta", "1.5"), ("ignore_index", "2")],
        ],
    ),
    (
        "preference_of_logits",
        &[
            &[("label_smoothing", "0.25"), ("beta", "0.5")],
            &[("form", "ipo"), ("ignore_index", "2")],
            &[("form", "discopop"), ("tau", "0.25")],
        ],
    ),
    ("cpo_of_logits", &[&[("beta", "0.5"), ("label_smoothing", "0.25"), ("ignore_index", "2")]]),
    ("simpo_of_logits", &[&[("beta", "2"), ("gamma", "-0.5"), ("label_smoothing", "0.25"), ("ignore_index", "2")]]),
    ("orpo_of_logits", &[&[("beta", "0.5"), ("ignore_index", "2")]]),
    (
        "kto_of_logits",
        &[&[("beta", "0.5"), ("desirable_weight", "0.5"), ("undesirable_weight", "2"), ("ignore_index", "2")]],
    ),
    ("ppo_value", &[&[("clip", "0.5"), ("factor", "1")]]),
    (
        "preference",
        &[
            &[("label_smoothing", "0.25"), ("beta", "0.5")],
            &[("form", "hinge")],
            &[("form", "ipo")],
            &[("form", "exo")],
            &[("form", "exo"), ("label_smoothing", "0.25")],
            &[("form", "nca")],
            &[("form", "robust"), ("label_smoothing", "0.25")],
            &[("form", "bco")],
            &[("form", "sppo")],
            &[("form", "apo_zero")],
            &[("form", "apo_down")],
            &[("form", "discopop"), ("tau", "0.25")],
            &[("form", "sigmoid_norm")],
        ],
    ),
    ("cpo", &[&[("beta", "0.5"), ("label_smoothing", "0.25")]]),
    ("simpo", &[&[("beta", "2"), ("gamma", "-0.5"), ("label_smoothing", "0.25")]]),
    ("orpo", &[&[("beta", "0.5")]]),
    ("kto", &[&[("beta", "0.5"), ("desirable_weight", "0.5"), ("undesirable_weight", "2")]]),
    ("reward_pair", &[&[("center", "0.125")]]),
];

const POLICY_CLIP: &[Settings] = &[
    &[("eps_low", "0.5"), ("eps_high", "3"), ("delta", "8")],
    &[("delta", "1.5"), ("kl", "0.5")],
    &[("kl", "0.25"), ("kl_correction", "true")],
];
const POLICY_CLIP_OF_LOGITS: &[Settings] = &[
    &[("eps_low", "0.5"), ("eps_high", "3"), ("delta", "8"), ("temperature", "2")],
    &[("kl", "0.25"), ("kl_correction", "true"), ("ignore_index", "2")],
];
const POLICY_SAPO: &[Settings] = &[
    &[("tau_positive", "0.5"), ("tau_negative", "2")],
    &[("kl", "0.5")],
    &[("kl", "0.25"), ("kl_correction", "true")],
];
const POLICY_SAPO_OF_LOGITS: &[Settings] = &[
    &[("tau_positive", "0.5"), ("tau_negative", "2"), ("temperature", "2")],
    &[("kl", "0.25"), ("kl_correction", "true"), ("ignore_index", "2")],
];

/// Whether a factor of a loss is constant in its gradient, which then is not the loss's slope: that of `ciou`, the
/// weights of `policy_cispo`, and the old policies that stand where none are given.
fn holds_a_factor(spec: &LossSpec, optional: bool) -> bool {
    let is_of = |names: &[&str]| names.iter().any(|name| spec.name.starts_with(name));
    is_of(&["ciou", "policy_cispo", "linear_policy_cispo"])
        || !optional && spec.input("old_log_prob").is_some_and(|old| old.optional)
}

/// What heads of tokens have besides.
const OF_HEADS: &[Settings] =
    &[&[("logit_scale", "0.125"), ("shift", "1"), ("temperature", "0.5"), ("ignore_index", "2")]];

/// Every loss with its defaults and with each of its other settings.
fn every_setting() -> impl Iterator<Item = AnyLoss> {
    losses::ALL.iter().flat_map(|spec| {
        let others = SETTINGS.iter().filter(|(name, _)| *name == spec.name).flat_map(|(_, settings)| settings.iter());
        let settings = std::iter::once(&[] as Settings).chain(others.copied()).map(<[_]>::to_vec);
        settings
            .chain(regions::settings(spec))
            .map(|settings| AnyLoss::new(spec.name, &settings).expect("a known loss with allowed settings"))
    })
}

fn values_of(loss: &dyn Loss) -> Values {
    Values::new(loss.spec(), loss.values()).unwrap()
}

fn described(loss: &dyn Loss) -> String {
    let values = values_of(loss);
    let settings = values.iter().map(|(param, value)| format!(" {}={value}", param.name));
    std::iter::once(loss.spec().name.to_string()).chain(settings).collect()
}

/// The loss, the count and the first item of an error of values out of range.
#[track_caller]
fn out_of_range(error: &Error) -> (&'static str, u64, u64) {
    match error {
        &Error::Target { loss, count, first, .. } => (loss, count, first),
        other => panic!("{other}"),
    }
}

/// A tensor of values that f32 holds exactly.
fn tensor(values: &[f64], shape: &[usize]) -> HostTensor<'static> {
    HostTensor::rounded(values, DType::F32, shape).unwrap()
}

fn classes(values: &[i32], shape: &[usize]) -> HostTensor<'static> {
    let bytes: Vec<u8> = values.iter().flat_map(|class| class.to_le_bytes()).collect();
    HostTensor::from_bytes(DType::I32, shape, bytes).unwrap()
}

/// The length of the class axis.
const CLASSES: usize = 5;

/// Shapes of the first input; all but the empty one hold as many elements.
const MATRIX: &[usize] = &[4, CLASSES];
const VOLUME: &[usize] = &[2, CLASSES, 2];
const BOXES: &[usize] = &[5, 4];
const EMBEDDINGS: &[usize] = &[5, 4];
const TOKENS: &[usize] = &[20];
const TOKENS_OF_CLASSES: &[usize] = &[20, CLASSES];

fn shapes(spec: &LossSpec) -> &'static [&'static [usize]] {
    match spec.driver {
        Driver::Elementwise | Driver::Sum(_) | Driver::Layers(_) | Driver::Gram => &[MATRIX],
        Driver::Rows(_) | Driver::Regions(_) => &[MATRIX, VOLUME],
        Driver::TopK(_) => &[MATRIX],
        Driver::Linear(_) => &[MATRIX, &[2, 2, CLASSES]],
        Driver::Boxes => &[BOXES, &[1, 5, 4]],
        Driver::Pairs | Driver::AllPairs(_) => &[EMBEDDINGS],
        Driver::Sequences(sequences) if sequences.takes_logits => &[TOKENS_OF_CLASSES],
        Driver::Sequences(_) => &[TOKENS],
    }
}

/// A shape of the first input that holds nothing.
fn empty(spec: &LossSpec) -> &'static [usize] {
    match spec.driver {
        Driver::Boxes => &[0, 4],
        Driver::Sequences(sequences) if sequences.takes_logits => &[0, CLASSES],
        Driver::Sequences(_) => &[0],
        _ => &[0, CLASSES],
    }
}

/// How a call's inputs are laid out.
#[derive(Clone, Copy, Debug)]
struct Layout {
    /// The shape of the first input.
    shape: &'static [usize],
    /// Whether what may be given as indices is.
    indices: bool,
}

impl From<&'static [usize]> for Layout {
    fn from(shape: &'static [usize]) -> Self {
        Layout { shape, indices: false }
    }
}

fn layouts(spec: &LossSpec) -> Vec<Layout> {
    let may_be_indices = spec.inputs.iter().any(|input| input.as_indices.is_some());
    let forms = if may_be_indices { &[false, true][..] } else { &[false] };
    shapes(spec).iter().flat_map(|shape| forms.iter().map(move |&indices| Layout { shape, indices })).collect()
}

/// What is particular to a row loss, or to that of the logits which a head makes.
fn of_rows(spec: &LossSpec) -> Option<Rows> {
    match spec.driver {
        Driver::Linear(linear) => linear.rows.rows(),
        _ => spec.rows(),
    }
}

/// Whether the loss is a sum of means.
fn has_terms(spec: &LossSpec) -> bool {
    spec.regions().is_some_and(|regions| regions.terms.is_some())
}

/// The shape of an input where the first one has this shape.
fn shape_of(loss: &dyn Loss, shape: &[usize], input: &Input, reduction: Reduction) -> Vec<usize> {
    match input.shape {
        Shape::OneOrItems if reduction != Reduction::None => vec![1],
        _ => Signature::of_shape(&values_of(loss), shape).unwrap().shape_of(input),
    }
}

/// A value of the input's domain. Those of differentiable inputs lie off the grid of 1/32 that all others, and so the
/// kinks, lie on, each by another distance: no two of a row, or of two inputs, differ by a multiple of the grid.
fn draw(rng: &mut Rng, loss: &dyn Loss, input: &Input, index: usize) -> f64 {
    let values = values_of(loss);
    let place = loss.spec().inputs.iter().take_while(|other| other.name != input.name).count();
    let off_grid = if input.differentiable { ((index + 1) * 6 + place * 3) as f64 / 4096.0 } else { 0.0 };
    let mut on_grid = |low: i32, high: i32| f64::from(rng.i32(low..=high)) / 32.0 + off_grid;
    if input.shape == Shape::Boxes {
        return boxes::corner(input, index, on_grid(16, 96));
    }
    match input.domain.resolve(&values) {
        Domain::Real => on_grid(-128, 127),
        Domain::LogRate | Domain::LogScale | Domain::LogVariance => on_grid(-64, 63),
        Domain::NonNegative | Domain::Weight | Domain::ClassWeight | Domain::Divisor => on_grid(8, 128),
        Domain::SignedWeight => on_grid(-32, 128),
        Domain::Count => f64::from(rng.i32(0..6)),
        Domain::Probability if input.differentiable => on_grid(3, 26),
        Domain::Probability => rng.choice([0.0, 1.0, 0.25, 0.625]).unwrap_or_default(),
        // Less than 1 together, of the first classes in another order in each row.
        Domain::LogProbability if input.shape == Shape::ItemRows => on_grid(-128, -48),
        Domain::DistinctClasses => ((index / 3 + index % 3 * 2) % CLASSES) as f64,
        Domain::LogProbability => on_grid(-128, -4),
        Domain::Sign => rng.choice([-1.0, 1.0]).unwrap_or_default(),
        Domain::Similar => rng.choice([0.0, 1.0]).unwrap_or_default(),
        // What a mask leaves out is a matter of its own.
        Domain::Mask => 1.0,
        Domain::Label => f64::from(rng.i32(0..2)),
        Domain::Class => match (ignore_index(loss), rng.u8(0..4)) {
            // Of every answer some token counts.
            (Some(ignored), 0) if input.shape != Shape::Tokens || !index.is_multiple_of(3) => f64::from(ignored),
            (ignored, _) => {
                let class = rng.i32(0..CLASSES as i32);
                let leaves_out = input.shape == Shape::Tokens && index.is_multiple_of(3) && ignored == Some(class);
                f64::from(if leaves_out { (class + 1) % CLASSES as i32 } else { class })
            }
        },
        // Of three sequences, one of them without tokens, or of three pairs.
        Domain::Offsets if input.shape == Shape::Offsets(1) => [0.0, 6.0, 6.0, 20.0][index],
        Domain::Offsets => [0.0, 6.0, 7.0, 12.0, 14.0, 17.0, 20.0][index],
        Domain::TargetBox | Domain::Where(..) | Domain::WhereIs(..) | Domain::Activated => {
            unreachable!("drawn apart, or resolved")
        }
    }
}

fn ignore_index(loss: &dyn Loss) -> Option<i32> {
    values_of(loss).iter().find_map(|(param, value)| match value {
        Value::Integer(ignored) if param.name == "ignore_index" => Some(ignored),
        _ => None,
    })
}

/// Inputs for the loss, laid out so; the optional ones too if asked.
fn inputs_for(
    loss: &dyn Loss,
    layout: impl Into<Layout>,
    reduction: Reduction,
    optional: bool,
    seed: u64,
) -> Named<HostTensor<'static>> {
    let mut rng = Rng::with_seed(seed);
    let Layout { shape, indices } = layout.into();
    loss.spec()
        .all_inputs()
        .filter(|input| !input.optional || optional && input.goes_with(reduction))
        .map(|input| {
            let input = input.as_indices.filter(|_| indices).unwrap_or(input);
            let shape = shape_of(loss, shape, input, reduction);
            let elements = shape.iter().product();
            let values: Vec<f64> = (0..elements).map(|index| draw(&mut rng, loss, input, index)).collect();
            let tensor = match input.kind {
                Kind::Float | Kind::Label | Kind::Mask => tensor(&values, &shape),
                Kind::Index => classes(&values.iter().map(|&x| x as i32).collect::<Vec<_>>(), &shape),
            };
            (input.name.to_string(), tensor)
        })
        .collect()
}

/// The inputs with one value of one of them moved by `step`.
fn moved(inputs: &Named<HostTensor<'static>>, name: &str, index: usize, step: f64) -> Named<HostTensor<'static>> {
    let moved = inputs.iter().map(|(known, given)| {
        if known != name {
            return (known.to_string(), given.clone());
        }
        let mut values = given.to_f64();
        values[index] += step;
        (known.to_string(), tensor(&values, given.shape()))
    });
    moved.collect()
}

#[track_caller]
fn evaluate(loss: &dyn Loss, inputs: &Named<HostTensor<'_>>, options: impl Into<Options>) -> Evaluation {
    reference::evaluate(loss, inputs, &options.into()).unwrap_or_else(|error| panic!("{}: {error}", described(loss)))
}

/// What the gradients are those of: the loss, or the sum of the items' losses, times upstream and the options' factors.
fn objective(loss: &dyn Loss, inputs: &Named<HostTensor<'static>>, options: Options) -> f64 {
    let upstream = inputs.get("upstream").map_or(vec![1.0], HostTensor::to_f64);
    let weight = match options.gradients {
        Gradients::Add { weight } => weight,
        _ => 1.0,
    };
    let losses = evaluate(loss, inputs, Options { gradients: Gradients::Skip, ..options }).loss;
    let total: f64 = losses.iter().zip(upstream.iter().cycle()).map(|(loss, upstream)| loss * upstream).sum();
    total * f64::from(options.upstream) * f64::from(weight)
}

#[track_caller]
fn assert_close(found: f64, expected: f64, tolerance: f64, what: &str) {
    let same = found == expected || found.is_nan() && expected.is_nan();
    assert!(same || (found - expected).abs() <= tolerance, "{what}: found {found:e}, expected {expected:e}");
}

#[track_caller]
fn assert_all_close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        assert_close(found, expected, tolerance, &format!("{what}[{index}]"));
    }
}

/// Checks every gradient with finite differences, at one of so many elements.
#[track_caller]
fn assert_slopes(loss: &dyn Loss, inputs: &Named<HostTensor<'static>>, options: Options, one_of: usize) {
    // A power of two, so that every point of the stencil is exact in f32; its error is h⁴/30 times the fifth
    // derivative.
    const H: f64 = 1.0 / 4096.0;
    for (name, gradient) in evaluate(loss, inputs, options).gradients {
        for (index, found) in gradient.into_iter().enumerate().step_by(one_of) {
            let at = |steps: f64| objective(loss, &moved(inputs, name, index, steps * H), options);
            let slope = (at(-2.0) - 8.0 * at(-1.0) + 8.0 * at(1.0) - at(2.0)) / (12.0 * H);
            let shape = inputs.get(name).map(HostTensor::shape);
            let what = format!("{} {options:?}: gradient of {name}[{index}] of {shape:?}", described(loss));
            assert_close(found, slope, 1e-8 * (1.0 + slope.abs()), &what);
        }
    }
}

#[test]
fn every_parameter_has_settings() {
    for spec in losses::ALL {
        for (index, param) in spec.params.iter().enumerate() {
            let differs = |loss: AnyLoss| loss.spec().name == spec.name && loss.values()[index] != param.default;
            assert!(every_setting().any(differs), "{}: {} is always its default", spec.name, param.name);
        }
    }
}

/// Holds the gradients of a setting of a loss to difference quotients, in every layout and reduction: all elements
/// in the first reduction, some in the others.
fn assert_slopes_of(loss: &AnyLoss) {
    let spec = loss.spec();
    // Whatever other losses there are.
    let seed = described(loss).bytes().map(u64::from).sum();
    let calls = layouts(spec).into_iter().flat_map(|layout| spec.reductions().enumerate().map(move |r| (layout, r)));
    for (layout, (place, reduction)) in calls {
        // Reductions differ by the factors of items alone, of which any element tells.
        let one_of = if place == 0 { 1 } else { 7 };
        for optional in [false, true].into_iter().filter(|&optional| !holds_a_factor(spec, optional)) {
            let options = match optional {
                false => Options::new(reduction),
                true => {
                    let divisor = (reduction == Reduction::Sum).then_some(0.75);
                    let gradients = Gradients::Add { weight: -0.5 };
                    Options { upstream: 1.5, divisor, gradients, ..Options::new(reduction) }
                }
            };
            assert_slopes(loss, &inputs_for(loss, layout, reduction, optional, seed), options, one_of);
        }
    }
}

#[test]
fn gradients_are_the_slopes_of_the_loss() {
    let settings: Vec<AnyLoss> = every_setting().collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let own = settings.iter().skip(thread).step_by(threads);
            scope.spawn(|| own.for_each(assert_slopes_of));
        }
    });
}

/// A loss by name, with settings.
fn loss(name: &str, settings: &[(&str, &str)]) -> AnyLoss {
    AnyLoss::new(name, settings).unwrap()
}

/// The per-item result of a loss that needs two floating inputs.
fn pair(loss: &AnyLoss, first: &[f64], target: &[f64]) -> Evaluation {
    let names = [loss.spec().inputs[0].name, loss.spec().inputs[1].name];
    let inputs =
        Named::new().with(names[0], tensor(first, &[first.len()])).with(names[1], tensor(target, &[target.len()]));
    evaluate(loss, &inputs, Reduction::None)
}

fn rows(logits: &[f64], targets: &[i32]) -> Named<HostTensor<'static>> {
    let shape = [targets.len(), logits.len() / targets.len()];
    Named::new().with("logits", tensor(logits, &shape)).with("target", classes(targets, &[targets.len()]))
}

#[test]
fn worked_values() {
    let mean = |name, last| {
        let inputs = Named::new()
            .with("prediction", tensor(&[2.5, 0.0, 2.1, last], &[4]))
            .with("target", tensor(&[3.0, -0.5, 2.0, 8.0], &[4]));
        evaluate(&loss(name, &[]), &inputs, Reduction::Mean).loss[0]
    };
    // The inputs are those of the textbook rounded to f32.
    assert_close(mean("mse", 7.8), 0.1375, 1e-7, "mse");
    assert_close(mean("mae", 7.8), 0.325, 1e-7, "mae");
    assert_close(mean("huber", 10.0), 0.43875, 1e-7, "huber");

    let uniform = evaluate(&loss("cross_entropy", &[]), &rows(&[0.5; 8], &[3, 0]), Reduction::Mean);
    assert_close(uniform.loss[0], 4_f64.ln(), 1e-15, "cross_entropy of equal logits");
}

#[test]
fn huge_inputs_stay_finite_and_exact() {
    let log_cosh = pair(&loss("log_cosh", &[]), &[1e30, -1e30, 3e38], &[0.0; 3]);
    assert_eq!(log_cosh.loss, [1e30, 1e30, 3e38].map(|x: f64| f64::from(x as f32)));
    assert_eq!(log_cosh.gradients, [("prediction", vec![1.0, -1.0, 1.0])]);

    // The confidently right item has no loss left, the confidently wrong one is linear.
    for x in [100.0, 1e4, 3e38] {
        let x = f64::from(x as f32);
        let (logits, targets) = ([x, -x, x, -x], [1.0, 0.0, 0.0, 1.0]);
        for (settings, weights) in [
            (&[("gamma", "0"), ("alpha", "-1")] as Settings, [1.0, 1.0]),
            (&[("gamma", "0.5"), ("alpha", "0.25")], [0.25, 0.75]),
            (&[("gamma", "2"), ("alpha", "0.25")], [0.25, 0.75]),
        ] {
            let focal = pair(&loss("sigmoid_focal", settings), &logits, &targets);
            let expected = [0.0, 0.0, weights[1] * x, weights[0] * x];
            let slopes = [0.0, 0.0, weights[1], -weights[0]];
            for item in 0..4 {
                assert_close(focal.loss[item], expected[item], 1e-15 * x, "sigmoid_focal");
                assert_close(focal.gradients[0].1[item], slopes[item], 1e-15, "gradient of sigmoid_focal");
            }
        }
        let bce = pair(&loss("bce_with_logits", &[]), &logits, &targets);
        let signed = pair(&loss("soft_margin", &[]), &logits, &targets.map(|t| 2.0 * t - 1.0));
        for found in [bce, signed] {
            for item in 0..4 {
                assert_close(found.loss[item], [0.0, 0.0, x, x][item], 1e-15 * x, "logistic loss");
                assert_close(found.gradients[0].1[item], [0.0, 0.0, 1.0, -1.0][item], 1e-15, "its gradient");
            }
        }
    }
    for soft in [1e-30, 0.5, 1.0 - 1e-7] {
        for gamma in [&[("gamma", "0")] as Settings, &[("gamma", "0.3")], &[("gamma", "2")]] {
            let focal = pair(&loss("sigmoid_focal", gamma), &[3e38, -3e38, 1e4, -1e4], &[soft; 4]);
            assert!(focal.loss.iter().chain(&focal.gradients[0].1).all(|x| x.is_finite()), "{focal:?}");
        }
    }
}

#[test]
fn small_values_keep_their_relative_accuracy() {
    let log_cosh = pair(&loss("log_cosh", &[]), &[1e-6], &[0.0]);
    let e = f64::from(1e-6_f32);
    assert_close(log_cosh.loss[0] / (0.5 * e * e), 1.0, 1e-11, "log_cosh near 0");

    let sure = (-30_f64).exp();
    for (x, target) in [(30.0, 1.0), (-30.0, 0.0)] {
        let bce = pair(&loss("bce_with_logits", &[]), &[x], &[target]);
        assert_close(bce.loss[0] / sure, 1.0, 1e-12, "bce_with_logits of a sure item");
        assert_close(bce.gradients[0].1[0].abs() / sure, 1.0, 1e-12, "its gradient");
    }
    let sure_row = evaluate(&loss("cross_entropy", &[]), &rows(&[0.0, 30.0], &[1]), Reduction::Sum);
    assert_close(sure_row.loss[0] / sure, 1.0, 1e-12, "cross_entropy of a sure row");
    assert_close(sure_row.gradients[0].1[1] / -sure, 1.0, 1e-12, "gradient of its class");
}

#[test]
fn gradients_at_kinks_follow_the_catalogue() {
    let gradient =
        |name, settings, first: f64, target: f64| pair(&loss(name, settings), &[first], &[target]).gradients[0].1[0];
    assert_eq!(gradient("mae", &[], 2.0, 2.0), 0.0);
    assert_eq!(gradient("smooth_l1", &[("beta", "0")], 2.0, 2.0), 0.0);
    assert_eq!(gradient("quantile", &[("quantile", "0.25")], 2.0, 2.0), 0.0);
    assert_eq!(gradient("quantile", &[("quantile", "0.25")], 3.0, 2.0), 0.75);
    assert_eq!(gradient("asymmetric_mse", &[], 2.0, 2.0), 0.0);
    assert_eq!(gradient("huber", &[("delta", "0.5")], 2.5, 2.0), 0.5);
    assert_eq!(gradient("hinge", &[], 1.0, 1.0), 0.0);
    assert_eq!(gradient("hinge", &[], -1.0, -1.0), 0.0);
    assert_eq!(gradient("hinge", &[], 0.5, 1.0), -1.0);
    assert_eq!(gradient("bce", &[], 0.0, 1.0), -1e12);
    assert_eq!(gradient("bce", &[], 1.0, 0.0), 1e12);
    assert_eq!(gradient("bce", &[], 1.0, 1.0), 0.0);
    assert_eq!(gradient("kl_div", &[], -1.0, 0.0), 0.0);
    assert_eq!(pair(&loss("bce", &[]), &[0.0, 1.0], &[1.0, 0.0]).loss, [100.0, 100.0]);
    assert_eq!(pair(&loss("kl_div", &[]), &[-1.0], &[0.0]).loss, [0.0]);
}

#[test]
fn the_gradient_of_the_variance_passes_through_the_clamp() {
    let inputs = Named::new()
        .with("prediction", tensor(&[1.5], &[1]))
        .with("target", tensor(&[1.0], &[1]))
        .with("variance", tensor(&[0.0], &[1]));
    let result = evaluate(&loss("gaussian_nll", &[("eps", "0.25")]), &inputs, Reduction::Sum);
    assert_close(result.loss[0], 0.5 * (0.25_f64.ln() + 1.0), 1e-15, "loss at the clamp");
    assert_eq!(result.gradients, [("prediction", vec![2.0]), ("variance", vec![0.0])]);
}

#[test]
fn smooth_l1_without_beta_is_mae_and_with_it_a_scaled_huber() {
    let (prediction, target) = ([0.5, -2.0, 7.25, 1.0], [0.25, 2.0, 7.25, -1.0]);
    let [mae, without] = [("mae", &[] as Settings), ("smooth_l1", &[("beta", "0")])]
        .map(|(name, settings)| pair(&loss(name, settings), &prediction, &target));
    assert_eq!(mae, without);
    let huber = pair(&loss("huber", &[("delta", "0.5")]), &prediction, &target);
    let smooth = pair(&loss("smooth_l1", &[("beta", "0.5")]), &prediction, &target);
    assert_eq!(smooth.loss, huber.loss.iter().map(|x| x / 0.5).collect::<Vec<_>>());
}

#[test]
fn nan_is_never_hidden_and_an_infinity_has_the_limit_of_the_formula() {
    for loss in every_setting().filter(|loss| matches!(loss.spec().driver, Driver::Elementwise)) {
        let clean = inputs_for(&loss, MATRIX, Reduction::None, true, 7);
        let expected = evaluate(&loss, &clean, Reduction::None);
        for input in loss.spec().inputs.iter().filter(|input| input.shape == Shape::Items) {
            for poison in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                let at = |x: f64| {
                    let mut values = clean.get(input.name).unwrap().to_f64();
                    values[3] = x;
                    let changed = |(name, given): (&str, &HostTensor<'static>)| {
                        let given = if name == input.name { tensor(&values, given.shape()) } else { given.clone() };
                        (name.to_string(), given)
                    };
                    reference::evaluate(&loss, &clean.iter().map(changed).collect(), &Reduction::None.into())
                };
                let result = match at(poison) {
                    Ok(result) => result,
                    Err(Error::Target { count: 1, first: 3, .. })
                        if poison.is_infinite() || input.domain == Domain::LogVariance =>
                    {
                        continue;
                    }
                    Err(error) => panic!("{}: {error}", described(&loss)),
                };
                let [far, farther] = [1e15, 1e30].map(|x| at(if poison < 0.0 { -x } else { x }));
                let outputs = |result: &Evaluation| {
                    let gradients = result.gradients.iter().map(|(_, gradient)| gradient.clone());
                    std::iter::once(result.loss.clone()).chain(gradients).collect::<Vec<_>>()
                };
                for (output, (found, expected)) in outputs(&result).iter().zip(&outputs(&expected)).enumerate() {
                    let what = format!("{}: {} = {poison}, output {output}", described(&loss), input.name);
                    for (item, (found, expected)) in
                        found.iter().zip(expected).enumerate().filter(|(item, _)| *item != 3)
                    {
                        assert_eq!(found, expected, "{what}, item {item}");
                    }
                    let found = found[3];
                    if poison.is_nan() {
                        assert!(found.is_nan(), "{what}: {found}");
                    } else if input.name == "weight" {
                        assert!(!found.is_finite() || found == 0.0 && expected[3] == 0.0, "{what}: {found}");
                    } else {
                        let [far, farther] =
                            [&far, &farther].map(|result| outputs(result.as_ref().unwrap())[output][3]);
                        let grows = found == farther.signum() * f64::INFINITY && farther.abs() > far.abs();
                        let is_near = found.is_finite() && (farther - found).abs() <= 1e-6 * (1.0 + found.abs());
                        let is_limit = grows || is_near || farther == found;
                        assert!(is_limit, "{what}: {found}, but {far} and {farther} on the way");
                    }
                }
            }
        }
    }
}

#[test]
fn an_infinite_error_has_an_infinite_loss() {
    let mse = pair(&loss("mse", &[]), &[f64::INFINITY, 1.0], &[0.0, 0.0]);
    assert_eq!(mse.loss, [f64::INFINITY, 1.0]);
    assert_eq!(mse.gradients[0].1, [f64::INFINITY, 2.0]);
    // The slope of a straight line is the same everywhere.
    let mae = pair(&loss("mae", &[]), &[f64::INFINITY], &[0.0]);
    assert_eq!((&mae.loss[..], &mae.gradients[0].1[..]), (&[f64::INFINITY][..], &[1.0][..]));
    // Of two infinities nothing is known.
    let mae = pair(&loss("mae", &[]), &[f64::INFINITY], &[f64::INFINITY]);
    assert!(mae.loss[0].is_nan() && mae.gradients[0].1[0].is_nan());
}

#[test]
fn ignored_rows_contribute_nothing() {
    let logits = [1.0, 2.0, f64::NAN, 0.0, 3.0, -1.0];
    let weighted = |weights: &[f64]| rows(&logits, &[1, -100, 0]).with("weight", tensor(weights, &[3]));
    let without = rows(&[1.0, 2.0, 3.0, -1.0], &[1, 0]).with("weight", tensor(&[2.0, 0.5], &[2]));
    let loss = loss("cross_entropy", &[]);
    for reduction in [Reduction::Sum, Reduction::Mean, Reduction::WeightedMean] {
        let result = evaluate(&loss, &weighted(&[2.0, f64::NAN, 0.5]), reduction);
        let expected = evaluate(&loss, &without, reduction);
        assert_eq!((result.items, &result.loss, result.magnitude), (2, &expected.loss, expected.magnitude));
        let (gradient, expected) = (&result.gradients[0].1, &expected.gradients[0].1);
        assert_eq!((&gradient[..2], &gradient[2..4], &gradient[4..]), (&expected[..2], &[0.0; 2][..], &expected[2..]));
    }
    let per_item = evaluate(&loss, &weighted(&[1.0; 3]), Reduction::None);
    assert_eq!((per_item.loss[1], per_item.shape), (0.0, vec![3]));
    // The first axis counts every row.
    let batch_mean = evaluate(&loss, &weighted(&[1.0; 3]), Reduction::BatchMean).loss[0];
    assert_close(batch_mean, per_item.loss.iter().sum::<f64>() / 3.0, 1e-15, "batch_mean");
}

#[test]
fn nothing_to_divide_by_gives_zero() {
    let ignored = rows(&[1.0, 2.0, 3.0, f64::NAN], &[-100, -100]);
    let cross_entropy = loss("cross_entropy", &[]);
    for reduction in Reduction::ALL {
        let result = evaluate(&cross_entropy, &ignored, reduction);
        assert!(result.loss.iter().chain(&result.gradients[0].1).all(|&x| x == 0.0), "{reduction}: {result:?}");
        assert_eq!(result.items, 0);
    }
    let unweighted = Named::new()
        .with("prediction", tensor(&[1.0, 2.0], &[2]))
        .with("target", tensor(&[0.0, 0.0], &[2]))
        .with("weight", tensor(&[0.0, 0.0], &[2]));
    let result = evaluate(&loss("mse", &[]), &unweighted, Reduction::WeightedMean);
    assert_eq!((result.loss, result.gradients, result.items), (vec![0.0], vec![("prediction", vec![0.0, 0.0])], 2));

    let poisoned = evaluate(&loss("mse", &[]), &moved(&unweighted, "prediction", 1, f64::NAN), Reduction::WeightedMean);
    assert!(poisoned.loss[0].is_nan() && poisoned.gradients[0].1[1].is_nan());
    assert_eq!(poisoned.gradients[0].1[0], 0.0);
}

#[test]
fn empty_inputs_have_no_loss() {
    for loss in every_setting().filter(|loss| !loss.spec().inputs[0].needs_values) {
        let spec = loss.spec();
        for reduction in spec.reductions() {
            for optional in [false, true] {
                let empty = empty(spec);
                let result = evaluate(&loss, &inputs_for(&loss, empty, reduction, optional, 0), reduction);
                // Regions may have scores nevertheless: of everything, or of a class.
                let items = if spec.regions().is_some() { regions::scores(&loss, empty).iter().product() } else { 0 };
                assert_eq!(result.loss, vec![0.0; if reduction == Reduction::None { items } else { 1 }]);
                assert_eq!((result.items, result.magnitude), (items as u64, 0.0));
                let given = spec.differentiable().filter(|input| optional || !input.optional);
                assert_eq!(result.gradients.len(), given.count());
                // A scale has a gradient also where it scales nothing.
                assert!(result.gradients.iter().all(|(_, gradient)| gradient.iter().all(|&x| x == 0.0)));
            }
        }
    }
}

#[test]
fn values_out_of_range_are_counted() {
    let refused = |name: &'static str, inputs: &Named<HostTensor<'_>>, count, first| {
        let found = reference::evaluate(&loss(name, &[]), inputs, &Reduction::Mean.into());
        assert_eq!(out_of_range(&found.unwrap_err()), (name, count, first));
    };
    let two = |name: &str, first: &[f64], target: &[f64]| {
        Named::new().with(name, tensor(first, &[first.len()])).with("target", tensor(target, &[target.len()]))
    };
    refused("cross_entropy", &rows(&[0.0; 10], &[1, 2, -1, 0, -100]), 2, 1);
    refused("hinge", &two("logits", &[0.0; 4], &[1.0, -1.0, 0.0, 2.0]), 2, 2);
    refused("bce_with_logits", &two("logits", &[0.0; 3], &[1.5, f64::NAN, -0.5]), 2, 0);
    // An item is counted once, whichever of its values are out of range.
    refused("bce", &two("prediction", &[0.5, -0.1, 0.5, f64::INFINITY], &[1.0, 2.0, 0.0, 1.0]), 2, 1);
    refused("kl_div", &two("prediction", &[-1.0; 2], &[0.5, 1.5]), 1, 1);

    let log_target = loss("kl_div", &[("log_target", "true")]);
    assert!(reference::evaluate(&log_target, &two("prediction", &[-1.0], &[-2.0]), &Reduction::Sum.into()).is_ok());
    let class_2_ignored = loss("cross_entropy", &[("ignore_index", "2")]);
    assert_eq!(evaluate(&class_2_ignored, &rows(&[0.0; 4], &[1, 2]), Reduction::Mean).items, 1);
}

#[test]
fn half_types_are_widened_exactly() {
    let (prediction, target) = ([0.5, -1.25, 3.0], [1.0, 0.5, -2.0]);
    let expected = pair(&loss("mse", &[]), &prediction, &target);
    for dtype in [DType::F16, DType::BF16] {
        let inputs = Named::new()
            .with("prediction", HostTensor::rounded(&prediction, dtype, [3]).unwrap())
            .with("target", HostTensor::rounded(&target, dtype, [3]).unwrap());
        assert_eq!(evaluate(&loss("mse", &[]), &inputs, Reduction::None), expected);
    }
}

#[test]
fn a_pos_weight_per_class_multiplies_the_parameter() {
    let logits = tensor(&[0.5, -1.0, 2.0, 0.25], &[2, 2]);
    let inputs = Named::new().with("logits", logits).with("target", tensor(&[1.0, 1.0, 0.5, 0.0], &[2, 2]));
    let both = inputs.clone().with("pos_weight", tensor(&[2.0, 4.0], &[2]));
    let found = evaluate(&loss("bce_with_logits", &[("pos_weight", "0.5")]), &both, Reduction::None).loss;
    let [one, two] = [&[("pos_weight", "1")] as Settings, &[("pos_weight", "2")]]
        .map(|settings| evaluate(&loss("bce_with_logits", settings), &inputs, Reduction::None).loss);
    assert_eq!(found, [one[0], two[1], one[2], two[3]]);
}

#[test]
fn skipped_gradients_are_absent_and_those_in_place_are_the_same() {
    for loss in every_setting() {
        let reduction = loss.spec().reductions().next().unwrap();
        let inputs = inputs_for(&loss, shapes(loss.spec())[0], reduction, true, 3);
        let with = |gradients| evaluate(&loss, &inputs, Options { gradients, ..Options::new(reduction) });
        let (skipped, full) = (with(Gradients::Skip), with(Gradients::Write));
        assert!(skipped.gradients.is_empty());
        assert_eq!(full, with(Gradients::InPlace));
        assert_eq!(skipped, Evaluation { gradients: Vec::new(), gradient_magnitudes: Vec::new(), ..full });
    }
}

proptest! {
    #[test]
    fn reductions_agree(seed: u64, case in 0..every_setting().count(), optional: bool, layout in 0..4_usize) {
        let loss = every_setting().nth(case).unwrap();
        let Some(&layout) = layouts(loss.spec()).get(layout) else { return Ok(()) };
        if loss.spec().reductions().count() < Reduction::ALL.len() {
            return Ok(());
        }
        // One upstream value fits every reduction, and a divisor is no matter of a mean.
        let inputs = inputs_for(&loss, layout, Reduction::Mean, optional, seed);
        let [none, sum, mean, weighted_mean, batch_mean] =
            Reduction::ALL.map(|reduction| evaluate(&loss, &inputs, reduction));

        // Targets of tokens are not those of their sequences, which are the items and what a batch has.
        let is_of_tokens = matches!(loss.spec().driver, Driver::Sequences(_));
        let mut divisors = [0.0, 0.0];
        for item in 0..none.loss.len() {
            let value = |name: &str, index: usize| inputs.get(name).map_or(1.0, |tensor| tensor.to_f64()[index]);
            if loss.spec().regions().is_some() {
                let class = regions::class_of_score(&loss, layout.shape, item);
                divisors[0] += 1.0;
                divisors[1] += class.map_or(1.0, |class| value("class_weight", class));
                continue;
            }
            if loss.spec().all_pairs().is_some() && !all_pairs::counts(&loss, &inputs, item) {
                continue;
            }
            let Some(place) = linear::place_of_target(&loss, layout.shape, item) else { continue };
            let target = inputs.get(linear::target(loss.spec())).filter(|_| !is_of_tokens);
            let class = target.map(|target| target.to_f64()[place]);
            if class.is_none() || class != ignore_index(&loss).map(f64::from) {
                let by_class = of_rows(loss.spec()).is_some_and(|rows| rows.mean_over == MeanOver::ClassWeights);
                let mass = if by_class { value("class_weight", class.unwrap() as usize) } else { 1.0 };
                divisors[0] += mass;
                divisors[1] += mass * value(loss.spec().item_weight(), item);
            }
        }
        prop_assert_eq!(none.loss.iter().sum::<f64>(), sum.loss[0]);
        prop_assert_eq!(none.magnitude, sum.magnitude, "{}", described(&loss));
        // That of an item may be that of the terms it is a difference of.
        prop_assert!(none.loss.iter().map(|x| x.abs()).sum::<f64>() <= sum.magnitude);
        prop_assert_eq!(&none.gradients, &sum.gradients);
        // In a gradient of a whole batch what many pairs add may nearly cancel.
        let rounding = if loss.spec().all_pairs().is_some() { 1e-12 } else { 1e-14 };
        let first_axis = if is_of_tokens { none.loss.len() } else { layout.shape[0] } as f64;
        for (reduced, divisor) in [(mean, divisors[0]), (weighted_mean, divisors[1]), (batch_mean, first_axis)] {
            prop_assert_eq!(reduced.items, sum.items);
            // Every output, with what its rounding error is relative to.
            let outputs = |result: &Evaluation| -> Vec<(f64, f64)> {
                let gradients = result.gradients.iter().zip(&result.gradient_magnitudes);
                let gradients = gradients.flat_map(|((_, x), sizes)| x.iter().copied().zip(sizes.iter().copied()));
                [(result.loss[0], result.loss[0].abs())].into_iter().chain(gradients).collect()
            };
            if divisor <= 0.0 {
                prop_assert!(outputs(&reduced).iter().all(|(part, _)| *part == 0.0), "{}", described(&loss));
                continue;
            }
            // Of weights that nearly cancel, the mean is the less exact.
            let exceeds = reduced.magnitude * divisor - sum.magnitude;
            let is_exact = reduced.weight_sum.is_none_or(|sum| sum == reduced.weight_magnitude);
            prop_assert!(exceeds >= -rounding * sum.magnitude, "{}", described(&loss));
            prop_assert!(!is_exact || exceeds <= rounding * sum.magnitude, "{}", described(&loss));
            for ((part, _), (whole, size)) in outputs(&reduced).into_iter().zip(outputs(&sum)) {
                let agree = (part * divisor - whole).abs() <= rounding * size;
                prop_assert!(agree, "{}: {part} · {divisor} is not {whole}", described(&loss));
            }
        }
    }
}
