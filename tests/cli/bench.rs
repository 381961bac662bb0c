//! `wgloss bench`: what is timed, at which shapes, and what is refused.

use std::fs;

use wgloss::{bench::Report, losses};

use crate::command::wgloss;

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
    assert!(skipped.iter().any(|skipped| skipped["loss"] == "dice"));
    assert!(results.iter().any(|result| result["loss"] == "mse"));
}

#[test]
fn kernels_are_timed_by_themselves() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("report.json");
    let loss = ["bench", "linear_cross_entropy", "--shape", "40x16x33", "--quick"];
    let run = wgloss(&[&loss[..], &["--by-kernel", "--json", path.to_str().unwrap()]].concat());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let reports = Report::list_from_json(&fs::read_to_string(&path).unwrap()).unwrap();
    let kernels = &reports[0].results[0].kernels;
    let names: Vec<&str> = kernels.iter().map(|kernel| kernel.kernel.as_str()).collect();
    // From the rows that count to the gradients of the head, each name once.
    assert!(names[0] == "list" && names.contains(&"evaluate"), "{names:?}");
    assert_eq!(names.iter().collect::<std::collections::HashSet<_>>().len(), names.len(), "{names:?}");
    for kernel in kernels {
        assert!(kernel.dispatches > 0 && kernel.median_ms > 0.0, "{kernel:?}");
        assert!(run.stdout.contains(&format!("┆ {} ", kernel.kernel)), "{}", run.stdout);
    }
    // Without being asked nobody is told.
    let report = wgloss(&[&loss[..], &["--json", "-"]].concat()).json();
    assert!(report["results"][0].get("kernels").is_none());
}

#[test]
fn the_command_refuses_what_it_cannot_time() {
    wgloss(&["bench", "hubris"]).refused(2, &["`hubris`"]);
    wgloss(&["bench", "mse", "--adapter", "no such adapter"]).refused(3, &["no such adapter"]);
    wgloss(&["bench", "dice", "--shape", "64", "--quick"]).refused(2, &["`prediction`", "[N, C]", "[64]"]);
    // Too large to be drawn, let alone to be bound.
    for (shape, reason) in
        [("1000000000000", "max_buffer_size"), ("4000000000000", "elements"), ("4294967296x4294967296", "elements")]
    {
        let report = wgloss(&["bench", "mse", "--shape", shape, "--json", "-"]).json();
        assert!(report["skipped"][0]["reason"].as_str().unwrap().contains(reason), "{report}");
    }
    for shape in ["4x0", "", "4x", "-1", "99999999999999999999"] {
        let run = wgloss(&["bench", "mse", &format!("--shape={shape}")]);
        assert_eq!(run.code, 2);
        assert!(run.stderr.contains("expected lengths of axes above 0"), "{}", run.stderr);
    }
    // Found out before anything is measured.
    wgloss(&["bench", "mse", "--json", "no/such/directory/report.json"]).refused(2, &["no/such/directory/report.json"]);
}

#[test]
fn a_limit_leaves_out_what_comes_last() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("report.json");
    let args = ["bench", "mse", "giou", "--dtype", "f32,bf16", "--limit", "0", "--json", path.to_str().unwrap()];
    let run = wgloss(&args);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let [report] = &Report::list_from_json(&fs::read_to_string(&path).unwrap()).unwrap()[..] else { panic!() };
    assert!(report.results.is_empty());
    let skipped: Vec<(&str, &str, usize)> =
        report.skipped.iter().map(|case| (case.loss.as_str(), case.dtype.as_str(), case.shape[0])).collect();
    // The first shapes of all come first.
    let order = [
        ("mse", "f32", 64),
        ("giou", "f32", 18_688),
        ("mse", "bf16", 64),
        ("giou", "bf16", 18_688),
        ("mse", "f32", 64),
        ("giou", "f32", 64),
        ("mse", "bf16", 64),
        ("giou", "bf16", 64),
    ];
    assert_eq!(skipped, order);
    assert!(report.skipped.iter().all(|case| case.reason == "the time was up"));
    let run = wgloss(&["bench", "mse", "--quick", "--summary"]);
    assert!(run.stdout.contains("│ elementwise ┆ f32  ┆ 1 "), "{}", run.stdout);
}

#[test]
fn a_run_that_ends_early_leaves_what_it_measured() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("report.json");
    let run = wgloss(&["bench", "mse", "dice", "--shape", "64", "--quick", "--json", path.to_str().unwrap()]);
    assert_eq!(run.code, 2, "{}", run.stderr);
    let [report] = &Report::list_from_json(&fs::read_to_string(&path).unwrap()).unwrap()[..] else { panic!() };
    assert_eq!(report.results.iter().map(|result| result.loss.as_str()).collect::<Vec<_>>(), ["mse"]);
    // Nothing else lies about.
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
}
