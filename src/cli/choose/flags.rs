//! The answers as flags, made from the table of tasks.

use clap::{
    Arg, ArgAction, ArgMatches, Command,
    builder::{PossibleValue, PossibleValuesParser},
    error::Error,
};

use super::{
    error::ChooseError,
    table::{self, TASKS},
    tree::{Advice, Situation, Task},
};

/// What was answered on the command line.
#[derive(Clone, Debug)]
pub struct Flags {
    /// The task.
    pub task: Option<&'static Task>,
    /// What holds of it.
    situations: Vec<&'static Situation>,
}

impl Flags {
    /// Where the flags lead, beginning with the task among them. A question without a flag has its usual answer.
    pub fn advise(&self, task: &'static Task) -> Result<Advice, ChooseError> {
        let advice = task.advise(|question| {
            let mut given = question.others.iter().enumerate().filter(|(_, (one, _))| self.situations.contains(one));
            match (given.next(), given.next()) {
                (Some((_, (first, _))), Some((_, (second, _)))) => {
                    Err(ChooseError::Contradiction { first: first.name, second: second.name, question: question.text })
                }
                (Some((index, _)), None) => Ok(index + 1),
                (None, _) => Ok(0),
            }
        })?;
        match self.situations.iter().find(|given| !advice.situations().any(|situation| situation == **given)) {
            Some(foreign) => Err(ChooseError::Foreign { flag: foreign.name, task }),
            None => Ok(advice),
        }
    }
}

/// The situations of all tasks, each once and with the tasks that it may hold of.
fn situations() -> Vec<(&'static Situation, Vec<&'static str>)> {
    let mut all: Vec<(&Situation, Vec<&str>)> = Vec::new();
    for task in TASKS {
        for situation in task.situations() {
            match all.iter_mut().find(|(known, _)| *known == situation) {
                Some((_, tasks)) => tasks.push(task.name),
                None => all.push((situation, vec![task.name])),
            }
        }
    }
    all
}

impl clap::Args for Flags {
    fn augment_args(command: Command) -> Command {
        let tasks = TASKS.iter().map(|task| PossibleValue::new(task.name).help(task.text));
        let task = Arg::new("task")
            .long("task")
            .value_name("TASK")
            .value_parser(PossibleValuesParser::new(tasks))
            .help("What is to be predicted, or learnt; without flags, the command asks");
        situations().into_iter().fold(command.arg(task), |command, (situation, tasks)| {
            let flag = Arg::new(situation.name).long(situation.name).action(ArgAction::SetTrue).requires("task");
            command.arg(flag.help(format!("{} [{}]", situation.text, tasks.join(", "))))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let task = matches.get_one::<String>("task").and_then(|name| table::task(name));
        let given = situations().into_iter().map(|(situation, _)| situation);
        Ok(Flags { task, situations: given.filter(|situation| matches.get_flag(situation.name)).collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
