//! How near the losses come to the speed of a copy.

use maud::{Markup, html};
use wgloss::bench::{Change, ComparedCase, Comparison, Entry, Measurement};

use super::{
    catalogue,
    chart::{Bar, Chart, Loss, Shape, Tick, TickKind},
    numbers,
    runs::{self, Run},
};

/// The axis ends here at least, a little behind the copy.
const LEAST_END: f64 = 1.1;

/// The axis ends here at most: what is faster than two copies is no kernel that is bound by memory.
const GREATEST_END: f64 = 2.0;

/// The axis has a tick every so much.
const TICK: f64 = 0.25;

/// The section, with a figure for each family of losses.
pub fn section(comparison: &Comparison, runs: &[Run]) -> Markup {
    // The time of others is not that of their bytes.
    let is_of_bytes = |case: &&ComparedCase| measurements(case).any(|measurement| measurement.gflop_per_s.is_none());
    let cases: Vec<&ComparedCase> = comparison.cases.iter().filter(is_of_bytes).collect();
    let fractions = cases.iter().flat_map(|case| measurements(case)).map(|measurement| measurement.fraction_of_copy);
    let fractions = fractions.filter(|x| x.is_finite());
    let end = fractions.fold(LEAST_END, |end, x| end.max(1.02 * x)).min(GREATEST_END);
    let families = catalogue::by_family(cases, |case| case.loss);
    html! {
        @if !families.is_empty() {
            section {
                h2 { "Speed beside a copy" }
                p {
                    "A loss with its gradients must read each input once and write each gradient once. A bar says how \
                     near it comes to the speed of a kernel that only copies as many bytes, measured in turns with \
                     it: 1 is as fast as the copy, and longer is better."
                }
                @for (title, cases) in families {
                    figure {
                        figcaption {
                            h3 { (title) }
                            (runs::legend(runs))
                        }
                        (chart(cases, runs, end).markup())
                    }
                }
            }
        }
    }
}

fn measurements<'a>(case: &ComparedCase<'a>) -> impl Iterator<Item = &'a Measurement> {
    case.entries.iter().flatten().map(|entry| entry.measurement)
}

fn chart<'a>(cases: Vec<&ComparedCase<'a>>, runs: &[Run], end: f64) -> Chart<'a> {
    let ticks = (0..).map(|index| f64::from(index) * TICK).take_while(|&x| x <= end);
    let ticks = ticks.map(|x| {
        let (label, kind) = match x {
            1.0 => ("1 = copy".to_string(), TickKind::Reference),
            0.0 | 0.5 => (x.to_string(), TickKind::Grid),
            _ => (x.to_string(), TickKind::Minor),
        };
        Tick { at: x / end, label, kind }
    });
    let shape = |case: &ComparedCase<'a>| {
        let entries = case.entries.iter().zip(runs);
        let bars = entries.filter_map(|(entry, run)| Some(bar(case, &(*entry)?, run, end))).collect();
        Shape { shape: case.shape, dtype: case.dtype, origin: case.origin, bars }
    };
    let loss =
        |cases: Vec<&ComparedCase<'a>>| Loss { name: cases[0].loss, shapes: cases.into_iter().map(shape).collect() };
    let losses = catalogue::by_loss(cases, |case| case.loss).into_iter().map(loss).collect();
    Chart { ticks: ticks.collect(), columns: ["of copy", "rate", "time"], losses }
}

fn bar(case: &ComparedCase, entry: &Entry, run: &Run, end: f64) -> Bar {
    let measurement = entry.measurement;
    let fraction = numbers::fraction(measurement.fraction_of_copy);
    let (rate, time) = (numbers::rate(measurement.gb_per_s), numbers::time(measurement.median_ms));
    let shape = format!("{:?}", case.shape);
    Bar {
        span: [0.0, measurement.fraction_of_copy / end],
        class: run.colour.clone(),
        title: format!("{} {shape}{}: {fraction} of the copy's speed, {rate}, {time}", case.loss, run.of()),
        values: html! {
            @if !run.letter.is_empty() { b.letter { (run.letter) } }
            b { (fraction) } span { (rate) } span { (time) }
        },
        mark: html! { @if let Some(mark) = mark(entry) { span.note { b { (run.letter) } " " (mark) } } },
    }
}

/// What became of the loss since the baseline, where that is worth a word.
pub fn mark(entry: &Entry) -> Option<Markup> {
    let change = entry.change.filter(|&change| change != Change::Same)?;
    let speedup = numbers::factor(entry.speedup?);
    Some(html! { span.mark.(change.name()) { (change.name()) " " (speedup) } })
}
