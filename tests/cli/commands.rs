//! The `wgloss` command: results, files, messages and exit codes.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use approx::assert_abs_diff_eq;
use safetensors::Dtype::{BF16, BOOL, F16, F32, I32, I64, U8, U32};
use serde_json::Value as Json;
use wgloss::{
    Adapter, Reduction, losses,
    spec::{Input, Kind, Shape},
};

use crate::{
    command::{Run, command, run, wgloss},
    files::{Files, Tensor, adapters, floats, mse, tensor, tensors},
};

#[test]
fn mse_is_right_on_the_reference_and_on_the_default_adapter() {
    let files = mse();
    for adapter in adapters() {
        let report = files.eval_checked(&adapter, "mse --reduction mean --json").json();
        assert_eq!(report["name"], "mse");
        assert_eq!(report["adapter"], adapter.as_str());
        assert_eq!(report["reduction"], "mean");
        assert_eq!(report["loss"], 0.375);
        assert_eq!(report["items"], 4);
        assert!(report["seconds"].as_f64().unwrap() > 0.0);
        let gradient = &report["gradients"]["prediction"];
        assert_eq!(gradient["type"], "f32");
        assert_eq!(gradient["shape"], serde_json::json!([2, 2]));
        assert_eq!(gradient["l2_norm"], 0.375_f64.sqrt());
        if adapter == "cpu" {
            assert!(report["check"].is_null());
            continue;
        }
        assert_eq!(report["check"]["passed"], true);
        assert_eq!(report["check"]["failures"], serde_json::json!([]));
        for error in ["loss_error", "gradient_error"] {
            assert!(report["check"][error]["relative"].is_f64() && report["check"][error]["ulps"].is_f64());
        }
    }
}

#[test]
fn eval_prints_a_table() {
    for adapter in adapters() {
        let run = mse().eval_checked(&adapter, "huber --reduction mean --set delta=0.25");
        assert_eq!(run.code, 0);
        let checked: &[&str] = if adapter == "cpu" { &[] } else { &["error of loss", "pass"] };
        for line in ["huber", "delta", "0.25", "items counted", "L2 norm of grad.prediction"].iter().chain(checked) {
            assert!(run.stdout.contains(line), "`{line}` is not in:\n{}", run.stdout);
        }
    }
}

#[test]
fn the_reduction_none_is_summarised() {
    let report = mse().eval("mse --reduction none --json").json();
    assert_eq!(report["loss"], serde_json::json!({ "count": 4, "mean": 0.375, "min": 0.0, "max": 1.0 }));
}

#[test]
fn numbers_that_are_not_finite_stay_visible() {
    let files = Files::new(&[
        ("prediction", tensor(F32, &[2], &[f32::NAN, 0.0])),
        ("target", tensor(F32, &[2], &[0.0_f32, 0.0])),
    ]);
    assert_eq!(files.eval("mse --reduction sum --json").json()["loss"], "NaN");
    let items = files.eval("mse --reduction none --json").json()["loss"].clone();
    assert_eq!(items, serde_json::json!({ "count": 2, "mean": "NaN", "min": "NaN", "max": "NaN" }));
}

#[test]
fn smaller_inputs_are_broadcast_and_one_row_needs_no_axis_of_rows() {
    let variances = Files::new(&[
        ("prediction", tensor(F32, &[2, 2], &[1.0_f32, 1.0, 1.0, 1.0])),
        ("target", tensor(F32, &[], &[0.0_f32])),
        ("variance", tensor(F32, &[2], &[1.0_f32, 0.5])),
        ("weight", tensor(F32, &[1, 2], &[1.0_f32, 3.0])),
    ]);
    let row =
        Files::new(&[("logits", tensor(F32, &[3], &[0.0_f32, 1.0, 0.0])), ("target", tensor(I32, &[], &[1_i32]))]);
    for adapter in adapters() {
        // The reference has nothing to be checked against.
        let checked = if adapter == "cpu" { 3 } else { 0 };
        assert_eq!(variances.eval_on(&adapter, "gaussian_nll --reduction mean --check --json").code, checked);
        let written = variances.eval_to_file_on(&adapter, "gaussian_nll --reduction sum");
        assert_eq!(written["grad.variance"].1, [2]);
        // ½(1/v − 1/v²) of each row, by both weights.
        assert_eq!(floats(&written["grad.variance"]), [0.0, -4.0]);
        assert_eq!(row.eval_on(&adapter, "cross_entropy --reduction none --check --json").code, checked);
        let written = row.eval_to_file_on(&adapter, "multi_margin --reduction none");
        assert_eq!((&written["loss"].1[..], floats(&written["loss"])), (&[][..], vec![0.0]));
        assert_eq!(written["grad.logits"].1, [3]);
    }
    variances.eval("mse --reduction sum").refused(2, &["unexpected `variance`"]);
}

