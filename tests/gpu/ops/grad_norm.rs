//! Weights of tasks balanced by the norms of their gradients.

use fastrand::Rng;
use wgloss::{
    BufferSlice, DType, Error, Gpu, HostTensor, Named, Tensor, TensorType,
    ops::{GradNorm, Operation},
    reference::{self, GradNormStep},
    spec::Rule,
};

use super::{Lie, Tensors, adapters, in_the_callers_buffers, tensor};
use crate::common::device::{submit, uploaded};

const INPUTS: [&str; 4] = ["losses", "initial_losses", "gradient_norms", "weights"];

fn tasks(values: [&[f64]; 4]) -> Tensors {
    INPUTS.iter().zip(values).map(|(name, values)| (name.to_string(), tensor(values, DType::F32))).collect()
}

/// Tasks with no norm so near its target that rounding decides on which side it is.
fn drawn(count: usize, alpha: f32, seed: u64) -> Tensors {
    let mut rng = Rng::with_seed(seed);
    let mut between =
        |low: f64, high: f64| -> Vec<f64> { (0..count).map(|_| low + (high - low) * rng.f64()).collect() };
    loop {
        let drawn = [between(0.0, 3.0), between(0.5, 2.0), between(0.1, 5.0), between(0.2, 2.0)];
        let tasks = tasks([&drawn[0], &drawn[1], &drawn[2], &drawn[3]]);
        let values = doubles_of(&tasks);
        let ratios: Vec<f64> = values[0].iter().zip(&values[1]).map(|(loss, initial)| loss / initial).collect();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / count as f64;
        let norms: Vec<f64> = values[3].iter().zip(&values[2]).map(|(w, n)| w * n).collect();
        let target = |ratio: &f64| mean(&norms) * (ratio / mean(&ratios)).powf(alpha.into());
        let is_clear = |(norm, ratio): (&f64, &f64)| (norm - target(ratio)).abs() > 1e-5 * (norm + target(ratio));
        if norms.iter().zip(&ratios).all(is_clear) {
            return tasks;
        }
    }
}

fn doubles_of(tasks: &Tensors) -> [Vec<f64>; 4] {
    INPUTS.map(|name| tasks.get(name).unwrap().to_f64())
}

fn expected(operation: &GradNorm, tasks: &Tensors) -> GradNormStep {
    let [losses, initial_losses, norms, weights] = doubles_of(tasks);
    reference::grad_norm(operation, &losses, &initial_losses, &norms, &weights).unwrap()
}

/// The same tasks with outputs for the loss and its gradient.
fn with_outputs(tasks: &Tensors) -> Tensors {
    let count = tasks.get("weights").unwrap().to_f64().len();
    tasks.clone().with("loss", tensor(&[7.0], DType::F32)).with("grad.weights", tensor(&vec![7.0; count], DType::F32))
}

/// What the rounding errors of the weights are relative to: of each the weight before and its step, which may cancel.
fn sizes_of_weights(operation: &GradNorm, tasks: &Tensors, step: &GradNormStep) -> Vec<f64> {
    let learning_rate = f64::from(operation.learning_rate);
    let [.., weights] = doubles_of(tasks);
    let of = |(w, slope): (&f64, &f64)| (w - learning_rate * slope).max(GradNorm::LEAST_WEIGHT.into());
    let scale = weights.len() as f64 / weights.iter().zip(&step.gradient).map(of).sum::<f64>();
    weights.iter().zip(&step.gradient).map(|(w, slope)| scale * (w + learning_rate * slope.abs())).collect()
}

#[track_caller]
fn assert_close(found: &[f64], expected: &[f64], within: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= within * expected.abs() + 1e-30, "{what}: {found} for {expected}");
    }
}

#[test]
fn a_step_is_that_of_the_reference() {
    for gpu in adapters::all() {
        for (seed, count) in [1, 2, 3, 7, 8, 9, 31, 300, 5000].into_iter().enumerate() {
            // A step for each exponent; the last one would bring many weights below 0.
            for (alpha, learning_rate) in [(1.5, 0.025), (0.0, 0.025), (0.12, 0.2), (4.0, 0.01), (1.5, 2.0)] {
                if count == 1 && alpha > 0.0 {
                    continue;
                }
                let operation = GradNorm { alpha, learning_rate };
                // One task is always at its target.
                let tasks = if count == 1 {
                    tasks([&[0.5], &[1.0], &[2.0], &[0.25]])
                } else {
                    drawn(count, alpha, seed as u64)
                };
                let what = format!("{operation:?} of {count} tasks on {}", gpu.adapter_id());
                let expected = expected(&operation, &tasks);
                let found = operation.eval(gpu, &with_outputs(&tasks)).unwrap();
                let loss_scale: f64 = expected.loss.max(1e-3);
                assert!((f64::from(found.report.loss) - expected.loss).abs() <= 1e-5 * loss_scale, "{what}");
                let written = |name: &str| found.tensors.get(name).unwrap().to_f64();
                assert_eq!(found.tensors.iter().count(), 3, "{what}");
                assert_eq!(written("loss"), [f64::from(found.report.loss)], "{what}");
                assert_close(&written("grad.weights"), &expected.gradient, 1e-7, &what);
                let sizes = sizes_of_weights(&operation, &tasks, &expected);
                for ((found, expected), size) in written("weights").iter().zip(&expected.weights).zip(sizes) {
                    assert!((found - expected).abs() <= 2e-6 * size, "{what}: {found} for {expected}");
                }
                let sum: f64 = written("weights").iter().sum();
                assert!((sum - count as f64).abs() <= 1e-4 * count as f64, "{what}: {sum}");
            }
        }
    }
}

