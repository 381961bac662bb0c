//! Reports beside each other: which losses became faster or slower, and how other libraries fare beside wgloss.

use super::{Measurement, PeerMeasurement, Report};

/// A smaller change than this part of the time is none, however steady the times were.
pub const LEAST_CHANGE: f64 = 0.1;

/// Reports beside each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison<'a> {
    /// The reports of wgloss itself, the first of which is the baseline. Those with nothing but peers are none.
    pub runs: Vec<&'a Report>,
    /// The cases measured in any of the runs, in the order of the first that has it.
    pub cases: Vec<ComparedCase<'a>>,
    /// The other libraries of all reports.
    pub peers: Vec<Peer<'a>>,
}

/// A loss at a shape and storage type.
#[derive(Clone, Debug, PartialEq)]
pub struct ComparedCase<'a> {
    /// The loss's name.
    pub loss: &'a str,
    /// The shape of its first input.
    pub shape: &'a [usize],
    /// The storage type.
    pub dtype: &'a str,
    /// The origin of the shape; may be empty.
    pub origin: &'a str,
    /// The figures of each run, in their order.
    pub entries: Vec<Option<Entry<'a>>>,
}

/// The figures of a case in a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry<'a> {
    /// The figures.
    pub measurement: &'a Measurement,
    /// The run's [`fraction_of_copy`](Measurement::fraction_of_copy) over the baseline's: above 1 is faster. Either run
    /// measured the copy in turns with the loss, so that a clock that was slower in one of them cancels out. `None` for
    /// the baseline itself, and where it has no such figure.
    pub speedup: Option<f64>,
    /// The change since the baseline; `None` where that is on another adapter or by another clock.
    pub change: Option<Change>,
}

/// How a time differs from the baseline's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The loss is slower by more than [`LEAST_CHANGE`] and by more than the spread of both times.
    Regression,
    /// The times differ by no more than [`LEAST_CHANGE`] or their spread.
    Same,
    /// The loss is faster by more than [`LEAST_CHANGE`] and by more than the spread of both times.
    Faster,
}

/// Another library on a device, beside wgloss.
#[derive(Clone, Debug, PartialEq)]
pub struct Peer<'a> {
    /// The library, its version and how it ran.
    pub peer: &'a str,
    /// The device that it ran on.
    pub device: &'a str,
    /// The report it is in.
    pub report: &'a Report,
    /// The library's losses.
    pub measurements: Vec<&'a PeerMeasurement>,
}

impl<'a> Comparison<'a> {
    /// Puts reports beside each other.
    pub fn new(reports: &'a [Report]) -> Self {
        let has_peers_alone =
            |report: &Report| report.results.is_empty() && report.scaling.is_empty() && !report.peers.is_empty();
        let runs: Vec<&Report> = reports.iter().filter(|report| !has_peers_alone(report)).collect();
        let cases = cases(&runs);
        Comparison { runs, cases, peers: reports.iter().flat_map(peers).collect() }
    }

    /// Whether changes of this run since the baseline can be told: it is another one, on the same adapter, by the same
    /// clock.
    pub fn is_comparable(&self, run: usize) -> bool {
        run > 0 && self.runs.get(run).is_some_and(|run| is_alike(self.runs[0], run))
    }

    /// The cases of a run with this change since the baseline.
    pub fn changed(&self, run: usize, change: Change) -> impl Iterator<Item = (&ComparedCase<'a>, Entry<'a>)> {
        let entry = move |case: &ComparedCase<'a>| case.entries[run].filter(|entry| entry.change == Some(change));
        self.cases.iter().filter_map(move |case| Some((case, entry(case)?)))
    }

    /// Whether no loss became slower.
    pub fn passed(&self) -> bool {
        (0..self.runs.len()).all(|run| self.changed(run, Change::Regression).next().is_none())
    }
}

impl Change {
    /// The change in a word; nothing for none.
    pub const fn name(self) -> &'static str {
        match self {
            Change::Regression => "regression",
            Change::Same => "",
            Change::Faster => "faster",
        }
    }

    /// The change from one measurement to another; `None` where they cannot be compared.
    fn between(baseline: &Measurement, measurement: &Measurement) -> Option<Self> {
        let speedup = speedup(baseline, measurement)?;
        let tolerance = (baseline.spread + measurement.spread).max(LEAST_CHANGE);
        Some(match 1.0 + tolerance {
            limit if 1.0 / speedup > limit => Change::Regression,
            limit if speedup > limit => Change::Faster,
            _ => Change::Same,
        })
    }
}

