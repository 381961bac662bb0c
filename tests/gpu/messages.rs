//! What people read: the text of errors, and of values printed with `{:?}`.

use wgloss::{
    AnyLoss, Error, Evaluation, HostTensor, Mse, Named, Reduction,
    half::{bf16, f16},
    losses, reference,
    spec::LossSpec,
};

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
        ("huberr", "huber"),
        ("Mse", "mse"),
    ] {
        assert_says(&no_loss(found), &format!("; did you mean `{meant}`?"));
    }
    assert_says(&no_parameter("sigmoid_focal", "gama"), "it has `alpha`, `gamma`; did you mean `gamma`?");
    assert_says(&no_parameter("cross_entropy", "labelSmoothing"), "; did you mean `label_smoothing`?");
    assert_says(&no_tensor("weigth"), "`weight`, `upstream`; did you mean `weight`?");
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

#[test]
fn targets_out_of_range_are_told_the_rule_of_their_own_loss() {
    let rule = |spec| Error::target(spec, 3, 5).to_string();
    assert_eq!(rule(&losses::HINGE), "hinge: 3 item(s) out of range, the first at index 5: `target` must be −1 or 1");
    assert!(rule(&losses::DICE).contains("`target` must be in [0, 1] or an index 0 to C − 1"));
    // A loss of someone else's may have the name of one in the catalogue.
    let other = LossSpec { name: "huber", ..losses::HINGE };
    assert_eq!(rule(&other), "huber: 3 item(s) out of range, the first at index 5: `target` must be −1 or 1");
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
