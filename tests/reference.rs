//! The CPU reference against what can be known without it: finite differences, worked values, limits and identities.

use fastrand::Rng;
use proptest::prelude::*;
use wgloss::{
    AnyLoss, Error, Gradients, HostTensor, Loss, Named, Options, Reduction, losses,
    reference::{self, Evaluation},
    spec::{Domain, Driver, Input, Kind, LossSpec, Shape, Value, Values},
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
    ("cross_entropy", &[&[("ignore_index", "2")]]),
];

/// Every loss with its defaults and with each of its other settings.
fn every_setting() -> impl Iterator<Item = AnyLoss> {
    losses::ALL.iter().flat_map(|spec| {
        let others = SETTINGS.iter().filter(|(name, _)| *name == spec.name).flat_map(|(_, settings)| settings.iter());
        std::iter::once(&[] as Settings)
            .chain(others.copied())
            .map(|settings| AnyLoss::new(spec.name, settings).expect("a known loss with allowed settings"))
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

/// A tensor of values that f32 holds exactly.
fn tensor(values: &[f64], shape: &[usize]) -> HostTensor<'static> {
    HostTensor::rounded(values, wgloss::DType::F32, shape).unwrap()
}

fn classes(values: &[i32]) -> HostTensor<'static> {
    let bytes: Vec<u8> = values.iter().flat_map(|class| class.to_le_bytes()).collect();
    HostTensor::from_bytes(wgloss::DType::I32, [values.len()], bytes).unwrap()
}

/// The length of the shape's parts, and of the first input's last axis.
const ITEMS: [usize; 2] = [4, 5];

fn shape_of(spec: &LossSpec, input: &Input, reduction: Reduction) -> Vec<usize> {
    let items = match spec.driver {
        Driver::Elementwise => ITEMS.to_vec(),
        Driver::Rows => vec![ITEMS[0]],
    };
    match input.shape {
        Shape::Items => items,
        Shape::Rows => ITEMS.to_vec(),
        Shape::LastAxis => vec![ITEMS[1]],
        Shape::OneOrItems if reduction == Reduction::None => items,
        Shape::OneOrItems => vec![1],
    }
}

/// A value of the domain. Those of differentiable inputs lie off the grid of 1/32 that all others, and so the kinks, lie on.
fn draw(rng: &mut Rng, loss: &dyn Loss, input: &Input) -> f64 {
    let values = values_of(loss);
    let off_grid = if input.differentiable { 1.0 / 128.0 } else { 0.0 };
    let mut on_grid = |low: i32, high: i32| f64::from(rng.i32(low..=high)) / 32.0 + off_grid;
    match input.domain.resolve(&values) {
        Domain::Real => on_grid(-128, 127),
        Domain::LogRate => on_grid(-64, 63),
        Domain::Positive | Domain::Weight => on_grid(8, 128),
        Domain::Count => f64::from(rng.i32(0..6)),
        Domain::Probability if input.differentiable => on_grid(3, 28),
        Domain::Probability => rng.choice([0.0, 1.0, 0.25, 0.625]).unwrap_or_default(),
        Domain::LogProbability => on_grid(-128, -1),
        Domain::Sign => rng.choice([-1.0, 1.0]).unwrap_or_default(),
        Domain::Class => {
            let ignored = values.iter().find(|(param, _)| param.name == "ignore_index").map(|(_, value)| value);
            match (ignored, rng.u8(0..4)) {
                (Some(Value::Integer(ignored)), 0) => f64::from(ignored),
                _ => f64::from(rng.i32(0..ITEMS[1] as i32)),
            }
        }
        Domain::Where(..) => unreachable!("resolved"),
    }
}

/// Inputs for the loss; the optional ones too if asked.
fn inputs_for(loss: &dyn Loss, reduction: Reduction, optional: bool, seed: u64) -> Named<HostTensor<'static>> {
    let mut rng = Rng::with_seed(seed);
    let spec = loss.spec();
    spec.all_inputs()
        .filter(|input| optional || !input.optional)
        .map(|input| {
            let shape = shape_of(spec, input, reduction);
            let values: Vec<f64> = (0..shape.iter().product()).map(|_| draw(&mut rng, loss, input)).collect();
            let tensor = match input.kind {
                Kind::Float => tensor(&values, &shape),
                Kind::Index => classes(&values.iter().map(|&x| x as i32).collect::<Vec<_>>()),
            };
            (input.name.to_string(), tensor)
        })
        .collect()
}

/// The inputs with one value of one of them moved by `step`.
fn moved(inputs: &Named<HostTensor<'static>>, name: &str, index: usize, step: f64) -> Named<HostTensor<'static>> {
    let moved = inputs.iter().map(|(known, given)| {
        let mut values = given.to_f64();
        if known != name {
            return (known.to_string(), given.clone());
        }
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
    let losses = evaluate(loss, inputs, options).loss;
    let total: f64 = losses.iter().zip(upstream.iter().cycle()).map(|(loss, upstream)| loss * upstream).sum();
    total * f64::from(options.upstream) * f64::from(weight)
}

#[track_caller]
fn assert_close(found: f64, expected: f64, tolerance: f64, what: &str) {
    let same = found == expected || found.is_nan() && expected.is_nan();
    assert!(same || (found - expected).abs() <= tolerance, "{what}: found {found:e}, expected {expected:e}");
}

#[test]
fn gradients_are_the_slopes_of_the_loss() {
    // A power of two, so that every point of the stencil is exact in f32; its error is h⁴/30 times the fifth derivative.
    const H: f64 = 1.0 / 4096.0;
    for (case, loss) in every_setting().enumerate() {
        for reduction in Reduction::ALL {
            for optional in [false, true] {
                let options = match optional {
                    false => Options::new(reduction),
                    true => {
                        Options { upstream: 1.5, gradients: Gradients::Add { weight: -0.5 }, ..Options::new(reduction) }
                    }
                };
                let inputs = inputs_for(&loss, reduction, optional, case as u64);
                for (name, gradient) in evaluate(&loss, &inputs, options).gradients {
                    for (index, found) in gradient.into_iter().enumerate() {
                        let at = |steps: f64| objective(&loss, &moved(&inputs, name, index, steps * H), options);
                        let slope = (at(-2.0) - 8.0 * at(-1.0) + 8.0 * at(1.0) - at(2.0)) / (12.0 * H);
                        let what = format!("{} {reduction}: gradient of {name}[{index}]", described(&loss));
                        assert_close(found, slope, 1e-8 * (1.0 + slope.abs()), &what);
                    }
                }
            }
        }
    }
}