#[test]
fn the_output_file_holds_loss_and_gradients_in_the_shapes_and_types_of_the_inputs() {
    let files = mse();
    let written = files.eval_to_file("mse --reduction mean --upstream -2");
    assert_eq!(written.keys().collect::<Vec<_>>(), ["grad.prediction", "loss"]);
    assert_eq!(written["loss"], tensor(F32, &[], &[0.375_f32]));
    let gradient = &written["grad.prediction"];
    assert_eq!(gradient.1, [2, 2]);
    assert_eq!(floats(gradient), [0.5, -0.5, 0.0, -1.0]);

    let written = files.eval_to_file("mse --reduction none");
    assert_eq!(written["loss"], tensor(F32, &[2, 2], &[0.25_f32, 0.25, 0.0, 1.0]));

    let halves = Files::new(&[
        ("prediction", tensor(F16, &[3], &[half::f16::ONE, half::f16::ZERO, half::f16::ONE])),
        ("target", tensor(BF16, &[3], &[half::bf16::ONE, half::bf16::ONE, half::bf16::ZERO])),
    ]);
    let written = halves.eval_to_file("mse --reduction sum");
    let [zero, two] = [0.0, 2.0].map(half::f16::from_f32);
    assert_eq!(written["grad.prediction"], tensor(F16, &[3], &[zero, -two, two]));
    // Nothing is left beside input and output.
    assert_eq!(fs::read_dir(halves.directory.path()).unwrap().count(), 2);
}

#[test]
fn an_upstream_in_the_file_multiplies_the_gradients() {
    let files = Files::new(&[
        ("prediction", tensor(F32, &[2], &[1.0_f32, 2.0])),
        ("target", tensor(F32, &[2], &[0.0_f32, 0.0])),
        ("upstream", tensor(F32, &[2], &[10.0_f32, 100.0])),
    ]);
    let written = files.eval_to_file("mse --reduction none");
    assert_eq!(floats(&written["grad.prediction"]), [20.0, 400.0]);
    files.eval("mse --reduction sum").refused(2, &["mse", "upstream", "none", "sum"]);
}

#[test]
fn a_sum_is_divided_by_an_option_and_by_a_tensor_of_the_file() {
    let files = Files::new(&[
        ("prediction", tensor(F32, &[2], &[1.0_f32, 2.0])),
        ("target", tensor(F32, &[2], &[0.0_f32, 0.0])),
        ("divisor", tensor(F32, &[1], &[4.0_f32])),
    ]);
    for adapter in adapters() {
        let written = files.eval_to_file_on(&adapter, "mse --reduction sum");
        assert_eq!((floats(&written["loss"]), floats(&written["grad.prediction"])), (vec![1.25], vec![0.5, 1.0]));
        let written = files.eval_to_file_on(&adapter, "mse --reduction sum --divisor 2.5");
        assert_eq!((floats(&written["loss"]), floats(&written["grad.prediction"])), (vec![0.5], vec![0.2, 0.4]));
    }
    files.eval("mse --reduction mean").refused(2, &["mse", "`divisor`", "`sum`", "`mean`"]);
    mse().eval("mse --reduction mean --divisor 2").refused(2, &["mse", "`divisor`", "`sum`", "`mean`"]);
    mse().eval("mse --reduction sum --divisor -2").refused(2, &["mse", "`divisor`", "above 0", "-2"]);
    let bad = Files::new(&[
        ("prediction", tensor(F32, &[2], &[1.0_f32, 2.0])),
        ("target", tensor(F32, &[2], &[0.0_f32, 0.0])),
        ("divisor", tensor(F32, &[], &[0.0_f32])),
    ]);
    bad.eval("mse --reduction sum").refused(2, &["mse", "`divisor`", "above 0", "found 0"]);
}

#[test]
fn the_sum_of_weights_is_told_and_that_it_is_no_divisor() {
    let files = |weights: &[f32]| {
        Files::new(&[
            ("prediction", tensor(F32, &[2], &[1.0_f32, 2.0])),
            ("target", tensor(F32, &[2], &[0.0_f32, 0.0])),
            ("weight", tensor(F32, &[2], weights)),
        ])
    };
    let command = "mse --reduction weighted_mean";
    let found = files(&[2.0, -1.0]).eval(&format!("{command} --json")).json();
    assert_eq!((&found["weight_sum"], &found["loss"]), (&1.0.into(), &(-2.0).into()));
    assert!(files(&[2.0, -1.0]).eval(command).stdout.contains("sum of weights"));
    let found = files(&[1.0, -2.0]).eval(&format!("{command} --json")).json();
    assert_eq!((&found["weight_sum"], &found["loss"]), (&(-1.0).into(), &0.0.into()));
    assert!(files(&[1.0, -2.0]).eval(command).stdout.contains("no weighted mean"));
    assert_eq!(files(&[1.0, -2.0]).eval("mse --reduction mean --json").json()["weight_sum"], serde_json::json!(null));
}

