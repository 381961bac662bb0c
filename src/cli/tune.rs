//! `wgloss tune`: the fastest layout of kernels, measured and saved.

use serde_json::{Value as Json, json};
use wgloss::{
    Adapter, Error, Gpu,
    bench::{CaseTimes, SavedTuning, Trial, TuningRun},
};

use crate::{error::CliError, output, select};

const NOTES: &str = "\
Other work on the machine hides what is faster: then the table's choice stays, or one that suits
a busy machine. What is saved is used by `wgloss` until adapter, driver or version change, and by
programs that call `with_saved_tuning`. WGLOSS_CACHE_DIR names the directory for it; without, it is
`wgloss` in the user's cache directory.";

/// What to measure.
#[derive(Debug, clap::Args)]
#[command(after_help = NOTES)]
pub struct Args {
    /// Part of an adapter's name, optionally with its backend (`vulkan:llvmpipe`), or `all`
    /// [default: the most capable adapter]
    #[arg(long)]
    adapter: Option<String>,
    /// Measure, but save nothing.
    #[arg(long)]
    dry_run: bool,
    /// Remove what is saved: the table's choice serves again.
    #[arg(long, conflicts_with = "dry_run")]
    reset: bool,
    #[command(flatten)]
    pub format: output::Format,
}

/// Measures each adapter, or forgets what was measured.
pub fn run(args: &Args, as_json: bool) -> Result<(), CliError> {
    let mut described = Vec::new();
    for adapter in select::adapters(args.adapter.as_deref())? {
        let tell = |text: String| if as_json { Ok(()) } else { output::print(text) };
        described.push(match args.reset {
            true => reset(&adapter, tell)?,
            false => tune(&adapter, args.dry_run, tell)?,
        });
    }
    if as_json { output::print_json(&json!({ "adapters": described })) } else { Ok(()) }
}

fn reset(adapter: &Adapter, tell: impl Fn(String) -> Result<(), CliError>) -> Result<Json, CliError> {
    let removed = SavedTuning::remove(adapter.info())?;
    tell(match &removed {
        Some(path) => format!("{}: removed {}", adapter.id(), path.display()),
        None => format!("{}: nothing is saved", adapter.id()),
    })?;
    Ok(json!({ "adapter": adapter.id(), "removed": removed }))
}

fn tune(adapter: &Adapter, dry_run: bool, tell: impl Fn(String) -> Result<(), CliError>) -> Result<Json, CliError> {
    if !dry_run {
        // Better no measuring than measuring in vain.
        SavedTuning::path(adapter.info())?;
    }
    let gpu = adapter.open_blocking()?;
    let run = measure(&gpu)?;
    tell(text(&gpu, &run))?;
    let saved = match dry_run {
        true => None,
        false => Some(SavedTuning::new(adapter.info(), run.tuning).save()?),
    };
    if let Some(path) = &saved {
        tell(format!("saved to {}", path.display()))?;
    }
    let TuningRun { table, tuning, trials } = run;
    Ok(json!({ "adapter": adapter.id(), "table": table, "tuning": tuning, "trials": trials, "saved": saved }))
}

/// Measures with a progress bar on standard error.
fn measure(gpu: &Gpu) -> Result<TuningRun, Error> {
    let bar = output::progress(gpu.adapter_id());
    let run = gpu.tune_with(&mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    run
}

fn text(gpu: &Gpu, run: &TuningRun) -> String {
    let mut choices = output::table(["choice", "table", "measured", "gain"]);
    for trial in &run.trials {
        let gain = match trial {
            Trial { cases, .. } if cases.is_empty() => "no choice".to_string(),
            trial if trial.before == trial.after => "none".to_string(),
            trial => format!("{:.2}×", trial.gain),
        };
        choices.add_row([&trial.field, &trial.before, &trial.after, &gain]);
    }
    let mut tried = output::table(["tried", "case", "ms, ± spread"]);
    for trial in &run.trials {
        for case in &trial.cases {
            tried.add_row([trial.field.clone(), describe(case), times(case)]);
        }
    }
    format!("{}\n{tried}\n{choices}", gpu.adapter_id())
}

/// The loss and its shape, as `mse 1048576`.
fn describe(case: &CaseTimes) -> String {
    format!("{} {}", case.loss, output::shape(&case.shape))
}

/// The times as text: `8: 1.52 ± 3%, 16: failed`.
fn times(case: &CaseTimes) -> String {
    let times = case.times.iter().map(|time| match (time.median_ms, time.spread) {
        (Some(median), Some(spread)) => format!("{}: {median:.3} ± {:.0}%", time.variant, 100.0 * spread),
        _ => format!("{}: failed", time.variant),
    });
    times.collect::<Vec<_>>().join(", ")
}
