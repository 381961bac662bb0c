//! What people read: the text of errors, and of values printed with `{:?}`.

use wgloss::{
    AnyLoss, CrossEntropy, DType, Error, Evaluation, HostTensor, Loss, Mse, Named, Reduction, Tensor,
    half::{bf16, f16},
    reference,
};

use crate::common::adapters;

#[track_caller]
fn assert_says(error: &Error, text: &str) {
    assert!(error.to_string().ends_with(text), "`{text}` does not end: {error}");
}

#[track_caller]
fn assert_suggests_nothing(error: &Error) {
    assert!(!error.to_string().contains("did you mean"), "{error}");
}

fn no_loss(name: &str) -> Error {
    AnyLoss::new(name, &[]).unwrap_err()
}

fn no_parameter(loss: &str, name: &str) -> Error {
    AnyLoss::new(loss, &[(name, "1")]).unwrap_err()
}

fn no_reduction(name: &str) -> Error {
    name.parse::<Reduction>().unwrap_err()
}

/// The error of a loss that gets a tensor of this name too.
fn no_tensor(name: &str) -> Error {
    let inputs = ["prediction", "target", name].map(|name| (name.to_string(), HostTensor::from(&[1.0_f32])));
    reference::evaluate(&Mse, &inputs.into_iter().collect(), &Reduction::Sum.into()).unwrap_err()
}

fn no_adapter(asked: &str) -> Error {
    let found = ["vulkan:llvmpipe (LLVM 15.0.6, 256 bits)", "vulkan:SwiftShader Device (LLVM 10.0.0)"];
    Error::NoAdapter { asked: asked.to_string(), found: found.map(str::to_string).to_vec() }
}

#[test]
fn the_nearest_name_is_suggested() {
    assert_eq!(no_loss("crossentropy").to_string(), "no loss is called `crossentropy`; did you mean `cross_entropy`?");
    for (found, meant) in [
        ("BCEWithLogitsLoss", "bce_with_logits"),
        ("SmoothL1Loss", "smooth_l1"),
        ("dice_loss", "dice"),
        ("CrossEntropyLoss", "cross_entropy"),
        ("nn.CrossEntropyLoss", "cross_entropy"),
        ("torch.nn.functional.l1_loss", "mae"),
        ("L1Loss", "mae"),
        ("NTXent", "nt_xent"),
        ("hubber", "huber"),
        ("monai.losses.DiceCELoss", "ce_dice"),
        ("keras.losses.SparseCategoricalCrossentropy", "cross_entropy"),
        ("MeanSquaredEror", "mse"),
        ("huberr", "huber"),
        ("Mse", "mse"),
    ] {
        assert_says(&no_loss(found), &format!("; did you mean `{meant}`?"));
    }
    assert_says(&no_parameter("sigmoid_focal", "gama"), "it has `alpha`, `gamma`; did you mean `gamma`?");
    assert_says(&no_parameter("cross_entropy", "labelSmoothing"), "; did you mean `label_smoothing`?");
    assert_says(&no_tensor("weigth"), "`weight`, `mask`, `upstream`, `divisor`; did you mean `weight`?");
    assert_says(&no_reduction("batchmean"), "`batch_mean`; did you mean `batch_mean`?");
    assert_says(&no_reduction("Mean"), "; did you mean `mean`?");
    assert_says(&no_adapter("lvmpipe"), "; did you mean `llvmpipe`?");
    assert_says(&no_adapter("vulcan:swiftshader"), "; did you mean `vulkan:SwiftShader`?");
}

#[test]
fn a_name_far_from_all_gets_no_suggestion() {
    for far in ["", "loss", "hubris", "perplexity", "my loss", "l", "損失"] {
        assert_eq!(no_loss(far).to_string(), format!("no loss is called `{far}`; `wgloss list` shows those there are"));
    }
    assert_says(&no_parameter("huber", "gamma"), "no parameter is called `gamma`; it has `delta`");
    assert_suggests_nothing(&no_parameter("mse", "delta"));
    assert_suggests_nothing(&no_tensor("logits"));
    assert_suggests_nothing(&no_reduction("average"));
    assert_suggests_nothing(&no_adapter("nvidia"));
    assert_suggests_nothing(&no_adapter(""));
    assert_suggests_nothing(&Error::NoAdapter { asked: "nvidia".to_string(), found: Vec::new() });
}

