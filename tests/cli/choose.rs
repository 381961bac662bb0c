//! `wgloss choose` as a script calls it.

use safetensors::Dtype::F32;

use crate::{
    command::{command, run, wgloss},
    files::{Files, tensor},
};

/// The losses that the command answers with.
fn losses(args: &str) -> Vec<String> {
    let args: Vec<&str> = ["choose", "--json"].into_iter().chain(args.split(' ')).collect();
    let answer = wgloss(&args).json();
    answer["losses"].as_array().unwrap().iter().map(|loss| loss["name"].as_str().unwrap().to_string()).collect()
}

#[test]
fn flags_lead_to_losses_in_any_order() {
    for (args, expected) in [
        ("--task regression", vec!["mse"]),
        ("--task regression --outliers", vec!["huber", "log_cosh"]),
        ("--uncertainty --task regression", vec!["gaussian_nll"]),
        ("--task counts", vec!["poisson_nll"]),
        ("--task binary --imbalanced", vec!["bce_with_logits", "sigmoid_focal"]),
        ("--task multi-class --soft-targets", vec!["cross_entropy_soft"]),
        ("--task distillation", vec!["distillation"]),
        ("--task distillation --head", vec!["linear_distillation"]),
        ("--task multi-class --tokens", vec!["cross_entropy"]),
        ("--task multi-class --tokens --head", vec!["linear_cross_entropy"]),
        ("--task segmentation", vec!["ce_dice"]),
        ("--task segmentation --overlapping", vec!["ce_dice"]),
        ("--task segmentation --overlapping --imbalanced", vec!["focal_dice"]),
        ("--imbalanced --task segmentation --overlapping", vec!["focal_dice"]),
        ("--task boxes --anchors", vec!["ciou", "diou"]),
        ("--task embeddings --two-encoders", vec!["clip"]),
        ("--task ranking", vec!["margin_ranking"]),
        ("--task adversarial --critic", vec!["wgan_critic", "wgan_generator"]),
        ("--task autoencoder", vec!["vae"]),
        ("--task multi-task", vec!["uncertainty_weighting"]),
        ("--weights --task multi-task", vec!["weighted_sum"]),
        ("--task preferences", vec!["preference"]),
        ("--no-reference --task preferences", vec!["simpo", "orpo"]),
        ("--task preferences --unpaired", vec!["kto"]),
    ] {
        assert_eq!(losses(args), expected, "{args}");
    }
}

#[test]
fn json_has_all_that_is_told() {
    let answer = wgloss(&["choose", "--task", "segmentation", "--overlapping", "--json"]).json();
    assert_eq!(answer["task"], "segmentation");
    assert_eq!(answer["situations"], serde_json::json!(["overlapping"]));
    assert_eq!(answer["other_flags"], serde_json::json!(["imbalanced", "misses", "score"]));
    assert_eq!(answer["page"], "docs/segmentation.md");
    assert!(answer["pitfalls"].as_array().unwrap().iter().all(|pitfall| {
        ["name", "what_goes_wrong", "prevented_by"].iter().all(|part| !pitfall[part].as_str().unwrap().is_empty())
    }));

    let loss = &answer["losses"][0];
    assert_eq!(loss["parameters"]["activation"], "sigmoid");
    assert_eq!(loss["parameters"]["smooth"], 1.0);
    assert_eq!(loss["reduction"], "mean");
    assert_eq!(loss["inputs"], serde_json::json!(["prediction", "target"]));
    assert!(loss["advice"]["smooth"].is_string());
    let rust = loss["rust"].as_str().unwrap();
    assert!(rust.contains("CeDice { activation: LogitActivation::Sigmoid, ..CeDice::default() }"), "{rust}");
    assert!(rust.starts_with("use wgloss::{CeDice, Gpu, HostTensor, LogitActivation, Loss, Named, Reduction};"));
}

#[test]
fn two_losses_are_one_or_both() {
    for (args, both, told) in [
        (["regression", "--outliers"], false, "One of two losses:"),
        (["adversarial", "--least-squares"], true, "Both of these losses"),
    ] {
        let args = ["choose", "--task", args[0], args[1]];
        assert!(wgloss(&args).stdout.contains(told), "{args:?}");
        let answer = wgloss(&[&args[..], &["--json"]].concat()).json();
        assert_eq!(answer["takes_both"], both);
        assert_eq!(answer["losses"].as_array().unwrap().len(), 2);
    }
}

#[test]
fn the_line_of_the_command_runs_as_it_is_printed() {
    let answer = wgloss(&["choose", "--task", "regression", "--quantile", "--json"]).json();
    let line = answer["losses"][0]["eval"].as_str().unwrap();
    let files = Files::new(&[("prediction", tensor(F32, &[1], &[1.0_f32])), ("target", tensor(F32, &[1], &[2.0_f32]))]);
    std::fs::rename(files.input(), files.path("batch.safetensors")).unwrap();
    let args: Vec<&str> = line.split(' ').skip(1).chain(["--adapter", "cpu", "--json"]).collect();
    let result = run(command(&args).current_dir(files.directory.path())).json();
    assert_eq!(result["name"], "quantile");
    approx::assert_abs_diff_eq!(result["loss"].as_f64().unwrap(), 0.9, epsilon = 1e-6);
}

#[test]
fn people_are_told_the_loss_why_its_parameters_and_what_goes_wrong() {
    let told = wgloss(&["choose", "--task", "multi-label", "--imbalanced"]);
    assert_eq!((told.code, told.stderr.as_str()), (0, ""));
    for part in [
        "--imbalanced: some classes, or the positives, are much rarer than the others",
        "bce_with_logits",
        "why          it lets each label's positives count by how rare they are",
        "last layer   none: logits `[N, C]`",
        "targets      0 or 1 for each label",
        "pos_weight   the optional input `[C]`",
        "gamma=2      0.5 to 5",
        ".with(\"pos_weight\", &[1.0_f32, 4.0, 9.0])",
        "wgloss eval sigmoid_focal --input batch.safetensors --reduction mean",
        "Softmax where labels are independent",
        "docs/classification.md",
        "--noisy-labels:",
    ] {
        assert!(told.stdout.contains(part), "`{part}` is not in:\n{}", told.stdout);
    }
}

#[test]
fn without_a_terminal_to_ask_at_it_says_which_flags_there_are() {
    wgloss(&["choose"])
        .refused(2, &["no terminal", "`--task`", "regression, counts", "ranking", "autoencoder", "--help"]);
    wgloss(&["choose", "--json"]).refused(2, &["no terminal"]);
    // A flag without its task, and a task that there is not.
    wgloss(&["choose", "--outliers"]).refused(2, &["required"]);
    let unknown = wgloss(&["choose", "--task", "regresion"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (2, ""));
    assert!(unknown.stderr.contains("'regression'"), "{}", unknown.stderr);
}

#[test]
fn flags_that_do_not_belong_together_are_refused_by_name() {
    let refused = |args: &[&str], parts| wgloss(&[&["choose", "--task"], args].concat()).refused(2, parts);
    refused(&["boxes", "--outliers"], &["`--outliers`", "`--task boxes`", "whose flags are --anchors, --offsets"]);
    refused(&["counts", "--imbalanced"], &["`--imbalanced`", "`--task counts`, which has no flags"]);
    refused(
        &["regression", "--outliers", "--median"],
        &["`--outliers` and `--median` are two answers to one question: What is special"],
    );
    refused(&["segmentation", "--misses", "--overlapping", "--score"], &["`--misses` and `--score`"]);
}
