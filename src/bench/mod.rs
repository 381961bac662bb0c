//! How fast kernels are: device times of losses beside a copy of as many bytes, and reports of them.
//!
//! [`Bench`] measures; a [`Report`] holds what it measured, as data and as JSON; a [`Comparison`] puts reports beside
//! each other. [`Gpu::tune`](crate::Gpu::tune) measures which layout of kernels is the fastest on a device; a
//! [`SavedTuning`] keeps it for the next run.

mod by_kernel;
mod case;
mod clock;
mod compare;
mod copy;
mod measure;
mod report;
mod saved_tuning;
mod times;
mod tune;
mod tune_search;

pub use by_kernel::KernelTime;
pub use case::Case;
pub use clock::Clock;
pub use compare::{Change, ComparedCase, Comparison, Entry, LEAST_CHANGE, Peer};
pub use copy::Copy;
pub use measure::{Bench, SCALING_ELEMENTS};
pub use report::{
    ClockKind, Measurement, PeerMeasurement, Report, ReportError, Scaling, ScalingPoint, Skipped, VERSION,
};
pub use saved_tuning::{CACHE_DIR, SavedTuning, TuningFileError};
pub use times::{Precision, Step, Times, in_turns};
pub use tune::{CaseTimes, Trial, TuningRun, VariantTime};
