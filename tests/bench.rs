//! Measurements: what is timed, at which shapes, and what the command does with them.

use std::fs;

use wgloss::{
    AnyLoss, DType, Gpu,
    bench::{Bench, Case, Precision, Report, SCALING_ELEMENTS},
    losses,
};

#[path = "common/adapters.rs"]
mod adapters;
#[path = "common/command.rs"]
mod command;

use command::wgloss;

/// As few runs as there may be.
const ROUGH: Precision = {
    let default = std::time::Duration::ZERO;
    Precision { error: 1.0, least_runs: 2, most_runs: 2, most_time: default }
};

fn gpu() -> &'static Gpu {
    &adapters::all()[0]
}

fn any(name: &str) -> AnyLoss {
    AnyLoss::new(name, &[]).unwrap()
}

#[test]
fn every_loss_gets_inputs_of_its_domains() {
    let bench = Bench::new(gpu(), ROUGH).unwrap();
    for spec in losses::ALL {
        for dtype in DType::FLOATS {
            let (output, _) = bench.prepare(&Case::of_elements(&any(spec.name), dtype, 3000)).unwrap();
            let mut encoder = gpu().device().create_command_encoder(&Default::default());
            output.record(&mut encoder);
            gpu().queue().submit([encoder.finish()]);
            let evaluation = output.read_blocking().unwrap_or_else(|error| panic!("{} {dtype}: {error}", spec.name));
            let gradients: Vec<f64> = evaluation.gradients.iter().flat_map(|(_, gradient)| gradient.to_f64()).collect();
            assert!(evaluation.loss.to_f64().iter().all(|x| x.is_finite()), "{} {dtype}", spec.name);
            // That of bce at a probability which rounds to 0 or 1 is beyond f16.
            let is_exact = dtype == DType::F32;
            assert!(!is_exact || gradients.iter().all(|x| x.is_finite()), "{} {dtype}", spec.name);
            assert!(gradients.iter().any(|&x| x != 0.0), "{} {dtype}: nothing to compute", spec.name);
        }
    }
}

#[test]
fn bytes_are_those_of_inputs_and_outputs() {
    let bench = Bench::new(gpu(), ROUGH).unwrap();
    let bytes = |name, dtype| bench.prepare(&Case::of_elements(&any(name), dtype, 5000)).unwrap().1;
    // Prediction, target and gradient, and the loss.
    assert_eq!(bytes("mse", DType::F32), 3 * 4 * 5000 + 4);
    assert_eq!(bytes("mse", DType::BF16), 3 * 2 * 5000 + 4);
    // Two gradients.
    assert_eq!(bytes("gaussian_nll", DType::F32), 5 * 4 * 5000 + 4);
    // Five rows of 1,000 logits and their gradient, five labels.
    assert_eq!(bytes("cross_entropy", DType::F32), 2 * 4 * 5000 + 4 * 5 + 4);
    // Boxes of predictions, targets and gradients.
    assert_eq!(bytes("giou", DType::F32), 3 * 4 * 5000 + 4);
    // Logits, upstream, gradient and value of each class.
    assert_eq!(bytes("softmax", DType::F32), 4 * 4 * 5000);
}

#[test]
fn usual_shapes_shrink_into_memory_and_say_so() {
    for spec in losses::ALL {
        for (least, memory) in [(1, 1 << 20), (1, 1 << 28), (2, 1 << 40)] {
            let cases = Case::usual(&any(spec.name), DType::F32, memory);
            assert!(cases.len() >= 2, "{}", spec.name);
            for case in cases {
                let size = 4 * case.shape.iter().product::<usize>() as u64;
                assert!(size <= memory || case.shape[0] == 1, "{} {:?}", spec.name, case.shape);
                assert!(!case.origin.is_empty());
                assert!(least == 1 || !case.origin.contains(" of it"), "{}", case.origin);
            }
        }
    }
    let [_, gpt2, _] = &Case::usual(&any("cross_entropy"), DType::F32, 1 << 28)[..] else { panic!("three shapes") };
    assert_eq!(gpt2.shape, [1024, 50_257]);
    assert!(gpt2.origin.ends_with("; 1/8 of it"), "{}", gpt2.origin);
}

