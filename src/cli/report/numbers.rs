//! Figures for people.

/// What stands for a figure that there is none of.
pub const NONE: &str = "–";

/// Units of a thousand times the one before.
const TIMES: [&str; 4] = ["ns", "µs", "ms", "s"];
const COUNTS: [&str; 5] = ["", " k", " M", " G", " T"];

/// A number with three significant digits.
pub fn significant(x: f64) -> String {
    match exponent(x) {
        _ if !x.is_finite() => NONE.to_string(),
        _ if x == 0.0 => "0".to_string(),
        exponent @ -4..6 => format!("{x:.*}", usize::try_from(2 - exponent).unwrap_or(0)),
        _ => format!("{x:.2e}"),
    }
}

/// The decimal exponent of a number as [`significant`] rounds it.
fn exponent(x: f64) -> i32 {
    format!("{x:.2e}").split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0)
}

/// A part of a whole, such as that of a copy's speed.
pub fn fraction(x: f64) -> String {
    if (0.1..10.0).contains(&x) { format!("{x:.2}") } else { significant(x) }
}

/// A factor.
pub fn factor(x: f64) -> String {
    if x.is_finite() { format!("{}×", fraction(x)) } else { NONE.to_string() }
}

/// A part of a whole, in percent.
pub fn percent(x: f64) -> String {
    if x.is_finite() { format!("{:.1} %", 100.0 * x) } else { NONE.to_string() }
}

/// A time in the unit that suits it.
pub fn time(ms: f64) -> String {
    if !ms.is_finite() {
        return NONE.to_string();
    }
    let unit = (exponent(ms).div_euclid(3) + 2).clamp(0, 3);
    format!("{} {}", significant(ms * 1e6 / 1000f64.powi(unit)), TIMES[unit as usize])
}

/// A rate.
pub fn rate(gb_per_s: f64) -> String {
    format!("{} GB/s", significant(gb_per_s))
}

/// A power of ten of milliseconds, for an axis.
pub fn decade_of_ms(exponent: i32) -> String {
    decade(exponent + 6, &TIMES.map(|unit| format!(" {unit}")))
}

/// A power of ten of things, for an axis.
pub fn decade_of_count(exponent: i32) -> String {
    decade(exponent, &COUNTS.map(str::to_string))
}

fn decade(exponent: i32, units: &[String]) -> String {
    match units.get(usize::try_from(exponent.div_euclid(3)).unwrap_or(usize::MAX)) {
        Some(unit) => format!("{}{unit}", [1, 10, 100][exponent.rem_euclid(3) as usize]),
        None => format!("1e{exponent}{}", units[0]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_that_matter() {
        let texts = [0.0, 1.2345, 9.999, 123.456, 43210.9, 0.01234, 1e9, -2.0, 1e-7].map(significant);
        assert_eq!(texts, ["0", "1.23", "10.0", "123", "43211", "0.0123", "1.00e9", "-2.00", "1.00e-7"]);
        assert_eq!([f64::NAN, f64::INFINITY].map(significant), [NONE, NONE]);
        assert_eq!([f64::NAN, f64::NEG_INFINITY].map(time), [NONE, NONE]);
        assert_eq!([0.923, 25.0, 0.0123, f64::NAN].map(fraction), ["0.92", "25.0", "0.0123", NONE]);
    }

    #[test]
    fn units_suit_the_figure() {
        let texts = [0.000_012, 0.0123, 0.9999, 12.3, 45_678.0, 0.0, 1e12].map(time);
        assert_eq!(texts, ["12.0 ns", "12.3 µs", "1.00 ms", "12.3 ms", "45.7 s", "0 ms", "1.00e9 s"]);
        assert_eq!(
            [-7, -6, -3, 0, 2, 3, 9].map(decade_of_ms),
            ["1e-1 ns", "1 ns", "1 µs", "1 ms", "100 ms", "1 s", "1e15 ns"]
        );
        assert_eq!([0, 4, 6, 8, 16].map(decade_of_count), ["1", "10 k", "1 M", "100 M", "1e16"]);
    }
}
