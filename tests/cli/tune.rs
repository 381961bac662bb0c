//! `wgloss tune`, and what the other commands make of the tunings that it saves.

use std::{fs, path::PathBuf};

use serde_json::{Value as Json, json};
use tempfile::TempDir;
use wgloss::{Adapter, Reduce, Tuning, bench::SavedTuning};

use crate::command::{Run, command, run, wgloss};

/// A cache directory of its own.
struct Cache(TempDir);

impl Cache {
    fn new() -> Self {
        Cache(tempfile::tempdir().unwrap())
    }

    /// Runs the command with this cache directory.
    fn wgloss(&self, args: &[&str]) -> Run {
        run(command(args).env("WGLOSS_CACHE_DIR", self.0.path()))
    }

    /// What the command prints for people.
    #[track_caller]
    fn text(&self, args: &[&str]) -> String {
        let run = self.wgloss(args);
        assert_eq!(run.code, 0, "{}", run.stderr);
        run.stdout
    }

    /// The file of the adapter.
    fn path(&self, adapter: &Adapter) -> PathBuf {
        let name = SavedTuning::path(adapter.info()).unwrap();
        self.0.path().join("tuning").join(name.file_name().unwrap())
    }

    fn write(&self, adapter: &Adapter, text: &str) {
        let path = self.path(adapter);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The adapter's tuning as `wgloss adapters` tells it, and what it says on standard error.
    #[track_caller]
    fn shown(&self, adapter: &Adapter) -> (Json, String) {
        let run = self.wgloss(&["adapters", "--json"]);
        let described = run.json();
        let adapters = described["adapters"].as_array().unwrap();
        let found = adapters.iter().find(|found| found["id"] == adapter.id()).unwrap();
        let notices = run.stderr.lines().filter(|line| line.starts_with("wgloss: "));
        (found["tuning"].clone(), notices.collect::<Vec<_>>().join("\n"))
    }
}

/// A layout that the table has for no adapter.
fn odd(adapter: &Adapter) -> Tuning {
    let mut tuning = adapter.tuning();
    tuning.workgroup_size = 32;
    tuning.workgroups = 5;
    tuning.reduce = if tuning.reduce == Reduce::Workgroup { Reduce::Workgroup } else { Reduce::Subgroup };
    tuning.lane_classes = 3;
    tuning.few_rows = 700;
    tuning.cached_classes = 100;
    tuning.least_lanes = 16;
    tuning
}

fn saved(adapter: &Adapter) -> Json {
    serde_json::to_value(SavedTuning::new(adapter.info(), odd(adapter))).unwrap()
}

/// The fields of a tuning that every JSON of it has in the same form.
fn numbers(tuning: &Json) -> Vec<Json> {
    let fields = [
        "workgroup_size",
        "workgroups",
        "max_loop_iterations",
        "lane_classes",
        "few_rows",
        "cached_classes",
        "least_lanes",
    ];
    fields.iter().map(|field| tuning[field].clone()).collect()
}

#[test]
fn what_tune_measures_is_saved_and_used_until_it_is_reset() {
    let Some(adapter) = Adapter::all_blocking().into_iter().next() else { return };
    let cache = Cache::new();
    let (id, path) = (adapter.id(), cache.path(&adapter));
    let text = cache.text(&["tune", "--adapter", &id, "--dry-run"]);
    let fields =
        ["workgroup_size", "reduce", "workgroups", "lane_classes", "few_rows", "cached_classes", "least_lanes"];
    assert!(fields.iter().all(|field| text.contains(field)), "{text}");
    assert!(!text.contains("saved to") && !path.exists(), "{text}");

    let report = cache.wgloss(&["tune", "--adapter", &id, "--json"]).json();
    let [tuned] = &report["adapters"].as_array().unwrap()[..] else { panic!("{report}") };
    assert_eq!(tuned["adapter"], id);
    assert_eq!(tuned["saved"], path.to_str().unwrap());
    assert_eq!(tuned["table"], serde_json::to_value(adapter.tuning()).unwrap());
    let trials = tuned["trials"].as_array().unwrap();
    assert_eq!(trials.iter().map(|trial| trial["field"].as_str().unwrap()).collect::<Vec<_>>(), fields);
    for trial in trials {
        let is_kept = trial["before"] == trial["after"];
        assert!(if is_kept { trial["gain"] == 1.0 } else { trial["gain"].as_f64().unwrap() > 1.03 }, "{trial}");
        for time in trial["cases"].as_array().unwrap().iter().flat_map(|case| case["times"].as_array().unwrap()) {
            assert!(time["median_ms"].as_f64().unwrap() > 0.0, "{trial}");
        }
    }

    let file: Json = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(file["tuning"], tuned["tuning"]);
    let (shown, notices) = cache.shown(&adapter);
    assert_eq!((numbers(&shown), notices.as_str()), (numbers(&tuned["tuning"]), ""));
    assert_eq!((&shown["source"], &shown["measured"]), (&json!("measured"), &file["date"]));
    assert!(cache.text(&["adapters"]).contains("measuring on "));

    let removed = cache.text(&["tune", "--adapter", &id, "--reset"]);
    assert!(removed.contains(path.to_str().unwrap()) && !path.exists(), "{removed}");
    assert!(cache.text(&["tune", "--adapter", &id, "--reset"]).contains("nothing is saved"));
    let (shown, _) = cache.shown(&adapter);
    assert_eq!((&shown["source"], &shown["measured"]), (&json!("table"), &Json::Null));
}

#[test]
fn a_saved_tuning_that_cannot_be_used_is_ignored_and_told() {
    let Some(adapter) = Adapter::all_blocking().into_iter().next() else { return };
    let cache = Cache::new();
    let table = numbers(&serde_json::to_value(adapter.tuning()).unwrap());
    let with = |change: fn(&mut Json)| {
        let mut saved = saved(&adapter);
        change(&mut saved);
        saved.to_string()
    };
    let wrong = [
        ("{\"adapter\": ".to_string(), "not a saved tuning"),
        (with(|saved| saved["tuning"]["workgroups"] = json!(null)), "not a saved tuning"),
        (with(|saved| saved["driver_info"] = json!("an older one")), "measured with driver "),
        (with(|saved| saved["wgloss"] = json!("0.0.1")), "measured with wgloss \"0.0.1\""),
        (with(|saved| saved["tuning"]["workgroup_size"] = json!(12)), "`workgroup_size` must be a power of two"),
        (with(|saved| saved["tuning"]["workgroup_size"] = json!(1 << 30)), "`workgroup_size` must be a power of two"),
    ];
    for (text, why) in &wrong {
        cache.write(&adapter, text);
        let (shown, notice) = cache.shown(&adapter);
        assert_eq!((numbers(&shown), &shown["source"]), (table.clone(), &json!("table")), "{text}");
        let path = cache.path(&adapter);
        for part in ["is ignored", why, "`wgloss tune --adapter ", path.to_str().unwrap()] {
            assert!(notice.contains(part) && notice.lines().count() == 1, "`{part}` is not in: {notice}");
        }
    }
    // The commands that compute do so too.
    let run = cache.wgloss(&["parity", "mse", "--quick", "--adapter", &adapter.id(), "--json"]);
    assert_eq!(run.stderr.matches("is ignored").count(), 1, "{}", run.stderr);
    assert_eq!(run.json()["passed"], true);
}

#[test]
fn kernels_are_right_with_an_odd_saved_tuning() {
    let Some(adapter) = Adapter::all_blocking().into_iter().next() else { return };
    let cache = Cache::new();
    cache.write(&adapter, &saved(&adapter).to_string());
    let (shown, notices) = cache.shown(&adapter);
    let expected = numbers(&serde_json::to_value(odd(&adapter)).unwrap());
    assert_eq!((numbers(&shown), notices.as_str()), (expected, ""));
    let run = cache.wgloss(&["parity", "mse", "softmax", "--quick", "--adapter", &adapter.id(), "--json"]);
    assert_eq!((run.code, run.stderr.contains("is ignored")), (0, false), "{}{}", run.stdout, run.stderr);
}

#[test]
fn what_tune_cannot_do_is_refused() {
    wgloss(&["tune", "--reset", "--dry-run"]).refused(2, &["cannot be used with"]);
    wgloss(&["tune", "--adapter", "no such adapter"]).refused(3, &["no such adapter"]);
}
