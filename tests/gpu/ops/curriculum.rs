//! Weights of samples by how difficult they are.

use fastrand::Rng;
use wgloss::{
    DType, Error, HostTensor, Loss, Mse, Named, Reduction, TensorType,
    ops::{Curriculum, Operation},
    reference,
    spec::Rule,
};

use super::{Lie, Tensors, adapters, in_the_callers_buffers, slack, tensor};
use crate::common::device::{submit, uploaded};

/// So many difficulties in [0, 1], among them NaN, infinities and the progress itself, and weights to be overwritten.
fn drawn(count: usize, [difficulty, weight]: [DType; 2]) -> Tensors {
    let mut rng = Rng::with_seed(count as u64);
    let value = |_| match rng.u8(..16) {
        0 => f64::NAN,
        1 => [f64::INFINITY, f64::NEG_INFINITY][rng.usize(..2)],
        2 => 0.5,
        _ => rng.f64(),
    };
    let values: Vec<f64> = (0..count).map(value).collect();
    Named::new().with("difficulty", tensor(&values, difficulty)).with("weight", tensor(&vec![7.0; count], weight))
}

#[track_caller]
fn assert_weighed(progress: f32, samples: &Tensors, found: &HostTensor<'_>, what: &str) {
    let expected = reference::curriculum(&samples.get("difficulty").unwrap().to_f64(), progress.into());
    let found_values = found.to_f64();
    assert_eq!(found_values.len(), expected.len());
    for (found_value, expected) in found_values.iter().zip(&expected) {
        let is_right = (found_value - expected).abs() <= slack(*expected, found.dtype());
        assert!(is_right, "{what}: {found_value} for {expected}");
    }
}

#[test]
fn weights_are_those_of_the_reference() {
    for (turn, gpu) in adapters::all().iter().enumerate() {
        for (number, difficulty) in DType::FLOATS.into_iter().enumerate() {
            for weight in DType::FLOATS {
                for count in [1, 2, 3, 4, 5, 31, 257, 1000, 40_001 + turn + number] {
                    let samples = drawn(count, [difficulty, weight]);
                    for progress in [0.0, 0.5, 1.0] {
                        let what = format!("{count} {difficulty} to {weight} at {progress} on {}", gpu.adapter_id());
                        let found = Curriculum { progress }.eval(gpu, &samples).unwrap();
                        let weights = found.tensors.get("weight").unwrap();
                        assert_weighed(progress, &samples, weights, &what);
                        let difficulty = samples.get("difficulty").unwrap().to_f64();
                        let selected = difficulty.iter().filter(|&&d| d <= progress.into()).count() as u64;
                        assert_eq!(found.report.selected, selected, "{what}");
                        assert_eq!(found.tensors.iter().count(), 1);
                    }
                }
            }
        }
    }
}

#[test]
fn nothing_behind_the_weights_changes_in_the_callers_buffers() {
    for gpu in adapters::all() {
        for dtypes in [[DType::F32, DType::F16], [DType::BF16, DType::F32], [DType::F16, DType::BF16]] {
            for (count, lie) in [(5, Lie::InOne), (5, Lie::Tight), (1003, Lie::InOne), (1003, Lie::Tight)] {
                let samples = drawn(count, dtypes);
                let (after, _) = in_the_callers_buffers(gpu, &Curriculum { progress: 0.25 }, &samples, lie);
                assert!(after.get("difficulty").unwrap().bytes() == samples.get("difficulty").unwrap().bytes());
                let what = format!("{count} of {dtypes:?}, {lie:?} on {}", gpu.adapter_id());
                assert_weighed(0.25, &samples, after.get("weight").unwrap(), &what);
            }
        }
    }
}

#[test]
fn progress_is_set_without_another_plan_and_weighs_a_loss() {
    let samples = drawn(777, [DType::F32, DType::F32]);
    let difficulty = samples.get("difficulty").unwrap().to_f64();
    for gpu in adapters::all() {
        let tensors = uploaded(gpu, &samples);
        let weight = tensors.get("weight").unwrap();
        let bound = Curriculum { progress: 0.0 }.run(gpu, &tensors).unwrap();
        assert_eq!(bound.read_blocking().unwrap().selected, difficulty.iter().filter(|&&d| d <= 0.0).count() as u64);
        for progress in [0.25, 1.0, 0.5] {
            bound.set_progress(progress).unwrap();
            submit(gpu, |encoder| bound.record(encoder));
            let found = weight.read_blocking().unwrap();
            assert_weighed(progress, &samples, &found, &gpu.adapter_id());

            // A mean with these weights is one over the samples that count.
            let inputs = Named::<HostTensor<'_>>::new()
                .with("prediction", &[3.0_f32; 777])
                .with("target", &[1.0_f32; 777])
                .with("weight", found);
            let mean = Mse.eval_with(gpu, &inputs, Reduction::Mean).unwrap().loss.item();
            assert!((mean - 4.0).abs() < 1e-5, "{mean}");
        }
        for progress in [-0.1, 1.5, f32::NAN, f32::INFINITY] {
            let found = progress.to_string();
            let refused = Error::Parameter { loss: "curriculum", parameter: "progress", rule: Rule::Unit, found };
            assert_eq!(bound.set_progress(progress), Err(refused.clone()));
            let types = samples.map(|host| host.ty().clone());
            assert_eq!(Curriculum { progress }.plan(gpu, &types).map(drop), Err(refused));
        }
        // What was refused changed nothing.
        submit(gpu, |encoder| bound.record(encoder));
        assert_weighed(0.5, &samples, &weight.read_blocking().unwrap(), &gpu.adapter_id());
    }
}

#[test]
fn samples_that_cannot_be_weighed_are_refused() {
    let loss = "curriculum";
    for gpu in adapters::all() {
        let plan = |difficulty: &[usize], weight: &[usize], dtype| {
            let types = Named::new()
                .with("difficulty", TensorType::new(DType::F32, difficulty))
                .with("weight", TensorType::new(dtype, weight));
            Curriculum { progress: 0.5 }.plan(gpu, &types).map(drop)
        };
        assert_eq!(plan(&[3, 2], &[3, 2], DType::BF16), Ok(()));
        let (tensor, expected) = ("weight", "[3]".to_string());
        assert_eq!(plan(&[3], &[4], DType::F32), Err(Error::Shape { loss, tensor, expected, found: vec![4] }));
        let (tensor, expected) = ("curriculum: `weight`".to_string(), "f32, f16 or bf16".to_string());
        assert_eq!(plan(&[3], &[3], DType::I32), Err(Error::DType { tensor, expected, found: DType::I32 }));
        let one = Named::new().with("difficulty", TensorType::new(DType::F32, [3]));
        let missing = Error::MissingTensor { loss, tensor: "weight".to_string() };
        assert_eq!(Curriculum { progress: 0.5 }.plan(gpu, &one).map(drop), Err(missing));
        // Of no samples none counts.
        let found = Curriculum { progress: 0.5 }.eval(gpu, &drawn(0, [DType::F32, DType::F16])).unwrap();
        assert_eq!(found.report.selected, 0);
    }
}
