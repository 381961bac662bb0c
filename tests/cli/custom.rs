//! Losses of one's own on the command line.

use std::fs;

use safetensors::Dtype::{F32, I32};

use crate::{
    command::{Run, command, run},
    files::{Files, adapters, tensor},
};

const CHARBONNIER: &str = "\
// param epsilon = 4 above 0
fn loss_and_grad(p: f32, t: f32) -> vec2<f32> {
    let e = p - t;
    let root = sqrt(e * e + params.epsilon * params.epsilon);
    return vec2<f32>(root, e / root);
}
";

/// Inputs beside a file of that name.
fn with_file(name: &str, wgsl: &str) -> Files {
    let inputs = [("prediction", tensor(F32, &[2], &[3.0_f32, -1.0])), ("target", tensor(F32, &[2], &[0.0_f32, -1.0]))];
    let files = Files::new(&inputs);
    fs::write(files.path(name), wgsl).unwrap();
    files
}

fn eval(files: &Files, name: &str, args: &str) -> Run {
    let mut command = command(&["eval", "--reduction", "sum", "--custom"]);
    run(command.arg(files.path(name)).arg("--input").arg(files.input()).args(args.split_whitespace()))
}

fn parity(files: &Files, name: &str, args: &str) -> Run {
    let mut command = command(&["parity", "--quick", "--custom"]);
    run(command.arg(files.path(name)).args(args.split_whitespace()))
}

#[test]
fn a_file_is_a_loss() {
    let files = with_file("charbonnier.wgsl", CHARBONNIER);
    for adapter in adapters().iter().filter(|adapter| *adapter != "cpu") {
        let on = |args: &str| {
            let mut command = command(&["eval", "--reduction", "sum", "--json", "--adapter", adapter, "--custom"]);
            let command = command.arg(files.path("charbonnier.wgsl")).arg("--input").arg(files.input());
            run(command.args(args.split_whitespace())).json()
        };
        let report = on("");
        assert_eq!(report["name"], "charbonnier");
        assert_eq!(report["parameters"]["epsilon"], 4.0);
        assert_eq!(report["loss"], 9.0);
        assert_eq!(on("--set epsilon=1")["loss"], 10_f32.sqrt() as f64 + 1.0);
    }
}

#[test]
fn a_file_of_rows_is_a_loss() {
    let wgsl = "\
fn row_outcome(row: Row) -> Outcome {
    let log_p = -distance_of(row.target_logit, row.state.first.maximum) - row.log_norm;
    return Outcome(-log_p, vec3<f32>(0.0, expm1f(log_p), 0.0));
}
fn class_gradient(row: Row, cell: Cell) -> f32 {
    return select(probability_of(row, cell), row.factors.y, cell.column == row.label);
}
";
    let inputs = [("logits", tensor(F32, &[1, 2], &[0.5_f32, 0.5])), ("target", tensor(I32, &[1], &[1]))];
    let files = Files::new(&inputs);
    fs::write(files.path("entropy.wgsl"), wgsl).unwrap();
    let loss = eval(&files, "entropy.wgsl", "--json").json()["loss"].as_f64().unwrap();
    approx::assert_abs_diff_eq!(loss, 2_f64.ln(), epsilon = 1e-6);
    let report = parity(&files, "entropy.wgsl", "--json").json();
    assert_eq!(report["adapters"][0]["losses"][0]["passed"], true);
}

#[test]
fn parity_holds_a_file_to_differences() {
    let files = with_file("charbonnier.wgsl", CHARBONNIER);
    let report = parity(&files, "charbonnier.wgsl", "--json").json();
    let losses = report["adapters"][0]["losses"].as_array().unwrap();
    assert_eq!(losses.len(), 1);
    let loss = &losses[0];
    assert_eq!((loss["loss"].as_str(), loss["passed"].as_bool()), (Some("charbonnier"), Some(true)));
    let differences = &loss["differences"];
    assert!(differences["judged"].as_u64() > differences["skipped"].as_u64());
    assert!(differences["error"].as_f64() < differences["tolerance"].as_f64());

    let wrong = with_file("wrong.wgsl", &CHARBONNIER.replace("e / root)", "1.1 * e / root)"));
    let run = parity(&wrong, "wrong.wgsl", "");
    assert_eq!(run.code, 1, "{}", run.stderr);
    for part in ["wrong: ", "gradient off by", "grad.prediction[", "within", "(allowed 1e-3)"] {
        assert!(run.stdout.contains(part), "`{part}` is not in:\n{}", run.stdout);
    }
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_place() {
    for (name, wgsl, parts) in [
        ("mine.wgsl", CHARBONNIER.replace("p - t;", "p - u;"), ["mine.wgsl:3:17", "`u`"]),
        ("mine.wgsl", CHARBONNIER.replace("param epsilon", "param eps"), ["mine.wgsl:4:36", "`epsilon`"]),
        ("mine.wgsl", CHARBONNIER.replace("= 4 above 0", "4"), ["mine.wgsl:1:1", "NAME = VALUE"]),
        ("mine.wgsl", CHARBONNIER.replace("loss_and_grad", "loss"), ["mine.wgsl", "`fn loss_and_grad("]),
        ("huber.wgsl", CHARBONNIER.to_string(), ["huber", "the catalogue has"]),
        ("my-loss.wgsl", CHARBONNIER.to_string(), ["my-loss", "letters, digits"]),
    ] {
        let files = with_file(name, &wgsl);
        eval(&files, name, "").refused(2, &parts);
        parity(&files, name, "").refused(2, &parts);
    }
    let files = with_file("charbonnier.wgsl", CHARBONNIER);
    eval(&files, "nothing.wgsl", "").refused(2, &["nothing.wgsl"]);
    eval(&files, "input.safetensors", "").refused(2, &["input.safetensors"]);
    eval(&files, "charbonnier.wgsl", "--set epsilon=0").refused(2, &["`epsilon`", "above 0"]);
    eval(&files, "charbonnier.wgsl", "--check").refused(2, &["no reference"]);
    eval(&files, "charbonnier.wgsl", "--adapter cpu").refused(2, &["no reference"]);
}

#[test]
fn a_loss_is_named_or_a_file_is_given() {
    let files = with_file("charbonnier.wgsl", CHARBONNIER);
    assert_eq!(eval(&files, "charbonnier.wgsl", "mse").code, 2);
    let mut neither = command(&["eval", "--reduction", "sum", "--input"]);
    assert_eq!(run(neither.arg(files.input())).code, 2);
    let help = run(&mut command(&["eval", "--help"])).stdout;
    assert!(help.contains("--custom <FILE>") && help.contains("// param epsilon = 1e-3 above 0"), "{help}");
}
