//! Axes of numbers and their ticks.

/// An axis from one number to another.
#[derive(Clone, Debug)]
pub struct Axis {
    pub label: String,
    pub low: f64,
    pub high: f64,
}

impl Axis {
    pub fn new(label: impl Into<String>, low: f64, high: f64) -> Self {
        Axis { label: label.into(), low, high }
    }

    /// Where a number is: 0 at the low end, 1 at the high one.
    pub fn at(&self, x: f64) -> f64 {
        (x - self.low) / (self.high - self.low)
    }

    /// The number at this part of the axis.
    pub fn value(&self, part: f64) -> f64 {
        self.low + part * (self.high - self.low)
    }

    /// So many numbers at equal distances, both ends among them.
    pub fn samples(&self, count: usize) -> Vec<f64> {
        (0..count).map(|index| self.value(index as f64 / (count - 1) as f64)).collect()
    }

    /// Round numbers on the axis, at most so many, and their labels, which have the same number of decimals.
    pub fn ticks(&self, most: usize) -> Vec<(f64, String)> {
        let least = (self.high - self.low) / most as f64;
        let decade = 10f64.powf(least.log10().floor());
        let step = [1.0, 2.0, 5.0].map(|part| part * decade).into_iter().find(|&step| step >= least);
        let step = step.unwrap_or(10.0 * decade);
        let decimals = (-step.log10().floor()).max(0.0) as usize;
        // What rounding has put beyond an end counts as the end.
        let (first, last) = ((self.low / step - 1e-9).ceil() as i64, (self.high / step + 1e-9).floor() as i64);
        let ticks = (first..=last).map(|index| index as f64 * step);
        ticks.map(|tick| (tick, number(tick, decimals))).collect()
    }
}

/// A number with a true minus sign.
pub fn number(x: f64, decimals: usize) -> String {
    format!("{x:.decimals$}").replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(low: f64, high: f64) -> Vec<String> {
        Axis::new("", low, high).ticks(7).into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_round_and_include_the_ends_that_are() {
        assert_eq!(labels(-4.0, 4.0), ["−4", "−2", "0", "2", "4"]);
        assert_eq!(labels(0.0, 1.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(-0.3, 0.3), ["−0.3", "−0.2", "−0.1", "0.0", "0.1", "0.2", "0.3"]);
        assert_eq!(labels(1.0, 699.0), ["100", "200", "300", "400", "500", "600"]);
    }

    #[test]
    fn samples_reach_from_end_to_end() {
        assert_eq!(Axis::new("", -1.0, 1.0).samples(5), [-1.0, -0.5, 0.0, 0.5, 1.0]);
    }
}
