//! Times, taken in turns until their medians are sure.

use std::time::{Duration, Instant};

use super::Clock;
use crate::Error;

/// The rule for when there are enough times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Precision {
    /// The standard error of each median, as a part of it, at which there are enough.
    pub error: f64,
    /// The least number of times; three of what takes several times `most_time`.
    pub least_runs: usize,
    /// The greatest number of times.
    pub most_runs: usize,
    /// The time after which no more are taken, but for the least number.
    pub most_time: Duration,
}

impl Default for Precision {
    fn default() -> Self {
        Precision { error: 0.01, least_runs: 7, most_runs: 101, most_time: Duration::from_secs(2) }
    }
}

/// The least time of a step: shorter ones are repeated until they take as long, so that a clock's tick does not matter.
const LEAST_TIME: Duration = Duration::from_micros(500);

/// The number of times of what takes several times as long as it should.
pub(super) const FEWEST_RUNS: usize = 3;

/// What is timed: commands of a compute pass.
pub type Step<'a> = &'a dyn Fn(&mut wgpu::ComputePass<'_>);

/// The times of one step, in seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Times(Vec<f64>);

impl Times {
    /// The summary of these times in seconds, in any order; at least one.
    pub fn new(mut seconds: Vec<f64>) -> Self {
        seconds.sort_by(f64::total_cmp);
        Times(seconds)
    }

    /// How many times there are.
    pub fn runs(&self) -> usize {
        self.0.len()
    }

    /// The median, in seconds; NaN of no times.
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The interquartile range, as a part of the median.
    pub fn spread(&self) -> f64 {
        (self.quantile(0.75) - self.quantile(0.25)) / self.median()
    }

    /// The standard error of the median as a part of it, as if times were spread normally.
    fn error(&self) -> f64 {
        // An interquartile range is 1.349 standard deviations, and a median's error 1.253 times that of a mean.
        self.spread() * 1.253 / 1.349 / (self.runs() as f64).sqrt()
    }

    fn quantile(&self, part: f64) -> f64 {
        let place = part * self.0.len().saturating_sub(1) as f64;
        let at = |place: f64| self.0.get(place as usize).copied().unwrap_or(f64::NAN);
        at(place.floor()) + (at(place.ceil()) - at(place.floor())) * place.fract()
    }
}

/// Times each step in turn, round after round: where the machine's speed changes, it does so for all of them.
///
/// # Errors
/// The errors of [`Clock::time`].
pub fn in_turns<const STEPS: usize>(
    clock: &Clock,
    steps: [Step<'_>; STEPS],
    precision: Precision,
) -> Result<[Times; STEPS], Error> {
    let times = all_in_turns(clock, &steps, precision)?;
    Ok(std::array::from_fn(|step| times[step].clone()))
}

/// The times that [`in_turns`] takes, of any number of steps.
///
/// # Errors
/// The errors of [`Clock::time`].
pub(super) fn all_in_turns(clock: &Clock, steps: &[Step<'_>], precision: Precision) -> Result<Vec<Times>, Error> {
    let mut repeats = vec![1; steps.len()];
    for (step, repeats) in steps.iter().zip(&mut repeats) {
        // The first run warms up: pages are touched, memory is where it stays.
        clock.time(step)?;
        let once = clock.time(step)?.max(Duration::from_nanos(1));
        *repeats = (LEAST_TIME.as_secs_f64() / once.as_secs_f64()).ceil().clamp(1.0, 1000.0) as usize;
    }
    let start = Instant::now();
    let mut seconds = vec![Vec::new(); steps.len()];
    let mut runs = 0;
    loop {
        runs += 1;
        for ((step, &repeats), seconds) in steps.iter().zip(&repeats).zip(&mut seconds) {
            let time = clock.time(|pass| (0..repeats).for_each(|_| step(pass)))?;
            seconds.push(time.as_secs_f64() / repeats as f64);
        }
        let times: Vec<Times> = seconds.iter().cloned().map(Times::new).collect();
        let is_sure = times.iter().all(|times| times.error() <= precision.error);
        let is_late = runs >= precision.most_runs || start.elapsed() >= precision.most_time;
        let is_very_late = runs >= FEWEST_RUNS && start.elapsed() >= 4 * precision.most_time;
        if is_very_late || runs >= precision.least_runs && (is_sure || is_late) {
            return Ok(times);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_quartiles_lie_between_times() {
        let times = Times::new(vec![4.0, 1.0, 2.0, 3.0]);
        assert_eq!((times.median(), times.runs()), (2.5, 4));
        approx::assert_abs_diff_eq!(times.spread(), 1.5 / 2.5);
        assert_eq!(Times::new(vec![3.0]).spread(), 0.0);
        assert!(Times::new(Vec::new()).median().is_nan());
    }

    #[test]
    fn more_times_make_a_median_surer() {
        let few: Vec<f64> = (0..8).map(f64::from).map(|i| 1.0 + i / 100.0).collect();
        let many = Times::new(few.iter().cycle().take(800).copied().collect());
        assert!(many.error() < Times::new(few).error() / 5.0);
    }
}
