//! `wgloss bench`: how fast losses are on this machine's adapters.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use indicatif::ProgressBar;
use wgloss::{
    AnyLoss, DType, Error, Gpu, Loss,
    bench::{
        Bench, Case, ClockKind, KernelTime, Measurement, Precision, Report, SCALING_ELEMENTS, Scaling, ScalingPoint,
        Skipped,
    },
    losses,
};

use crate::{
    Verdict, compare,
    error::CliError,
    kernels, output,
    report::{self, numbers},
    select,
};

/// A loss grows no more once it takes longer, in ms: the time of some grows with the square of the elements.
const LONGEST_POINT: f64 = 1000.0;

/// The losses that stand for all others at growing sizes: bound by memory, bound by arithmetic, and of rows.
const SCALED: [&str; 3] = ["mse", "bce_with_logits", "cross_entropy"];

const EXAMPLE: &str = "\
Times are medians, of loss and gradients together. `of copy` is the speed beside a kernel that
copies as many bytes, measured in turns with the loss: 1 is as fast as memory allows. Losses
that compare all pairs of a batch have GFLOP/s instead.

Examples:
  wgloss bench                                        every loss at shapes that people train with
  wgloss bench cross_entropy --shape 4096x32000 --dtype bf16
  wgloss bench linear_cross_entropy --by-kernel       where its time goes
  wgloss bench --adapter all --scaling --html report.html
  wgloss bench --compare before.json after.json       what became slower
  wgloss bench --compare report.json --summary        a few lines of it";

/// What to time.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct Args {
    /// The losses to time; all if none is named.
    losses: Vec<String>,
    /// Part of an adapter's name, optionally with its backend (`vulkan:llvmpipe`), or `all`
    /// [default: the most capable adapter]
    #[arg(long)]
    adapter: Option<String>,
    /// The storage types, separated by commas.
    #[arg(long, value_name = "TYPES", value_delimiter = ',', default_value = "f32", value_parser = dtypes())]
    dtype: Vec<DType>,
    /// The shape of the first input, as 4096x1000, in place of the usual ones; may be repeated.
    #[arg(long, value_parser = shape)]
    shape: Vec<Shape>,
    /// Also time the losses named from 1,000 to 100,000,000 elements; if none is named, mse, bce_with_logits and
    /// cross_entropy.
    #[arg(long)]
    scaling: bool,
    /// Only the first of each loss's usual shapes, and fewer runs.
    #[arg(long)]
    quick: bool,
    /// Also time each kernel of the losses by itself.
    #[arg(long)]
    by_kernel: bool,
    /// Measure no further case after so many seconds: first the first shape of each loss and storage type, then the
    /// second ones.
    #[arg(long, value_name = "SECONDS", conflicts_with = "scaling")]
    limit: Option<u32>,
    /// Write the results as JSON, as they come; `-` is standard output, at the end.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a page with charts of the results.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Measure nothing: compare these reports with the first of them, or show the only one. A regression fails.
    #[arg(
        long,
        num_args = 1..,
        value_name = "REPORT",
        conflicts_with_all = ["losses", "adapter", "dtype", "shape", "scaling", "quick", "by_kernel", "limit"],
    )]
    compare: Vec<PathBuf>,
    /// Print a line for each kind of kernels, with the median and the worst, and for each other library, rather than
    /// one for each case.
    #[arg(long)]
    summary: bool,
}

#[derive(Clone, Debug)]
struct Shape(Vec<usize>);

fn shape(text: &str) -> Result<Shape, String> {
    let axes = text.split(['x', '×', ',']).map(|axis| axis.trim().parse().ok().filter(|&length: &usize| length > 0));
    match axes.collect() {
        Some(axes) => Ok(Shape(axes)),
        None => Err("expected lengths of axes above 0, as 4096x1000".to_string()),
    }
}

fn dtypes() -> impl TypedValueParser<Value = DType> {
    PossibleValuesParser::new(DType::FLOATS.map(DType::name))
        .try_map(|name| DType::FLOATS.into_iter().find(|dtype| dtype.name() == name).ok_or("no storage type"))
}

/// Times the losses on each adapter, or compares reports.
pub fn run(args: &Args) -> Result<Verdict, CliError> {
    let (json, html) = (args.json.as_deref(), args.html.as_deref());
    if !args.compare.is_empty() {
        return compare::run(&args.compare, html, json, args.summary);
    }
    let losses = match &args.losses[..] {
        [] => losses::ALL.iter().map(|spec| AnyLoss::new(spec.name, &[])).collect::<Result<Vec<_>, _>>()?,
        names => names.iter().map(|name| AnyLoss::new(name, &[])).collect::<Result<_, _>>()?,
    };
    let prints_json = json.is_some_and(output::is_standard);
    json.filter(|_| !prints_json).into_iter().chain(html).try_for_each(output::check_writable)?;
    let mut reports = Vec::new();
    for adapter in select::adapters(args.adapter.as_deref())? {
        // A run that is cut short leaves what it has measured.
        let save = |report: &Report| match json.filter(|path| !prints_json && output::is_ordinary(path)) {
            Some(path) => output::replace(path, &(Report::list_to_json(&with(&reports, report))? + "\n")),
            None => Ok(()),
        };
        let report = measure(&select::open(&adapter)?, &losses, args, &save)?;
        if !prints_json {
            output::print(text(&report, args.summary))?;
        }
        reports.push(report);
    }
    if let Some(path) = json {
        let text = Report::list_to_json(&reports)?;
        if prints_json { output::print(text) } else { output::write(path, &(text + "\n")) }?;
    }
    if let Some(path) = html {
        output::write(path, &report::html(&reports))?;
    }
    Ok(Verdict::Passed)
}