#[test]
fn steps_go_on_where_the_last_one_ended_in_the_callers_buffers() {
    let operation = GradNorm::new(0.05);
    let tasks = tasks([&[1.0, 1.0, 0.5], &[1.0, 2.0, 0.75], &[3.0, 0.5, 1.0], &[1.0, 1.0, 1.0]]);
    for gpu in adapters::all() {
        for lie in [Lie::InOne, Lie::Tight] {
            let (after, _) = in_the_callers_buffers(gpu, &operation, &tasks, lie);
            assert_close(&doubles_of(&after)[3], &expected(&operation, &tasks).weights, 1e-6, &gpu.adapter_id());
            assert_eq!(doubles_of(&after)[..3], doubles_of(&tasks)[..3]);
        }
        let mut known = tasks.clone();
        for _ in 0..20 {
            let weights = expected(&operation, &known).weights;
            known = known.iter().fold(Named::new(), |all, (name, host)| {
                all.with(name, if name == "weights" { tensor(&weights, DType::F32) } else { host.clone() })
            });
        }
        let tensors = uploaded(gpu, &tasks);
        let bound = operation.plan(gpu, &tasks.map(|host| host.ty().clone())).unwrap().bind_tensors(&tensors).unwrap();
        submit(gpu, |encoder| (0..20).for_each(|_| bound.record(encoder)));
        let weights = tensors.get("weights").unwrap().read_blocking().unwrap().to_f64();
        assert_close(&weights, &doubles_of(&known)[3], 1e-5, &gpu.adapter_id());
    }
}

#[test]
fn tasks_without_a_loss_left_have_trained_alike() {
    let operation = GradNorm::new(0.1);
    let tasks = tasks([&[0.0, 0.0], &[1.0, 3.0], &[4.0, 2.0], &[1.0, 1.0]]);
    let expected = expected(&operation, &tasks);
    assert_eq!((expected.loss, &expected.gradient[..]), (2.0, &[4.0, -2.0][..]));
    for gpu in adapters::all() {
        let found = operation.eval(gpu, &tasks).unwrap();
        assert_eq!(found.report.loss, 2.0);
        assert_close(&found.tensors.get("weights").unwrap().to_f64(), &expected.weights, 1e-6, &gpu.adapter_id());
    }
}

#[test]
fn a_step_of_any_length_leaves_weights_above_0() {
    let tasks = tasks([&[1.0, 1.0, 1.0], &[1.0, 1.0, 1.0], &[1e30, 1e-30, 1.0], &[1.0, 1.0, 1.0]]);
    for gpu in adapters::all() {
        for learning_rate in [1e-3, 1.0, 1e30] {
            let found = GradNorm::new(learning_rate).eval(gpu, &tasks).unwrap();
            let weights = found.tensors.get("weights").unwrap().to_f64();
            assert!(weights.iter().all(|w| w.is_finite() && *w > 0.0), "{weights:?} on {}", gpu.adapter_id());
        }
        // A mean beyond f32: the loss says so, and the weights stay.
        let large = self::tasks([&[1.0; 2], &[1.0; 2], &[3e38, 3e38], &[1.0, 1.0]]);
        let found = GradNorm::new(0.1).eval(gpu, &large).unwrap();
        assert_eq!(found.report.loss, f32::INFINITY);
        assert_eq!(found.tensors.get("weights").unwrap().to_f64(), [1.0, 1.0]);
    }
}

