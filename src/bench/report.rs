//! What a run measured: the data of `wgloss bench --json`, whose fields these are.

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::KernelTime;
use crate::Gpu;

/// The version of the format. Fields may be added without a new one; none changes its meaning.
pub const VERSION: u32 = 1;

/// Everything that one run measured on one adapter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The [`VERSION`] of the report's form.
    pub version: u32,
    /// Backend and name of the adapter.
    pub adapter: String,
    /// The driver's name and version.
    pub driver: String,
    /// The kind of adapter: `discrete GPU`, `integrated GPU`, `virtual GPU`, `CPU` or `other`.
    pub kind: String,
    /// The version of wgloss.
    pub wgloss: String,
    /// The day of the run, UTC.
    pub date: String,
    /// The source of device times.
    pub clock: ClockKind,
    /// How kernels were laid out: the fields of [`Tuning`](crate::Tuning) in that version, to be read by people.
    #[serde(default)]
    pub tuning: Json,
    /// The largest copy of the run, in GB read and written a second; `None` where nothing was copied.
    pub copy_gb_per_s: Option<f64>,
    /// The losses.
    #[serde(default)]
    pub results: Vec<Measurement>,
    /// The cases that the adapter could not run.
    #[serde(default)]
    pub skipped: Vec<Skipped>,
    /// Losses at growing sizes.
    #[serde(default)]
    pub scaling: Vec<Scaling>,
    /// Other libraries beside wgloss.
    #[serde(default)]
    pub peers: Vec<PeerMeasurement>,
}

/// The source of device times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockKind {
    /// Timestamps that the device writes before and after the kernels.
    Timestamps,
    /// The host's clock, from submission until the device is done.
    SubmitToDone,
}

/// A loss with its gradients at one shape. Times are medians.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// The loss's name.
    pub loss: String,
    /// The shape of its first input.
    pub shape: Vec<usize>,
    /// The storage type of its floating inputs and gradients.
    pub dtype: String,
    /// The origin of the shape; empty for one that was asked for.
    #[serde(default)]
    pub origin: String,
    /// Device time of loss and gradients.
    pub median_ms: f64,
    /// The interquartile range of the times, as a part of the median.
    pub spread: f64,
    /// How many times were measured.
    pub runs: usize,
    /// Bytes that must move: each input read once, each gradient written once.
    pub bytes: u64,
    /// The `bytes` moved in a second.
    pub gb_per_s: f64,
    /// Device time of a copy of as many bytes, measured in turns with the loss.
    pub copy_ms: f64,
    /// The speed beside a copy, `copy_ms / median_ms`: 1 is as fast.
    pub fraction_of_copy: f64,
    /// The [`Case::operations`](super::Case::operations) a second, in billions, of a loss that compares all pairs of a
    /// batch; `None` of others, which take as long as their bytes.
    #[serde(default)]
    pub gflop_per_s: Option<f64>,
    /// Host time of making and binding the first plan: shaders and pipelines. Drivers may have pipelines in caches of
    /// their own from an earlier run.
    pub first_call_ms: f64,
    /// Host time of recording loss and gradients into an encoder.
    pub record_us: f64,
    /// The kernels, where each was timed by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kernels: Vec<KernelTime>,
}

/// A loss at a shape that the adapter could not run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Skipped {
    /// The loss's name.
    pub loss: String,
    /// The shape of its first input.
    pub shape: Vec<usize>,
    /// The storage type.
    pub dtype: String,
    /// The reason.
    pub reason: String,
}

/// A loss at growing sizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// The loss's name.
    pub loss: String,
    /// The storage type.
    pub dtype: String,
    /// The points, from small to large.
    pub points: Vec<ScalingPoint>,
    /// The exponent with which the time grows with the elements, fitted from [`Scaling::SLOPE_FROM`] elements on, below
    /// which starting the kernels takes longer than running them: 1 is linear. `None` where fewer than two sizes are
    /// that large.
    pub slope: Option<f64>,
}

/// A loss at one of the sizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScalingPoint {
    /// Elements of the first input.
    pub elements: u64,
    /// The case's shape.
    pub shape: Vec<usize>,
    /// Device time of loss and gradients.
    pub median_ms: f64,
}

/// Another library's loss with its gradient, beside wgloss on the same machine, from the host's call until the device
/// is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerMeasurement {
    /// The library, its version and how it ran.
    pub peer: String,
    /// The device that it ran on.
    pub device: String,
    /// The loss's name.
    pub loss: String,
    /// The shape of its first input.
    pub shape: Vec<usize>,
    /// The storage type.
    pub dtype: String,
    /// The library's time.
    pub median_ms: f64,
    /// The interquartile range of its times, as a part of the median.
    #[serde(default)]
    pub spread: Option<f64>,
    /// The time of wgloss, measured in turns with it.
    pub wgloss_median_ms: Option<f64>,
    /// The factor `median_ms / wgloss_median_ms`: above 1 wgloss is faster.
    pub ratio: Option<f64>,
    /// Whether the library's loss and gradient are right, to rounding.
    pub is_right: bool,
}

