//! What tests have in common.

pub mod adapters;
pub mod agreement;
pub mod bound;
pub mod caller;
pub mod device;
pub mod effort;
pub mod futures;
pub mod golden;
pub mod inputs;
pub mod tables;
