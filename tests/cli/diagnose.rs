//! `wgloss diagnose`.

use safetensors::Dtype::{BF16, F16, F32, I64};
use serde_json::{Value as Json, json};
use wgloss::half::{bf16, f16};

use crate::{
    command::{Run, command, run},
    files::{Files, adapters, tensor},
};

fn files() -> Files {
    let halves = [1.0, -2.0, 0.0].map(f16::from_f32);
    let brain = [3.0, f32::INFINITY].map(bf16::from_f32);
    Files::new(&[
        ("a", tensor(F32, &[2, 2], &[3.0_f32, f32::NAN, -4.0, -0.0])),
        ("b", tensor(F16, &[3], &halves)),
        ("c", tensor(BF16, &[2], &brain)),
        ("labels", tensor(I64, &[2], &[1_i64, 2])),
        ("nothing", tensor::<f32>(F32, &[0], &[])),
    ])
}

fn diagnose(files: &Files, adapter: &str, args: &[&str]) -> Run {
    let mut command = command(&["diagnose", "--adapter", adapter]);
    run(command.arg(files.input()).args(args))
}

#[test]
fn the_tensors_of_a_file_are_diagnosed() {
    let files = files();
    for adapter in adapters() {
        let run = diagnose(&files, &adapter, &["--json"]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert_eq!(run.stderr.trim(), "wgloss: `labels` is i64, and left out");
        let found: Json = serde_json::from_str(&run.stdout).unwrap();
        let tensors = found["tensors"].as_array().unwrap();
        let names: Vec<&str> = tensors.iter().map(|tensor| tensor["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["a", "b", "c", "nothing"]);
        let counts = |tensor: &Json| ["nan", "infinite", "zero", "negative"].map(|name| tensor[name].as_u64().unwrap());
        assert_eq!(counts(&tensors[0]), [1, 0, 1, 1]);
        assert_eq!(counts(&tensors[1]), [0, 0, 1, 1]);
        assert_eq!(counts(&tensors[2]), [0, 1, 0, 0]);
        let numbers = ["min", "max", "norm"].map(|name| &tensors[0][name]);
        assert_eq!(numbers, [&json!(-4.0), &json!(3.0), &json!(5.0)]);
        assert_eq!((&tensors[3]["min"], &tensors[3]["elements"]), (&Json::Null, &json!(0)));

        let run = diagnose(&files, &adapter, &[]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(run.stdout.contains("bf16") && run.stdout.contains("-4.0"), "{}", run.stdout);
    }
}

#[test]
fn a_file_without_tensors_to_diagnose_is_refused() {
    let files = Files::new(&[("labels", tensor(I64, &[2], &[1_i64, 2]))]);
    for adapter in adapters() {
        let run = diagnose(&files, &adapter, &[]);
        assert_eq!(run.code, 2, "{}", run.stdout);
        assert!(run.stderr.ends_with("wgloss: diagnose: no tensors were given\n"), "{}", run.stderr);
    }
}
