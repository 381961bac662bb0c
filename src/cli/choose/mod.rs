//! `wgloss choose`: which loss to take for a task.

mod advice;
mod ask;
pub mod error;
mod flags;
mod page;
mod program;
mod table;
#[cfg(test)]
mod tests;
mod tree;

use std::io::{self, IsTerminal};

use crate::{error::CliError, output};
use error::ChooseError;

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
