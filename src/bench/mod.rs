//! How fast kernels are: device times of losses beside a copy of as many bytes, and reports of them.
//!
//! [`Bench`] measures; a [`Report`] holds what it measured, as data and as JSON; a [`Comparison`] puts reports beside each
//! other.

mod case;
mod clock;
mod compare;
mod copy;
mod measure;
mod report;
mod times;

pub use case::Case;
pub use clock::Clock;
pub use compare::{Change, ComparedCase, Comparison, Entry, LEAST_CHANGE, Peer};
pub use copy::Copy;
pub use measure::{Bench, SCALING_ELEMENTS};
pub use report::{
    ClockKind, Measurement, PeerMeasurement, Report, ReportError, Scaling, ScalingPoint, Skipped, VERSION,
};
pub use times::{Precision, Step, Times, in_turns};
