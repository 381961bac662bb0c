//! `wgloss eval`: a loss and its gradients for the tensors of a file.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use serde_json::{Map, Value as Json, json};
use wgloss::{
    AnyLoss, Converted, Error, Evaluation, HostTensor, Loss, Mining, Named, Options, Reduction, Statistics, losses,
    parity::{self, Comparison, TOLERANCE, Tolerance},
    reference,
    spec::{Param, Reference, Value},
};

use crate::{
    Verdict, accuracy, custom,
    engine::{Engine, REFERENCE},
    error::CliError,
    list, output, summary,
    tensors::{self, TensorFile},
};

const EXAMPLE: &str = "\
The file's tensors have the names of the loss's inputs, which `wgloss list LOSS` shows; other tensors are refused. \
Class indices and labels may be of any integer type or BOOL, and so may what has no gradient; F64 is rounded to f32. \
The output file holds `loss`, `grad.<input>` for every input with a gradient, and the statistics asked for.

Example, with an input file from Python:
  safetensors.numpy.save_file({'prediction': p, 'target': t}, 'batch.safetensors')
  wgloss eval huber --input batch.safetensors --reduction mean \\
      --set delta=0.5 --output result.safetensors";

/// What to evaluate.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLE}\n\n{}", custom::HELP))]
pub struct Args {
    /// The loss: `wgloss list` shows them all.
    #[arg(required_unless_present = "custom")]
    loss: Option<String>,
    /// A file in WGSL that is the loss, in place of one of the catalogue.
    #[arg(long, value_name = "FILE", conflicts_with = "loss")]
    custom: Option<PathBuf>,
    /// The safetensors file with the inputs; `-` for standard input.
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// How the losses of the items become the result.
    #[arg(long, value_parser = reductions())]
    reduction: Reduction,
    /// A value for a parameter in place of its default, as `delta=0.5`; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    settings: Vec<(String, String)>,
    /// A factor of every gradient, not of the loss.
    #[arg(long, value_name = "X", default_value_t = 1.0, allow_negative_numbers = true)]
    upstream: f32,
    /// What the sum is divided by, and its gradients with it: needs the reduction `sum`.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    divisor: Option<f32>,
    /// Part of an adapter's name, optionally with its backend (`vulkan:llvmpipe`), or `cpu` for the f64 reference
    /// [default: the most capable adapter]
    #[arg(long)]
    adapter: Option<String>,
    /// The safetensors file to write the loss and the gradients to.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Statistics of each item to write to the output file too, separated by commas.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "output")]
    statistics: Vec<Statistic>,
    /// Compare with the f64 reference; exit with 1 if an error is above its tolerance, and with 3 where there is no
    /// adapter to check, as with `--adapter cpu`.
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    pub format: output::Format,
}

/// What losses give of each item besides its loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
enum Statistic {
    /// The logarithm of the sum of the exponentials of the row's logits
    LogSumExp,
    /// The row's predicted class
    Argmax,
    /// The entropy of the row's softmax
    Entropy,
    /// The log-probability of the row's target
    LogProb,
    /// The rows that each anchor of triplet_batch_hard has mined: hardest_positive and hardest_negative
    Hardest,
    /// Whether the clip of a policy binds on a token or an answer: 1 or 0
    Clipped,
    /// The divergence of a policy's token from the reference
    Kl,
}

fn reductions() -> impl TypedValueParser<Value = Reduction> {
    let values = Reduction::ALL.map(|reduction| {
        PossibleValue::new(reduction.name()).help(match reduction {
            Reduction::None => "No reduction: one loss for each item",
            Reduction::Sum => "The sum",
            Reduction::Mean => "The sum divided by the number of items that count",
            Reduction::WeightedMean => "The sum divided by the `weight`s of the items that count",
            Reduction::BatchMean => "The sum divided by the length of the first axis",
        })
    });
    PossibleValuesParser::new(values).try_map(|name| name.parse::<Reduction>())
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.to_string(), value.to_string()))
}

