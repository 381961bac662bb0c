//! The heads of the page: what was measured, where and how, and what became of it since the baseline.

use maud::{Markup, html};
use wgloss::bench::{Change, ClockKind, ComparedCase, Comparison, Entry, LEAST_CHANGE, Report};

use super::{
    bars, numbers,
    runs::{self, Run},
};

/// The head of the page, with that of each report.
pub fn section(comparison: &Comparison, runs: &[Run], title: &str) -> Markup {
    let measured = runs.iter().any(|run| !run.report.results.is_empty() || !run.report.scaling.is_empty());
    html! {
        header {
            h1 { (title) }
            p { "Device times of loss functions and their gradients, as " code { "wgloss bench" } " measured them." }
            div.cards { @for (index, run) in runs.iter().enumerate() { (card(comparison, run, index)) } }
            @if !measured && comparison.peers.is_empty() { p { "Nothing was measured." } }
            @if runs.len() > 1 { (changes(comparison, runs)) }
        }
    }
}

fn card(comparison: &Comparison, run: &Run, index: usize) -> Markup {
    let Report { adapter, kind, driver, wgloss, date, copy_gb_per_s, .. } = run.report;
    let facts = [
        ("Adapter", format!("{adapter} ({kind})")),
        ("Driver", driver.clone()),
        ("wgloss", wgloss.clone()),
        ("Date", date.clone()),
        ("Clock", clock(run.report.clock).to_string()),
        (
            "Copy",
            copy_gb_per_s
                .map_or("not measured".to_string(), |rate| format!("{}, read and written", numbers::rate(rate))),
        ),
    ];
    html! {
        section.card {
            @if !run.letter.is_empty() { h2 { (runs::patch(&run.colour)) "Run " (run.letter) } }
            (summary(comparison, index))
            dl {
                @for (name, fact) in facts.iter().filter(|(_, fact)| !fact.is_empty()) { dt { (name) } dd { (fact) } }
            }
        }
    }
}

fn clock(clock: ClockKind) -> &'static str {
    match clock {
        ClockKind::Timestamps => "timestamps of the device, before and after the kernels",
        ClockKind::SubmitToDone => "the host's, from submission until the device is done",
    }
}

/// How fast the losses are on the whole.
fn summary(comparison: &Comparison, run: usize) -> Markup {
    let entries = comparison.cases.iter().filter_map(|case| Some((case, case.entries[run]?.measurement)));
    // The time of others is not that of their bytes.
    let of_bytes = entries.filter(|(_, measurement)| measurement.gflop_per_s.is_none());
    let fractions = of_bytes.map(|(case, measurement)| (case, measurement.fraction_of_copy));
    let mut fractions: Vec<(&ComparedCase, f64)> = fractions.filter(|(_, fraction)| fraction.is_finite()).collect();
    fractions.sort_by(|a, b| a.1.total_cmp(&b.1));
    let tile = |figure: f64, meaning: String| html! { div { b { (numbers::fraction(figure)) } span { (meaning) } } };
    let name = |case: &ComparedCase| format!("{} {:?}", case.loss, case.shape);
    html! {
        @if let [slowest, .., fastest] = &fractions[..] {
            @let median = fractions[fractions.len() / 2].1;
            div.tiles {
                (tile(median, format!("of the copy's speed: the median of {} cases", fractions.len())))
                (tile(slowest.1, format!("the slowest: {}", name(slowest.0))))
                (tile(fastest.1, format!("the fastest: {}", name(fastest.0))))
            }
        }
    }
}

/// What changed in each run since the first.
fn changes(comparison: &Comparison, runs: &[Run]) -> Markup {
    html! {
        section {
            h2 { "Changes since run A" }
            @for (index, run) in runs.iter().enumerate().skip(1) {
                @if comparison.is_comparable(index) {
                    (changes_of(comparison, index, run))
                } @else {
                    p {
                        b { "Run " (run.letter) }
                        ": on another adapter or by another clock, and so only shown beside run A."
                    }
                }
            }
        }
    }
}

fn changes_of(comparison: &Comparison, index: usize, run: &Run) -> Markup {
    let changed: Vec<(&ComparedCase, Entry)> =
        [Change::Regression, Change::Faster].into_iter().flat_map(|change| comparison.changed(index, change)).collect();
    let same = comparison.changed(index, Change::Same).count();
    html! {
        p {
            b { "Run " (run.letter) } ": " (changed.len())
            " changed by more than the spread of both times and more than " (numbers::percent(LEAST_CHANGE)) ", " (same)
            " did not. The speed is that beside the copy of the same run."
        }
        @if !changed.is_empty() {
            ul.changes {
                @for (case, entry) in changed {
                    li {
                        b { (case.loss) } " " (format!("{:?}", case.shape)) " " (case.dtype) " "
                        @if let Some(mark) = bars::mark(&entry) { (mark) }
                    }
                }
            }
        }
    }
}