/// Two samples of three classes at two places each. The rows are [0, 0, 0], [1, 2, 3], [0, 4, 0] and [5, 0, 0].
fn places(labels: Tensor) -> Files {
    let logits = [0.0_f32, 1.0, 0.0, 2.0, 0.0, 3.0, 0.0, 5.0, 4.0, 0.0, 0.0, 0.0];
    Files::new(&[("logits", tensor(F32, &[2, 3, 2], &logits)), ("target", labels)])
}

#[test]
fn rows_may_have_axes_after_the_classes() {
    let files = places(tensor(I64, &[2, 2], &[0_i64, 2, 0, -100]));
    for adapter in adapters() {
        let report = files.eval_checked(&adapter, "cross_entropy --reduction mean --json").json();
        assert_eq!(report["items"], 3);
        assert_eq!(report["correct"], 2);
        let expected =
            (3.0_f64.ln() + (1.0 + (-1.0_f64).exp() + (-2.0_f64).exp()).ln() + (4.0_f64.exp() + 2.0).ln()) / 3.0;
        assert_abs_diff_eq!(report["loss"].as_f64().unwrap(), expected, epsilon = 1e-6);
        assert_eq!(report["gradients"]["logits"]["shape"], serde_json::json!([2, 3, 2]));
        assert!(adapter == "cpu" || report["check"]["passed"] == true);
    }
}

#[test]
fn the_right_predictions_are_counted_where_targets_are_classes() {
    let run = places(tensor(U8, &[2, 2], &[0_u8, 2, 0, 0])).eval("focal --reduction mean");
    assert!(run.stdout.contains("3 of 4, 75.0 %"), "{}", run.stdout);
    let run = places(tensor(I32, &[2, 2], &[-100_i32; 4])).eval("focal --reduction mean");
    assert!(run.stdout.contains("0 of 0\n"), "{}", run.stdout);

    let run = mse().eval("mse --reduction mean");
    assert!(!run.stdout.contains("right"), "{}", run.stdout);
    assert!(mse().eval("mse --reduction mean --json").json()["correct"].is_null());
}

#[test]
fn statistics_are_written_to_the_output_file() {
    let files = places(tensor(I32, &[2, 2], &[0_i32, 2, 0, -100]));
    for adapter in adapters() {
        let written = files.eval_to_file_on(&adapter, "cross_entropy --reduction sum --statistics log_sum_exp,argmax");
        assert_eq!(written.keys().collect::<Vec<_>>(), ["argmax", "grad.logits", "log_sum_exp", "loss"]);
        // The first of the largest, of a row that is ignored too.
        assert_eq!(written["argmax"], tensor(I32, &[2, 2], &[0_i32, 2, 1, 0]));
        assert_eq!(written["log_sum_exp"].1, [2, 2]);
        let expected = [3.0_f32.ln(), 3.407_606, (4.0_f32.exp() + 2.0).ln(), (5.0_f32.exp() + 2.0).ln()];
        for (found, expected) in floats(&written["log_sum_exp"]).into_iter().zip(expected) {
            assert_abs_diff_eq!(found, expected, epsilon = 1e-5);
        }
    }
}

#[test]
fn what_policies_tell_is_written_in_the_shape_of_the_tokens() {
    let policies = [
        ("advantage", tensor(F32, &[2, 2], &[1.0_f32, -1.0, 1.0, 1.0])),
        ("old_log_prob", tensor(F32, &[2, 2], &[-1.5_f32, -1.5, -1.0, -1.0])),
    ];
    let of_log_probs = [&policies[..], &[("log_prob", tensor(F32, &[2, 2], &[-1.0_f32; 4]))]].concat();
    let hidden = tensor(F32, &[2, 2, 1], &[0.0_f32; 4]);
    let head = [("hidden", hidden), ("weight", tensor(F32, &[2, 1], &[1.0_f32, -1.0]))];
    let of_hidden = [&policies[..], &head, &[("target", tensor(I32, &[2, 2], &[0_i32, 0, -100, 1]))]].concat();
    for (loss, files, expected) in [
        ("policy_clip", Files::new(&of_log_probs), [1.0, 0.0, 0.0, 0.0]),
        ("linear_policy_clip", Files::new(&of_hidden), [1.0, 0.0, 0.0, 1.0]),
    ] {
        for adapter in adapters() {
            let written = files.eval_to_file_on(&adapter, &format!("{loss} --reduction mean --statistics clipped,kl"));
            assert_eq!(written["clipped"].1, [2, 2], "{loss} on {adapter}");
            assert_eq!(floats(&written["clipped"]), expected, "{loss} on {adapter}");
            assert_eq!(written["kl"], tensor(F32, &[2, 2], &[0.0_f32; 4]), "{loss} on {adapter}");
        }
    }
    Files::new(&of_log_probs)
        .eval("policy_sapo --reduction mean --statistics clipped --output x")
        .refused(2, &["`clipped` of its items"]);
}

/// Two samples of two classes at two places each, as probabilities, with this target.
fn overlap(target: Tensor) -> Files {
    let prediction = [0.75_f32, 0.5, 0.25, 0.5, 0.0, 1.0, 1.0, 0.0];
    Files::new(&[("prediction", tensor(F32, &[2, 2, 2], &prediction)), ("target", target)])
}

