//! All figures of the page, as tables.

use maud::{Markup, html};
use wgloss::bench::{Case, Comparison, Entry, Peer, Scaling};

use super::{bars, catalogue, numbers, runs::Run};

/// The section with the tables.
pub fn section(comparison: &Comparison, runs: &[Run]) -> Markup {
    html! {
        @if !comparison.cases.is_empty() || !comparison.peers.is_empty() || has_scaling(runs) {
            section {
                h2 { "All figures" }
                @if !comparison.cases.is_empty() { (losses(comparison, runs)) }
                @if has_scaling(runs) { (scaling(runs)) }
                @if !comparison.peers.is_empty() { (peers(&comparison.peers)) }
            }
        }
    }
}

fn has_scaling(runs: &[Run]) -> bool {
    runs.iter().any(|run| run.report.scaling.iter().any(|scaling| !scaling.points.is_empty()))
}

/// A table that scrolls where the screen is narrower.
fn table(caption: &str, headings: Markup, rows: Markup) -> Markup {
    html! {
        div.scroll role="region" aria-label=(caption) tabindex="0" {
            table {
                caption { (caption) }
                thead { tr { (headings) } }
                tbody { (rows) }
            }
        }
    }
}

/// Headings of texts, and then of numbers.
fn headings(texts: &[&str], numbers: &[&str]) -> Markup {
    html! {
        @for heading in texts { th scope="col" { (heading) } }
        @for heading in numbers { th.number scope="col" { (heading) } }
    }
}

fn figures(texts: &[String]) -> Markup {
    html! { @for text in texts { td.number { (text) } } }
}

fn losses(comparison: &Comparison, runs: &[Run]) -> Markup {
    let has_letters = runs.len() > 1;
    let texts: &[&str] = if has_letters { &["loss", "shape", "type", "run"] } else { &["loss", "shape", "type"] };
    let numbers =
        ["time, ms", "spread", "runs", "MB to move", "GB/s", "copy, ms", "of copy", "first call, ms", "recording, µs"];
    let last: &[&str] = if has_letters { &["since A", "shape from"] } else { &["shape from"] };
    let cases = catalogue::by_loss(&comparison.cases, |case| case.loss).into_iter().flatten();
    let row = |case: &Case, run: &Run, entry: &Entry| {
        let m = entry.measurement;
        let times = [m.gb_per_s, m.copy_ms].map(numbers::significant);
        let figures_of_run = [numbers::significant(m.median_ms), numbers::percent(m.spread), m.runs.to_string()];
        let bytes = numbers::significant(m.bytes as f64 / 1e6);
        let host = [m.first_call_ms, m.record_us].map(numbers::significant);
        html! {
            tr {
                (case_cells(case.loss, case.shape, case.dtype))
                @if has_letters { td { (run.letter) } }
                (figures(&figures_of_run)) td.number { (bytes) } (figures(&times))
                td.number { (numbers::fraction(m.fraction_of_copy)) } (figures(&host))
                @if has_letters {
                    td { @if let Some(speedup) = entry.speedup { (numbers::factor(speedup)) } }
                    td { @if let Some(mark) = bars::mark(entry) { (mark) } }
                }
                td.origin { (m.origin) }
            }
        }
    };
    let rows = html! {
        @for case in cases {
            @for (run, entry) in runs.iter().zip(&case.entries) {
                @if let Some(entry) = entry { (row(case, run, entry)) }
            }
        }
    };
    let headings = html! { (headings(texts, &numbers)) (self::headings(last, &[])) };
    table(
        "Losses with their gradients; times are medians, spreads interquartile ranges over the median",
        headings,
        rows,
    )
}

fn case_cells(loss: &str, shape: &[usize], dtype: &str) -> Markup {
    html! { th scope="row" { (loss) } td { (format!("{shape:?}")) } td { (dtype) } }
}

fn scaling(runs: &[Run]) -> Markup {
    let has_letters = runs.len() > 1;
    let texts: &[&str] = if has_letters { &["loss", "shape", "type", "run"] } else { &["loss", "shape", "type"] };
    let scalings = runs.iter().flat_map(|run| run.report.scaling.iter().map(move |scaling| (run, scaling)));
    let scalings = catalogue::by_loss(scalings, |(_, scaling): &(&Run, &Scaling)| &scaling.loss);
    let rows = html! {
        @for (run, scaling) in scalings.into_iter().flatten() {
            @for point in &scaling.points {
                tr {
                    (case_cells(&scaling.loss, &point.shape, &scaling.dtype))
                    @if has_letters { td { (run.letter) } }
                    td.number { (point.elements) }
                    td.number { (numbers::significant(point.median_ms)) }
                }
            }
        }
    };
    table("Losses at growing sizes", headings(texts, &["elements", "time, ms"]), rows)
}

fn peers(peers: &[Peer]) -> Markup {
    let texts = ["loss", "shape", "type", "library", "on"];
    let numbers = ["its time, ms", "spread", "wgloss, ms", "ratio"];
    let rows = html! {
        @for peer in peers {
            @for m in catalogue::by_loss(peer.measurements.iter().copied(), |m| &m.loss).into_iter().flatten() {
                @let [wgloss, spread, ratio] = [m.wgloss_median_ms, m.spread, m.ratio].map(|x| x.unwrap_or(f64::NAN));
                tr {
                    (case_cells(&m.loss, &m.shape, &m.dtype))
                    td { (peer.peer) } td { (peer.device) }
                    (figures(&[
                        numbers::significant(m.median_ms),
                        numbers::percent(spread),
                        numbers::significant(wgloss),
                        numbers::factor(ratio),
                    ]))
                    td { @if !m.is_right { span.mark.regression { "wrong" } } @else { "right" } }
                }
            }
        }
    };
    let headings = html! { (headings(&texts, &numbers)) (self::headings(&["result"], &[])) };
    table("Other libraries beside wgloss", headings, rows)
}
