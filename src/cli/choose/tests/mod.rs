//! The whole table: every loss it recommends exists, takes what it is given, and is right.

mod guards;

use std::collections::BTreeSet;

use clap::Parser;
use wgloss::{
    Adapter, AnyLoss, Gpu, HostTensor, Loss, Named, Options, losses, parity, reference,
    spec::{Family, Rule},
};

use super::{
    program,
    table::{COMMON, TASKS},
    tree::{Numbers, Pick, Task},
};
use crate::{Cli, Command};

/// Every adapter of the machine, opened once a test: wgpu panics where a thread has waited for another one's GL context
/// for six seconds, which the first run of large kernels takes.
fn gpus() -> &'static [Gpu] {
    thread_local! {
        static GPUS: &'static [Gpu] =
            Vec::leak(Adapter::all_blocking().iter().map(|one| one.open_blocking().unwrap()).collect());
    }
    let gpus = GPUS.with(|gpus| *gpus);
    assert!(!gpus.is_empty(), "no adapter to test on");
    gpus
}

/// Every loss that is recommended, with the task.
fn picks() -> Vec<(&'static Task, &'static Pick)> {
    let advices = TASKS.iter().flat_map(|task| task.advices());
    advices.flat_map(|advice| advice.picks.iter().map(move |pick| (advice.task, pick))).collect()
}

fn inputs(pick: &Pick) -> Named<HostTensor<'static>> {
    pick.form.inputs.iter().fold(Named::new(), |inputs, sample| {
        let shape = sample.shape.to_vec();
        let tensor = match sample.numbers {
            Numbers::Floats(values) => HostTensor::new(values, shape),
            Numbers::Indices(values) => HostTensor::new(values, shape),
        };
        inputs.with(sample.name, tensor.unwrap())
    })
}

/// Adapters take turns: the parity check has every loss on each of them.
#[test]
fn every_recommended_loss_is_right() {
    for ((task, pick), gpu) in picks().into_iter().zip(gpus().iter().cycle()) {
        let settings = pick.settings();
        let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let loss = AnyLoss::new(pick.spec().name, &settings).unwrap();
        assert_eq!(loss.values(), (pick.choice.make)().values(), "{loss}: the program and the command differ");
        let inputs = inputs(pick);
        let options = Options::new(pick.reduction);
        let expected = reference::evaluate(&loss, &inputs, &options).unwrap();
        assert!(expected.loss[0].is_finite() && expected.items > 0, "{}: {loss}", task.name);
        let is_trained = |gradient: &Vec<f64>| gradient.iter().any(|&slope| slope != 0.0);
        assert!(expected.gradients.iter().all(|(_, gradient)| is_trained(gradient)), "{}: {loss}", task.name);
        let comparison = parity::compare(&expected, &loss.eval_with(gpu, &inputs, options).unwrap());
        assert!(comparison.failures.is_empty(), "{}: {loss}: {:?}", task.name, comparison.failures);
    }
}

#[test]
fn every_line_of_the_command_is_one() {
    for (_, pick) in picks() {
        let line = program::eval_line(pick);
        let cli = Cli::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert!(matches!(cli.command, Command::Eval(_)), "{line}");
    }
}

#[test]
fn advice_is_about_parameters_and_inputs_that_the_loss_has() {
    for (task, pick) in picks() {
        let spec = pick.spec();
        for (name, _) in pick.advice {
            let is_param = spec.params.iter().any(|param| param.name == *name);
            assert!(is_param || spec.input(name).is_some(), "{}: {} has no `{name}`", task.name, spec.name);
        }
        for (name, _) in pick.settings() {
            let is_told = pick.advice.iter().any(|(advised, _)| *advised == name);
            assert!(is_told, "{}: nothing is said of {name} of {}", task.name, spec.name);
        }
    }
}

#[test]
fn names_that_stand_in_texts_are_losses_parameters_or_inputs() {
    let known: BTreeSet<&str> = losses::ALL
        .iter()
        .flat_map(|spec| {
            let params = spec.params.iter().map(|param| param.name);
            let words = spec.params.iter().flat_map(|param| match param.rule {
                Rule::Word(words) => words,
                _ => &[],
            });
            let own = std::iter::once(spec.name).chain(params).chain(words.copied());
            own.chain(spec.all_inputs().map(|input| input.name))
        })
        .chain(["mean", "none", "sum", "batch_mean", "weighted_mean", "mask", "upstream"])
        .collect();
    let is_name = |word: &&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let mut texts: Vec<&str> = TASKS.iter().flat_map(|task| task.pitfalls).flat_map(|p| [p.trap, p.guard]).collect();
    for (_, pick) in picks() {
        texts.extend([pick.why, pick.form.last_layer, pick.form.targets]);
        texts.extend(pick.advice.iter().map(|(_, advice)| *advice));
    }
    for text in texts {
        // Every second part is between backticks.
        for word in text.split('`').skip(1).step_by(2).filter(is_name) {
            assert!(known.contains(word), "`{word}` is no name of the catalogue: {text}");
        }
    }
}

#[test]
fn every_family_of_losses_is_recommended() {
    let recommended: Vec<Family> = picks().iter().map(|(_, pick)| pick.spec().family).collect();
    for family in Family::ALL {
        // Functions of rows are no losses.
        assert!(family == Family::Rows || recommended.contains(&family), "{} has no task", family.title());
    }
}

#[test]
fn flags_and_tasks_have_one_meaning_each() {
    let mut meanings: Vec<(&str, &str)> = TASKS.iter().map(|task| (task.name, task.text)).collect();
    meanings.extend([("json", ""), ("markdown", ""), ("help", ""), ("task", "")]);
    for situation in TASKS.iter().flat_map(|task| task.situations()) {
        match meanings.iter().find(|(name, _)| *name == situation.name) {
            Some((name, text)) => assert_eq!(*text, situation.text, "--{name}"),
            None => meanings.push((situation.name, situation.text)),
        }
    }
}

#[test]
fn every_way_ends_in_one_loss_or_two() {
    for task in TASKS {
        for advice in task.advices() {
            assert!((1..=2).contains(&advice.picks.len()), "{}", task.name);
        }
        assert!(!task.pitfalls.is_empty(), "{}", task.name);
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(task.page);
        assert!(file.is_file(), "{}: there is no {}", task.name, task.page);
    }
    let used = |common| TASKS.iter().flat_map(|task| task.pitfalls).any(|pitfall| std::ptr::eq(*pitfall, common));
    assert!(COMMON.iter().all(|common| used(*common)), "a pitfall that no task has");
}