#[test]
fn integers_are_classes_of_pixels_or_masks_of_classes() {
    let expected = overlap(tensor(F32, &[2, 2, 2], &[1.0_f32, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0]));
    let expected = expected.eval_to_file("dice --reduction none --set scope=class");
    // I, P and T are 1.75, 2.25 and 2 of the first class, 1.5, 1.75 and 2 of the other.
    assert_eq!(floats(&expected["loss"]), [1.0 - 4.5 / 5.25, 1.0 - 4.0 / 4.75].map(|loss: f64| loss as f32));
    for target in [
        // Without the axis of classes, the classes of pixels.
        tensor(U8, &[2, 2], &[0_u8, 1, 1, 0]),
        tensor(I32, &[2, 2], &[0_i32, 1, 1, 0]),
        tensor(I64, &[2, 2], &[0_i64, 1, 1, 0]),
        tensor(U32, &[2, 2], &[0_u32, 1, 1, 0]),
        tensor(BOOL, &[2, 2], &[0_u8, 1, 1, 0]),
        // With it, a mask for each class.
        tensor(BOOL, &[2, 2, 2], &[1_u8, 0, 0, 1, 0, 1, 1, 0]),
        tensor(U8, &[2, 2, 2], &[1_u8, 0, 0, 1, 0, 1, 1, 0]),
        tensor(I32, &[2, 2, 2], &[1_i32, 0, 0, 1, 0, 1, 1, 0]),
        tensor(I64, &[2, 2, 2], &[1_i64, 0, 0, 1, 0, 1, 1, 0]),
    ] {
        let (dtype, shape) = (target.0, target.1.clone());
        let run = overlap(target.clone()).eval("dice --reduction mean");
        assert_eq!((run.code, &run.stderr[..]), (0, ""), "{dtype} {shape:?}");
        let found = overlap(target).eval_to_file("dice --reduction none --set scope=class");
        assert_eq!(found, expected, "{dtype} {shape:?}");
    }
    overlap(tensor(I64, &[2, 2], &[0_i64, 1, 1 << 32, 0]))
        .eval("dice --reduction mean")
        .refused(2, &["dice", "`target`", "4294967296", "at [1, 0]"]);
    overlap(tensor(I64, &[2, 2], &[0_i64, 2, -1, -100])).eval("dice --reduction mean").refused(
        2,
        &["dice", "2 items", "the first at index 1, [0, 1]", "`target` must be 0 to 1 (C = 2) or -100", "found 2"],
    );
    overlap(tensor(I64, &[4], &[0_i64; 4])).eval("dice --reduction mean").refused(2, &["`target`", "[2, 2, 2]", "[4]"]);
}

#[test]
fn the_terms_of_a_loss_are_reported() {
    let files = overlap(tensor(U8, &[2, 2], &[0_u8, 1, 1, 0]));
    for adapter in adapters() {
        let report = files.eval_on(&adapter, "ce_dice --reduction mean --set ce_weight=0.25 --json").json();
        let term = |name: &str| report["terms"][name].as_f64().unwrap();
        let expected = 0.25 * term("cross_entropy") + 0.5 * term("dice");
        assert_abs_diff_eq!(report["loss"].as_f64().unwrap(), expected, epsilon = 1e-6);
        assert_eq!(report["items"], 2);
    }
    assert!(files.eval("focal_dice --reduction mean").stdout.contains("  focal "));
    assert_eq!(mse().eval("mse --reduction mean --json").json()["terms"], serde_json::json!({}));
    files.eval("ce_dice --reduction none").refused(2, &["ce_dice", "`none`", "`mean`, `sum`, `batch_mean`"]);
}

#[test]
fn bad_parameters_and_options_are_refused() {
    let files = mse();
    files.eval("huber --reduction mean --set gamma=1").refused(2, &["huber", "`gamma`", "`delta`"]);
    files.eval("huber --reduction mean --set delta=-1").refused(2, &["huber", "`delta`", "above 0", "-1"]);
    files.eval("huber --reduction mean --set delta=NaN").refused(2, &["huber", "`delta`", "finite", "NaN"]);
    files.eval("huber --reduction mean --set delta=wide").refused(2, &["huber", "`delta`", "finite", "wide"]);
    files.eval("huber --reduction mean --set delta").refused(2, &[]);
    files.eval("huber --reduction mean --upstream inf").refused(2, &["huber", "upstream", "inf"]);
    files.eval("huber --reduction average").refused(2, &[]);
    files.eval("huber").refused(2, &[]);
    files.eval("mse --reduction mean --statistics argmax").refused(2, &[]);
    files.eval("mse --reduction mean --statistics mode --output x").refused(2, &[]);
    files.eval("mse --reduction mean --statistics argmax --output x").refused(2, &["mse", "`argmax`"]);
    files.eval("hubris --reduction mean").refused(2, &["`hubris`"]);
    wgloss(&["list", "hubris"]).refused(2, &["`hubris`"]);
    wgloss(&["lists"]).refused(2, &[]);
}

