//! `benches/gpu.sh`: its stages with programs that stand for `wgloss`, so that each can fail or hang.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Command};

use tempfile::TempDir;

use crate::command::{Run, run};

/// The report that the program's bench writes.
const REPORT: &str = r#"{ "version": 1, "adapter": "vulkan:a" }"#;

/// A machine: what its `wgloss` does, and an empty folder for results.
struct Machine {
    directory: TempDir,
}

impl Machine {
    /// The commands of the program, as cases of a shell script; what is not among them goes well.
    fn new(cases: &str) -> Self {
        let machine = Machine { directory: tempfile::tempdir().unwrap() };
        let program = machine.path("wgloss");
        let text = format!(
            r#"#!/bin/bash
case "$*" in
  {cases}
  'list --names') printf 'mse\nhuber\n' ;;
  adapters) printf 'vulkan:a\nkind  discrete GPU\n' ;;
  *summary) echo 'the summary' ;;
  *html*) : ;;
  bench*) while [[ $1 != --json ]]; do shift; done; echo '{REPORT}' >"$2" ;;
  *) echo "$*" ;;
esac
"#
        );
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs the script, which takes no more than seconds, without PyTorch.
    fn measure(&self, args: &[&str]) -> Run {
        let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/gpu.sh"));
        command.args(args).current_dir(&self.directory).env("WGLOSS", self.path("wgloss"));
        command.env("PACKAGES", self.path("none")).env("PYTHON", "/bin/false").env_remove("PEERS");
        for limit in ["ADAPTERS", "PARITY", "LOSS", "BENCH", "TUNE"] {
            command.env(format!("LIMIT_{limit}"), if limit == "LOSS" { "2" } else { "8" });
        }
        run(&mut command)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path("out").join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

/// The line of the summary about a stage.
#[track_caller]
fn stage<'a>(summary: &'a str, name: &str) -> &'a str {
    summary.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in:\n{summary}"))
}

#[test]
fn all_stages_come_to_an_end() {
    let machine = Machine::new("");
    let run = machine.measure(&["out"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let summary = machine.read("summary.txt");
    assert!(run.stdout.ends_with(&summary), "{}", run.stdout);
    assert!(stage(&summary, "parity").contains("all 2 losses pass"), "{summary}");
    assert!(stage(&summary, "bench").contains("fine") && stage(&summary, "tune").contains("fine"), "{summary}");
    assert!(stage(&summary, "peers").contains("has no PyTorch"), "{summary}");
    assert!(summary.contains("the summary"), "{summary}");
    assert_eq!(machine.read("bench.json").trim(), REPORT);
    assert_eq!(machine.read("tune.json").trim(), "tune --dry-run --json");
    assert!(machine.read("parity.txt").starts_with("pass huber"));
    assert!(fs::read_dir(machine.path("out")).unwrap().count() <= 8);
}

#[test]
fn a_stage_that_fails_or_hangs_stops_no_other() {
    let machine = Machine::new(
        r#"*huber*) echo 'huber: off by one'; exit 1 ;;
  *mse*) exec sleep 60 ;;
  bench*dtype*) echo 'the device is lost' >&2; exit 3 ;;"#,
    );
    let run = machine.measure(&["out", "vulkan:b"]);
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    let summary = machine.read("summary.txt");
    let parity = stage(&summary, "parity");
    assert!(parity.contains("0 of 2 losses pass; 1 failed: huber; 1 cut: mse"), "{summary}");
    assert!(stage(&summary, "bench").contains("failed with 3: the device is lost"), "{summary}");
    assert!(stage(&summary, "tune").contains("fine"), "{summary}");
    let parity = machine.read("parity.txt");
    assert!(
        parity.starts_with("CUT  mse") && parity.contains("\nFAIL huber") && parity.contains("huber: off by one"),
        "{parity}"
    );
    // What has no results leaves no file; the adapter is the one named.
    assert!(!machine.path("out/bench.json").exists());
    assert_eq!(machine.read("tune.json").trim(), "tune --dry-run --json --adapter vulkan:b");
}

#[test]
fn what_it_cannot_begin_with_is_told() {
    let machine = Machine::new("adapters) printf 'vulkan:cpu\\nkind  CPU\\n' ;;");
    let run = machine.measure(&["out"]);
    assert!(run.code == 2 && run.stderr.contains("there is no GPU"), "{}", run.stderr);
    assert_eq!(machine.measure(&["out", "vulkan:cpu"]).code, 0);

    let run = machine.measure(&[]);
    assert!(run.code == 2 && run.stderr.contains("OUT [ADAPTER]"), "{}", run.stderr);
    // The folder for results would lie in a file.
    let run = machine.measure(&["wgloss/out"]);
    assert!(run.code == 2 && run.stderr.contains("cannot write to wgloss/out"), "{}", run.stderr);

    fs::remove_file(machine.path("wgloss")).unwrap();
    let run = machine.measure(&["out"]);
    assert!(run.code == 2 && run.stderr.contains("there is no program"), "{}", run.stderr);
}
