//! The losses of several tasks as one loss.

use wgloss::{DType, Error, HostTensor, Loss, Named, Reduction, UncertaintyWeighting, WeightedSum};

use crate::common::{adapters, agreement::evaluated, agreement::out_of_range, inputs::tensor};

fn inputs(losses: &[f64], name: &str, others: &[f64]) -> Named<HostTensor<'static>> {
    let tensor = |values: &[f64]| tensor(values, DType::F32, &[values.len()]);
    Named::new().with("losses", tensor(losses)).with(name, tensor(others))
}

/// The last logarithm of a variance whose precision is an f32.
const LOWEST: f64 = -88.722_831_726_074_22;

#[test]
fn a_weight_of_0_leaves_nothing_of_a_loss_but_a_nan() {
    for gpu in adapters::all() {
        let found = |losses, weights| evaluated(gpu, &WeightedSum, &inputs(losses, "weights", weights), Reduction::Sum);
        let infinity = found(&[f64::INFINITY, 3.0, 0.0], &[0.0, 2.0, f64::INFINITY]);
        assert_eq!(infinity.loss.item(), 6.0);
        assert_eq!(infinity.gradients.get("losses").unwrap().to_f64(), [0.0, 2.0, f64::INFINITY]);
        assert_eq!(infinity.gradients.get("weights").unwrap().to_f64(), [f64::INFINITY, 3.0, 0.0]);
        let nan = found(&[f64::NAN, 3.0], &[0.0, 2.0]);
        assert!(nan.loss.item().is_nan());
        assert_eq!(nan.gradients.get("losses").unwrap().to_f64()[1], 2.0);
        // One weight for all.
        assert_eq!(found(&[1.0, 2.0, 3.0], &[0.5]).gradients.get("weights").unwrap().to_f64(), [6.0]);
    }
}

#[test]
fn a_log_variance_is_finite_and_so_is_its_precision() {
    let next = f64::from((LOWEST as f32).next_down());
    for gpu in adapters::all() {
        let found = |s: f64| {
            let inputs = inputs(&[1.0, 0.5, 0.25], "log_vars", &[0.0, s, 0.0]);
            UncertaintyWeighting.eval_with(gpu, &inputs, Reduction::Sum).map(|found| found.loss.item())
        };
        for s in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, next, -100.0, -3.0e38] {
            let error = found(s).unwrap_err();
            assert_eq!(out_of_range(&error), ("uncertainty_weighting", 1, 1), "{s} on {}", gpu.adapter_id());
            assert!(error.to_string().contains("`log_vars` must be finite, −88.7 or above"), "{error}");
        }
        for s in [LOWEST, -80.0, 0.0, 95.0, 200.0, 3.0e38] {
            let inputs = inputs(&[1.0, 0.5, 0.25], "log_vars", &[0.0, s, 0.0]);
            evaluated(gpu, &UncertaintyWeighting, &inputs, Reduction::Sum);
        }
    }
}

/// A loss of such a size beside a variance of its own.
#[test]
fn an_infinite_loss_shows_however_large_its_variance() {
    for gpu in adapters::all() {
        for (s, loss) in [(0.0, f64::INFINITY), (500.0, f64::INFINITY), (500.0, f64::NEG_INFINITY)] {
            let found = evaluated(gpu, &UncertaintyWeighting, &inputs(&[loss], "log_vars", &[s]), Reduction::Sum);
            assert_eq!(found.loss.item(), loss);
            assert_eq!(found.gradients.get("log_vars").unwrap().to_f64(), [-loss]);
        }
    }
}

#[test]
fn losses_of_no_task_are_an_error() {
    let none = |loss, found: &[usize]| {
        let (tensor, expected) = ("losses", "[K] with K ≥ 1".to_string());
        Err(Error::Shape { loss, tensor, expected, found: found.to_vec() })
    };
    for gpu in adapters::all() {
        let found = WeightedSum.eval_with(gpu, &inputs(&[], "weights", &[]), Reduction::Sum).map(drop);
        assert_eq!(found, none("weighted_sum", &[0]));
        let found = UncertaintyWeighting.eval_with(gpu, &inputs(&[], "log_vars", &[]), Reduction::Mean).map(drop);
        assert_eq!(found, none("uncertainty_weighting", &[0]));
    }
}
