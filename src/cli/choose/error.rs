//! What leads to no loss.

use std::io;

use super::{table::TASKS, tree::Task};

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
