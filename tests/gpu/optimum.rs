//! Losses at their optimum and next to it, where formulas are differences of nearly equal terms.

use wgloss::{
    AnyLoss, DType, HostTensor, Named, Reduction,
    parity::{self, TOLERANCE},
    reference,
};

use crate::common::{adapters, agreement::evaluated};

fn tensor(values: &[f64], shape: &[usize]) -> HostTensor<'static> {
    HostTensor::rounded(values, DType::F32, shape).unwrap()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn softmax(row: &[f64]) -> Vec<f64> {
    let sum: f64 = row.iter().map(|x| x.exp()).sum();
    row.iter().map(|x| x.exp() / sum).collect()
}

fn loss(name: &str, settings: &[(&str, &str)]) -> AnyLoss {
    AnyLoss::new(name, settings).unwrap()
}

/// Losses with inputs for which the gradient, or the loss, is next to nothing.
fn optima() -> Vec<(AnyLoss, Named<HostTensor<'static>>)> {
    let mut rng = fastrand::Rng::with_seed(3);
    let x: Vec<f64> = (0..24).map(|_| f64::from((6.0 * rng.f64() - 3.0) as f32)).collect();
    let of = |f: &dyn Fn(f64) -> f64| x.iter().map(|&x| f(x)).collect::<Vec<_>>();
    let items = |values: &[f64]| tensor(values, &[24]);
    let rows = |values: &[f64]| tensor(values, &[6, 4]);
    let shares: Vec<f64> = x.chunks(4).flat_map(softmax).collect();
    let named = |a: &str, first: HostTensor<'static>, b: &str, second: HostTensor<'static>| {
        Named::new().with(a, first).with(b, second)
    };
    let eighths = || named("prediction", items(&[0.125_f64.ln(); 24]), "target", items(&[0.125; 24]));
    let targets = || rows(&shares);
    let errors = of(&|x| (x * x).max(1e-3));
    vec![
        (loss("kl_div", &[]), eighths()),
        (
            loss("kl_div", &[]),
            named("prediction", items(&of(&|x| -x.abs())), "target", items(&of(&|x| (-x.abs()).exp()))),
        ),
        (loss("bce_with_logits", &[]), named("logits", items(&x), "target", items(&of(&sigmoid)))),
        (loss("sigmoid_focal", &[]), named("logits", items(&x), "target", items(&of(&sigmoid)))),
        (loss("cross_entropy_soft", &[]), named("logits", rows(&x), "target_probabilities", targets())),
        (loss("multilabel_soft_margin", &[]), named("logits", rows(&x), "target_probabilities", rows(&of(&sigmoid)))),
        (loss("poisson_nll", &[]), named("prediction", items(&x), "target", items(&of(&f64::exp)))),
        (
            loss("poisson_nll", &[("log_input", "false")]),
            named("prediction", items(&of(&f64::exp)), "target", items(&of(&f64::exp))),
        ),
        (
            loss("gaussian_nll", &[]),
            named("prediction", items(&x), "target", items(&[0.0; 24])).with("variance", items(&errors)),
        ),
        (loss("distillation", &[]), named("logits", rows(&x), "teacher_logits", rows(&of(&|x| x * (1.0 + 1e-6))))),
        (
            loss("distillation", &[("divergence", "reverse")]),
            named("logits", rows(&x), "teacher_logits", rows(&of(&|x| x * (1.0 + 1e-6)))),
        ),
        (
            loss("distillation", &[("divergence", "jensen_shannon")]),
            named("logits", rows(&x), "teacher_logits", rows(&of(&|x| x * (1.0 - 1e-6)))),
        ),
    ]
}

#[test]
fn errors_are_relative_to_what_cancels() {
    for gpu in adapters::all() {
        for (loss, inputs) in optima() {
            for reduction in [Reduction::None, Reduction::Sum, Reduction::Mean] {
                evaluated(gpu, &loss, &inputs, reduction);
            }
        }
    }
}

/// And a wrong value is still seen: the terms that cancel are of about 1 in all of these.
#[test]
fn what_is_off_by_more_than_rounding_is_an_error() {
    let gpu = &adapters::every()[0];
    for (loss, inputs) in optima() {
        let expected = reference::evaluate(&loss, &inputs, &Reduction::None.into()).unwrap();
        let mut found = evaluated(gpu, &loss, &inputs, Reduction::None);
        let (name, values) = &expected.gradients[0];
        let off: Vec<f64> = values.iter().map(|x| x + 100.0 * TOLERANCE.gradient).collect();
        let shape = found.gradients.get(name).unwrap().shape().to_vec();
        let others = found.gradients.iter().filter(|(other, _)| other != name);
        let others: Named<HostTensor> = others.map(|(name, tensor)| (name.to_string(), tensor.clone())).collect();
        found.gradients = others.with(*name, tensor(&off, &shape));
        assert_eq!(parity::compare(&expected, &found).failures.len(), 1, "{loss:?}");
    }
}

/// Where rate and count are the same numbers but for their rounding, what is left of their difference is exact.
#[test]
fn the_difference_of_a_rate_and_a_count_keeps_its_digits() {
    let (rate, count) = ([1.000_000_1_f32, 3.000_000_2, 100.000_01], [1.0_f32, 3.0, 100.0]);
    let loss = loss("poisson_nll", &[("log_input", "false"), ("eps", "1e-12")]);
    let inputs = Named::new().with("prediction", HostTensor::from(&rate)).with("target", HostTensor::from(&count));
    let expected = reference::evaluate(&loss, &inputs, &Reduction::Sum.into()).unwrap();
    for gpu in adapters::all() {
        let found = evaluated(gpu, &loss, &inputs, Reduction::Sum);
        for (found, expected) in
            found.gradients.get("prediction").unwrap().to_f64().iter().zip(&expected.gradients[0].1)
        {
            assert!((found - expected).abs() <= 1e-6 * expected.abs(), "{found} is not {expected} on {gpu:?}");
        }
    }
}