/// Reports with another one.
fn with(reports: &[Report], report: &Report) -> Vec<Report> {
    reports.iter().chain([report]).cloned().collect()
}

/// Times the losses on one device, with a progress bar on standard error. `save` gets the report after each case.
///
/// A shape that a loss does not take is an error where the loss was named, and left out where all are timed.
fn measure(
    gpu: &Gpu,
    losses: &[AnyLoss],
    args: &Args,
    save: &dyn Fn(&Report) -> Result<(), CliError>,
) -> Result<Report, CliError> {
    let start = Instant::now();
    let is_late = || args.limit.is_some_and(|limit| start.elapsed() >= Duration::from_secs(limit.into()));
    let skips_shapes = args.losses.is_empty();
    let precision = if args.quick {
        Precision { least_runs: 3, most_runs: 3, ..Precision::default() }
    } else {
        Precision::default()
    };
    let bench = Bench::new(gpu, precision)?;
    let mut report = bench.report();
    save(&report)?;
    let cases = cases(losses, args, bench.memory());
    let is_scaled = |loss: &&AnyLoss| !args.losses.is_empty() || SCALED.contains(&loss.spec().name);
    let scaled: Vec<&AnyLoss> = losses.iter().filter(|loss| args.scaling && is_scaled(loss)).collect();
    let series = args.dtype.iter().flat_map(|&dtype| scaled.iter().map(move |&loss| (dtype, loss)));
    let series: Vec<(DType, &AnyLoss)> = series.collect();
    let bar = output::progress(gpu.adapter_id());
    bar.set_length((cases.len() + series.len() * SCALING_ELEMENTS.len()) as u64);

    let mut largest_copy = 0;
    for case in &cases {
        bar.set_message(case.loss.spec().name);
        if is_late() {
            report.skipped.push(skipped(case, "the time was up".to_string()));
        } else if let Some(mut found) = unless_refused(bench.measure(case), case, skips_shapes, &mut report)? {
            if found.bytes > largest_copy {
                largest_copy = found.bytes;
                report.copy_gb_per_s = Some(found.bytes as f64 / found.copy_ms / 1e6);
            }
            if args.by_kernel {
                found.kernels = bench.kernel_times(case)?;
            }
            report.results.push(found);
        }
        save(&report)?;
        bar.inc(1);
    }
    for (dtype, loss) in series {
        let points = points(&bench, loss, dtype, &bar, &mut report)?;
        report.scaling.push(Scaling::new(loss.spec().name, dtype.name(), points));
        save(&report)?;
    }
    bar.finish_and_clear();
    Ok(report)
}

/// The losses at the shapes asked for, or at usual ones of at most so much memory: type by type and loss by loss, but
/// where the time is limited, the first shape of each first.
fn cases(losses: &[AnyLoss], args: &Args, memory: u64) -> Vec<Case> {
    let mut cases = Vec::new();
    for &dtype in &args.dtype {
        for loss in losses {
            let of_loss: Vec<Case> = if args.shape.is_empty() {
                let usual = Case::usual(loss, dtype, memory);
                usual.into_iter().take(if args.quick { 1 } else { usize::MAX }).collect()
            } else {
                let asked = |Shape(shape): &Shape| {
                    let (loss, shape) = (loss.clone(), shape.clone());
                    Case { loss, shape, dtype, origin: String::new() }
                };
                args.shape.iter().map(asked).collect()
            };
            cases.extend(of_loss.into_iter().enumerate());
        }
    }
    if args.limit.is_some() {
        cases.sort_by_key(|(place, _)| *place);
    }
    cases.into_iter().map(|(_, case)| case).collect()
}

/// The loss at growing sizes.
fn points(
    bench: &Bench,
    loss: &AnyLoss,
    dtype: DType,
    bar: &ProgressBar,
    report: &mut Report,
) -> Result<Vec<ScalingPoint>, Error> {
    bar.set_message(format!("{}, growing", loss.spec().name));
    let mut points = Vec::new();
    for elements in SCALING_ELEMENTS {
        let case = Case::of_elements(loss, dtype, elements);
        points.extend(unless_refused(bench.scaling_point(&case), &case, false, report)?);
        bar.inc(1);
        if points.last().is_some_and(|point: &ScalingPoint| point.median_ms > LONGEST_POINT) {
            break;
        }
    }
    Ok(points)
}

