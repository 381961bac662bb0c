//! The `wgloss` command.

mod accuracy;
mod adapters;
mod bench;
mod choose;
#[path = "../../examples/common/mod.rs"]
mod classifier;
mod compare;
mod custom;
mod diagnose;
mod engine;
mod error;
mod eval;
mod kernels;
mod list;
mod losses;
mod markdown;
mod output;
mod parity;
mod plot;
mod report;
mod select;
mod summary;
mod tensors;
mod tune;

use std::{ffi::OsString, process::ExitCode};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, builder::Styles};

use crate::error::CliError;

const AFTER_HELP: &str = "\
To begin with:
  wgloss adapters             what there is to run on
  wgloss list                 the losses
  wgloss list huber           one of them, with its inputs and parameters
  wgloss choose               which of them to take, by a few questions
  wgloss eval --help          how to evaluate it for tensors in a file
  wgloss parity --quick       whether this machine computes the right thing, in a minute or two

Exit codes: 0 fine, 1 a check failed, 2 bad input or usage, 3 no such adapter, none to check, or a device \
failure.
In JSON, numbers that are not finite are the strings NaN, inf and -inf.";

/// Loss functions and their gradients, fused, on any GPU.
#[derive(Debug, Parser)]
#[command(version, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the adapters of this machine, their limits and how kernels are laid out on them.
    Adapters(output::Format),
    /// Show the losses, or one loss with its inputs and parameters.
    List(list::Args),
    /// Find the loss for a task, by questions or by flags, with a program to begin with.
    Choose(choose::Args),
    /// Evaluate a loss and its gradients for the tensors of a safetensors file.
    Eval(eval::Args),
    /// Count the NaN, infinite, zero and negative values of the tensors of a safetensors file, and find their extremes.
    Diagnose(diagnose::Args),
    /// Check the kernels of this machine's adapters against the f64 reference.
    Parity(parity::Args),
    /// Time losses with their gradients, or compare the reports of earlier runs.
    Bench(bench::Args),
    /// Measure which layout of kernels is the fastest on this machine's adapters, and save it for later runs.
    Tune(tune::Args),
    /// Draw losses and their gradients, as an adapter's kernels compute them, to SVG files.
    Plot(plot::Args),
}

/// How a command that ran to its end went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Passed,
    Failed,
}

impl Verdict {
    fn from(passed: bool) -> Self {
        if passed { Verdict::Passed } else { Verdict::Failed }
    }

    fn name(self) -> &'static str {
        match self {
            Verdict::Passed => "pass",
            Verdict::Failed => "FAIL",
        }
    }
}

fn main() -> ExitCode {
    without_a_desktop();
    let cli = match parsed() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    match run(&cli) {
        Ok(Verdict::Passed) => ExitCode::SUCCESS,
        Ok(Verdict::Failed) => ExitCode::FAILURE,
        Err(error) => {
            output::notice(&error);
            error.exit_code()
        }
    }
}

/// Keeps the layer of Mesa's that picks the desktop's GPU out of Vulkan where there is no desktop, as in a container:
/// it would complain that it finds none. The library sorts adapters itself. The layer stays where it is told which GPU
/// to pick.
fn without_a_desktop() {
    let is_set = |name| std::env::var_os(name).is_some();
    if !is_set("XDG_RUNTIME_DIR") && !is_set("MESA_VK_DEVICE_SELECT") {
        // SAFETY: `main` calls this first, when no other thread runs that could read the environment.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
}

/// The command line; or, where it is none, the exit code.
fn parsed() -> Result<Cli, ExitCode> {
    let is_plain = |arg: OsString| !arg.to_string_lossy().contains(char::is_control);
    if std::env::args_os().all(is_plain) {
        return Ok(Cli::parse());
    }
    // Messages show arguments, which a terminal may obey, as they are: so all is escaped, and there are no colours.
    let matches = Cli::command().styles(Styles::plain()).try_get_matches();
    matches.and_then(|matches| Cli::from_arg_matches(&matches)).map_err(|error| {
        // Help and version show none.
        if !error.use_stderr() {
            error.exit();
        }
        let text = error.render().ansi().to_string();
        output::notice(text.strip_prefix("error: ").unwrap_or(&text));
        ExitCode::from(2)
    })
}

fn run(cli: &Cli) -> Result<Verdict, CliError> {
    match &cli.command {
        Command::Adapters(format) => adapters::run(format.json).map(|()| Verdict::Passed),
        Command::List(args) => list::run(args, args.format.json).map(|()| Verdict::Passed),
        Command::Choose(args) => choose::run(args, args.format.json).map(|()| Verdict::Passed),
        Command::Eval(args) => eval::run(args, args.format.json),
        Command::Diagnose(args) => diagnose::run(args, args.format.json).map(|()| Verdict::Passed),
        Command::Parity(args) => parity::run(args, args.format.json),
        Command::Bench(args) => bench::run(args),
        Command::Tune(args) => tune::run(args, args.format.json).map(|()| Verdict::Passed),
        Command::Plot(args) => plot::run(args, args.format.json).map(|()| Verdict::Passed),
    }
}
