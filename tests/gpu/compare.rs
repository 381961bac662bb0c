//! What the parity check takes for an error.

use half::f16;
use wgloss::{
    CrossEntropy, DType, Evaluation, Extra, Gradients, HostTensor, InfoNce, Mining, Mse, Named, Options, Reduction,
    Statistics, TripletBatchHard,
    parity::{self, Comparison},
    reference,
};

/// Compares the reference of the summed squares of `prediction` with the same loss and count, and this gradient.
fn compare(prediction: [f32; 2], gradient: &HostTensor<'static>) -> Comparison {
    let inputs = Named::new()
        .with("prediction", HostTensor::from(&prediction))
        .with("target", HostTensor::from(&[0.0_f32, 0.0]));
    let expected = reference::evaluate(&Mse, &inputs, &Reduction::Sum.into()).unwrap();
    let loss = HostTensor::rounded(&expected.loss, DType::F32, []).unwrap();
    let gradients = Named::new().with("prediction", gradient.clone());
    parity::compare(&expected, &evaluation(loss, expected.items, gradients))
}

fn evaluation(loss: HostTensor<'static>, items: u64, gradients: Named<HostTensor<'static>>) -> Evaluation {
    let mut evaluation = Evaluation::new(loss, items);
    evaluation.gradients = gradients;
    evaluation
}

fn stored(gradient: [f64; 2], dtype: DType) -> HostTensor<'static> {
    HostTensor::rounded(&gradient, dtype, [2]).unwrap()
}

#[test]
fn rounding_is_no_error() {
    for dtype in DType::FLOATS {
        let comparison = compare([0.1, 1.0], &stored([f64::from(0.1_f32) * 2.0, 2.0], dtype));
        assert_eq!(comparison.failures, Vec::<String>::new());
        assert_eq!(comparison.gradient_error.relative, 0.0);
    }
    // Half a unit in the last place of an f16 to the other side.
    let comparison = compare([0.5 + f32::from(f16::EPSILON) / 4.0, 1.0], &stored([1.0, 2.0], DType::F16));
    assert_eq!(comparison.failures, Vec::<String>::new());
}

#[test]
fn what_is_not_finite_on_one_side_only_is_an_error() {
    for dtype in DType::FLOATS {
        for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let comparison = compare([1.0, 1.0], &stored([2.0, wrong], dtype));
            assert_eq!(comparison.gradient_error.relative, f64::INFINITY);
            assert_eq!(comparison.failures.len(), 1);
        }
        let comparison = compare([1.0, f32::NAN], &stored([2.0, 2.0], dtype));
        assert_eq!(comparison.gradient_error.relative, f64::INFINITY);
        assert_eq!(compare([1.0, f32::NAN], &stored([2.0, f64::NAN], dtype)).gradient_error.relative, 0.0);
    }
}

#[test]
fn anything_but_zero_where_the_reference_is_zero_is_an_error() {
    assert_eq!(compare([0.0, 0.0], &stored([0.0, -0.0], DType::F32)).failures, Vec::<String>::new());
    assert_eq!(compare([0.0, 0.0], &stored([0.0, 1e-15], DType::F32)).failures.len(), 1);
}

#[test]
fn a_gradient_of_another_length_or_name_is_an_error() {
    let short = HostTensor::rounded(&[2.0], DType::F32, [1]).unwrap();
    assert_eq!(compare([1.0, 1.0], &short).failures.len(), 1);

    let inputs =
        Named::new().with("prediction", HostTensor::from(&[1.0_f32])).with("target", HostTensor::from(&[0.0_f32]));
    let expected = reference::evaluate(&Mse, &inputs, &Reduction::Sum.into()).unwrap();
    let loss = HostTensor::rounded(&[1.0], DType::F32, []).unwrap();
    let comparison = parity::compare(&expected, &evaluation(loss, 2, Named::new()));
    assert_eq!(comparison.failures, ["there is no gradient of `prediction`", "2 items counted, expected 1"]);
}

fn indices(values: &[i32]) -> HostTensor<'static> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    HostTensor::from_bytes(DType::I32, [values.len()], bytes).unwrap()
}

