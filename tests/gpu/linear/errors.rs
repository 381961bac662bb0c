//! Inputs and parameters that do not fit.

use wgloss::{
    AnyLoss, DType, Error, LinearCrossEntropy, LinearCrossEntropySoft, LinearDistillation, LinearFocal, Loss, Named,
    Plan, Reduction, Smoothing, Tensor, reference,
};

use super::{Inputs, Size, adapters, head, sample, tensor, with, without};

/// The error of the reference, which every adapter gives too.
#[track_caller]
fn refusal(loss: &impl Loss, inputs: &Inputs) -> Error {
    let expected = reference::evaluate(loss, inputs, &Reduction::Mean.into()).unwrap_err();
    for gpu in adapters::all() {
        let found = loss.eval_with(gpu, inputs, Reduction::Mean).unwrap_err();
        // Not the errors themselves: a NaN in a field differs from itself.
        assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{gpu:?}");
    }
    expected
}

fn zeros(shape: &[usize]) -> wgloss::HostTensor<'static> {
    tensor(&vec![0.0; shape.iter().product()], DType::F32, shape)
}

#[test]
fn a_shape_that_does_not_fit_is_refused() {
    let loss = LinearCrossEntropy::default();
    let inputs = head(&Size { items: &[3], dimensions: 2, classes: 4 }, DType::F32);
    let cases: [(&'static str, &[usize], &str); 15] = [
        ("hidden", &[], "[N, d…, H] with H ≥ 1"),
        ("hidden", &[3, 0], "[N, d…, H] with H ≥ 1"),
        ("hidden", &[0], "[N, d…, H] with H ≥ 1"),
        ("weight", &[4, 3], "[V, 2] with V ≥ 1"),
        ("weight", &[0, 2], "[V, 2] with V ≥ 1"),
        ("weight", &[4], "[V, 2] with V ≥ 1"),
        ("weight", &[2, 2, 2], "[V, 2] with V ≥ 1"),
        ("bias", &[3], "[4]"),
        ("bias", &[4, 1], "[4]"),
        ("bias", &[], "[4]"),
        ("target", &[2], "[3]"),
        ("target", &[3, 1], "[3]"),
        ("class_weight", &[5], "[4]"),
        ("item_weight", &[4], "[3]"),
        ("upstream", &[4], "[1] or [3]"),
    ];
    for (name, shape, expected) in cases {
        let dtype = if name == "target" { DType::I32 } else { DType::F32 };
        let other = tensor(&vec![0.0; shape.iter().product()], dtype, shape);
        let expected = Error::Shape {
            loss: "linear_cross_entropy",
            tensor: name,
            expected: expected.to_string(),
            found: shape.to_vec(),
        };
        assert_eq!(refusal(&loss, &with(&inputs, name, other)), expected);
    }
    for name in ["hidden", "weight", "target"] {
        let expected = Error::MissingTensor { loss: "linear_cross_entropy", tensor: name.to_string() };
        assert_eq!(refusal(&loss, &without(&inputs, name)), expected);
    }
    let extra = inputs.clone().with("logits", zeros(&[3, 4]));
    assert!(matches!(refusal(&loss, &extra), Error::UnexpectedTensor { .. }));
    let floats = with(&inputs, "target", zeros(&[3]));
    assert!(matches!(refusal(&loss, &floats), Error::DType { .. }));
}

#[test]
fn heads_that_disagree_are_refused() {
    let loss = LinearDistillation::default();
    let inputs = sample(&loss, &[3, 2], DType::F32, true);
    for (name, shape, expected) in [
        ("teacher_weight", &[3, 2][..], "[2, 2]"),
        ("teacher_weight", &[2, 3], "[2, 2]"),
        ("teacher_hidden", &[4, 2], "[3] and a length of its own"),
        ("teacher_hidden", &[3, 0], "[3] and a length of its own"),
        ("teacher_bias", &[3], "[2]"),
    ] {
        let expected = Error::Shape {
            loss: "linear_distillation",
            tensor: name,
            expected: expected.to_string(),
            found: shape.to_vec(),
        };
        assert_eq!(refusal(&loss, &with(&inputs, name, zeros(shape))), expected);
    }
    // Its hidden states may be of another length.
    let wider = with(&inputs, "teacher_hidden", zeros(&[3, 5]));
    let wider = with(&wider, "teacher_weight", zeros(&[2, 5]));
    for gpu in adapters::all() {
        super::evaluated(gpu, &loss, &wider, Reduction::Mean);
    }
}

#[test]
fn parameters_out_of_range_are_refused() {
    #[track_caller]
    fn check(loss: &impl Loss, parameter: &str) {
        let allowed = AnyLoss::new(loss.spec().name, &[]).unwrap();
        let inputs = sample(&allowed, &[3, 2], DType::F32, true);
        match refusal(loss, &inputs) {
            Error::Parameter { parameter: found, .. } => assert_eq!(found, parameter),
            other => panic!("{other}"),
        }
    }
    for bad in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        check(&LinearCrossEntropy { logit_scale: bad, ..Default::default() }, "logit_scale");
        check(&LinearCrossEntropy { temperature: bad, ..Default::default() }, "temperature");
        check(&LinearFocal { logit_scale: bad, ..Default::default() }, "logit_scale");
        check(&LinearCrossEntropySoft { temperature: bad, ..Default::default() }, "temperature");
        check(&LinearDistillation { temperature: bad, ..Default::default() }, "temperature");
    }
    for shift in [-1, i32::MIN] {
        check(&LinearCrossEntropy { shift, ..Default::default() }, "shift");
        check(&LinearFocal { shift, ..Default::default() }, "shift");
    }
}

