//! What the parity check takes for an error.

use half::f16;
use wgloss::{
    DType, Evaluation, HostTensor, Named, Reduction,
    losses::Mse,
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
    parity::compare(&expected, &Evaluation { loss, items: expected.items, gradients })
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
    assert_eq!(compare([0.0, 0.0], &stored([0.0, 1e-30], DType::F32)).failures.len(), 1);
}

#[test]
fn a_gradient_of_another_length_or_name_is_an_error() {
    let short = HostTensor::rounded(&[2.0], DType::F32, [1]).unwrap();
    assert_eq!(compare([1.0, 1.0], &short).failures.len(), 1);

    let inputs =
        Named::new().with("prediction", HostTensor::from(&[1.0_f32])).with("target", HostTensor::from(&[0.0_f32]));
    let expected = reference::evaluate(&Mse, &inputs, &Reduction::Sum.into()).unwrap();
    let loss = HostTensor::rounded(&[1.0], DType::F32, []).unwrap();
    let comparison = parity::compare(&expected, &Evaluation { loss, items: 2, gradients: Named::new() });
    assert_eq!(comparison.failures, ["no gradient of `prediction`", "2 items counted, expected 1"]);
}