#[test]
fn the_nearest_name_is_suggested() {
    let files = mse();
    let near = |args: &str, code, meant: &str| {
        files.eval(args).refused(code, &[&format!("did you mean `{meant}`?")]);
    };
    near("crossentropy --reduction mean", 2, "cross_entropy");
    near("MSELoss --reduction mean", 2, "mse");
    near("nn.CrossEntropyLoss --reduction mean", 2, "cross_entropy");
    near("hubber --reduction mean", 2, "huber");
    near("huber --reduction mean --set delt=0.5", 2, "delta");
    for command in ["list", "parity"] {
        wgloss(&[command, "hubre"]).refused(2, &["did you mean `huber`?"]);
    }
    let misnamed =
        Files::new(&[("prediction", tensor(F32, &[1], &[0.0_f32])), ("targets", tensor(F32, &[1], &[0.0_f32]))]);
    misnamed.eval("mse --reduction mean").refused(2, &["unexpected `targets`", "did you mean `target`?"]);
    let reduced = files.eval("mse --reduction weightedmean");
    assert_eq!(reduced.code, 2);
    assert!(reduced.stderr.contains("'weighted_mean'"), "{}", reduced.stderr);
    if let Some(adapter) = Adapter::all_blocking().iter().map(Adapter::id).find(|id| id.contains("llvmpipe")) {
        let run = files.eval_on("llvmpie", "mse --reduction mean");
        run.refused(3, &[&adapter, "did you mean `llvmpipe`?"]);
    }
}

#[test]
fn a_name_far_from_all_gets_no_suggestion() {
    let files = mse();
    let far = |args: &str| {
        let run = files.eval(args);
        assert_eq!(run.code, 2);
        assert!(!run.stderr.contains("did you mean"), "{}", run.stderr);
    };
    far("perplexity --reduction mean");
    far("huber --reduction mean --set gamma=0.5");
    files.eval("hubris --reduction mean").refused(2, &["`hubris`", "`wgloss list` shows those there are"]);
}

#[test]
fn every_adapter_is_chosen_by_its_id() {
    for id in Adapter::all_blocking().iter().map(Adapter::id) {
        assert_eq!(mse().eval_on(&id, "mse --reduction mean --json").json()["adapter"], id.as_str());
    }
}

#[test]
fn an_adapter_that_does_not_exist_is_refused() {
    mse().eval_on("vulkan:no such adapter", "mse --reduction mean").refused(3, &["vulkan:no such adapter"]);
}

/// Hides the machine's drivers from the command.
fn without_drivers(command: &mut Command) -> &mut Command {
    command
        .env("VK_DRIVER_FILES", "/nowhere")
        .env("VK_ICD_FILENAMES", "/nowhere")
        .env_remove("VK_ADD_DRIVER_FILES")
        .env("__EGL_VENDOR_LIBRARY_FILENAMES", "/nowhere")
}

#[test]
fn without_an_adapter_the_reference_evaluates() {
    let files = mse();
    // Where the drivers are found all the same, there is nothing to test.
    let blind = |command: &mut Command| run(without_drivers(command));
    let adapters = blind(&mut command(&["adapters", "--json"])).json();
    if adapters["adapters"].as_array().unwrap().is_empty() {
        let run = blind(command(&["eval", "mse", "--reduction", "mean", "--json", "--input"]).arg(files.input()));
        assert_eq!(run.json()["adapter"], "cpu");
        assert!(run.stderr.contains("no adapter was found"));
    }
}

#[test]
fn the_output_replaces_neither_the_input_nor_what_is_no_file() {
    let files = mse();
    let before = fs::read(files.input()).unwrap();
    let to = |path: &Path| {
        run(command(&["eval", "mse", "--reduction", "mean", "--adapter", "cpu", "--input"])
            .arg(files.input())
            .arg("--output")
            .arg(path))
    };
    to(&files.input()).refused(2, &["input.safetensors", "must not be the input"]);
    to(&files.path("../").join(files.directory.path().file_name().unwrap()).join("input.safetensors"))
        .refused(2, &["must not be the input"]);
    to(files.directory.path()).refused(2, &["must be a regular file"]);
    to(&files.path("absent/output.safetensors")).refused(2, &["absent/output.safetensors", "cannot be written"]);
    assert_eq!(fs::read(files.input()).unwrap(), before);

    // An earlier output stays whole where the evaluation fails, and is replaced where it does not.
    fs::write(files.output(), "earlier").unwrap();
    let failing = run(command(&["eval", "bce", "--reduction", "mean", "--adapter", "cpu", "--input"])
        .arg(files.input())
        .arg("--output")
        .arg(files.output()));
    failing.refused(2, &["bce"]);
    assert_eq!(fs::read(files.output()).unwrap(), b"earlier");
    assert_eq!(to(&files.output()).code, 0);
    assert!(tensors(&files.output()).contains_key("loss"));
}

