//! How fast kernels are: device times of losses beside a copy of as many bytes, and reports of them.

mod compare;
mod report;

pub use compare::{Case, Change, Comparison, Entry, LEAST_CHANGE, Peer};
pub use report::{ClockKind, Measurement, PeerMeasurement, Report, ReportError, Scaling, ScalingPoint, VERSION};