/// Smoothing over the others needs two classes.
#[test]
fn a_head_of_too_few_classes_is_refused() {
    let loss = LinearCrossEntropy { label_smoothing: 0.5, smoothing: Smoothing::Others, ..Default::default() };
    let inputs = head(&Size { items: &[3], dimensions: 2, classes: 1 }, DType::F32);
    let expected = Error::Shape {
        loss: "linear_cross_entropy",
        tensor: "weight",
        expected: "[V, 2] with V ≥ 2".to_string(),
        found: vec![1, 2],
    };
    assert_eq!(refusal(&loss, &inputs), expected);
}

/// The value named is the target's, `shift` places behind its row.
#[test]
fn a_target_out_of_range_is_named_where_it_stands() {
    let inputs = head(&Size { items: &[4], dimensions: 2, classes: 4 }, DType::F32);
    let inputs = with(&inputs, "target", tensor(&[7.0, 1.0, 9.0, 0.0], DType::I32, &[4]));
    let loss = LinearCrossEntropy { shift: 1, ..Default::default() };
    let Error::Target { count, first, offender, .. } = refusal(&loss, &inputs) else { panic!("another error") };
    let offender = offender.expect("it is known");
    assert_eq!((count, first, &offender.index[..], offender.value), (1, 1, &[2][..], 9.0));
}

/// Nothing of a row out of range is in the gradients of others, also where its states are not finite.
#[test]
fn a_row_out_of_range_leaves_nothing_in_the_head() {
    for gpu in adapters::all() {
        for loss in ["linear_cross_entropy", "arcface"] {
            let loss = AnyLoss::new(loss, &[]).unwrap();
            let states = loss.spec().inputs[0].name;
            let with_states = |bad: f64, target: f64| {
                Named::new()
                    .with(states, tensor(&[bad, 0.5, 1.0, 0.25], DType::F32, &[2, 2]))
                    .with("weight", tensor(&[0.5, -1.0, 1.0, 0.5, 0.25, 0.75], DType::F32, &[3, 2]))
                    .with("target", tensor(&[target, 2.0], DType::I32, &[2]))
            };
            let of_head = |inputs: &Inputs| {
                let plan = Plan::new(gpu, &loss, &inputs.map(|tensor| tensor.ty().clone()), Reduction::Sum).unwrap();
                let tensors: Named<Tensor> = inputs
                    .iter()
                    .map(|(name, host)| (name.to_string(), Tensor::from_host(gpu, host).unwrap()))
                    .collect();
                let output = plan.bind_tensors(&tensors).unwrap();
                let mut encoder = gpu.device().create_command_encoder(&Default::default());
                output.record(&mut encoder);
                gpu.queue().submit([encoder.finish()]);
                output.gradients.get("weight").unwrap().read_blocking().unwrap().to_f64()
            };
            let expected = of_head(&with_states(1.0, -100.0));
            for bad in [f64::NAN, f64::INFINITY] {
                assert_eq!(of_head(&with_states(bad, 7.0)), expected, "{bad} in {} on {gpu:?}", loss.spec().name);
            }
        }
    }
}