#[test]
fn list_shows_every_loss() {
    let table = wgloss(&["list"]).stdout;
    let markdown = wgloss(&["list", "--markdown"]).stdout;
    let catalogue = wgloss(&["list", "--json"]).json();
    let names = wgloss(&["list", "--names"]).stdout;
    assert!(names.lines().eq(losses::ALL.iter().map(|spec| spec.name)), "{names}");
    assert_eq!(catalogue["losses"].as_array().unwrap().len(), losses::ALL.len());
    for (spec, described) in losses::ALL.iter().zip(catalogue["losses"].as_array().unwrap()) {
        assert!(table.contains(&format!("│ {} ", spec.name)));
        assert!(markdown.contains(&format!("\n| `{}` |", spec.name)));
        assert_eq!(*described, wgloss(&["list", spec.name, "--json"]).json());
        assert_eq!(described["name"], spec.name);
        assert_eq!(described["formula"], spec.formula);
        assert_eq!(described["aliases"], serde_json::json!(spec.aliases));
        let inputs = described["inputs"].as_array().unwrap();
        assert_eq!(inputs.len(), spec.all_inputs().count());
        let reductions: Vec<&str> = spec.reductions().map(Reduction::name).collect();
        assert_eq!(described["reductions"], serde_json::json!(reductions));
        assert_eq!(inputs[0]["name"], spec.inputs[0].name);
        assert_eq!(inputs[0]["differentiable"], true);
        let text = wgloss(&["list", spec.name]).stdout;
        assert!(spec.aliases.iter().all(|alias| text.contains(alias) && table.contains(alias)), "{text}");
        assert!(text.contains("\n symbols "), "{text}");
        for param in spec.params {
            assert!(text.contains(&format!("│ {} ", param.name)), "{text}");
        }
    }
    assert_eq!(wgloss(&["list", "sigmoid_focal", "--json"]).json()["parameters"][0]["default"], 0.25);
    assert!(wgloss(&["list", "cross_entropy"]).stdout.contains("uniform or others"));
    let target = &wgloss(&["list", "dice", "--json"]).json()["inputs"][1];
    assert_eq!((&target["type"], &target["shape"]), (&"float or index".into(), &"[N, C, d…] or [N, d…]".into()));
}

#[test]
fn every_row_of_markdown_has_four_cells() {
    for row in wgloss(&["list", "--markdown"]).stdout.lines().filter(|line| line.starts_with('|')) {
        assert_eq!(row.replace(r"\|", "").matches('|').count(), 5, "{row}");
    }
}

#[test]
fn adapters_are_described() {
    let described = wgloss(&["adapters", "--json"]).json();
    let described = described["adapters"].as_array().unwrap();
    let adapters = Adapter::all_blocking();
    assert_eq!(described.len(), adapters.len());
    let text = wgloss(&["adapters"]).stdout;
    for (adapter, described) in adapters.iter().zip(described) {
        assert!(text.contains(&adapter.id()));
        assert_eq!(described["id"], adapter.id());
        for field in ["name", "backend", "driver", "driver_info", "kind"] {
            assert!(described[field].is_string(), "{field}");
        }
        assert!(described["f16"].is_boolean());
        let has_subgroups = adapter.features().contains(wgpu::Features::SUBGROUP);
        assert_eq!(described["subgroup_sizes"].as_array().map(Vec::len), has_subgroups.then_some(2));
        for limit in [
            "max_storage_buffer_binding_size",
            "max_buffer_size",
            "max_compute_invocations_per_workgroup",
            "max_compute_workgroups_per_dimension",
            "max_storage_buffers_per_shader_stage",
        ] {
            assert!(described["limits"][limit].as_u64().unwrap() > 0, "{limit}");
        }
        assert_eq!(described["tuning"]["workgroup_size"], adapter.tuning().workgroup_size);
        assert_eq!(described["tuning"]["reduce"], adapter.tuning().reduce.to_string());
        assert_eq!(described["tuning"]["rows"], adapter.tuning().rows.to_string());
        assert_eq!(described["tuning"]["lane_classes"], adapter.tuning().lane_classes);
        assert_eq!(described["tuning"]["few_rows"], adapter.tuning().few_rows);
        assert_eq!(described["tuning"]["cached_classes"], adapter.tuning().cached_classes);
        assert!(text.contains(&format!("a lane each up to {} classes", adapter.tuning().lane_classes)));
    }
}

#[test]
fn a_failed_check_is_told_by_the_exit_code() {
    // The sum overflows where the mean does not: f32 kernels may fail here.
    let files = Files::new(&[
        ("prediction", tensor(F32, &[4], &[1.5e19_f32; 4])),
        ("target", tensor(F32, &[4], &[0.0_f32; 4])),
    ]);
    for adapter in adapters().into_iter().filter(|adapter| adapter != "cpu") {
        let run = files.eval_on(&adapter, "mse --reduction mean --check --json");
        let report: Json = serde_json::from_str(&run.stdout).unwrap();
        let passed = report["check"]["passed"].as_bool().unwrap();
        assert_eq!(report["check"]["failures"].as_array().unwrap().is_empty(), passed);
        assert_eq!(run.code, if passed { 0 } else { 1 });
    }
}

