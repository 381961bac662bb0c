//! Runs of one plan, and batches against their samples.

use wgloss::{AnyLoss, DType, HostTensor, Loss, Reduction};

use super::{
    MANY_CLASSES, SHAPE, TARGETS, Target, adapters,
    agreement::out_of_range,
    described,
    device::{submit, uploaded},
    dice, effort, given, gradient,
    inputs::{Inputs, changed, tensor},
    least_reduced, loss,
};

/// Inputs of several parts, whose lanes have several blocks of pixels: of odd and of even lengths.
fn cases() -> Vec<(AnyLoss, Inputs)> {
    let halves = |inputs: &Inputs, dtype: DType| {
        let half = |(name, host): (&str, &HostTensor<'static>)| {
            let is_float = host.dtype().is_float();
            let half = if is_float { tensor(&host.to_f64(), dtype, host.shape()) } else { host.clone() };
            (name.to_string(), half)
        };
        inputs.iter().map(half).collect::<Inputs>()
    };
    let (by_sample, by_class) = (dice("softmax", "sample", "1"), dice("softmax", "class", "1"));
    let ce_dice = loss("ce_dice", &[]);
    vec![
        (by_sample.clone(), given(&by_sample, &[3, 3, 2001], Target::Indices)),
        (by_class.clone(), halves(&given(&by_class, &[5, 3, 2001], Target::Values), DType::F16)),
        (by_class.clone(), halves(&given(&by_class, &[3, 3, 2002], Target::Indices), DType::BF16)),
        (ce_dice.clone(), given(&ce_dice, &[3, 3, 2001], Target::Indices)),
        (ce_dice.clone(), given(&ce_dice, &[2, 40, 701], Target::Indices)),
    ]
}

/// The inputs with every value at another place.
fn reversed(inputs: &Inputs) -> Inputs {
    let reversed = |(name, host): (&str, &HostTensor<'static>)| {
        let values: Vec<f64> = host.to_f64().into_iter().rev().collect();
        (name.to_string(), tensor(&values, host.dtype(), host.shape()))
    };
    inputs.iter().map(reversed).collect()
}

#[test]
fn every_run_gives_the_same_bits() {
    // A workgroup for each few pixels.
    let with_many_workgroups = adapters::every().iter().map(|gpu| {
        let mut tuning = gpu.tuning();
        tuning.workgroups = 8192;
        gpu.with_tuning(tuning).unwrap()
    });
    let gpus: Vec<_> = with_many_workgroups.collect();
    for (turn, (loss, inputs)) in cases().into_iter().enumerate() {
        for gpu in effort::taking_turns(&gpus, turn) {
            let what = format!("{} on {gpu:?}", described(&loss));
            let fresh = |inputs: &Inputs| loss.eval_with(gpu, inputs, least_reduced(&loss)).unwrap();
            let expected = fresh(&inputs);
            assert!(gradient(&expected).iter().any(|&g| g != 0.0), "{what}");
            assert!(fresh(&inputs) == expected, "{what}");

            let tensors = uploaded(gpu, &inputs);
            let output = loss.run_with(gpu, &tensors, least_reduced(&loss)).unwrap();
            for _ in 0..10 {
                submit(gpu, |encoder| {
                    output.record(encoder);
                    output.record(encoder);
                });
                assert!(output.read_blocking().unwrap() == expected, "{what}");
            }

            // Nothing is left of a run that was spoilt or refused.
            let write = |inputs: &Inputs| {
                inputs.iter().for_each(|(name, host)| tensors.get(name).unwrap().write(host).unwrap());
                submit(gpu, |encoder| output.record(encoder));
                output.read_blocking()
            };
            let spoilt = changed(&inputs, "prediction", &[(0, f64::NAN)]);
            let out = if inputs.get("target").unwrap().dtype() == DType::I32 { -1.0 } else { 2.0 };
            let refused = changed(&spoilt, "target", &[(1, out)]);
            assert_eq!(out_of_range(&write(&refused).unwrap_err()), (loss.spec().name, 1, 1), "{what}");
            assert!(write(&spoilt).unwrap().loss.to_f64().iter().any(|x| x.is_nan()), "{what}");
            let others = reversed(&inputs);
            assert!(write(&others).unwrap() == fresh(&others), "{what}");
            assert!(write(&inputs).unwrap() == expected, "{what}");
        }
    }
}

/// One sample of the inputs.
fn sample(inputs: &Inputs, index: usize) -> Inputs {
    let samples = inputs.get("prediction").unwrap().shape()[0];
    let part = |(name, host): (&str, &HostTensor<'static>)| {
        if name == "class_weight" {
            return (name.to_string(), host.clone());
        }
        let values = host.to_f64();
        let length = values.len() / samples;
        let shape = [&[1], &host.shape()[1..]].concat();
        (name.to_string(), tensor(&values[index * length..][..length], host.dtype(), &shape))
    };
    inputs.iter().map(part).collect()
}

fn assert_near(found: &[f64], expected: &[f64], what: &str) {
    let largest = expected.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= 2e-6 * largest, "{what}: {found}, not {expected}");
    }
}

#[test]
fn a_batch_is_its_samples_one_by_one() {
    for gpu in adapters::every() {
        for ([_, classes, pixels], target) in
            [SHAPE, [3, 3, 2001], MANY_CLASSES].into_iter().flat_map(|shape| TARGETS.map(|target| (shape, target)))
        {
            let shape = [3, classes, pixels];
            for scope in ["sample", "sample_class"] {
                let loss = dice("softmax", scope, "1");
                let batch = given(&loss, &shape, target);
                let evaluated = |inputs: &Inputs| {
                    let found = loss.eval_with(gpu, inputs, Reduction::None).unwrap();
                    (found.loss.to_f64(), gradient(&found))
                };
                let (losses, gradients) = evaluated(&batch);
                let samples: Vec<_> = (0..3).map(|index| evaluated(&sample(&batch, index))).collect();
                let (one_by_one, their_gradients): (Vec<_>, Vec<_>) = samples.into_iter().unzip();
                let what = format!("{} {shape:?} {target:?} on {gpu:?}", described(&loss));
                assert_near(&losses, &one_by_one.concat(), &what);
                assert_near(&gradients, &their_gradients.concat(), &what);
            }
        }
    }
}