#[test]
fn measurements_agree_with_themselves() {
    for gpu in adapters::all() {
        let bench = Bench::new(gpu, ROUGH).unwrap();
        for name in ["mse", "cross_entropy"] {
            let found = bench.measure(&Case::of_elements(&any(name), DType::F32, 50_000)).unwrap();
            assert_eq!(found.runs, 2);
            assert!(found.median_ms > 0.0 && found.copy_ms > 0.0 && found.spread >= 0.0, "{found:?}");
            assert!(found.first_call_ms > 0.0 && found.record_us > 0.0, "{found:?}");
            approx::assert_relative_eq!(found.fraction_of_copy, found.copy_ms / found.median_ms, epsilon = 1e-9);
            approx::assert_relative_eq!(
                found.gb_per_s,
                found.bytes as f64 / found.median_ms / 1e6,
                max_relative = 1e-9
            );
        }
    }
}

#[test]
fn the_command_writes_reports() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("report.json");
    let run = wgloss(&["bench", "mse", "hinge", "--quick", "--dtype", "f32,bf16", "--json", path.to_str().unwrap()]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for text in ["│ mse ", "│ hinge ", "bf16", "of copy", "64×4×64×64"] {
        assert!(run.stdout.contains(text), "{}", run.stdout);
    }
    let reports = Report::list_from_json(&fs::read_to_string(&path).unwrap()).unwrap();
    let [report] = &reports[..] else { panic!("one adapter, {} reports", reports.len()) };
    let names: Vec<&str> = report.results.iter().map(|result| result.loss.as_str()).collect();
    assert_eq!(names, ["mse", "hinge", "mse", "hinge"]);
    assert!(report.copy_gb_per_s.unwrap() > 0.0 && report.scaling.is_empty() && report.skipped.is_empty());
    assert!(run.stdout.contains(&report.adapter) && run.stdout.contains(&report.driver));
}

#[test]
fn shapes_may_be_chosen_and_sizes_grow() {
    let run = wgloss(&["bench", "huber", "--shape", "100", "--shape", "8x12", "--quick", "--json", "-"]);
    let shapes: Vec<_> =
        run.json()["results"].as_array().unwrap().iter().map(|result| result["shape"].clone()).collect();
    assert_eq!(shapes, [serde_json::json!([100]), serde_json::json!([8, 12])]);

    // Of all losses some have no such shape.
    let report = wgloss(&["bench", "--shape", "64", "--quick", "--json", "-"]).json();
    let (results, skipped) = (report["results"].as_array().unwrap(), report["skipped"].as_array().unwrap());
    assert_eq!(results.len() + skipped.len(), losses::ALL.len());
    assert!(skipped.iter().any(|skipped| skipped["loss"] == "cross_entropy"));
    assert!(results.iter().any(|result| result["loss"] == "mse"));
}

#[test]
fn sizes_of_a_series_grow() {
    assert!(SCALING_ELEMENTS.is_sorted());
    let bench = Bench::new(gpu(), ROUGH).unwrap();
    for (name, shape) in [("mse", vec![3000]), ("cross_entropy", vec![3, 1000])] {
        let point = bench.scaling_point(&Case::of_elements(&any(name), DType::F32, 3000)).unwrap();
        assert_eq!((point.elements, &point.shape), (3000, &shape));
        assert!(point.median_ms > 0.0);
    }
}

#[test]
fn the_command_refuses_what_it_cannot_time() {
    wgloss(&["bench", "hubris"]).refused(2, &["`hubris`"]);
    wgloss(&["bench", "mse", "--adapter", "no such adapter"]).refused(3, &["no such adapter"]);
    wgloss(&["bench", "cross_entropy", "--shape", "64", "--quick"]).refused(2, &["`logits`", "[N, C]", "[64]"]);
    // Too large to be drawn, let alone to be bound.
    for shape in ["4000000000000", "4294967296x4294967296"] {
        let report = wgloss(&["bench", "mse", "--shape", shape, "--json", "-"]).json();
        assert!(report["skipped"][0]["reason"].as_str().unwrap().contains("max_buffer_size"), "{report}");
    }
    for shape in ["4x0", "", "4x", "-1", "99999999999999999999"] {
        let run = wgloss(&["bench", "mse", &format!("--shape={shape}")]);
        assert_eq!(run.code, 2);
        assert!(run.stderr.contains("expected lengths of axes above 0"), "{}", run.stderr);
    }
    // Found out before anything is measured.
    wgloss(&["bench", "mse", "--json", "no/such/directory/report.json"]).refused(2, &["no/such/directory/report.json"]);
}
