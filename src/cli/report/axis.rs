//! Logarithmic axes.

/// Decades that an axis has at least.
const LEAST_SPAN: f64 = 1.0;

/// An axis from one power of ten to another, which need not be whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Logarithmic {
    low: f64,
    high: f64,
}

impl Logarithmic {
    /// The axis on which all of these fit that are positive numbers, a decade long at least; `None` if there are none.
    pub fn around(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let logarithms = values.into_iter().filter(|&x| is_drawable(x)).map(f64::log10);
        let (low, high) =
            logarithms.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high): (f64, f64), x| (low.min(x), high.max(x)));
        let missing = (LEAST_SPAN - (high - low)).max(0.0) / 2.0;
        (low <= high).then_some(Logarithmic { low: low - missing, high: high + missing }.within_numbers())
    }

    /// The axis with this part of its length more on either side.
    pub fn padded(self, part: f64) -> Self {
        let more = part * (self.high - self.low);
        Logarithmic { low: self.low - more, high: self.high + more }.within_numbers()
    }

    /// The part of the axis whose powers of ten an f64 holds.
    fn within_numbers(self) -> Self {
        let [low, high] = [self.low, self.high].map(|x| x.clamp(f64::MIN_10_EXP.into(), f64::MAX_10_EXP.into()));
        Logarithmic { low, high }
    }

    /// Where a positive number is: 0 at the low end, 1 at the high one.
    pub fn at(self, x: f64) -> f64 {
        (x.log10() - self.low) / (self.high - self.low)
    }

    /// The number at this part of the axis.
    pub fn value(self, part: f64) -> f64 {
        10f64.powf(self.low + part * (self.high - self.low))
    }

    /// The whole powers of ten on the axis, every so many that there are at most `count`.
    pub fn decades(self, count: usize) -> impl Iterator<Item = i32> {
        let (first, last) = (self.low.ceil() as i32, self.high.floor() as i32);
        let step = (last - first + 1).max(1) as usize;
        (first..=last).step_by(step.div_ceil(count.max(1)))
    }
}

/// Whether a logarithmic axis has a place for the number.
pub fn is_drawable(x: f64) -> bool {
    x.is_finite() && x > 0.0
}

/// A part of a length as SVG and CSS have it.
pub fn percent(part: f64) -> String {
    format!("{:.2}%", 100.0 * part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_values_have_no_place() {
        assert_eq!(Logarithmic::around([0.0, -1.0, f64::NAN, f64::INFINITY]), None);
        let axis = Logarithmic::around([0.0, 1.0, f64::NAN, 100.0]).unwrap();
        assert_eq!([1.0, 10.0, 100.0].map(|x| axis.at(x)), [0.0, 0.5, 1.0]);
        assert_eq!(axis.value(0.5), 10.0);
    }

    #[test]
    fn a_single_value_is_in_the_middle_of_a_decade() {
        let axis = Logarithmic::around([10.0]).unwrap();
        assert_eq!(axis.at(10.0), 0.5);
        assert_eq!(axis.decades(5).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn many_decades_are_thinned_out() {
        let axis = Logarithmic::around([1e-300, 1e300]).unwrap().padded(0.1);
        assert!(axis.decades(6).count() <= 6);
        assert!(axis.decades(usize::MAX).all(|exponent| is_drawable(10f64.powi(exponent))));
        assert_eq!(Logarithmic::around([1.0, 1e3]).unwrap().decades(6).collect::<Vec<_>>(), [0, 1, 2, 3]);
    }
}
