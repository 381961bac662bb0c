//! What the command answers, for people and for programs.

use serde_json::{Map, Value as Json, json};
use wgloss::Loss;

use super::{
    program,
    tree::{Advice, Answer, Pick},
};
use crate::{list, losses, output};

/// The answer for people.
pub fn text(advice: &Advice) -> String {
    let task = advice.task;
    let mut parts = vec![format!("{}: {}", task.name, task.text)];
    parts.extend(advice.answers.iter().map(|answer| match answer {
        Answer::Usual(text) => format!("usually: {text}"),
        Answer::Situation(situation) => format!("--{}: {}", situation.name, situation.text),
    }));
    let asked = parts.join("\n");

    let together = match (advice.takes_both, advice.picks.len()) {
        (true, _) => Some("Both of these losses, each for its network:".to_string()),
        (false, 2) => Some("One of two losses:".to_string()),
        (false, _) => None,
    };
    let picks = together.into_iter().chain(advice.picks.iter().map(pick_text));
    let pitfalls = task.pitfalls.iter().map(|pitfall| {
        let rows = output::properties([("", pitfall.trap.to_string()), ("→", pitfall.guard.to_string())]);
        format!("{}\n{rows}", pitfall.title)
    });
    let pitfalls =
        format!("What goes wrong, → what prevents or shows it\n\n{}", pitfalls.collect::<Vec<_>>().join("\n"));
    let mut more = vec![("read on", format!("{}, docs/which_loss.md", task.page))];
    more.extend(advice.picks.iter().map(|pick| ("", format!("wgloss list {}", pick.spec().name))));
    more.extend(
        advice.other_situations().map(|situation| ("other flags", format!("--{}: {}", situation.name, situation.text))),
    );
    blank_repeated(&mut more);

    let parts = std::iter::once(asked).chain(picks).chain([pitfalls, output::properties(more)]);
    parts.collect::<Vec<_>>().join("\n\n")
}

/// Leaves a name out where the row above has it.
fn blank_repeated(rows: &mut [(&'static str, String)]) {
    for index in (1..rows.len()).rev() {
        if rows[index].0 == rows[index - 1].0 {
            rows[index].0 = "";
        }
    }
}

fn pick_text(pick: &Pick) -> String {
    let mut rows = vec![
        ("loss".to_string(), losses::named(pick.spec().name, pick.settings())),
        ("why".to_string(), format!("it {}", pick.why)),
        ("last layer".to_string(), pick.form.last_layer.to_string()),
        ("targets".to_string(), pick.form.targets.to_string()),
    ];
    let typical = pick.typical();
    rows.extend(pick.advice.iter().map(|(name, advice)| {
        let value = typical.iter().find(|(param, _)| param == name).map(|(_, value)| format!("={value}"));
        (format!("{name}{}", value.unwrap_or_default()), (*advice).to_string())
    }));
    let inputs: Vec<&str> = pick.form.inputs.iter().map(|sample| sample.name).collect();
    rows.push(("in a file".to_string(), inputs.join(", ")));
    rows.push(("evaluate it".to_string(), program::eval_line(pick)));
    format!("{}\n\n{}", output::properties(rows), program::rust(pick))
}

/// The answer for programs.
pub fn json(advice: &Advice) -> Json {
    let situations: Vec<&str> = advice.situations().map(|situation| situation.name).collect();
    let pitfalls = advice.task.pitfalls.iter().map(
        |pitfall| json!({ "name": pitfall.title, "what_goes_wrong": pitfall.trap, "prevented_by": pitfall.guard }),
    );
    json!({
        "task": advice.task.name,
        "situations": situations,
        "other_flags": advice.other_situations().map(|situation| situation.name).collect::<Vec<_>>(),
        "takes_both": advice.takes_both,
        "losses": advice.picks.iter().map(pick_json).collect::<Vec<_>>(),
        "pitfalls": pitfalls.collect::<Vec<_>>(),
        "page": advice.task.page,
    })
}

fn pick_json(pick: &Pick) -> Json {
    let loss = (pick.choice.make)();
    let parameters: Map<String, Json> = loss
        .spec()
        .params
        .iter()
        .zip(loss.values())
        .map(|(param, value)| (param.name.to_string(), list::json_value(value)))
        .collect();
    let advice: Map<String, Json> =
        pick.advice.iter().map(|(name, advice)| ((*name).to_string(), (*advice).into())).collect();
    json!({
        "name": loss.spec().name,
        "why": pick.why,
        "last_layer": pick.form.last_layer,
        "targets": pick.form.targets,
        "parameters": parameters,
        "advice": advice,
        "reduction": pick.reduction.name(),
        "inputs": pick.form.inputs.iter().map(|sample| sample.name).collect::<Vec<_>>(),
        "rust": program::rust(pick),
        "eval": program::eval_line(pick),
    })
}