/// Evaluates the loss, writes and prints the result.
pub fn run(args: &Args, as_json: bool) -> Result<Verdict, CliError> {
    let settings: Vec<_> = args.settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let spec = match (&args.custom, &args.loss) {
        (Some(path), _) => custom::read(path)?,
        (None, name) => losses::find(name.as_deref().unwrap_or_default())?,
    };
    let loss = AnyLoss::of(spec, &settings)?;
    let has_reference = !matches!(spec.reference, Reference::None);
    if !has_reference && (args.check || args.adapter.as_deref() == Some(REFERENCE)) {
        return Err(Error::NoReference { loss: spec.name }.into());
    }
    if let Some(path) = &args.output {
        output::check_file(path, &args.input)?;
    }
    let file = TensorFile::read(&args.input)?;
    let tensors = file.tensors()?;
    let inputs = Converted::new(&loss, &tensors)?;
    inputs.notices.iter().for_each(output::notice);
    let inputs = inputs.tensors;

    let asks_for = |statistic| args.statistics.contains(&statistic);
    let statistics = Statistics {
        log_sum_exp: asks_for(Statistic::LogSumExp),
        argmax: asks_for(Statistic::Argmax),
        entropy: asks_for(Statistic::Entropy),
        log_prob: asks_for(Statistic::LogProb),
        hardest: asks_for(Statistic::Hardest),
        clipped: asks_for(Statistic::Clipped),
        kl: asks_for(Statistic::Kl),
    };
    let Args { upstream, divisor, reduction, .. } = *args;
    let options = Options { upstream, divisor, statistics, ..Options::new(reduction) };
    let engine = Engine::select(args.adapter.as_deref(), args.check || !has_reference)?;
    let start = Instant::now();
    let evaluation = engine.evaluate(&loss, &inputs, options)?;
    let time = start.elapsed();

    if let Some(path) = &args.output {
        tensors::write(path, &outputs(&evaluation))?;
    }
    let check = match args.check {
        true => Some(parity::compare(&reference::evaluate(&loss, &inputs, &options)?, &evaluation)),
        false => None,
    };
    let report = Report { loss, reduction: args.reduction, adapter: engine.name(), evaluation, time, check };
    if as_json {
        output::print_json(&report.json())?
    } else {
        output::print(report.text())?
    }
    Ok(report.verdict())
}

/// The tensors of the output file.
fn outputs(evaluation: &Evaluation) -> Named<HostTensor<'_>> {
    let gradients = evaluation.gradients.iter().map(|(name, gradient)| (format!("grad.{name}"), gradient.view()));
    let loss = ("loss".to_string(), evaluation.loss.view());
    let statistics = evaluation.statistics.iter().map(|(name, tensor)| (name.to_string(), tensor.view()));
    gradients.chain([loss]).chain(statistics).collect()
}

/// What was evaluated, and what came out.
struct Report {
    loss: AnyLoss,
    reduction: Reduction,
    adapter: String,
    evaluation: Evaluation,
    time: Duration,
    check: Option<Comparison>,
}

impl Report {
    fn verdict(&self) -> Verdict {
        Verdict::from(self.check.as_ref().is_none_or(|check| check.failures.is_empty()))
    }

    fn loss_summary(&self) -> summary::Loss {
        summary::Loss::of(&self.evaluation, self.reduction, self.loss.spec().is_per_class())
    }

    fn params(&self) -> impl Iterator<Item = (&'static Param, Value)> {
        self.loss.spec().params.iter().zip(self.loss.values())
    }

