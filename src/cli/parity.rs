//! `wgloss parity`: the kernels against the f64 reference.

use std::{collections::BTreeMap, path::PathBuf};

use serde_json::{Value as Json, json};
use wgloss::{
    Error, Gpu, losses,
    parity::{self, DIFFERENCE_TOLERANCE, Differences, Effort, Report, TOLERANCE},
    spec::LossSpec,
};

use crate::{Verdict, accuracy, custom, error::CliError, output, select};

/// How many of a loss's failures are shown; JSON has them all.
const SHOWN: usize = 3;

/// What to check.
#[derive(Debug, clap::Args)]
#[command(after_help = custom::HELP)]
pub struct Args {
    /// The losses to check; all if none is named.
    losses: Vec<String>,
    /// A file in WGSL that is a loss to check, by differences of the loss itself; may be repeated.
    #[arg(long, value_name = "FILE")]
    custom: Vec<PathBuf>,
    /// Part of an adapter's name, optionally with its backend (`vulkan:llvmpipe`), or `all`
    /// [default: the most capable adapter]
    #[arg(long)]
    adapter: Option<String>,
    /// Check fewer combinations and smaller sizes.
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    pub format: output::Format,
}

/// Checks the losses on each adapter.
pub fn run(args: &Args, as_json: bool) -> Result<Verdict, CliError> {
    let named = args.losses.iter().map(|name| Ok(losses::find(name)?));
    let own = args.custom.iter().map(|path| custom::read(path));
    let specs = match named.chain(own).collect::<Result<Vec<_>, CliError>>()? {
        none if none.is_empty() => losses::ALL.to_vec(),
        specs => specs,
    };
    let effort = if args.quick { Effort::Quick } else { Effort::Full };

    let (mut passed, mut described) = (true, Vec::new());
    for (index, adapter) in select::adapters(args.adapter.as_deref())?.iter().enumerate() {
        let gpu = select::open(adapter)?;
        let reports = check(&gpu, &specs, effort)?;
        passed &= reports.iter().all(Report::passed);
        if as_json {
            described.push(describe(&gpu, &reports));
        } else {
            let gap = if index == 0 { "" } else { "\n" };
            output::print(format_args!("{gap}{}", text(&gpu, &reports)))?;
        }
    }
    if as_json {
        let tolerance = accuracy::tolerance_json();
        output::print_json(&json!({ "passed": passed, "tolerance": tolerance, "adapters": described }))?;
    }
    Ok(Verdict::from(passed))
}

/// Checks the losses on one device, with a progress bar on standard error.
fn check(gpu: &Gpu, specs: &[&'static LossSpec], effort: Effort) -> Result<Vec<Report>, Error> {
    let bar = output::progress(gpu.adapter_id());
    let reports = specs.iter().map(|spec| {
        bar.set_message(spec.name);
        parity::check(gpu, spec, effort, &mut |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        })
    });
    let reports = reports.collect();
    bar.finish_and_clear();
    reports
}

fn text(gpu: &Gpu, reports: &[Report]) -> String {
    let loss_error = format!("error of loss, ≤ {:.0e}", TOLERANCE.loss);
    let gradient_error = format!("error of gradient, ≤ {:.0e}", TOLERANCE.gradient);
    let mut table = output::table(["loss", "cases", &loss_error, &gradient_error, "result", "skipped"]);
    for report in reports {
        table.add_row([
            report.loss.to_string(),
            report.cases.to_string(),
            accuracy::text(report.loss_error),
            accuracy::text(report.gradient_error),
            Verdict::from(report.passed()).name().to_string(),
            report.skipped.len().to_string(),
        ]);
    }
    let mut lines = vec![gpu.adapter_id(), table.to_string()];
    lines.extend(reports.iter().filter_map(differences));
    lines.extend(skips(reports));
    lines.extend(reports.iter().flat_map(failures));
    lines.join("\n")
}

/// What was skipped and why, with the losses that it concerns.
fn skips(reports: &[Report]) -> impl Iterator<Item = String> {
    let mut skips = BTreeMap::<_, Vec<&str>>::new();
    for report in reports {
        for skipped in &report.skipped {
            skips.entry(skipped).or_default().push(report.loss);
        }
    }
    skips.into_iter().map(|((what, why), losses)| format!("skipped {what}, as {why}: {}", losses.join(", ")))
}

/// What is known of a loss without a reference.
fn differences(report: &Report) -> Option<String> {
    let Differences { error, judged, skipped } = report.differences?;
    let loss = report.loss;
    Some(format!(
        "{loss}: {judged} gradients are within {error:.1e} (allowed {DIFFERENCE_TOLERANCE:.0e}) of differences of the \
         loss; {skipped} were not judged, next to kinks or in rounding errors. The errors above are beside its own \
         kernel in its plainest call."
    ))
}

fn differences_json(differences: &Differences) -> Json {
    json!({
        "tolerance": DIFFERENCE_TOLERANCE,
        "error": output::json_number(differences.error),
        "judged": differences.judged,
        "skipped": differences.skipped,
    })
}

fn failures(report: &Report) -> impl Iterator<Item = String> {
    let more = report.failures.len().saturating_sub(SHOWN);
    let shown = report.failures.iter().take(SHOWN).map(|failure| format!("{}: {failure}", report.loss));
    shown.chain((more > 0).then(|| format!("{}: {more} more failures", report.loss)))
}

fn describe(gpu: &Gpu, reports: &[Report]) -> Json {
    let losses = reports.iter().map(|report| {
        let skipped = report.skipped.iter().map(|(what, reason)| json!({ "what": what, "reason": reason }));
        json!({
            "loss": report.loss,
            "passed": report.passed(),
            "cases": report.cases,
            "loss_error": accuracy::json(report.loss_error),
            "gradient_error": accuracy::json(report.gradient_error),
            "differences": report.differences.as_ref().map(differences_json),
            "failures": report.failures,
            "skipped": skipped.collect::<Vec<_>>(),
        })
    });
    json!({ "adapter": gpu.adapter_id(), "losses": losses.collect::<Vec<_>>() })
}
