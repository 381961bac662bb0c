//! Reports in few lines: how fast each kind of kernels is, rather than each case.

use wgloss::{
    bench::{Comparison, Measurement, Peer, Report},
    losses,
    spec::Driver,
};

use crate::{
    output,
    report::numbers::{self, NONE},
};

/// What a kernel goes over; rows by where they are between the walks over them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kernels {
    Elementwise,
    RowsOnChip,
    RowsBeyond,
    RowsOfPixels,
    Regions,
    Boxes,
    Pairs,
    AllPairs,
    Sums,
    Layers,
    Gram,
    Linear,
    Sequences,
    TopK,
}

impl Kernels {
    const ALL: [Self; 14] = [
        Kernels::Elementwise,
        Kernels::RowsOnChip,
        Kernels::RowsBeyond,
        Kernels::RowsOfPixels,
        Kernels::Regions,
        Kernels::Boxes,
        Kernels::Pairs,
        Kernels::AllPairs,
        Kernels::Sums,
        Kernels::Layers,
        Kernels::Gram,
        Kernels::Linear,
        Kernels::Sequences,
        Kernels::TopK,
    ];

    const fn name(self) -> &'static str {
        match self {
            Kernels::Elementwise => "elementwise",
            Kernels::RowsOnChip => "rows, on chip",
            Kernels::RowsBeyond => "rows, beyond",
            Kernels::RowsOfPixels => "rows, of pixels",
            Kernels::Regions => "regions",
            Kernels::Boxes => "boxes",
            Kernels::Pairs => "pairs",
            Kernels::AllPairs => "all pairs",
            Kernels::Sums => "sums",
            Kernels::Layers => "layers",
            Kernels::Gram => "Gram matrices",
            Kernels::Linear => "linear heads",
            Kernels::Sequences => "sequences",
            Kernels::TopK => "top k",
        }
    }

    /// Those of a measurement; `None` of a loss that this version does not have.
    fn of(report: &Report, measurement: &Measurement) -> Option<Self> {
        Some(match losses::find(&measurement.loss).ok()?.driver {
            Driver::Elementwise => Kernels::Elementwise,
            // Classes that do not lie side by side are no row to keep.
            Driver::Rows(_) if measurement.shape.len() > 2 => Kernels::RowsOfPixels,
            Driver::Rows(_) => match measurement.shape.last() {
                Some(&classes) if classes as u64 <= cached_classes(report) => Kernels::RowsOnChip,
                _ => Kernels::RowsBeyond,
            },
            Driver::Regions(_) => Kernels::Regions,
            Driver::Boxes => Kernels::Boxes,
            Driver::Pairs => Kernels::Pairs,
            Driver::AllPairs(_) => Kernels::AllPairs,
            Driver::Sum(_) => Kernels::Sums,
            Driver::Layers(_) => Kernels::Layers,
            Driver::Gram => Kernels::Gram,
            Driver::Linear(_) => Kernels::Linear,
            Driver::Sequences(_) => Kernels::Sequences,
            Driver::TopK(_) => Kernels::TopK,
        })
    }
}

/// Rows of up to so many classes were kept in workgroup memory.
fn cached_classes(report: &Report) -> u64 {
    report.tuning["cached_classes"].as_u64().unwrap_or(0)
}

/// A table of each run that measured something, and one of other libraries.
pub fn summary(comparison: &Comparison) -> Vec<String> {
    let measured = comparison.runs.iter().filter(|run| !run.results.is_empty());
    let mut tables: Vec<String> = measured.map(|run| of_run(run)).collect();
    tables.extend((!comparison.peers.is_empty()).then(|| of_peers(&comparison.peers)));
    tables
}

/// A table of a run, with a line for each kind of kernels and storage type, and how many cases were skipped.
pub fn of_run(report: &Report) -> String {
    let mut table = output::table(["kernels", "type", "cases", "figure", "median", "worst", "which is"]);
    let mut types: Vec<&str> = Vec::new();
    for measurement in &report.results {
        if !types.contains(&measurement.dtype.as_str()) {
            types.push(&measurement.dtype);
        }
    }
    for kernels in Kernels::ALL {
        for &dtype in &types {
            let is_one = |m: &&Measurement| m.dtype == dtype && Kernels::of(report, m) == Some(kernels);
            let mut measurements: Vec<&Measurement> = report.results.iter().filter(is_one).collect();
            measurements.sort_by(|a, b| figure(a).total_cmp(&figure(b)));
            let Some(worst) = measurements.first() else { continue };
            let name = if worst.gflop_per_s.is_some() { "GFLOP/s" } else { "of copy" };
            table.add_row([
                kernels.name().to_string(),
                dtype.to_string(),
                measurements.len().to_string(),
                name.to_string(),
                text(worst, median(&measurements)),
                text(worst, figure(worst)),
                format!("{} {}", worst.loss, output::shape(&worst.shape)),
            ]);
        }
    }
    let skipped = match report.skipped.len() {
        0 => String::new(),
        1 => "\n1 case was not measured".to_string(),
        count => format!("\n{count} cases were not measured"),
    };
    format!("{table}{skipped}")
}

/// The speed of a loss beside a copy, or of one that multiplies matrices its operations a second.
fn figure(measurement: &Measurement) -> f64 {
    measurement.gflop_per_s.unwrap_or(measurement.fraction_of_copy)
}

/// The median of what is sorted by its figures; the mean of both in the middle.
fn median(sorted: &[&Measurement]) -> f64 {
    let (low, high) = ((sorted.len() - 1) / 2, sorted.len() / 2);
    (figure(sorted[low]) + figure(sorted[high])) / 2.0
}

/// A figure of this measurement's kind.
fn text(measurement: &Measurement, figure: f64) -> String {
    if measurement.gflop_per_s.is_some() { numbers::significant(figure) } else { numbers::fraction(figure) }
}

/// A table of other libraries, with a line for each.
fn of_peers(peers: &[Peer]) -> String {
    let mut table = output::table(["beside", "on", "cases", "wrong", "mean ratio"]);
    for peer in peers {
        table.add_row([
            peer.peer.to_string(),
            peer.device.to_string(),
            peer.measurements.len().to_string(),
            peer.wrong().to_string(),
            peer.geometric_mean().map_or(NONE.to_string(), |(mean, _)| numbers::factor(mean)),
        ]);
    }
    format!(
        "{table}\ngeometric means of a library's time by wgloss's, without wrong results: above 1× wgloss is faster"
    )
}