#[test]
fn a_tensor_given_twice_is_no_slip_of_the_pen() {
    assert_suggests_nothing(&no_tensor("target"));
}

fn refused(name: &str, inputs: &[(&str, HostTensor<'_>)]) -> String {
    let loss = AnyLoss::new(name, &[]).unwrap();
    let inputs = inputs.iter().map(|(name, tensor)| (name.to_string(), tensor.view())).collect();
    reference::evaluate(&loss, &inputs, &Reduction::Sum.into()).unwrap_err().to_string()
}

#[test]
fn a_value_out_of_range_is_named_with_its_input_and_place() {
    let logits = HostTensor::new(&[0.0_f32; 24], [2, 3, 4]).unwrap();
    let target = HostTensor::new(&[0, 1, 2, -100, 2, 7, 1, -3], [2, 4]).unwrap();
    let text = refused("cross_entropy", &[("logits", logits.view()), ("target", target)]);
    let rule = "`target` must be 0 to 2 (C = 3) or -100 (ignore_index)";
    assert_eq!(text, format!("cross_entropy: 2 items out of range, the first at index 5, [1, 1]: {rule}, found 7"));

    // Who is guilty is named alone, with a place of its own where that is not the item's.
    let target = HostTensor::new(&[0, 1, 2, -100, 2, 2, 1, 0], [2, 4]).unwrap();
    let weights = ("class_weight", HostTensor::from(&[1.0_f32, 0.5, -0.25]));
    let text = refused("cross_entropy", &[("logits", logits), ("target", target), weights]);
    let rule = "`class_weight` must be 0 or above, found -0.25 at [2]";
    assert_eq!(text, format!("cross_entropy: 7 items out of range, the first at index 0, [0, 0]: {rule}"));

    let text = refused("hinge", &[("logits", HostTensor::from(&[0.5_f32])), ("target", HostTensor::from(&[0.1_f32]))]);
    assert_eq!(text, "hinge: 1 item out of range, the first at index 0: `target` must be −1 or 1, found 0.1");
    let boxes = |values: &[f64]| HostTensor::rounded(values, DType::F32, [1, 4]).unwrap();
    let text = refused("giou", &[("prediction", boxes(&[0.0; 4])), ("target", boxes(&[0.0, 2.0, 1.0, 1.0]))]);
    assert!(text.ends_with("at index 0: `target` must be x1 ≤ x2 and y1 ≤ y2, found 1 at [0, 3]"), "{text}");
}

#[test]
fn on_the_device_the_inputs_that_were_given_are_named() {
    for gpu in adapters::all() {
        let logits = Tensor::from_host(gpu, HostTensor::new(&[0.0_f32; 6], [2, 3]).unwrap()).unwrap();
        let target = Tensor::from_host(gpu, &[0, 3]).unwrap();
        let error = CrossEntropy::default().run(gpu, &logits, &target, Reduction::Mean).unwrap().read_blocking();
        let rule = "`target` must be 0 to 2 (C = 3) or -100 (ignore_index)";
        let text = format!("cross_entropy: 1 item out of range, the first at index 1: {rule}");
        assert_eq!(error.unwrap_err().to_string(), text, "{gpu:?}");
    }
}

#[test]
fn classes_in_the_wrong_place_are_told_where_they_belong() {
    let zeros = |shape: &[usize]| HostTensor::rounded(&vec![0.0; shape.iter().product()], DType::F32, shape).unwrap();
    let classes = |shape: &[usize]| {
        let bytes = vec![0; 4 * shape.iter().product::<usize>()];
        HostTensor::from_bytes(DType::I32, shape, bytes).unwrap()
    };
    for one_hot in [zeros(&[2, 3]), classes(&[2, 3])] {
        for (loss, advice) in [
            ("cross_entropy", "values for each class are the target of `cross_entropy_soft`"),
            ("focal", "not values for each class"),
        ] {
            let text = refused(loss, &[("logits", zeros(&[2, 3])), ("target", one_hot.view())]);
            let expected = format!("{loss}: `target` must have shape [2], class indices; {advice}, found [2, 3]");
            assert_eq!(text, expected);
        }
    }
    for (loss, first) in [("cross_entropy", "logits"), ("dice", "prediction")] {
        let text = refused(loss, &[(first, zeros(&[2, 8, 9, 3])), ("target", classes(&[2, 8, 9]))]);
        let shape = "[2, 3, 8, 9] for `target` of shape [2, 8, 9], with the classes on axis 1";
        assert_eq!(text, format!("{loss}: `{first}` must have shape {shape}, found [2, 8, 9, 3]"));
    }
    // What fits is taken as it is, and what fits neither way is the target's fault.
    let text = refused("cross_entropy", &[("logits", zeros(&[2, 3, 4])), ("target", classes(&[2, 5]))]);
    assert_eq!(text, "cross_entropy: `target` must have shape [2, 4], found [2, 5]");
}

#[test]
fn a_parameter_set_twice_is_refused() {
    let error = AnyLoss::new("huber", &[("delta", "1"), ("delta", "1")]).unwrap_err();
    assert_eq!(error.to_string(), "huber: parameter `delta` is set twice");
}

#[test]
fn losses_print_their_parameters() {
    let loss = AnyLoss::new("quantile", &[("quantile", "0.25")]).unwrap();
    assert_eq!(loss.to_string(), "quantile quantile=0.25");
    assert_eq!(format!("{loss:?}"), "AnyLoss(quantile quantile=0.25)");
    assert_eq!(format!("{:?}", AnyLoss::new("mse", &[]).unwrap()), "AnyLoss(mse)");
}

#[test]
fn an_error_in_a_callers_own_shader_is_not_called_ours() {
    let text = |built_in| {
        let (location, message) = ("losses/mine.wgsl:3".to_string(), "unknown identifier".to_string());
        Error::Shader { loss: "mine", built_in, location, message }.to_string()
    };
    let place = "losses/mine.wgsl:3: unknown identifier";
    assert_eq!(text(true), format!("mine: the shader did not compile (an error in wgloss, please report it): {place}"));
    assert_eq!(text(false), format!("mine: the shader did not compile (an error in the loss's own hooks): {place}"));
}

#[test]
fn tensors_print_their_values() {
    let text = |tensor: HostTensor<'_>| format!("{tensor:?}");
    assert_eq!(text(HostTensor::from(&[0.1_f32, -2.0])), "HostTensor(f32 [2], [0.1, -2.0])");
    assert_eq!(text(HostTensor::new(&[1, -100, 3, 4], [2, 2]).unwrap()), "HostTensor(i32 [2, 2], [1, -100, 3, 4])");
    let halves = [0.25, f32::INFINITY].map(f16::from_f32);
    assert_eq!(text(HostTensor::from(&halves)), "HostTensor(f16 [2], [0.25, inf])");
    assert_eq!(text(HostTensor::from(&[bf16::ONE, bf16::NAN])), "HostTensor(bf16 [2], [1.0, NaN])");
    assert_eq!(text(HostTensor::new(&[1e-9_f32], []).unwrap()), "HostTensor(f32 [], [1e-9])");
    assert_eq!(text(HostTensor::from(&[0.0_f32; 0])), "HostTensor(f32 [0], [])");
}

#[test]
fn long_tensors_print_their_first_values() {
    let values: Vec<i32> = (0..100_000).collect();
    assert_eq!(format!("{:?}", HostTensor::from(&values[..8])), "HostTensor(i32 [8], [0, 1, 2, 3, 4, 5, 6, 7])");
    assert_eq!(
        format!("{:?}", HostTensor::new(&values, [1000, 100]).unwrap()),
        "HostTensor(i32 [1000, 100], [0, 1, 2, 3, 4, 5, 6, 7, … 99992 more])"
    );
}

#[test]
fn evaluations_print_values_and_no_bytes() {
    let scalar = |value: f64| HostTensor::rounded(&[value], wgloss::DType::F32, []).unwrap();
    let mut evaluation = Evaluation::new(scalar(0.25), 1);
    evaluation.gradients = Named::new().with("prediction", scalar(-1.5));
    let text = format!("{evaluation:?}");
    assert!(text.contains("loss: HostTensor(f32 [], [0.25])"), "{text}");
    assert!(text.contains(r#"("prediction", HostTensor(f32 [], [-1.5]))"#), "{text}");
    assert!(!text.contains("bytes"), "{text}");
}
