//! Runs of the `wgloss` command.

use std::process::Command;

use serde_json::Value as Json;

/// What a run of the command left.
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    #[track_caller]
    pub fn json(&self) -> Json {
        assert_eq!(self.code, 0, "{}", self.stderr);
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// Checks that the command failed with this exit code and one line with all of `parts` on standard error.
    #[track_caller]
    pub fn refused(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, code, "{}", self.stderr);
        assert_eq!(self.stdout, "");
        let message = self.stderr.lines().find(|line| line.starts_with("wgloss: ")).unwrap_or(&self.stderr);
        for part in parts {
            assert!(message.contains(part), "`{part}` is not in: {message}");
        }
    }
}

pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wgloss"));
    // Without the tunings that the machine's user has saved.
    command.args(args).env("WGLOSS_CACHE_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/nothing"));
    command
}

pub fn run(command: &mut Command) -> Run {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

pub fn wgloss(args: &[&str]) -> Run {
    run(&mut command(args))
}
