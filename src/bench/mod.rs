//! How fast kernels are: device times of losses beside a copy of as many bytes, and reports of them.

mod report;

pub use report::{ClockKind, Measurement, PeerMeasurement, Report, ReportError, Scaling, ScalingPoint, VERSION};