impl Peer<'_> {
    /// The geometric mean of the ratios of what the library gets right, and how many these are: above 1 wgloss is
    /// faster. `None` if there are none.
    pub fn geometric_mean(&self) -> Option<(f64, usize)> {
        let right = self.measurements.iter().filter(|peer| peer.is_right);
        let logarithms: Vec<f64> = right.filter_map(|peer| peer.ratio).filter(is_positive).map(f64::ln).collect();
        let count = logarithms.len();
        (count > 0).then(|| ((logarithms.iter().sum::<f64>() / count as f64).exp(), count))
    }

    /// How many of its results are wrong.
    pub fn wrong(&self) -> usize {
        self.measurements.iter().filter(|peer| !peer.is_right).count()
    }
}

fn is_positive(x: &f64) -> bool {
    x.is_finite() && *x > 0.0
}

fn is_alike(baseline: &Report, run: &Report) -> bool {
    baseline.adapter == run.adapter && baseline.clock == run.clock
}

fn speedup(baseline: &Measurement, measurement: &Measurement) -> Option<f64> {
    let fractions = [baseline.fraction_of_copy, measurement.fraction_of_copy];
    fractions.iter().all(is_positive).then(|| fractions[1] / fractions[0])
}

fn cases<'a>(runs: &[&'a Report]) -> Vec<ComparedCase<'a>> {
    let mut cases: Vec<ComparedCase> = Vec::new();
    for (index, run) in runs.iter().enumerate() {
        for measurement in &run.results {
            let Measurement { loss, shape, dtype, origin, .. } = measurement;
            // A run that measured a case twice has it twice.
            let known = cases.iter().position(|case| {
                (case.loss, case.shape, case.dtype) == (loss, shape, dtype) && case.entries[index].is_none()
            });
            let case = known.unwrap_or_else(|| {
                cases.push(ComparedCase { loss, shape, dtype, origin, entries: vec![None; runs.len()] });
                cases.len() - 1
            });
            let baseline = cases[case].entries[0].filter(|_| index > 0).map(|entry| entry.measurement);
            cases[case].entries[index] = Some(Entry {
                measurement,
                speedup: baseline.and_then(|baseline| speedup(baseline, measurement)),
                change: baseline
                    .filter(|_| is_alike(runs[0], run))
                    .and_then(|baseline| Change::between(baseline, measurement)),
            });
        }
    }
    cases
}

