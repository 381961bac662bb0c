//! All figures of the page, as tables.

use std::fmt::Display;

use maud::{Markup, html};
use wgloss::bench::{ComparedCase, Comparison, Entry, Peer, PeerMeasurement, Scaling, ScalingPoint};

use super::{bars, breakable, catalogue, numbers, runs::Run};

/// The section with the tables.
pub fn section(comparison: &Comparison, runs: &[Run]) -> Markup {
    let tables = [losses(comparison, runs), scaling(runs), peers(&comparison.peers)];
    html! {
        @if tables.iter().any(|table| !table.losses.is_empty()) {
            section {
                h2 { "All figures" }
                @for table in tables.iter().filter(|table| !table.losses.is_empty()) { (table.markup()) }
            }
        }
    }
}

/// Rows that the names of losses head.
struct Table<'a> {
    caption: &'static str,
    /// The columns behind the loss.
    columns: Vec<Column>,
    /// The rows of each loss, in cells.
    losses: Vec<(&'a str, Vec<Vec<Markup>>)>,
}

#[derive(Clone, Copy)]
enum Column {
    Text(&'static str),
    Number(&'static str),
    /// Text that may have several lines.
    Long(&'static str),
}

use Column::{Long, Number, Text};

impl Column {
    fn heading(self) -> &'static str {
        match self {
            Text(heading) | Number(heading) | Long(heading) => heading,
        }
    }

    fn class(self) -> Option<&'static str> {
        match self {
            Text(_) => None,
            Number(_) => Some("number"),
            Long(_) => Some("long"),
        }
    }
}

impl Table<'_> {
    /// The table, which scrolls where the screen is narrower.
    fn markup(&self) -> Markup {
        html! {
            div.scroll role="region" aria-label=(self.caption) tabindex="0" {
                table {
                    caption { span { (self.caption) } }
                    thead {
                        tr {
                            th scope="col" { "loss" }
                            @for column in &self.columns {
                                th class=[column.class()] scope="col" { (column.heading()) }
                            }
                        }
                    }
                    @for (loss, rows) in &self.losses {
                        tbody {
                            @for (index, cells) in rows.iter().enumerate() {
                                tr {
                                    @if index == 0 { th scope="rowgroup" rowspan=(rows.len()) { (breakable(loss)) } }
                                    @for (column, cell) in self.columns.iter().zip(cells) {
                                        td class=[column.class()] { (cell) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cell(text: impl Display) -> Markup {
    html! { (text.to_string()) }
}

fn losses<'a>(comparison: &Comparison<'a>, runs: &[Run]) -> Table<'a> {
    let mut columns = vec![Text("shape"), Text("type")];
    if runs.len() > 1 {
        columns.extend([Text("run"), Text("since A")]);
    }
    columns.extend([Number("time, ms"), Number("spread"), Number("runs"), Number("MB to move"), Number("GB/s")]);
    columns.extend([
        Number("copy, ms"),
        Number("of copy"),
        Number("GFLOP/s"),
        Number("first call, ms"),
        Number("recording, µs"),
    ]);
    columns.push(Long("shape from"));

    let row = |case: &ComparedCase, run: &Run, entry: &Entry| {
        let m = entry.measurement;
        let mut cells = vec![cell(format!("{:?}", case.shape)), cell(case.dtype)];
        if runs.len() > 1 {
            let speedup = || cell(entry.speedup.map_or(String::new(), numbers::factor));
            cells.extend([cell(&run.letter), bars::mark(entry).unwrap_or_else(speedup)]);
        }
        let bytes = numbers::significant(m.bytes as f64 / 1e6);
        cells.extend(
            [numbers::significant(m.median_ms), numbers::percent(m.spread), m.runs.to_string(), bytes].map(cell),
        );
        cells.extend([m.gb_per_s, m.copy_ms].map(numbers::significant).map(cell));
        cells.push(cell(numbers::fraction(m.fraction_of_copy)));
        cells.push(cell(numbers::significant(m.gflop_per_s.unwrap_or(f64::NAN))));
        cells.extend([m.first_call_ms, m.record_us].map(numbers::significant).map(cell));
        cells.push(cell(&m.origin));
        cells
    };
    let rows = |case: &ComparedCase| -> Vec<Vec<Markup>> {
        let entries = runs.iter().zip(&case.entries);
        entries.filter_map(|(run, entry)| Some(row(case, run, entry.as_ref()?))).collect()
    };
    let losses = catalogue::by_loss(&comparison.cases, |case| case.loss);
    Table {
        caption: "Losses with their gradients; times are medians, spreads interquartile ranges over the median",
        columns,
        losses: losses.into_iter().map(|cases| (cases[0].loss, cases.into_iter().flat_map(rows).collect())).collect(),
    }
}

fn scaling<'a>(runs: &[Run<'a>]) -> Table<'a> {
    let mut columns = vec![Text("shape"), Text("type")];
    if runs.len() > 1 {
        columns.push(Text("run"));
    }
    columns.extend([Number("elements"), Number("time, ms")]);

    let row = |run: &Run, scaling: &Scaling, point: &ScalingPoint| {
        let mut cells = vec![cell(format!("{:?}", point.shape)), cell(&scaling.dtype)];
        if runs.len() > 1 {
            cells.push(cell(&run.letter));
        }
        cells.extend([cell(point.elements), cell(numbers::significant(point.median_ms))]);
        cells
    };
    let points = runs.iter().flat_map(|run| {
        let scaling = run.report.scaling.iter();
        scaling.flat_map(move |scaling| scaling.points.iter().map(move |point| (run, scaling, point)))
    });
    let losses = catalogue::by_loss(points, |(_, scaling, _)| &scaling.loss);
    let losses = losses.into_iter().map(|points| {
        let loss = points[0].1.loss.as_str();
        (loss, points.into_iter().map(|(run, scaling, point)| row(run, scaling, point)).collect())
    });
    Table { caption: "Losses at growing sizes", columns, losses: losses.collect() }
}

fn peers<'a>(peers: &[Peer<'a>]) -> Table<'a> {
    let row = |m: &PeerMeasurement| {
        let [wgloss, spread, ratio] = [m.wgloss_median_ms, m.spread, m.ratio].map(|x| x.unwrap_or(f64::NAN));
        let mut cells = vec![cell(format!("{:?}", m.shape)), cell(&m.dtype), cell(&m.peer), cell(&m.device)];
        cells.extend([numbers::significant(m.median_ms), numbers::percent(spread)].map(cell));
        cells.extend([numbers::significant(wgloss), numbers::factor(ratio)].map(cell));
        cells.push(if m.is_right {
            cell("right")
        } else {
            html! { span.mark.regression { "wrong" } }
        });
        cells
    };
    let measurements = peers.iter().flat_map(|peer| peer.measurements.iter().copied());
    let losses = catalogue::by_loss(measurements, |measurement| &measurement.loss).into_iter();
    let losses = losses
        .map(|measurements| (measurements[0].loss.as_str(), measurements.into_iter().map(row).collect::<Vec<_>>()));
    Table {
        caption: "Other libraries beside wgloss",
        columns: vec![
            Text("shape"),
            Text("type"),
            Text("library"),
            Text("on"),
            Number("its time, ms"),
            Number("spread"),
            Number("wgloss, ms"),
            Number("ratio"),
            Text("result"),
        ],
        losses: losses.collect(),
    }
}