    fn text(&self) -> String {
        let mut rows = vec![("loss function".to_string(), self.loss.spec().name.to_string())];
        let mut row = |name: &str, value: String| rows.push((name.to_string(), value));
        for (param, value) in self.params() {
            row(param.name, value.to_string());
        }
        row("reduction", self.reduction.to_string());
        row("adapter", self.adapter.clone());
        row("wall time", format!("{:.3?}", self.time));
        row("items counted", self.evaluation.items.to_string());
        if let Some(correct) = self.evaluation.correct() {
            row("right", share(correct, self.evaluation.items));
        }
        if let Some(sum) = self.evaluation.weight_sum() {
            let note = if sum <= 0.0 { ": no weighted mean, 0 in its place" } else { "" };
            row("sum of weights", format!("{}{note}", output::digits(sum.into())));
        }
        if let Some(mining) = self.evaluation.mining() {
            row("active triplets", share(mining.active, mining.triplets));
            row("mean distance of positives", output::digits(mining.positive_distance.into()));
            row("mean distance of negatives", output::digits(mining.negative_distance.into()));
        }
        match self.loss_summary() {
            summary::Loss::Reduced(loss) => row("loss", output::digits(loss)),
            summary::Loss::Items { count, mean, min, max } => {
                row("item losses", count.to_string());
                row("  mean", output::digits(mean));
                row("  min", output::digits(min));
                row("  max", output::digits(max));
            }
        }
        for (name, &term) in self.evaluation.terms().iter() {
            row(&format!("  {name}"), output::digits(term.into()));
        }
        for (name, gradient) in self.evaluation.gradients.iter() {
            row(&format!("L2 norm of grad.{name}"), output::digits(summary::l2_norm(gradient)));
        }
        if let Some(check) = &self.check {
            let Tolerance { loss, gradient } = TOLERANCE;
            row("error of loss", format!("{}, ≤ {loss:.0e}", accuracy::text(check.loss_error)));
            row("error of gradients", format!("{}, ≤ {gradient:.0e}", accuracy::text(check.gradient_error)));
            check.failures.iter().for_each(|failure| row("failure", failure.clone()));
            row("check", self.verdict().name().to_string());
        }
        output::properties(rows)
    }

    fn json(&self) -> Json {
        let parameters: Map<String, Json> =
            self.params().map(|(param, value)| (param.name.to_string(), list::json_value(value))).collect();
        let gradients: Map<String, Json> = self
            .evaluation
            .gradients
            .iter()
            .map(|(name, gradient)| {
                let facts = json!({
                    "type": gradient.dtype().name(),
                    "shape": gradient.shape(),
                    "l2_norm": output::json_number(summary::l2_norm(gradient)),
                });
                (name.to_string(), facts)
            })
            .collect();
        let terms: Map<String, Json> = self
            .evaluation
            .terms()
            .iter()
            .map(|(name, &term)| (name.to_string(), output::json_number(term.into())))
            .collect();
        json!({
            "name": self.loss.spec().name,
            "parameters": parameters,
            "reduction": self.reduction.name(),
            "adapter": self.adapter,
            "seconds": self.time.as_secs_f64(),
            "items": self.evaluation.items,
            "correct": self.evaluation.correct(),
            "weight_sum": self.evaluation.weight_sum().map(|sum| output::json_number(sum.into())),
            "loss": self.loss_summary().json(),
            "terms": terms,
            "mining": self.evaluation.mining().as_ref().map(mining_json),
            "gradients": gradients,
            "check": self.check.as_ref().map(accuracy::comparison_json),
        })
    }
}

/// What was found in a batch.
fn mining_json(mining: &Mining) -> Json {
    json!({
        "triplets": mining.triplets,
        "active": mining.active,
        "active_fraction": mining.active_fraction(),
        "positive_distance": output::json_number(mining.positive_distance.into()),
        "negative_distance": output::json_number(mining.negative_distance.into()),
    })
}

/// A count, what it is a part of, and how large a part.
fn share(count: u64, all: u64) -> String {
    match all {
        0 => format!("{count} of {all}"),
        _ => format!("{count} of {all}, {:.1} %", 100.0 * count as f64 / all as f64),
    }
}
