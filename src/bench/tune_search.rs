//! The search for the fastest layout: what is tried, and what the times say. Nothing here runs on a device.

use wgpu::{AdapterInfo, DeviceType, Features, Limits};

use super::{Case, CaseTimes, Times, Trial, TuningRun, VariantTime};
use crate::{AnyLoss, DType, Error, Loss, Tuning, gpu::most_workgroups};

/// The least gain of a faster layout; less may be luck.
const LEAST_GAIN: f64 = 0.03;

/// Classes of the rows that decide between a lane and a workgroup a row, each also with one class less: rows that all
/// begin at a multiple of four are read with fewer steps, but only by workgroups.
const LANE_CLASSES: [u32; 8] = [16, 32, 64, 128, 256, 512, 1024, 2048];

/// Classes of the few rows that decide between one and several workgroups a row: the ends of what vocabularies have.
const LONG_ROWS: [u64; 2] = [32_768, 262_144];

/// Classes of short rows, which a workgroup of fewer lanes takes.
const SHORT_ROWS: [u64; 3] = [100, 256, 512];

/// Classes of few rows whose classes lie apart.
const APART_CLASSES: u64 = 4096;

/// The adapter that is tuned, and the losses that it is tuned by.
pub(super) struct Machine {
    info: AdapterInfo,
    features: Features,
    limits: Limits,
    mse: AnyLoss,
    cross_entropy: AnyLoss,
}

/// Times a case with each of the layouts, in turns; `None` for one that the device cannot run.
pub(super) type Timer<'a> = dyn FnMut(&Case, &[Tuning]) -> Result<Vec<Option<Times>>, Error> + 'a;

/// One field of the tuning, and how its values are compared.
struct Choice {
    field: &'static str,
    cases: Vec<Case>,
    /// The values that each case is timed with.
    variants: Vec<(String, Tuning)>,
    /// The current one first.
    candidates: Vec<Candidate>,
}

/// A value of the field.
struct Candidate {
    value: String,
    tuning: Tuning,
    /// The variant that each case gets with it.
    variants: Vec<usize>,
}

/// The choices in the order in which they are made.
const CHOICES: [fn(&Machine, Tuning) -> Choice; 7] = [
    Machine::workgroup_size,
    Machine::reduce,
    Machine::workgroups,
    Machine::lane_classes,
    Machine::few_rows,
    Machine::cached_classes,
    Machine::least_lanes,
];

