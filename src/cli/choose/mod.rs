//! `wgloss choose`: which loss to take for a task.

mod advice;
mod ask;
mod flags;
mod page;
mod program;
mod table;
#[cfg(test)]
mod tests;
mod tree;

use std::io::{self, IsTerminal};

use crate::{error::CliError, output};
use table::TASKS;
use tree::Task;

const AFTER_HELP: &str = "\
At a terminal and without flags the command asks. A flag belongs to the tasks in its brackets; a question without a \
flag has its usual answer, which is that nothing special holds.

Examples:
  wgloss choose
  wgloss choose --task regression --outliers
  wgloss choose --task segmentation --overlapping --imbalanced --json";

/// What to choose for.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    #[command(flatten)]
    flags: flags::Flags,
    /// Print the whole table as the page of the documentation, docs/which_loss.md.
    #[arg(long, conflicts_with_all = ["task", "json"])]
    markdown: bool,
    #[command(flatten)]
    pub format: output::Format,
}

/// What leads to no loss.
#[derive(Debug, thiserror::Error)]
pub enum ChooseError {
    /// There is nobody to ask, and nothing was answered before.
    #[error(
        "standard input is no terminal to ask at: name the task with `--task`, one of {}; `wgloss choose --help` \
         lists what else can be said",
        task_names()
    )]
    NoTerminal,
    /// The answers ended too early.
    #[error("standard input ended before the question was answered")]
    NoAnswer,
    /// The terminal failed.
    #[error("the terminal: {0}")]
    Terminal(io::Error),
    /// Two answers to one question.
    #[error("`--{first}` and `--{second}` are two answers to one question: {question}")]
    Contradiction { first: &'static str, second: &'static str, question: &'static str },
    /// A flag of other tasks.
    #[error("`--{flag}` says nothing about `--task {}`, {}", task.name, flags_of(task))]
    Foreign { flag: &'static str, task: &'static Task },
}

fn task_names() -> String {
    TASKS.iter().map(|task| task.name).collect::<Vec<_>>().join(", ")
}

fn flags_of(task: &'static Task) -> String {
    let flags: Vec<String> = task.situations().iter().map(|situation| format!("--{}", situation.name)).collect();
    if flags.is_empty() { "which has no flags".to_string() } else { format!("whose flags are {}", flags.join(", ")) }
}

/// Finds the losses for the task and tells about them.
pub fn run(args: &Args, as_json: bool) -> Result<(), CliError> {
    if args.markdown {
        return output::print(page::markdown());
    }
    let advice = match args.flags.task {
        Some(task) => args.flags.advise(task)?,
        None if io::stdin().is_terminal() => ask::advise(&mut io::stdin().lock(), &mut io::stderr())?,
        None => return Err(ChooseError::NoTerminal.into()),
    };
    if as_json { output::print_json(&advice::json(&advice)) } else { output::print(advice::text(&advice)) }
}