fn peers(report: &Report) -> Vec<Peer<'_>> {
    let mut peers: Vec<Peer> = Vec::new();
    for measurement in &report.peers {
        let (peer, device) = (measurement.peer.as_str(), measurement.device.as_str());
        match peers.iter_mut().find(|known| (known.peer, known.device) == (peer, device)) {
            Some(known) => known.measurements.push(measurement),
            None => peers.push(Peer { peer, device, report, measurements: vec![measurement] }),
        }
    }
    peers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{ClockKind, VERSION};

    fn report(adapter: &str, results: Vec<Measurement>) -> Report {
        Report {
            version: VERSION,
            adapter: adapter.to_string(),
            driver: String::new(),
            kind: "CPU".to_string(),
            wgloss: "0.1.0".to_string(),
            date: "2026-01-02".to_string(),
            clock: ClockKind::Timestamps,
            tuning: serde_json::Value::Null,
            copy_gb_per_s: Some(10.0),
            results,
            skipped: Vec::new(),
            scaling: Vec::new(),
            peers: Vec::new(),
        }
    }

    /// A loss of this fraction of the copy's speed, on a device whose clock may have any rate.
    fn measurement(loss: &str, fraction_of_copy: f64, spread: f64, copy_ms: f64) -> Measurement {
        Measurement {
            loss: loss.to_string(),
            shape: vec![1000],
            dtype: "f32".to_string(),
            origin: String::new(),
            median_ms: copy_ms / fraction_of_copy,
            spread,
            runs: 11,
            bytes: 12_000,
            gb_per_s: 1.0,
            copy_ms,
            fraction_of_copy,
            gflop_per_s: None,
            first_call_ms: 1.0,
            record_us: 1.0,
            kernels: Vec::new(),
        }
    }

    /// The change of a loss with these fractions and spreads.
    fn change(before: (f64, f64), after: (f64, f64)) -> Option<Change> {
        let [before, after] =
            [(before, 1.0), (after, 2.0)].map(|((fraction, spread), ms)| measurement("mse", fraction, spread, ms));
        let reports = [report("a", vec![before]), report("a", vec![after])];
        let comparison = Comparison::new(&reports);
        assert_eq!(comparison.cases[0].entries[0].unwrap().change, None);
        comparison.cases[0].entries[1].unwrap().change
    }

    #[test]
    fn a_change_is_more_than_the_spread_and_than_the_least_change() {
        assert_eq!(change((0.9, 0.0), (0.9, 0.0)), Some(Change::Same));
        assert_eq!(change((0.9, 0.0), (0.83, 0.0)), Some(Change::Same));
        assert_eq!(change((0.9, 0.0), (0.8, 0.0)), Some(Change::Regression));
        assert_eq!(change((0.8, 0.0), (0.9, 0.0)), Some(Change::Faster));
        assert_eq!(change((0.9, 0.1), (0.8, 0.1)), Some(Change::Same));
        assert_eq!(change((0.9, 0.1), (0.6, 0.1)), Some(Change::Regression));
    }

    #[test]
    fn figures_that_are_none_make_no_change() {
        for odd in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(change((odd, 0.0), (0.9, 0.0)), None);
            assert_eq!(change((0.9, 0.0), (odd, 0.0)), None);
        }
        assert_eq!(change((0.9, f64::NAN), (0.5, 0.0)), Some(Change::Regression));
    }

    #[test]
    fn another_adapter_or_clock_is_no_baseline() {
        let results = |fraction| vec![measurement("mse", fraction, 0.0, 1.0)];
        let by_host = Report { clock: ClockKind::SubmitToDone, ..report("a", results(0.3)) };
        let reports = [report("a", results(0.9)), report("b", results(0.3)), by_host, report("a", results(0.3))];
        let comparison = Comparison::new(&reports);
        let entries: Vec<Entry> = comparison.cases[0].entries.iter().map(|entry| entry.unwrap()).collect();
        assert_eq!(
            entries.iter().map(|entry| entry.change).collect::<Vec<_>>(),
            [None, None, None, Some(Change::Regression)]
        );
        assert_eq!([1, 2, 3].map(|run| comparison.is_comparable(run)), [false, false, true]);
        approx::assert_abs_diff_eq!(entries[1].speedup.unwrap(), 1.0 / 3.0, epsilon = 1e-12);
        assert!(!comparison.passed());
        assert!(Comparison::new(&reports[..3]).passed());
    }

    #[test]
    fn cases_of_either_run_are_kept() {
        let other_type = Measurement { dtype: "f16".to_string(), ..measurement("mse", 0.5, 0.0, 1.0) };
        let first = vec![measurement("mse", 0.9, 0.0, 1.0), measurement("mse", 0.8, 0.0, 1.0)];
        let second = vec![measurement("mae", 0.7, 0.0, 1.0), measurement("mse", 0.9, 0.0, 1.0), other_type];
        let reports = [report("a", first), report("a", second)];
        let comparison = Comparison::new(&reports);
        let found: Vec<_> = comparison
            .cases
            .iter()
            .map(|case| (case.loss, case.dtype, [0, 1].map(|run| case.entries[run].is_some())))
            .collect();
        assert_eq!(
            found,
            [
                ("mse", "f32", [true, true]),
                ("mse", "f32", [true, false]),
                ("mae", "f32", [false, true]),
                ("mse", "f16", [false, true]),
            ]
        );
    }

    fn peer(peer: &str, ratio: Option<f64>, is_right: bool) -> PeerMeasurement {
        PeerMeasurement {
            peer: peer.to_string(),
            device: "cpu".to_string(),
            loss: "mse".to_string(),
            shape: vec![1000],
            dtype: "f32".to_string(),
            median_ms: 1.0,
            spread: None,
            wgloss_median_ms: ratio.map(|ratio| 1.0 / ratio),
            ratio,
            is_right,
        }
    }

    #[test]
    fn peers_are_gathered_and_what_is_wrong_does_not_count() {
        let wrong = peer("x", Some(100.0), false);
        let alone = Report {
            peers: vec![peer("x", Some(2.0), true), peer("y", None, true), peer("x", Some(8.0), true), wrong],
            ..report("a", Vec::new())
        };
        let reports = [report("a", vec![measurement("mse", 0.9, 0.0, 1.0)]), alone];
        let comparison = Comparison::new(&reports);
        assert_eq!(comparison.runs.len(), 1);
        let [x, y] = &comparison.peers[..] else { panic!("two peers") };
        assert_eq!((x.peer, x.measurements.len(), x.wrong()), ("x", 3, 1));
        let (mean, count) = x.geometric_mean().unwrap();
        approx::assert_abs_diff_eq!(mean, 4.0, epsilon = 1e-12);
        assert_eq!(count, 2);
        assert_eq!((y.peer, y.geometric_mean()), ("y", None));
    }
}