/// Starts from the table's choice and decides one field after the other. `progress` is told the cases timed and the
/// cases there are.
pub(super) fn search(
    machine: &Machine,
    time: &mut Timer<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<TuningRun, Error> {
    let table = machine.table();
    let (mut tuning, mut trials, mut done) = (table, Vec::new(), 0);
    for (index, make) in CHOICES.iter().enumerate() {
        let choice = make(machine, tuning);
        let left: usize = CHOICES[index..].iter().map(|make| make(machine, tuning).cases.len()).sum();
        let total = done + left as u64;
        let mut times = Vec::new();
        for case in &choice.cases {
            progress(done, total);
            let variants: Vec<Tuning> = choice.variants.iter().map(|(_, tuning)| *tuning).collect();
            times.push(time(case, &variants)?);
            done += 1;
        }
        let (best, gain) = choice.best(&times);
        tuning = choice.candidates[best].tuning;
        trials.push(choice.trial(best, gain, &times));
    }
    progress(done, done);
    Ok(TuningRun { table, tuning, trials })
}

impl Machine {
    /// An adapter with these properties.
    pub fn new(info: AdapterInfo, features: Features, limits: Limits) -> Result<Self, Error> {
        let (mse, cross_entropy) = (AnyLoss::new("mse", &[])?, AnyLoss::new("cross_entropy", &[])?);
        Ok(Machine { info, features, limits, mse, cross_entropy })
    }

    fn table(&self) -> Tuning {
        Tuning::for_adapter(&self.info, self.features, &self.limits)
    }

    fn can_run(&self, tuning: Tuning) -> bool {
        tuning.check(&self.info, self.features, &self.limits).is_ok()
    }

    /// Elements of the larger cases: enough to keep the device busy, not more than a binding holds.
    fn elements(&self) -> u64 {
        let elements = if self.info.device_type == DeviceType::Cpu { 1 << 19 } else { 1 << 25 };
        elements.min(self.limits.max_storage_buffer_binding_size / 4).min(self.limits.max_buffer_size / 4)
    }

    fn case(&self, loss: &AnyLoss, shape: &[u64]) -> Case {
        let shape = shape.iter().map(|&length| length as usize).collect();
        Case { loss: loss.clone(), shape, dtype: DType::F32, origin: String::new() }
    }

    /// Rows of so many classes.
    fn rows(&self, classes: u64, elements: u64) -> Case {
        self.case(&self.cross_entropy, &[(elements / classes).max(1), classes])
    }

    /// An elementwise loss and a loss of rows.
    fn usual(&self) -> Vec<Case> {
        vec![self.case(&self.mse, &[self.elements()]), self.rows(1000, self.elements())]
    }

    fn workgroup_size(&self, tuning: Tuning) -> Choice {
        let with = |workgroup_size| {
            // The strongest reduction that such workgroups can use.
            let reductions = tuning.reductions().into_iter().rev();
            let layouts = reductions.map(|reduce| Tuning { workgroup_size, reduce, ..tuning });
            layouts.into_iter().find(|&layout| self.can_run(layout))
        };
        let tried = around(tuning.workgroup_size).filter_map(with).map(|layout| (layout.workgroup_size, layout));
        Choice::between("workgroup_size", self.usual(), (tuning.workgroup_size, tuning), tried)
    }

    fn reduce(&self, tuning: Tuning) -> Choice {
        let layouts = self.table().reductions().into_iter().map(|reduce| Tuning { reduce, ..tuning });
        let tried = layouts.filter(|&layout| self.can_run(layout)).map(|layout| (layout.reduce, layout));
        // Rows that workgroups share.
        let cases = vec![self.rows(1000.max(u64::from(tuning.lane_classes) + 1), self.elements())];
        Choice::between("reduce", cases, (tuning.reduce, tuning), tried)
    }

    fn workgroups(&self, tuning: Tuning) -> Choice {
        let most = most_workgroups(&self.limits);
        let tried = around(tuning.workgroups).map(|workgroups| workgroups.clamp(1, most));
        let tried = tried.map(|workgroups| (workgroups, Tuning { workgroups, ..tuning }));
        Choice::between("workgroups", self.usual(), (tuning.workgroups, tuning), tried)
    }

    fn lane_classes(&self, tuning: Tuning) -> Choice {
        let points = LANE_CLASSES.iter().flat_map(|&classes| {
            [classes - 1, classes].map(|length| (classes, self.rows(length.into(), self.elements() / 2)))
        });
        let layouts = [("a lane a row", u32::MAX), ("a workgroup a row", 0)];
        let with = |lane_classes| Tuning { lane_classes, ..tuning };
        Choice::up_to("lane_classes", tuning.lane_classes, points, layouts, with)
    }

    fn few_rows(&self, tuning: Tuning) -> Choice {
        let elements = self.elements();
        let contiguous = |rows: u32| {
            let lengths = LONG_ROWS.map(|classes| classes.max(2 * tuning.long_row()));
            let fit = lengths.into_iter().filter(move |classes| u64::from(rows) * classes <= elements);
            fit.map(move |classes| self.case(&self.cross_entropy, &[rows.into(), classes]))
        };
        // Where the classes of a row lie apart, as many rows are few as this number of workgroups has lanes.
        let apart = |rows: u32| {
            let classes = APART_CLASSES.max(2 * u64::from(tuning.lane_classes));
            let rows = (u64::from(rows) * u64::from(tuning.workgroup_size)).saturating_sub(1).max(1);
            (rows * classes <= elements).then(|| self.case(&self.cross_entropy, &[1, classes, rows]))
        };
        let counts = (0..16).map(|power| 1 << power);
        let points = counts.flat_map(|rows| contiguous(rows).chain(apart(rows)).map(move |case| (rows, case)));
        let layouts = [("several workgroups a row", u32::MAX), ("a workgroup or a lane a row", 0)];
        let with = |few_rows| Tuning { few_rows, ..tuning };
        Choice::up_to("few_rows", tuning.few_rows, points, layouts, with)
    }

    fn cached_classes(&self, tuning: Tuning) -> Choice {
        let words = self.limits.max_compute_workgroup_storage_size / 4;
        // What reductions of the largest workgroups leave.
        let most = words.saturating_sub(tuning.workgroup_size.max(1024)) / 4 * 4;
        let lengths = (8..16).map(|power| 1 << power).filter(|&classes| classes < most).chain([most]);
        let points = lengths.filter(|&classes| classes > tuning.lane_classes);
        let points = points.map(|classes| (classes, self.rows(classes.into(), self.elements())));
        let layouts = [("read once", most), ("read twice", 0)];
        let with = |cached_classes| Tuning { cached_classes, ..tuning };
        Choice::up_to("cached_classes", tuning.cached_classes, points, layouts, with)
    }

    fn least_lanes(&self, tuning: Tuning) -> Choice {
        // More than a workgroup has make no difference.
        let lanes = |tuning: &Tuning| tuning.least_lanes.min(tuning.workgroup_size);
        let tried = around(tuning.least_lanes).map(|least_lanes| Tuning { least_lanes, ..tuning });
        let tried = tried.filter(|layout| self.can_run(*layout) && lanes(layout) != lanes(&tuning));
        let is_shared = |classes: &u64| *classes > u64::from(tuning.lane_classes);
        let cases = SHORT_ROWS.into_iter().filter(is_shared).map(|classes| self.rows(classes, self.elements() / 2));
        let tried = tried.map(|layout| (layout.least_lanes, layout));
        Choice::between("least_lanes", cases.collect(), (tuning.least_lanes, tuning), tried)
    }
}

/// The numbers from a quarter to four times as many, by factors of two.
fn around(value: u32) -> impl Iterator<Item = u32> {
    [value / 4, value / 2, value.saturating_mul(2), value.saturating_mul(4)].into_iter()
}

impl Choice {
    /// Between values that make a difference to every case.
    fn between<V: ToString + PartialEq>(
        field: &'static str,
        cases: Vec<Case>,
        current: (V, Tuning),
        tried: impl Iterator<Item = (V, Tuning)>,
    ) -> Self {
        let mut layouts = vec![current];
        for layout in tried {
            if layouts.iter().all(|known| known.0 != layout.0) {
                layouts.push(layout);
            }
        }
        let cases = if layouts.len() > 1 { cases } else { Vec::new() };
        let variants = layouts.iter().map(|(value, tuning)| (value.to_string(), *tuning)).collect();
        let candidate = |(index, (value, tuning)): (usize, &(V, Tuning))| Candidate {
            value: value.to_string(),
            tuning: *tuning,
            variants: vec![index; cases.len()],
        };
        let candidates = layouts.iter().enumerate().map(candidate).collect();
        Choice { field, cases, variants, candidates }
    }

    /// How far up the first layout serves, which the field has wholly at its value; above, the second does.
    fn up_to(
        field: &'static str,
        current: u32,
        points: impl Iterator<Item = (u32, Case)>,
        layouts: [(&str, u32); 2],
        with: impl Fn(u32) -> Tuning,
    ) -> Self {
        let (places, cases): (Vec<u32>, Vec<Case>) = points.unzip();
        let mut candidates: Vec<Candidate> = Vec::new();
        for value in [current, 0].into_iter().chain(places.iter().copied()) {
            let variants: Vec<usize> = places.iter().map(|&place| usize::from(place > value)).collect();
            if candidates.iter().all(|known| known.variants != variants) {
                candidates.push(Candidate { value: value.to_string(), tuning: with(value), variants });
            }
        }
        let variants = layouts.map(|(layout, value)| (layout.to_string(), with(value))).into();
        Choice { field, cases, variants, candidates }
    }

    /// The candidate that saves the most time, and how many times faster it is than the current one in the cases where
    /// they differ.
    fn best(&self, times: &[Vec<Option<Times>>]) -> (usize, f64) {
        let current = &self.candidates[0].variants;
        let (mut best, mut most) = ((0, 1.0), 0.0);
        for (index, candidate) in self.candidates.iter().enumerate() {
            let differing = (0..times.len()).filter(|&case| current[case] != candidate.variants[case]);
            let pairs: Option<Vec<(&Times, &Times)>> = differing
                .map(|case| {
                    Some((times[case][current[case]].as_ref()?, times[case][candidate.variants[case]].as_ref()?))
                })
                .collect();
            let Some(gain) = pairs.as_deref().and_then(gain) else { continue };
            let saved = gain.ln() * pairs.map_or(0, |pairs| pairs.len()) as f64;
            if saved > most {
                (best, most) = ((index, gain), saved);
            }
        }
        best
    }

    fn trial(&self, best: usize, gain: f64, times: &[Vec<Option<Times>>]) -> Trial {
        let times_of = |(case, times): (&Case, &Vec<Option<Times>>)| CaseTimes {
            loss: case.loss.spec().name.to_string(),
            shape: case.shape.clone(),
            times: self
                .variants
                .iter()
                .zip(times)
                .map(|((variant, _), times)| VariantTime::new(variant, times))
                .collect(),
        };
        Trial {
            field: self.field.to_string(),
            before: self.candidates[0].value.clone(),
            after: self.candidates[best].value.clone(),
            gain,
            cases: self.cases.iter().zip(times).map(times_of).collect(),
        }
    }
}

/// How many times faster the second of each pair is than the first, as a geometric mean: where that is beyond noise,
/// and no case is slower beyond noise.
fn gain(pairs: &[(&Times, &Times)]) -> Option<f64> {
    let noise = |(current, other): &(&Times, &Times)| LEAST_GAIN.max(current.spread()).max(other.spread());
    let speedup = |(current, other): &(&Times, &Times)| current.median() / other.median();
    if pairs.is_empty() || pairs.iter().any(|pair| speedup(pair) < 1.0 - noise(pair)) {
        return None;
    }
    let count = pairs.len() as f64;
    let gain = (pairs.iter().map(|pair| speedup(pair).ln()).sum::<f64>() / count).exp();
    (gain > 1.0 + pairs.iter().map(noise).sum::<f64>() / count).then_some(gain)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{Reduce, gpu::cpu_adapter};

    fn machine() -> Machine {
        Machine::new(cpu_adapter(), Features::SUBGROUP, Limits::defaults()).unwrap()
    }

    fn exactly(seconds: f64) -> Times {
        Times::new(vec![seconds; 5])
    }

    /// Times around a median, whose interquartile range is `spread`.
    fn spread(median: f64, spread: f64) -> Times {
        Times::new([-1.0, -0.5, 0.0, 0.5, 1.0].map(|place| median * (1.0 + place * spread)).to_vec())
    }

    /// The run on a device that takes so many seconds.
    fn run(seconds: impl Fn(&Case, Tuning) -> f64) -> TuningRun {
        let machine = machine();
        let mut time = |case: &Case, layouts: &[Tuning]| {
            assert!(layouts.iter().all(|&layout| machine.can_run(layout)));
            Ok(layouts.iter().map(|&layout| Some(exactly(seconds(case, layout)))).collect())
        };
        search(&machine, &mut time, &mut |_, _| {}).unwrap()
    }

    #[test]
    fn gains_within_noise_are_none() {
        let one = |current: &Times, other: &Times| gain(&[(current, other)]);
        assert_eq!(one(&exactly(1.0), &exactly(1.0)), None);
        assert_eq!(one(&exactly(1.0), &exactly(0.98)), None);
        approx::assert_abs_diff_eq!(one(&exactly(1.0), &exactly(0.5)).unwrap(), 2.0, epsilon = 1e-12);
        // A gain of a quarter is nothing where times spread as much, in the one or in the other.
        assert!(one(&exactly(1.0), &exactly(0.8)).is_some());
        assert!(one(&spread(1.0, 0.2), &spread(0.8, 0.2)).is_some());
        assert_eq!(one(&spread(1.0, 0.3), &exactly(0.8)), None);
        assert_eq!(one(&exactly(1.0), &spread(0.8, 0.3)), None);
        assert_eq!(one(&exactly(1.0), &Times::new(Vec::new())), None);
        assert_eq!(gain(&[]), None);
    }

    #[test]
    fn nothing_may_become_slower() {
        let (slow, fast) = (exactly(1.0), exactly(0.5));
        let (current, slower) = (exactly(1.0), exactly(1.1));
        assert_eq!(gain(&[(&slow, &fast), (&current, &slower)]), None);
        let (current, hardly_slower) = (exactly(1.0), exactly(1.01));
        assert!(gain(&[(&slow, &fast), (&current, &hardly_slower)]).is_some());
    }

    #[test]
    fn the_table_stands_where_nothing_is_faster() {
        let run = run(|_, _| 1.0);
        assert_eq!(run.tuning, run.table);
        let fields: Vec<&str> = run.trials.iter().map(|trial| trial.field.as_str()).collect();
        let all =
            ["workgroup_size", "reduce", "workgroups", "lane_classes", "few_rows", "cached_classes", "least_lanes"];
        assert_eq!(fields, all);
        assert!(run.trials.iter().all(|trial| trial.before == trial.after && trial.gain == 1.0));
    }

    #[test]
    fn a_wider_workgroup_brings_the_reduction_that_it_can_have() {
        let run = run(|_, tuning| if tuning.workgroup_size == 16 { 1.0 } else { 2.0 });
        assert_eq!((run.tuning.workgroup_size, run.tuning.reduce), (16, Reduce::Subgroup));
        approx::assert_abs_diff_eq!(run.trials[0].gain, 2.0, epsilon = 1e-12);
        let tried: BTreeSet<&str> = run.trials[1].cases[0].times.iter().map(|time| time.variant.as_str()).collect();
        assert_eq!(tried, BTreeSet::from(["subgroup", "workgroup"]));
    }

    #[test]
    fn a_field_that_says_how_far_gets_the_point_where_times_cross() {
        let crossing = |classes: usize| {
            run(move |case, tuning| {
                let by_lane = tuning.lane_classes == u32::MAX;
                if by_lane == (case.shape.get(1).is_none_or(|&found| found <= classes)) { 1.0 } else { 1.5 }
            })
            .tuning
            .lane_classes
        };
        assert_eq!(crossing(512), 512);
        assert_eq!(crossing(16), 16);
        assert_eq!(crossing(0), 0);
        assert_eq!(crossing(1 << 20), 2048);
        // The half of a step that is faster does not make up for the other half.
        assert_eq!(crossing(255), 128);
    }

    #[test]
    fn what_could_not_run_is_not_chosen() {
        let machine = machine();
        let mut time = |_: &Case, layouts: &[Tuning]| {
            let times =
                |layout: &Tuning| (layout.workgroups != 64).then(|| exactly(1.0 / f64::from(layout.workgroups)));
            Ok(layouts.iter().map(times).collect())
        };
        let table = machine.table().workgroups;
        let run = search(&machine, &mut time, &mut |_, _| {}).unwrap();
        assert_eq!(run.tuning.workgroups, if table * 4 == 64 { 2 * table } else { 4 * table });
        // Nothing is known where the current layout failed.
        let run = search(&machine, &mut |_, layouts| Ok(vec![None; layouts.len()]), &mut |_, _| {}).unwrap();
        assert_eq!(run.tuning, run.table);
    }

    #[test]
    fn progress_ends_where_it_says() {
        let mut told = Vec::new();
        let mut time = |_: &Case, layouts: &[Tuning]| Ok(vec![Some(exactly(1.0)); layouts.len()]);
        search(&machine(), &mut time, &mut |done, total| told.push((done, total))).unwrap();
        let last = told.len() as u64 - 1;
        assert!(told.iter().zip(0..).all(|(&found, step)| found == (step, last)), "{told:?}");
    }

    #[test]
    fn a_failing_device_ends_the_search() {
        let lost = Error::DeviceLost { reason: "unplugged".to_string() };
        let error = search(&machine(), &mut |_, _| Err(lost.clone()), &mut |_, _| {}).unwrap_err();
        assert_eq!(error, lost);
    }
}