#[test]
fn other_rows_mined_are_an_error() {
    let embeddings = HostTensor::new(&[0.0_f32, 1.0, 4.0], [3, 1]).unwrap();
    let inputs = Named::new().with("embeddings", embeddings).with("labels", indices(&[7, 7, 8]));
    let statistics = Statistics { hardest: true, ..Statistics::default() };
    let options = Options { statistics, gradients: Gradients::Skip, ..Options::new(Reduction::Sum) };
    let expected = reference::evaluate(&TripletBatchHard::default(), &inputs, &options).unwrap();
    let mined = Mining { triplets: 2, active: 0, positive_distance: 1.0, negative_distance: 3.5 };
    let failures_with = |mining: Option<Mining>, negative: Option<[i32; 3]>| {
        let loss = HostTensor::rounded(&[0.0], DType::F32, []).unwrap();
        let mut found = evaluation(loss, 2, Named::new());
        found.extras.extend(mining.map(Extra::Mining));
        if let Some(negative) = negative {
            for (name, rows) in [("hardest_positive", [1, 0, -1]), ("hardest_negative", negative)] {
                found.statistics = found.statistics.with(name, indices(&rows));
            }
        }
        parity::compare(&expected, &found).failures.len()
    };
    assert_eq!(failures_with(Some(mined), Some([2, 2, -1])), 0);
    assert_eq!(failures_with(Some(Mining { positive_distance: 1.000_001, ..mined }), Some([2, 2, -1])), 0);
    for other in [
        Mining { triplets: 3, ..mined },
        Mining { active: 1, ..mined },
        Mining { positive_distance: 1.01, ..mined },
        Mining { negative_distance: f32::NAN, ..mined },
    ] {
        assert_eq!(failures_with(Some(other), Some([2, 2, -1])), 1, "{other:?}");
    }
    assert_eq!(failures_with(None, Some([2, 2, -1])), 1);
    assert_eq!(failures_with(Some(mined), Some([2, 1, -1])), 1);
    assert_eq!(failures_with(Some(mined), None), 1);
}

#[test]
fn errors_are_relative_to_the_logits_that_are_rounded() {
    let rows = HostTensor::new(&[1.0_f32, 0.0, 0.6, 0.8], [2, 2]).unwrap();
    let inputs = Named::new().with("query", rows.view()).with("key", rows.view());
    let options = Options { gradients: Gradients::Skip, ..Options::new(Reduction::Sum) };
    let failures_with = |temperature, error: f64| {
        let loss = InfoNce { temperature, normalize: false, ..InfoNce::default() };
        let expected = reference::evaluate(&loss, &inputs, &options).unwrap();
        let found = HostTensor::rounded(&[expected.loss[0] * (1.0 + error)], DType::F32, []).unwrap();
        parity::compare(&expected, &evaluation(found, 2, Named::new())).failures.len()
    };
    // Logits up to 20, and up to 0.2.
    assert_eq!(failures_with(0.05, 1e-5), 0);
    assert_eq!(failures_with(0.05, 5e-5), 1);
    assert_eq!(failures_with(5.0, 1e-5), 1);
}

#[test]
fn another_statistic_is_an_error() {
    let inputs = Named::new()
        .with("logits", HostTensor::new(&[0.0_f32, 2.0, 1.0, -1.0], [2, 2]).unwrap())
        .with("target", HostTensor::from(&[1, 1]));
    let statistics = Statistics { log_sum_exp: true, argmax: true, ..Statistics::default() };
    let options = Options { statistics, gradients: Gradients::Skip, ..Options::new(Reduction::Sum) };
    let expected = reference::evaluate(&CrossEntropy::default(), &inputs, &options).unwrap();
    let failures_with = |correct, log_sum_exp: [f64; 2], argmax: [i32; 2]| {
        let mut found = evaluation(HostTensor::rounded(&expected.loss, DType::F32, []).unwrap(), 2, Named::new());
        found.extras.push(Extra::Correct(correct));
        let argmax = HostTensor::from_bytes(DType::I32, [2], argmax.map(i32::to_le_bytes).concat()).unwrap();
        let log_sum_exp = HostTensor::rounded(&log_sum_exp, DType::F32, [2]).unwrap();
        found.statistics = found.statistics.with("log_sum_exp", log_sum_exp).with("argmax", argmax);
        parity::compare(&expected, &found).failures.len()
    };
    let [first, second] = expected.log_sum_exp[..] else { panic!("one a row") };
    assert_eq!(failures_with(1, [first, second], [1, 0]), 0);
    assert_eq!(failures_with(2, [first, second], [1, 0]), 1);
    assert_eq!(failures_with(1, [first, second + 0.01], [1, 0]), 1);
    assert_eq!(failures_with(1, [first, f64::NAN], [1, 0]), 1);
    assert_eq!(failures_with(1, [first, second], [1, -1]), 1);
}
