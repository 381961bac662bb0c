//! The caller's own buffers: one for all, gradients in place of predictions, added to those of other losses, or none.

use wgloss::{
    BufferSlice, CrossEntropy, DType, Gradients, HostTensor, Loss, Named, Options, Plan, Reduction, Tensor, TensorType,
    reference,
};

use super::{
    MANY_CLASSES, SHAPE, Target, adapters,
    agreement::{assert_agree, evaluated},
    bound::{Buffers, evaluated_in_the_callers_buffers},
    described,
    device::{submit, uploaded},
    dice, effort, given, gradient,
    inputs::{Inputs, tensor},
    least_reduced, loss,
};

fn stored_as(inputs: &Inputs, dtype: DType) -> Inputs {
    let stored = |(name, host): (&str, &HostTensor<'static>)| match host.dtype() {
        DType::I32 => (name.to_string(), host.clone()),
        _ => (name.to_string(), tensor(&host.to_f64(), dtype, host.shape())),
    };
    inputs.iter().map(stored).collect()
}

/// Tensors of an odd number of halves, whose last word has room for another, and pixels side by side that fill words.
#[test]
fn the_callers_buffers_neither_change_nor_count_behind_the_tensors() {
    let by_sample = dice("softmax", "sample_class", "1");
    let ce_dice = loss("ce_dice", &[]);
    let write = (Gradients::Write, 0xff);
    let add = (Gradients::Add { weight: 2.0 }, 0x3c);
    let in_place = (Gradients::InPlace, 0xff);
    let calls = [
        (&by_sample, [1, 3, 5], Target::Values, DType::F16, &[add, in_place][..]),
        (&by_sample, [3, 3, 5], Target::Indices, DType::F16, &[write]),
        (&by_sample, [3, 3, 4], Target::Indices, DType::BF16, &[add]),
        (&ce_dice, SHAPE, Target::Indices, DType::F32, &[write]),
        (&ce_dice, [1, 41, 3], Target::Indices, DType::F16, &[in_place]),
    ];
    let mut turn = 0;
    for (loss, shape, target, dtype, ways) in calls {
        let inputs = stored_as(&given(loss, &shape, target), dtype);
        for &(gradients, filling) in ways {
            let options = Options { gradients, ..Options::new(least_reduced(loss)) };
            let before = match gradients {
                Gradients::Add { .. } => HostTensor::from_bytes(dtype, [], vec![filling; dtype.size()]).unwrap().item(),
                // What is overwritten is NaN.
                _ => 0.0,
            };
            let mut expected = reference::evaluate(loss, &inputs, &options).unwrap();
            expected.gradients[0].1.iter_mut().for_each(|gradient| *gradient += before);
            turn += 1;
            for gpu in effort::adapters(turn) {
                for buffers in [Buffers::One, Buffers::Roomy, Buffers::Tight] {
                    let found = evaluated_in_the_callers_buffers(gpu, loss, &inputs, options, buffers, filling);
                    let what = format!(
                        "{} {shape:?} {dtype} {options:?} {buffers:?} on {}",
                        described(loss),
                        gpu.adapter_id()
                    );
                    assert_agree(&expected, &found, &what);
                }
            }
        }
    }
}

#[test]
fn gradients_in_place_have_the_bits_of_gradients_elsewhere() {
    let calls = [
        (dice("softmax", "class", "1"), SHAPE, DType::F32),
        (dice("none", "sample", "1"), SHAPE, DType::F16),
        (loss("ce_dice", &[]), [2, 3, 6], DType::F16),
        // The logits of all strips are needed for the gradient of each.
        (loss("ce_dice", &[]), MANY_CLASSES, DType::BF16),
    ];
    for (turn, (loss, shape, dtype)) in calls.iter().enumerate() {
        for gpu in effort::adapters(turn) {
            let inputs = stored_as(&given(loss, shape, Target::Indices), *dtype);
            let [apart, in_place] = [Gradients::Write, Gradients::InPlace].map(|gradients| {
                evaluated(gpu, loss, &inputs, Options { gradients, ..Options::new(least_reduced(loss)) })
            });
            assert!(apart == in_place, "{} {dtype} on {gpu:?}", described(loss));
        }
    }
}

#[test]
fn without_gradients_the_loss_is_the_same() {
    for gpu in adapters::all() {
        for loss in [dice("softmax", "class", "1"), loss("ce_dice", &[])] {
            let inputs = given(&loss, &SHAPE, Target::Indices);
            let skip = Options { gradients: Gradients::Skip, ..Options::new(Reduction::Mean) };
            let [without, with] = [skip, Reduction::Mean.into()].map(|options| evaluated(gpu, &loss, &inputs, options));
            assert_eq!(without.gradients, Named::new());
            assert_eq!((&without.loss, without.terms()), (&with.loss, with.terms()), "{} on {gpu:?}", described(&loss));
            let plan = Plan::new(gpu, &loss, &inputs.map(|host| host.ty().clone()), skip).unwrap();
            assert_eq!(plan.outputs().iter().map(|(name, _)| name).collect::<Vec<_>>(), ["loss"]);
        }
    }
}

/// Cross-entropy, and dice on top of it: their sum is a loss of its own.
#[test]
fn a_loss_of_regions_adds_its_gradient_to_that_of_rows() {
    let dice = dice("softmax", "class", "1");
    let both = loss("ce_dice", &[("ce_weight", "1"), ("dice_weight", "0.75")]);
    let inputs = given(&dice, &SHAPE, Target::Indices);
    let add = Options { gradients: Gradients::Add { weight: 0.75 }, ..Options::new(Reduction::Mean) };
    for gpu in adapters::all() {
        let tensors = uploaded(gpu, &inputs);
        let tensor = |name: &str| tensors.get(name).unwrap();
        let sum = Tensor::zeros(gpu, tensor("prediction").ty().clone()).unwrap();
        let losses = [0, 1].map(|_| Tensor::zeros(gpu, TensorType::new(DType::F32, [])).unwrap());
        let bound = |loss: &dyn Loss, first: &str, value: &Tensor, options: Options| {
            let inputs = Named::<BufferSlice>::new()
                .with(first, tensor("prediction"))
                .with("target", tensor("target"))
                .with("class_weight", tensor("class_weight"));
            let types = Named::new()
                .with(first, tensor("prediction").ty().clone())
                .with("target", tensor("target").ty().clone())
                .with("class_weight", tensor("class_weight").ty().clone());
            let outputs = inputs.with(format!("grad.{first}"), &sum).with("loss", value);
            Plan::new(gpu, loss, &types, options).unwrap().bind(&outputs).unwrap()
        };
        let cross_entropy = bound(&CrossEntropy::default(), "logits", &losses[0], Reduction::Mean.into());
        let dice = bound(&dice, "prediction", &losses[1], add);
        submit(gpu, |encoder| {
            cross_entropy.record(encoder);
            dice.record(encoder);
        });
        let expected = both.eval_with(gpu, &inputs, Reduction::Mean).unwrap();
        let expected_gradient = gradient(&expected);
        let largest = expected_gradient.iter().fold(0.0_f64, |largest, g| largest.max(g.abs()));
        for (found, expected) in sum.read_blocking().unwrap().to_f64().into_iter().zip(expected_gradient) {
            assert!((found - expected).abs() <= 4e-6 * largest, "{found}, not {expected}, on {gpu:?}");
        }
        let found = losses.map(|loss| loss.read_blocking().unwrap().item());
        let found = found[0] + 0.75 * found[1];
        assert!((found / expected.loss.item() - 1.0).abs() <= 2e-6, "{found}, not {:?}", expected.loss);
    }
}
