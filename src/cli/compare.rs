//! `wgloss bench --compare`: reports beside each other.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value as Json, json};
use wgloss::bench::{Change, ComparedCase, Comparison, Entry, Peer, Report};

use crate::{
    Verdict,
    error::CliError,
    kernels, output,
    report::{self, numbers, runs},
};

/// Compares the reports in these files with the first, shows the peers in any of them, and writes all to a page. A
/// regression fails. What is printed may be a summary, which tells no changes.
pub fn run(paths: &[PathBuf], html: Option<&Path>, json: Option<&Path>, is_summary: bool) -> Result<Verdict, CliError> {
    let reports = paths.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?.concat();
    let prints_json = json.is_some_and(output::is_standard);
    let files = json.filter(|_| !prints_json).into_iter().chain(html);
    for file in files {
        paths.iter().try_for_each(|input| output::check_file(file, input))?;
    }
    if let Some(page) = html {
        output::write(page, &report::html(&reports))?;
    }
    let comparison = Comparison::new(&reports);
    match json {
        Some(_) if prints_json => output::print_json(&describe(&comparison))?,
        Some(file) => output::write(file, &format!("{:#}\n", describe(&comparison)))?,
        None => {}
    }
    if !prints_json {
        output::print(text(&comparison, is_summary))?;
    }
    Ok(Verdict::from(comparison.passed()))
}

/// The reports in a file.
fn read(path: &Path) -> Result<Vec<Report>, CliError> {
    let text = fs::read_to_string(path).map_err(|source| CliError::Read { path: path.to_path_buf(), source })?;
    Report::list_from_json(&text).map_err(|source| CliError::NotAReport { path: path.to_path_buf(), source })
}

fn text(comparison: &Comparison, is_summary: bool) -> String {
    let mut parts = Vec::new();
    if !comparison.runs.is_empty() {
        parts.push(output::properties(comparison.runs.iter().enumerate().map(|(index, run)| {
            let copy = run.copy_gb_per_s.map_or(String::new(), |rate| format!(", copy at {}", numbers::rate(rate)));
            (runs::letter(index), format!("{}{copy}", runs::name(run)))
        })));
    }
    if is_summary {
        parts.extend(kernels::summary(comparison));
    } else {
        parts.extend((!comparison.cases.is_empty()).then(|| losses(comparison)));
        parts.extend(comparison.peers.iter().map(peer));
    }
    if parts.is_empty() { "nothing was measured".to_string() } else { parts.join("\n\n") }
}

fn losses(comparison: &Comparison) -> String {
    let letters: Vec<String> = (0..comparison.runs.len()).map(runs::letter).collect();
    let figures = letters.iter().enumerate().flat_map(|(index, letter)| {
        let figures = [format!("{letter}: time"), format!("{letter}: of copy")];
        figures.into_iter().chain((index > 0).then(|| format!("{letter} / A")))
    });
    let headings = ["loss", "shape", "type"].map(str::to_string).into_iter().chain(figures);
    let mut table = output::table(headings);
    for case in &comparison.cases {
        let facts = [case.loss.to_string(), format!("{:?}", case.shape), case.dtype.to_string()];
        let entries = case.entries.iter().enumerate();
        table.add_row(facts.into_iter().chain(entries.flat_map(|(index, entry)| cells(index, entry.as_ref()))));
    }
    let mut lines = vec![table.to_string()];
    lines.extend((1..letters.len()).map(|run| format!("{}: {}", letters[run], changes(comparison, run))));
    lines.join("\n")
}

/// What a run measured of a case, and how much faster that is than the first run.
fn cells(run: usize, entry: Option<&Entry>) -> impl Iterator<Item = String> {
    let time = entry.map_or(String::new(), |entry| numbers::time(entry.measurement.median_ms));
    let fraction = entry.map_or(String::new(), |entry| numbers::fraction(entry.measurement.fraction_of_copy));
    let speedup = entry.and_then(|entry| entry.speedup).map_or(String::new(), numbers::factor);
    let change = entry.and_then(|entry| entry.change).map_or("", Change::name);
    let speedup = (run > 0).then(|| format!("{speedup} {change}").trim().to_string());
    [time, fraction].into_iter().chain(speedup)
}

/// How many losses changed in a run.
fn changes(comparison: &Comparison, run: usize) -> String {
    if !comparison.is_comparable(run) {
        return "on another adapter or by another clock: changes are not told".to_string();
    }
    let count = |change| comparison.changed(run, change).count();
    let [regressions, faster, same] = [Change::Regression, Change::Faster, Change::Same].map(count);
    format!("regressions {regressions}, faster {faster}, as fast {same}")
}

fn peer(peer: &Peer) -> String {
    let mut table = output::table(["loss", "shape", "type", "time", "wgloss", "ratio", "result"]);
    for measurement in &peer.measurements {
        table.add_row([
            measurement.loss.clone(),
            format!("{:?}", measurement.shape),
            measurement.dtype.clone(),
            numbers::time(measurement.median_ms),
            measurement.wgloss_median_ms.map_or(String::new(), numbers::time),
            measurement.ratio.map_or(String::new(), numbers::factor),
            if measurement.is_right { "right" } else { "WRONG" }.to_string(),
        ]);
    }
    let mean = peer.geometric_mean().map_or(String::new(), |(mean, count)| {
        format!("\ngeometric mean of the {count} that are right: {} the time of wgloss", numbers::factor(mean))
    });
    format!("{} on {}\n{table}{mean}", peer.peer, peer.device)
}

fn describe(comparison: &Comparison) -> Json {
    let run = |(index, run): (usize, &&Report)| {
        json!({
            "run": runs::letter(index),
            "adapter": run.adapter,
            "wgloss": run.wgloss,
            "date": run.date,
            "comparable": comparison.is_comparable(index),
        })
    };
    let peer = |peer: &Peer| {
        json!({
            "peer": peer.peer,
            "device": peer.device,
            "geometric_mean": peer.geometric_mean().map(|(mean, _)| output::json_number(mean)),
            "wrong": peer.wrong(),
            "measurements": peer.measurements,
        })
    };
    json!({
        "passed": comparison.passed(),
        "runs": comparison.runs.iter().enumerate().map(run).collect::<Vec<_>>(),
        "cases": comparison.cases.iter().map(describe_case).collect::<Vec<_>>(),
        "peers": comparison.peers.iter().map(peer).collect::<Vec<_>>(),
    })
}

fn describe_case(case: &ComparedCase) -> Json {
    let entry = |(index, entry): (usize, &Option<Entry>)| {
        entry.map(|Entry { measurement, speedup, change }| {
            json!({
                "run": runs::letter(index),
                "median_ms": output::json_number(measurement.median_ms),
                "spread": output::json_number(measurement.spread),
                "fraction_of_copy": output::json_number(measurement.fraction_of_copy),
                "speedup": speedup.map(output::json_number),
                "change": change.map(|change| if change == Change::Same { "same" } else { change.name() }),
            })
        })
    };
    let entries: Vec<Json> = case.entries.iter().enumerate().filter_map(entry).collect();
    json!({ "loss": case.loss, "shape": case.shape, "dtype": case.dtype, "entries": entries })
}