/// The measurements. Those that the adapter has no room for are noted, and on demand shapes that the loss does not
/// take.
fn unless_refused<T>(
    measured: Result<T, Error>,
    case: &Case,
    skips_shapes: bool,
    report: &mut Report,
) -> Result<Option<T>, Error> {
    match measured {
        Ok(measured) => Ok(Some(measured)),
        Err(Error::Shape { .. }) if !skips_shapes => measured.map(Some),
        Err(
            error @ (Error::Shape { .. } | Error::Elements { .. } | Error::Limit { .. } | Error::OutOfMemory { .. }),
        ) => {
            report.skipped.push(skipped(case, error.to_string()));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn skipped(case: &Case, reason: String) -> Skipped {
    Skipped {
        loss: case.loss.spec().name.to_string(),
        shape: case.shape.clone(),
        dtype: case.dtype.to_string(),
        reason,
    }
}

fn text(report: &Report, is_summary: bool) -> String {
    let clock = match report.clock {
        ClockKind::Timestamps => "timestamps of the device",
        ClockKind::SubmitToDone => "from submission to completion",
    };
    let copy = report.copy_gb_per_s.map_or(String::new(), |rate| format!(", a copy at {}", numbers::rate(rate)));
    let mut lines = vec![format!("{} ({}), {}: {clock}{copy}", report.adapter, report.kind, report.driver)];
    if is_summary {
        lines.push(kernels::of_run(report));
        return lines.join("\n");
    }
    if !report.results.is_empty() {
        let mut table = output::table([
            "loss",
            "shape",
            "type",
            "ms",
            "spread",
            "GB/s",
            "of copy",
            "GFLOP/s",
            "first call ms",
            "record µs",
            "from",
        ]);
        for result in &report.results {
            table.add_row(row(result));
        }
        lines.push(table.to_string());
    }
    if report.results.iter().any(|result| !result.kernels.is_empty()) {
        let mut table = output::table(["loss", "shape", "type", "kernel", "dispatches", "ms", "of all"]);
        table.add_rows(report.results.iter().flat_map(rows_of_kernels));
        lines.push("Each dispatch by itself:".to_string());
        lines.push(table.to_string());
    }
    if let Some(largest) = report.scaling.iter().map(|scaling| &scaling.points).max_by_key(|points| points.len()) {
        let sizes = largest.iter().map(|point| format!("{:e}", point.elements));
        let headings = ["loss", "type"].into_iter().map(str::to_string).chain(sizes).chain(["slope".to_string()]);
        let mut table = output::table(headings);
        for scaling in &report.scaling {
            let at = |elements| scaling.points.iter().find(|point| point.elements == elements);
            let times = largest
                .iter()
                .map(|point| at(point.elements).map_or(String::new(), |found| numbers::significant(found.median_ms)));
            let slope = scaling.slope.map_or(String::new(), |slope| format!("{slope:.2}"));
            let names = [scaling.loss.clone(), scaling.dtype.clone()];
            table.add_row(names.into_iter().chain(times).chain([slope]));
        }
        lines.push("Milliseconds by elements:".to_string());
        lines.push(table.to_string());
    }
    lines.extend(report.skipped.iter().map(|skipped| {
        format!("skipped {} {} {}: {}", skipped.loss, output::shape(&skipped.shape), skipped.dtype, skipped.reason)
    }));
    lines.join("\n")
}

fn row(result: &Measurement) -> [String; 11] {
    let none = || numbers::NONE.to_string();
    // Bytes say how long a loss takes, or operations do.
    let [rate, fraction, operations] = match result.gflop_per_s {
        Some(operations) => [none(), none(), numbers::significant(operations)],
        None => [numbers::significant(result.gb_per_s), numbers::fraction(result.fraction_of_copy), none()],
    };
    [
        result.loss.clone(),
        output::shape(&result.shape),
        result.dtype.clone(),
        numbers::significant(result.median_ms),
        numbers::percent(result.spread),
        rate,
        fraction,
        operations,
        numbers::significant(result.first_call_ms),
        numbers::significant(result.record_us),
        result.origin.clone(),
    ]
}

fn rows_of_kernels(result: &Measurement) -> Vec<[String; 7]> {
    let all: f64 = result.kernels.iter().map(|kernel| kernel.median_ms).sum();
    let row = |kernel: &KernelTime| {
        [
            result.loss.clone(),
            output::shape(&result.shape),
            result.dtype.clone(),
            kernel.kernel.clone(),
            kernel.dispatches.to_string(),
            numbers::significant(kernel.median_ms),
            numbers::percent(kernel.median_ms / all),
        ]
    };
    result.kernels.iter().map(row).collect()
}
