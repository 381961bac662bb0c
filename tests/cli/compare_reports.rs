//! `wgloss bench --compare`: reports in files, beside each other.

use std::{fs, path::PathBuf};

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::command::{Run, command, run, wgloss};

/// A directory with reports.
struct Reports {
    directory: TempDir,
}

impl Reports {
    fn new(reports: &[(&str, Json)]) -> Self {
        let texts: Vec<(&str, String)> = reports.iter().map(|(name, report)| (*name, report.to_string())).collect();
        Self::of_texts(&texts.iter().map(|(name, text)| (*name, text.as_str())).collect::<Vec<_>>())
    }

    fn of_texts(texts: &[(&str, &str)]) -> Self {
        let reports = Reports { directory: tempfile::tempdir().unwrap() };
        texts.iter().for_each(|(name, text)| fs::write(reports.path(name), text).unwrap());
        reports
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn compare(&self, args: &str) -> Run {
        let mut command = command(&["bench", "--compare"]);
        run(command.args(args.split_whitespace()).current_dir(&self.directory))
    }

    /// Checks that these arguments are refused with one line that has all of `parts`.
    #[track_caller]
    fn refuses(&self, args: &str, parts: &[&str]) {
        self.compare(args).refused(2, parts);
    }
}

/// The head of a report.
fn head() -> Json {
    json!({
        "version": 1, "adapter": "vulkan:a", "driver": "d", "kind": "CPU", "wgloss": "0.1.0", "date": "2026-01-02",
        "clock": "timestamps", "copy_gb_per_s": 10.0,
    })
}

/// A report of losses at these fractions of the copy's speed.
fn report(fractions: &[(&str, f64)]) -> Json {
    let results = fractions.iter().map(|(loss, fraction)| {
        json!({
            "loss": loss, "shape": [64, 1000], "dtype": "f32", "origin": "", "median_ms": 2.0 / fraction,
            "spread": 0.02, "runs": 11, "bytes": 512_000, "gb_per_s": 1.0, "copy_ms": 2.0,
            "fraction_of_copy": fraction, "first_call_ms": 30.0, "record_us": 3.0,
        })
    });
    let mut report = head();
    report["results"] = results.collect();
    report
}

fn peers() -> Json {
    let mut report = head();
    report["peers"] = json!([{
        "peer": "library 1.2", "device": "cpu", "loss": "mse", "shape": [64, 1000], "dtype": "f32", "median_ms": 9.0,
        "wgloss_median_ms": 3.0, "ratio": 3.0, "is_right": false,
    }]);
    report
}

/// The line of a table about a loss.
#[track_caller]
fn line<'a>(text: &'a str, loss: &str) -> &'a str {
    text.lines().find(|line| line.contains(&format!(" {loss} "))).unwrap_or_else(|| panic!("no {loss} in:\n{text}"))
}

#[test]
fn a_regression_fails() {
    let (before, after) = ([("mse", 0.8), ("mae", 0.8), ("huber", 0.5)], [("mse", 0.4), ("mae", 0.78), ("huber", 0.9)]);
    let reports = Reports::new(&[("a.json", report(&before)), ("b.json", report(&after))]);
    let run = reports.compare("a.json b.json");
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(line(&run.stdout, "mse").contains("0.50× regression"), "{}", run.stdout);
    assert!(line(&run.stdout, "huber").contains("1.80× faster"), "{}", run.stdout);
    let same = line(&run.stdout, "mae");
    assert!(same.contains("2.50 ms") && same.contains("0.78") && !same.contains("regression"), "{}", run.stdout);
    assert!(run.stdout.contains("B: regressions 1, faster 1, as fast 1"), "{}", run.stdout);

    assert_eq!(reports.compare("b.json a.json").code, 1);
    assert_eq!(reports.compare("a.json a.json").code, 0);
}

#[test]
fn another_adapter_is_shown_and_fails_nothing() {
    let mut other = report(&[("mse", 0.2)]);
    other["adapter"] = "vulkan:b".into();
    let reports = Reports::new(&[("a.json", report(&[("mse", 0.8)])), ("b.json", other)]);
    let run = reports.compare("a.json b.json");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(line(&run.stdout, "mse").contains("0.25×") && run.stdout.contains("vulkan:b"), "{}", run.stdout);
    assert!(run.stdout.contains("B: on another adapter"), "{}", run.stdout);
}

