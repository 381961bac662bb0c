//! What the examples share.

#![allow(dead_code, reason = "none of them uses all of it")]

#[path = "../../../examples/common/arguments.rs"]
pub mod arguments;
#[path = "../../../examples/common/chart.rs"]
pub mod chart;
#[path = "../../../examples/common/digits.rs"]
pub mod digits;
#[path = "../../../examples/common/program.rs"]
pub mod program;
pub mod report;
pub mod tensors;
pub mod time;
pub mod watch;