/// Why a text is no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The text is not JSON, or lacks the fields of a report.
    #[error("not a report of wgloss bench: {0}")]
    Format(#[from] serde_json::Error),
    /// The report is of a version to come.
    #[error("a report of version {found}, where this is version {VERSION}")]
    Version {
        /// The version in the text.
        found: u32,
    },
}

impl Report {
    /// A report without results yet, of this adapter and today.
    pub fn new(gpu: &Gpu, clock: ClockKind) -> Self {
        let info = gpu.info();
        Report {
            version: VERSION,
            adapter: gpu.adapter_id(),
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_string(),
            kind: gpu.kind().to_string(),
            wgloss: env!("CARGO_PKG_VERSION").to_string(),
            date: today(),
            clock,
            tuning: json!(gpu.tuning()),
            copy_gb_per_s: None,
            results: Vec::new(),
            skipped: Vec::new(),
            scaling: Vec::new(),
            peers: Vec::new(),
        }
    }

    fn from_value(report: Json) -> Result<Self, ReportError> {
        #[derive(Deserialize)]
        struct Head {
            version: u32,
        }
        // A later version may have other fields: that it is one is the better message.
        let Head { version } = Head::deserialize(&report)?;
        if version != VERSION {
            return Err(ReportError::Version { found: version });
        }
        Ok(serde_json::from_value(report)?)
    }

    /// The reports in a JSON text: one, or an array of several.
    ///
    /// # Errors
    /// [`ReportError`].
    pub fn list_from_json(text: &str) -> Result<Vec<Self>, ReportError> {
        match serde_json::from_str(text)? {
            Json::Array(reports) => reports.into_iter().map(Report::from_value).collect(),
            report => Ok(vec![Report::from_value(report)?]),
        }
    }

    /// Reports as a JSON text: one, or an array of several.
    ///
    /// # Errors
    /// [`ReportError`], though no report is known that has one.
    pub fn list_to_json(reports: &[Self]) -> Result<String, ReportError> {
        Ok(match reports {
            [report] => serde_json::to_string_pretty(report)?,
            reports => serde_json::to_string_pretty(reports)?,
        })
    }
}

/// The day, UTC.
pub(super) fn today() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()
}

impl Scaling {
    /// Sizes from here on decide the slope.
    pub const SLOPE_FROM: u64 = 100_000;

    /// A scaling of these points, with their slope.
    pub fn new(loss: &str, dtype: &str, points: Vec<ScalingPoint>) -> Self {
        let logarithms: Vec<(f64, f64)> = points
            .iter()
            .filter(|point| point.elements >= Self::SLOPE_FROM)
            .map(|point| ((point.elements as f64).ln(), point.median_ms.ln()))
            .collect();
        Scaling { loss: loss.to_string(), dtype: dtype.to_string(), points, slope: slope(&logarithms) }
    }
}

/// The slope of the line through points with the least squares.
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (mean_x, mean_y) = (mean(|point| point.0), mean(|point| point.1));
    let sum = |of: &dyn Fn(f64, f64) -> f64| points.iter().map(|&(x, y)| of(x - mean_x, y - mean_y)).sum::<f64>();
    let square = sum(&|x, _| x * x);
    (square > 0.0).then(|| sum(&|x, y| x * y) / square)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_grows_with_the_elements_has_slope_one() {
        let point = |elements: u64, median_ms| ScalingPoint { elements, shape: vec![elements as usize], median_ms };
        // Small sizes take as long as each other, which says nothing of the kernel.
        let points = vec![point(1_000, 0.1), point(10_000, 0.1), point(1_000_000, 2.0), point(100_000_000, 200.0)];
        let slope = Scaling::new("mse", "f32", points.clone()).slope.unwrap();
        approx::assert_abs_diff_eq!(slope, 1.0, epsilon = 1e-12);
        assert_eq!(Scaling::new("mse", "f32", points[..3].to_vec()).slope, None);
    }

    #[test]
    fn reports_come_back_from_json() {
        let report = Report {
            version: VERSION,
            adapter: "an adapter".to_string(),
            driver: String::new(),
            kind: "CPU".to_string(),
            wgloss: "0.1.0".to_string(),
            date: "2026-11-23".to_string(),
            clock: ClockKind::SubmitToDone,
            tuning: Json::Null,
            copy_gb_per_s: None,
            results: Vec::new(),
            skipped: Vec::new(),
            scaling: vec![Scaling::new("mse", "f32", Vec::new())],
            peers: Vec::new(),
        };
        for reports in [vec![report.clone()], vec![report.clone(), report]] {
            let json = Report::list_to_json(&reports).unwrap();
            assert_eq!(Report::list_from_json(&json).unwrap(), reports);
        }
    }

    #[test]
    fn what_is_no_report_says_why() {
        let error = |text| Report::list_from_json(text).unwrap_err().to_string();
        assert_eq!(error(r#"{"version": 2}"#), "a report of version 2, where this is version 1");
        assert!(error("{").starts_with("not a report of wgloss bench: EOF"));
        assert!(error(r#"{"version": 1}"#).contains("missing field `adapter`"));
        assert!(error(r#"[{"version": 1}]"#).contains("missing field `adapter`"));
    }
}