#[test]
fn parity_reports_every_loss_asked_for() {
    if Adapter::all_blocking().is_empty() {
        wgloss(&["parity", "--quick"]).refused(3, &["no adapter was found"]);
        return;
    }
    let report = wgloss(&["parity", "mse", "hinge", "--quick", "--json"]).json();
    assert_eq!(report["passed"], true);
    assert!(report["tolerance"]["loss"].is_f64() && report["tolerance"]["gradient"].is_f64());
    let [adapter] = &report["adapters"].as_array().unwrap()[..] else { panic!("{report}") };
    assert!(adapter["adapter"].is_string());
    let losses = adapter["losses"].as_array().unwrap();
    assert_eq!(losses.iter().map(|entry| &entry["loss"]).collect::<Vec<_>>(), ["mse", "hinge"]);
    for entry in losses {
        assert_eq!(entry["passed"], true);
        assert!(entry["cases"].as_u64().unwrap() > 0);
        assert!(entry["failures"].is_array() && entry["skipped"].is_array());
        for error in ["loss_error", "gradient_error"] {
            assert!(entry[error]["relative"].is_f64() && entry[error]["ulps"].is_f64());
        }
    }
    let table = wgloss(&["parity", "mae", "--quick"]);
    assert_eq!(table.code, 0);
    assert!(table.stdout.contains("│ mae ") && table.stdout.contains("pass"));
}

#[test]
fn parity_refuses_what_it_cannot_check() {
    wgloss(&["parity", "hubris"]).refused(2, &["`hubris`"]);
    wgloss(&["parity", "mse", "--adapter", "no such adapter"]).refused(3, &["no such adapter"]);
}

#[test]
fn a_reader_may_stop_reading() {
    let mut child = command(&["list"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stderr, b"");
}

#[test]
fn help_and_version_are_there() {
    assert!(wgloss(&["--version"]).stdout.contains(env!("CARGO_PKG_VERSION")));
    assert!(wgloss(&["--help"]).stdout.contains("To begin with:"));
    let eval = wgloss(&["eval", "--help"]).stdout;
    for part in ["Example", "- weighted_mean: The sum divided by", "--set delta=0.5"] {
        assert!(eval.contains(part), "`{part}` is not in:\n{eval}");
    }
}

#[test]
fn without_an_adapter_there_is_nothing_to_check() {
    let files = mse();
    files.eval("mse --reduction mean --check").refused(3, &["--check", "--adapter cpu", "nothing to check"]);
    let run =
        run(without_drivers(&mut command(&["eval", "mse", "--reduction", "mean", "--check", "--input"]))
            .arg(files.input()));
    if Adapter::all_blocking().is_empty() || run.code != 0 {
        run.refused(3, &["no adapter was found"]);
    }
    let help = wgloss(&["eval", "--help"]).stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("with 3 where there is no adapter to check"), "{help}");
}