#[test]
fn values_that_are_not_allowed_leave_the_weights_alone() {
    let good = [[1.0, 0.0, 0.5], [1.0, 1.0, 2.0], [3.0, 1.0, 0.5], [0.5, 1.5, 1.0]];
    let bad: [&[f64]; 4] = [
        &[-1.0, f64::NAN, f64::INFINITY],
        &[0.0, -0.0, -1.0, f64::NAN, f64::INFINITY, 1e-40],
        &[0.0, -2.0, f64::NAN, f64::NEG_INFINITY, 1e-40],
        &[0.0, -0.5, f64::NAN, f64::INFINITY],
    ];
    let operation = GradNorm::new(0.1);
    for gpu in adapters::all() {
        for (input, values) in bad.iter().enumerate() {
            for &value in *values {
                let mut changed = good;
                changed[input][1] = value;
                let tasks = tasks([&changed[0], &changed[1], &changed[2], &changed[3]]);
                let [losses, initial, norms, weights] = doubles_of(&tasks);
                assert_eq!(reference::grad_norm(&operation, &losses, &initial, &norms, &weights), None);
                let what = format!("{value} in {} on {}", INPUTS[input], gpu.adapter_id());

                let tensors = uploaded(gpu, &with_outputs(&tasks));
                let error = operation.run(gpu, &tensors).unwrap().read_blocking().unwrap_err();
                let Error::Target { loss: "gradnorm", count: 1, first: 1, rule, .. } = &error else {
                    panic!("{what}: {error}")
                };
                let values = if input == 0 { "finite, 0 or above" } else { "finite, above 0" };
                assert_eq!(*rule, format!("`{}` must be {values}", INPUTS[input]), "{what}");
                let read = |name: &str| tensors.get(name).unwrap().read_blocking().unwrap();
                assert!(read("weights").bytes() == tasks.get("weights").unwrap().bytes(), "{what}");
                assert_eq!((read("loss").to_f64(), read("grad.weights").to_f64()), (vec![0.0], vec![0.0; 3]), "{what}");
            }
        }
    }
}

fn refused(gpu: &Gpu, types: &Named<TensorType>) -> Error {
    GradNorm::new(0.1).plan(gpu, types).map(drop).unwrap_err()
}

#[test]
fn tasks_and_parameters_that_there_cannot_be_are_refused() {
    let loss = "gradnorm";
    let types = |count: usize| -> Named<TensorType> {
        INPUTS.iter().map(|name| (name.to_string(), TensorType::new(DType::F32, [count]))).collect()
    };
    let with = |name: &str, ty: TensorType| -> Named<TensorType> {
        let types = types(3);
        types.iter().map(|(known, own)| (known.to_string(), if known == name { &ty } else { own }.clone())).collect()
    };
    for gpu in adapters::all() {
        let expected = "[K] with K ≥ 1".to_string();
        let none = Error::Shape { loss, tensor: "losses", expected: expected.clone(), found: vec![0] };
        assert_eq!(refused(gpu, &types(0)), none);
        assert_eq!(refused(gpu, &Named::new()), Error::NoTensors { operation: loss });
        let two = types(2);
        let missing = two.iter().filter(|(name, _)| *name != "initial_losses");
        let missing = missing.map(|(name, ty)| (name.to_string(), ty.clone())).collect();
        assert_eq!(refused(gpu, &missing), Error::MissingTensor { loss, tensor: "initial_losses".to_string() });
        let more = types(2).with("norm", TensorType::new(DType::F32, [2]));
        let known = INPUTS.map(str::to_string).into();
        assert_eq!(refused(gpu, &more), Error::UnexpectedTensor { loss, tensor: "norm".to_string(), known });
        let shape = |tensor, found| Error::Shape { loss, tensor, expected: "[3]".to_string(), found };
        let found = refused(gpu, &with("weights", TensorType::new(DType::F32, [4])));
        assert_eq!(found, shape("weights", vec![4]));
        let found = refused(gpu, &with("gradient_norms", TensorType::new(DType::F16, [3])));
        let (tensor, expected) = ("gradnorm: `gradient_norms`".to_string(), "f32".to_string());
        assert_eq!(found, Error::DType { tensor, expected, found: DType::F16 });

        let parameter =
            |parameter, rule, found: f32| Error::Parameter { loss, parameter, rule, found: found.to_string() };
        for found in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            let refused = GradNorm::new(found).plan(gpu, &types(2)).map(drop);
            assert_eq!(refused, Err(parameter("learning_rate", Rule::Positive, found)));
        }
        for alpha in [-0.5, f32::NAN, f32::INFINITY] {
            let refused = GradNorm { alpha, learning_rate: 0.1 }.plan(gpu, &types(2)).map(drop);
            assert_eq!(refused, Err(parameter("alpha", Rule::NonNegative, alpha)));
        }
        // Written tensors overlap nothing.
        let own = Tensor::zeros(gpu, TensorType::new(DType::F32, [4])).unwrap();
        let plan = GradNorm::new(0.1).plan(gpu, &types(4)).unwrap();
        let places: Named<BufferSlice<'_>> = INPUTS.iter().map(|name| (name.to_string(), own.slice())).collect();
        assert!(
            matches!(plan.bind(&places).map(drop), Err(Error::BufferOverlap { output, .. }) if output == "weights")
        );
    }
}

/// The host tensors of a golden case.
pub fn golden_tasks(read: impl Fn(&str) -> HostTensor<'static>) -> Tensors {
    INPUTS.iter().map(|name| (name.to_string(), read(name))).collect()
}
