//! `wgloss list`: the catalogue of losses, from their specs.

use std::fmt;

use serde_json::{Value as Json, json};
use wgloss::{
    Reduction, losses,
    spec::{Family, Input, Kind, LossSpec, Value},
};

use crate::{
    error::CliError,
    losses::{defaults, of_family},
    markdown, output,
};

const AFTER_HELP: &str = "\
In shapes N is the length of the first axis, C the number of classes, D that of an embedding's dimensions; d… are any \
further axes, and [*] is any shape, to which smaller inputs are broadcast as in PyTorch: axes are aligned from the \
last one, and one of length 1, or one that is not there, has its value for every place. One row [C], one pair of \
vectors [D] and one box [4] need no N. Values that are `checked` are an error where they are out of range. \
`wgloss list LOSS` tells what the symbols of its formula mean.

Example:
  wgloss list cross_entropy";

/// What to list.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// The loss to describe; without one, all are listed.
    loss: Option<String>,
    /// Print the tables of losses as Markdown.
    #[arg(long, conflicts_with_all = ["loss", "json"])]
    markdown: bool,
    /// Print the names alone, one a line.
    #[arg(long, conflicts_with_all = ["loss", "json", "markdown"])]
    names: bool,
    #[command(flatten)]
    pub format: output::Format,
}

/// Lists all losses or describes one.
pub fn run(args: &Args, as_json: bool) -> Result<(), CliError> {
    match &args.loss {
        Some(name) => {
            let spec = losses::find(name)?;
            if as_json { output::print_json(&describe(spec)) } else { print_loss(spec) }
        }
        None if args.markdown => output::print(markdown::catalogue()),
        None if args.names => output::print(losses::ALL.iter().map(|spec| spec.name).collect::<Vec<_>>().join("\n")),
        None if as_json => {
            let losses: Vec<Json> = losses::ALL.iter().map(|spec| describe(spec)).collect();
            output::print_json(&json!({ "losses": losses }))
        }
        None => print_all(),
    }
}

fn print_all() -> Result<(), CliError> {
    let section = |family: Family| {
        let mut table = output::table(["loss", "formula per item", "parameters", "elsewhere called"]);
        for spec in of_family(family) {
            let parameters = defaults(spec).collect::<Vec<_>>().join(" ");
            table.add_row([spec.name, spec.formula, &parameters, &spec.aliases.join(", ")]);
        }
        format!("{}\n{table}", family.title())
    };
    output::print(Family::ALL.map(section).join("\n\n"))
}

fn print_loss(spec: &LossSpec) -> Result<(), CliError> {
    let aliases = spec.aliases.join(", ");
    let facts = [
        ("loss", spec.name),
        ("elsewhere called", &aliases),
        ("family", spec.family.title()),
        ("formula per item", spec.formula),
        ("symbols", symbols(spec.family)),
        ("notes", spec.notes),
        ("reductions", &reductions(spec).join(", ")),
        ("source", spec.source),
    ];
    let facts = facts.into_iter().filter(|(_, fact)| !fact.is_empty());
    output::print(output::properties(facts.map(|(name, fact)| (name, fact.to_string()))))?;

    let mut inputs = output::table(["input", "type", "shape", "gradient", "required", "values"]);
    for input in spec.all_inputs() {
        let (gradient, required) = (yes(input.differentiable), yes(!input.optional));
        inputs.add_row([&input.symbol(), &kind(input), &shape(spec, input), gradient, required, &values(input)]);
    }
    output::print(inputs)?;

    if !spec.params.is_empty() {
        let mut params = output::table(["parameter", "default", "must be"]);
        for param in spec.params {
            params.add_row([param.name.to_string(), param.default.to_string(), param.rule.to_string()]);
        }
        output::print(params)?;
    }
    Ok(())
}

/// The names of the reductions that a loss has.
fn reductions(spec: &LossSpec) -> Vec<&'static str> {
    spec.reductions().map(Reduction::name).collect()
}

