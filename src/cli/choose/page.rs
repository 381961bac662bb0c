//! The page of the documentation, `docs/which_loss.md`, from the table of tasks.

use super::{
    program,
    table::{COMMON, TASKS},
    tree::{Advised, Answer, Numbers, Pick, Pitfall, Sample, Task},
};
use crate::losses;

const HEAD: &str = "\
# Which loss?

For those who have a task, and not yet the name of a loss: what is to be learnt, what is special about it, and the loss
to take. `wgloss choose` asks the same questions and answers with a program to begin with; in a script flags answer
them:

```console
$ wgloss choose --task segmentation --imbalanced
```

Parameters that are not named have their defaults. `[*]` is any shape, N is the number of samples, C that of classes, D
that of an embedding's dimensions; d… are the axes of an image.

| task | where | loss, with typical parameters | last layer | targets |
|---|---|---|---|---|
";

const COMMON_HEAD: &str = "\
## What goes wrong with any of them

The first sentences say what goes wrong, those behind the arrow what prevents it, or shows it.
";

/// The whole page.
pub fn markdown() -> String {
    let rows: Vec<String> = TASKS.iter().flat_map(|task| table_rows(task)).collect();
    let mut shown = Vec::new();
    let sections: Vec<String> = TASKS.iter().map(|task| section(task, &mut shown)).collect();
    let common: Vec<String> = COMMON.iter().map(|pitfall| pitfall_item(pitfall)).collect();
    format!("{HEAD}{}\n\n{}\n\n{COMMON_HEAD}\n{}", rows.join("\n"), sections.join("\n\n"), common.join("\n"))
}

/// A row for each situation, or two where its losses take different things; what is as in the row above is left out.
fn table_rows(task: &'static Task) -> Vec<String> {
    let mut rows = Vec::new();
    for advice in task.advices() {
        let answers: Vec<&str> = advice.answers.iter().map(|answer| answer.text()).collect();
        let mut when = answers.join("; ");
        for alike in advice.picks.chunk_by(|a, b| a.form.targets == b.form.targets) {
            let name = if rows.is_empty() { format!("[{0}](#{0})", task.name) } else { String::new() };
            let losses: Vec<String> = alike.iter().map(typical).collect();
            let form = alike[0].form;
            rows.push(format!(
                "| {name} | {} | {} | {} | {} |",
                std::mem::take(&mut when),
                losses.join(if advice.takes_both { ", and " } else { ", or " }),
                form.last_layer,
                form.targets
            ));
        }
    }
    rows
}

/// The loss with what is typical of its parameters, and with the optional inputs of its example.
fn typical(pick: &Pick) -> String {
    let loss = format!("`{}`", losses::named(pick.spec().name, pick.typical()));
    let spec = pick.spec();
    let is_optional = |name: &str| spec.input(name).is_some_and(|input| input.optional);
    let optional = pick.form.inputs.iter().filter(|sample| is_optional(sample.name));
    optional.fold(loss, |text, sample| format!("{text} with `{}`", sample.name))
}

/// A task: its losses, a program for each form of the inputs that was not shown before, and what goes wrong.
fn section(task: &'static Task, shown: &mut Vec<Vec<Key>>) -> String {
    let page = task.page.strip_prefix("docs/").unwrap_or(task.page);
    let mut parts = vec![format!("## {}\n\n{}. More in [{page}]({page}).", sentence(task.name), sentence(task.text))];
    let mut told = Vec::new();
    for advice in task.advices() {
        if !advice.answers.is_empty() {
            let answers: Vec<String> = advice.answers.iter().map(heading).collect();
            parts.push(format!("**{}**", answers.join("; ")));
        }
        let picks: Vec<String> = advice.picks.iter().map(|pick| pick_item(pick, &mut told)).collect();
        let together = if advice.takes_both { "Both of them:\n\n" } else { "" };
        parts.push(format!("{together}{}", picks.join("\n")));
        for pick in advice.picks {
            let key = key(pick);
            if !shown.contains(&key) {
                shown.push(key);
                parts.push(program_block(pick));
            }
        }
    }
    parts.push(pitfalls(task));
    parts.join("\n\n")
}

/// What tells the forms of inputs apart: an input's name, whether it holds indices, and its number of axes.
type Key = (&'static str, bool, usize);

fn key(pick: &Pick) -> Vec<Key> {
    let holds_indices = |sample: &Sample| matches!(sample.numbers, Numbers::Indices(_));
    pick.form.inputs.iter().map(|sample| (sample.name, holds_indices(sample), sample.shape.len())).collect()
}

fn heading(answer: &Answer) -> String {
    match answer {
        Answer::Usual(text) => format!("Usually: {text}"),
        Answer::Situation(situation) => format!("`--{}`: {}", situation.name, situation.text),
    }
}

/// A loss with the advice on its parameters that was not told before.
fn pick_item(pick: &Pick, told: &mut Vec<Advised>) -> String {
    let head = format!("- {} {}.", typical(pick), pick.why);
    let advice = pick.advice.iter().filter(|advised| !told.contains(advised));
    let item = advice.clone().fold(head, |item, (name, advice)| format!("{item}\n  - `{name}`: {advice}."));
    told.extend(pick.advice);
    item
}

fn program_block(pick: &Pick) -> String {
    let summary = format!("<details><summary>A program with <code>{}</code></summary>", pick.spec().name);
    let (rust, line) = (program::rust(pick), program::eval_line(pick));
    format!("{summary}\n\n```rust\n{rust}\n```\n\n```sh\n{line}\n```\n\n</details>")
}

/// The task's own pitfalls whole, and links to those that it shares.
fn pitfalls(task: &Task) -> String {
    let is_common = |pitfall: &Pitfall| COMMON.iter().any(|common| std::ptr::eq(*common, pitfall));
    let (common, own): (Vec<&Pitfall>, Vec<&Pitfall>) = task.pitfalls.iter().partition(|pitfall| is_common(pitfall));
    let own = own.into_iter().map(pitfall_item);
    let common: Vec<String> = common.iter().map(|pitfall| in_a_sentence(pitfall.title)).collect();
    let common = format!("- [As with others](#what-goes-wrong-with-any-of-them): {}.", common.join("; "));
    format!("What goes wrong:\n\n{}", own.chain([common]).collect::<Vec<_>>().join("\n"))
}

fn pitfall_item(pitfall: &Pitfall) -> String {
    format!("- **{}.** {} → {}", pitfall.title, pitfall.trap, pitfall.guard)
}

/// The text with a capital.
fn sentence(text: &str) -> String {
    with_first(text, |c| c.to_uppercase().collect())
}

/// A title without its capital, unless that is one of several, as in `NaN`.
fn in_a_sentence(title: &str) -> String {
    match title.chars().skip(1).any(char::is_uppercase) {
        true => title.to_string(),
        false => with_first(title, |c| c.to_lowercase().collect()),
    }
}

fn with_first(text: &str, change: impl Fn(char) -> String) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| change(first) + chars.as_str())
}