#[test]
fn a_single_report_is_shown_with_the_peers_of_another_file() {
    let reports = Reports::new(&[("peers.json", peers()), ("a.json", report(&[("mse", 0.8)]))]);
    let run = reports.compare("a.json peers.json --html page.html");
    assert_eq!(run.code, 0, "{}", run.stderr);
    for part in ["vulkan:a", "library 1.2 on cpu", "3.00×", "WRONG"] {
        assert!(run.stdout.contains(part), "{}", run.stdout);
    }
    assert!(!run.stdout.contains("B:"), "{}", run.stdout);
    let page = fs::read_to_string(reports.path("page.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("library 1.2") && page.contains("vulkan:a"));
    assert!(reports.compare("peers.json").stdout.contains("library 1.2"));
}

#[test]
fn a_summary_has_a_line_for_each_kind_of_kernels() {
    let measured =
        [("mse", 0.9), ("mae", 0.5), ("huber", 0.8), ("cross_entropy", 0.7), ("nll", 0.1), ("info_nce", 0.2)];
    let mut measured = report(&measured);
    measured["tuning"] = json!({ "cached_classes": 1000 });
    measured["results"][4]["shape"] = json!([64, 1001]);
    measured["results"][5]["gflop_per_s"] = 1234.0.into();
    measured["skipped"] = json!([{ "loss": "dice", "shape": [2, 3], "dtype": "f32", "reason": "the time was up" }]);
    let reports = Reports::new(&[("a.json", measured), ("peers.json", peers())]);
    let run = reports.compare("a.json peers.json --summary");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let cells = |name| -> Vec<&str> { line(&run.stdout, name).split(['│', '┆']).map(str::trim).collect() };
    assert_eq!(cells("elementwise")[1..8], ["elementwise", "f32", "3", "of copy", "0.80", "0.50", "mae 64×1000"]);
    assert_eq!(cells("on chip")[3..8], ["1", "of copy", "0.70", "0.70", "cross_entropy 64×1000"]);
    assert_eq!(cells("beyond")[3..8], ["1", "of copy", "0.10", "0.10", "nll 64×1001"]);
    assert_eq!(cells("all pairs")[3..8], ["1", "GFLOP/s", "1234", "1234", "info_nce 64×1000"]);
    assert!(run.stdout.contains("1 case was not measured"), "{}", run.stdout);
    assert_eq!(cells("library 1.2")[1..6], ["library 1.2", "cpu", "1", "1", "–"]);
}

#[test]
fn a_file_may_hold_several_reports() {
    let mut other = report(&[("mse", 0.2)]);
    other["adapter"] = "vulkan:b".into();
    let reports = Reports::new(&[("all.json", json!([report(&[("mse", 0.8)]), other]))]);
    let run = reports.compare("all.json --json all-compared.json");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("vulkan:a") && run.stdout.contains("vulkan:b"), "{}", run.stdout);
    let json: Json = serde_json::from_str(&fs::read_to_string(reports.path("all-compared.json")).unwrap()).unwrap();
    assert_eq!(json["runs"].as_array().unwrap().len(), 2);
}

#[test]
fn the_comparison_is_json_too() {
    let reports = Reports::new(&[
        ("a.json", report(&[("mse", 0.8)])),
        ("b.json", report(&[("mse", 0.4), ("mae", 0.8)])),
        ("peers.json", peers()),
    ]);
    let run = reports.compare("a.json b.json peers.json --json -");
    assert_eq!(run.code, 1, "{}", run.stderr);
    let json: Json = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(json["passed"], false);
    assert_eq!(reports.compare("a.json --json -").json()["passed"], true);
    assert_eq!(json["runs"].as_array().unwrap().len(), 2);
    let entries = &json["cases"][0]["entries"];
    assert_eq!((&entries[1]["change"], &entries[1]["speedup"]), (&json!("regression"), &json!(0.5)));
    assert_eq!((&entries[0]["change"], &entries[0]["speedup"]), (&Json::Null, &Json::Null));
    assert_eq!(json["cases"][1]["entries"][0]["run"], "B");
    assert_eq!((&json["peers"][0]["wrong"], &json["peers"][0]["geometric_mean"]), (&json!(1), &Json::Null));
}

#[test]
fn comparing_measures_nothing() {
    let run = wgloss(&["bench", "mse", "--compare", "a.json"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("cannot be used with"), "{}", run.stderr);
}

#[test]
fn nothing_measured_is_nothing_to_compare() {
    let reports = Reports::new(&[("a.json", head())]);
    let run = reports.compare("a.json a.json");
    assert_eq!(run.code, 0, "{}", run.stderr);
}

#[test]
fn what_is_no_report_is_refused_by_name() {
    let later = r#"{"version": 2}"#;
    let reports = Reports::of_texts(&[
        ("text.json", "mse 1 ms"),
        ("later.json", later),
        ("other.json", r#"{"version": 1, "losses": []}"#),
        ("a.json", &report(&[]).to_string()),
    ]);
    reports.refuses("a.json missing.json", &["missing.json", "No such file"]);
    reports.refuses("text.json", &["text.json", "not a report of wgloss bench"]);
    reports.refuses("a.json later.json", &["later.json", "a report of version 2, where this is version 1"]);
    reports.refuses("other.json", &["other.json", "missing field `adapter`"]);
}

#[test]
fn a_page_replaces_no_report_and_no_directory() {
    let text = report(&[("mse", 0.8)]).to_string();
    let reports = Reports::of_texts(&[("a.json", &text)]);
    reports.refuses("a.json --html a.json", &["a.json", "must not be the input file"]);
    reports.refuses("a.json --html .", &["must be a regular file"]);
    reports.refuses("a.json --html nowhere/page.html", &["nowhere/page.html: cannot be written"]);
    assert_eq!(fs::read_to_string(reports.path("a.json")).unwrap(), text);
}