/// The symbols that the formulas of a family share.
fn symbols(family: Family) -> &'static str {
    match family {
        Family::Regression => "e = p − t, where p is the prediction and t the target",
        Family::Binary => "x is the logit, p the prediction, t the target, σ the logistic function",
        Family::Multiclass => {
            "x is a row of logits, y the class that the target names, t a target of values, w the class_weight, \
             lse = log Σ_c exp(x_c), σ the logistic function"
        }
        Family::Rows => "x is a row of logits",
        Family::Pairs => {
            "x1 and x2 are rows of embeddings or values, x is a value, y and t are labels, d is the distance, a an \
             anchor, p its positive, n its negative"
        }
        Family::MetricLearning => {
            "a and i are anchors, p is a positive of theirs, n a negative, d the distance, s the similarity, τ the \
             temperature"
        }
        Family::Segmentation => "I = Σ p·t, P = Σ p and T = Σ t over the pixels of a score",
        Family::Boxes => {
            "I, U and C are the areas of the intersection, the union and the hull of both boxes, ρ is the distance of \
             their centres, c the hull's diagonal"
        }
        Family::Generative => {
            "x is the score of a discriminator or critic, real or fake what was scored; f and g are the features of a \
             layer and their target"
        }
        Family::Tasks => "L is the loss of a task, w its weight, s the logarithm of its variance",
        Family::Linear => "h is a row of hidden states, W and b the head's weight and bias, x a row of logits",
        Family::Preferences => {
            "x are a token's logits and y the token; A is the advantage, w the importance; chosen, rejected and \
             log_prob are log-probabilities, of tokens in policies, else of whole answers, in `reward_pair` rewards; \
             v is a value, R what was returned"
        }
    }
}

fn describe(spec: &LossSpec) -> Json {
    let inputs = spec.all_inputs().map(|input| {
        json!({
            "name": input.name,
            "per_layer": input.per_layer,
            "type": kind(input),
            "shape": shape(spec, input),
            "differentiable": input.differentiable,
            "optional": input.optional,
            "values": values(input),
        })
    });
    let parameters = spec.params.iter().map(
        |param| json!({ "name": param.name, "default": json_value(param.default), "rule": param.rule.to_string() }),
    );
    json!({
        "name": spec.name,
        "aliases": spec.aliases,
        "family": spec.family.title(),
        "formula": spec.formula,
        "notes": spec.notes,
        "source": spec.source,
        "reductions": reductions(spec),
        "inputs": inputs.collect::<Vec<_>>(),
        "parameters": parameters.collect::<Vec<_>>(),
    })
}

/// The value of a parameter as JSON.
pub fn json_value(value: Value) -> Json {
    match value {
        // By way of its text: as an f64, 0.1 would be 0.10000000149011612.
        Value::Number(_) => value.to_string().parse::<f64>().map_or(Json::Null, output::json_number),
        Value::Integer(i) => i.into(),
        Value::Flag(flag) => flag.into(),
        Value::Word(word) => word.into(),
    }
}

fn yes(condition: bool) -> &'static str {
    if condition { "yes" } else { "no" }
}

fn kind(input: &Input) -> String {
    let kind = |input: &Input| match input.kind {
        Kind::Float => "float",
        Kind::Index => "index",
        Kind::Label | Kind::Mask => "float or index",
    };
    in_each_form(input, kind)
}

fn shape(spec: &LossSpec, input: &Input) -> String {
    in_each_form(input, |input| spec.symbols_of(input))
}

/// The values of an input, and whether kernels check them.
fn values(input: &Input) -> String {
    let checked = if input.domain.is_checked() { ", checked" } else { "" };
    format!("{}{checked}", in_each_form(input, |input| input.domain.to_string()))
}

/// The words for an input, and for the indices that may be given for it.
fn in_each_form<T: fmt::Display>(input: &Input, say: impl Fn(&Input) -> T) -> String {
    match input.as_indices {
        Some(indices) => format!("{} or {}", say(input), say(indices)),
        None => say(input).to_string(),
    }
}