#[test]
fn the_printed_mean_divides_by_what_counts() {
    let logits = [0.0_f32, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let files =
        Files::new(&[("logits", tensor(F32, &[3, 3], &logits)), ("target", tensor(I32, &[3], &[2_i32, -100, -100]))]);
    for adapter in adapters() {
        let loss = files.eval_on(&adapter, "cross_entropy --reduction none --json").json()["loss"].clone();
        assert_eq!(loss["count"], 3);
        assert_abs_diff_eq!(loss["mean"].as_f64().unwrap(), 3.0_f64.ln(), epsilon = 1e-6);
    }
    // Every value of a function per class is a loss.
    let rows = Files::new(&[("logits", tensor(F32, &[3, 3], &logits))]);
    let loss = rows.eval("softmax --reduction none --json").json()["loss"].clone();
    assert_abs_diff_eq!(loss["mean"].as_f64().unwrap(), 1.0 / 3.0, epsilon = 1e-6);
}

#[test]
fn nothing_is_never_minus_zero() {
    for spec in losses::ALL.iter().filter(|spec| !spec.inputs[0].needs_values) {
        let input = |input: &&Input| {
            let shape: &[usize] = match input.shape {
                Shape::Items if spec.regions().is_some() => &[0, 3],
                Shape::Rows if spec.regions().is_some() => &[0, 2, 3],
                Shape::Rows | Shape::ItemRows | Shape::Embeddings | Shape::TokenRows | Shape::Hidden => &[0, 2],
                // Two classes of three rows, or six of one.
                Shape::Head(_) => &[6, 2],
                Shape::HeadClasses => &[6],
                Shape::HeadRows => &[0, 6],
                Shape::Offsets(_) => &[1],
                _ if spec.inputs[0].per_layer => &[0, 2],
                Shape::Boxes => &[0, 4],
                Shape::Scalar => &[],
                _ => &[0],
            };
            let dtype = if input.kind == Kind::Index { I32 } else { F32 };
            let value = if matches!(input.shape, Shape::Offsets(_)) { 0.0_f32 } else { 1.0 };
            (input.name, tensor(dtype, shape, &vec![value; shape.iter().product()]))
        };
        let files =
            Files::new(&spec.inputs.iter().filter(|input| !input.optional).map(|i| input(&i)).collect::<Vec<_>>());
        let reduction = spec.reductions().last().unwrap();
        for adapter in adapters() {
            let run = files.eval_on(&adapter, &format!("{} --reduction {reduction} --json", spec.name));
            assert_eq!(run.code, 0, "{}", run.stderr);
            assert!(!run.stdout.contains("-0.0"), "{}", run.stdout);
        }
    }
}

#[test]
fn flags_and_words_may_be_in_any_case() {
    let files = Files::new(&[
        ("prediction", tensor(F32, &[2], &[0.5_f32, -1.0])),
        ("target", tensor(F32, &[2], &[1.0_f32, 2.0])),
    ]);
    let of = |flag: &str| {
        files.eval(&format!("poisson_nll --reduction sum --set full={flag} --json")).json()["loss"].clone()
    };
    for [flag, other] in [["True", "true"], ["TRUE", "true"], ["False", "false"]] {
        assert_eq!(of(flag), of(other));
    }
    assert_ne!(of("True"), of("False"));
    files.eval("poisson_nll --reduction sum --set full=yes").refused(2, &["`full`", "true or false", "yes"]);
}

#[test]
fn a_parameter_set_twice_is_refused() {
    let twice = "huber --reduction mean --set delta=0.5 --set delta=2";
    mse().eval(twice).refused(2, &["huber", "`delta`", "twice"]);
}

#[test]
fn the_input_may_be_standard_input() {
    let files = mse();
    let piped = |bytes: &[u8], args: &[&str]| {
        let mut all = vec!["eval", "mse", "--reduction", "mean", "--adapter", "cpu", "--json", "--input", "-"];
        all.extend(args);
        let input = files.path("piped");
        fs::write(&input, bytes).unwrap();
        run(command(&all).stdin(fs::File::open(input).unwrap()))
    };
    let bytes = fs::read(files.input()).unwrap();
    assert_eq!(piped(&bytes, &[]).json()["loss"], 0.375);
    let output = files.output();
    assert_eq!(piped(&bytes, &["--output", output.to_str().unwrap()]).json()["loss"], 0.375);
    assert!(tensors(&output).contains_key("loss"));
    piped(b"nothing of the kind", &[]).refused(2, &["standard input", "not a valid safetensors file"]);
}

/// Sent as it is, a terminal would obey it: take another title, colour, place.
#[test]
fn escapes_in_names_are_shown_and_not_sent() {
    let evil = "\u{1b}]0;title\u{7}\u{9b}31m";
    let shown = r"\u001b]0;title\u0007\u009b31m";
    let escaped = |run: Run, code: i32| {
        assert_eq!(run.code, code, "{}", run.stderr);
        let text = run.stdout + &run.stderr;
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        assert!(text.contains(shown), "{text}");
    };
    let files = mse();
    let path = files.path(evil);
    fs::write(&path, "").unwrap();
    let path = path.to_str().unwrap();
    let input = files.input();
    let input = input.to_str().unwrap();
    let eval = |loss: &str, input: &str, more: &[&str]| {
        let args = ["eval", loss, "--adapter", "cpu", "--reduction", "mean", "--input", input];
        wgloss(&[&args[..], more].concat())
    };
    escaped(eval(evil, input, &[]), 2);
    escaped(eval("mse", path, &[]), 2);
    escaped(eval("huber", input, &["--set", &format!("{evil}=1")]), 2);
    escaped(eval("huber", input, &["--set", &format!("delta={evil}")]), 2);
    escaped(wgloss(&["eval", "mse", "--input", input, "--reduction", evil]), 2);
    escaped(eval("mse", input, &["--output", &format!("{path}/output")]), 2);
    escaped(wgloss(&["list", evil]), 2);
    escaped(wgloss(&[evil]), 2);
    escaped(wgloss(&["parity", "mse", "--adapter", evil]), 3);
    let named = |name| (name, tensor(F32, &[1], &[0.0_f32]));
    let files = Files::new(&[named("prediction"), named("target"), named(evil)]);
    escaped(files.eval("mse --reduction mean"), 2);
}

#[test]
fn a_machine_without_a_desktop_is_no_reason_to_complain() {
    for args in [&["adapters"][..], &["parity", "mse", "--quick", "--json"]] {
        let run = run(command(args).env_remove("XDG_RUNTIME_DIR").env_remove("WAYLAND_DISPLAY"));
        assert!(!run.stderr.contains("XDG_RUNTIME_DIR"), "{}", run.stderr);
    }
}
