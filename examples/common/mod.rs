//! What the examples share, also with the pictures that `wgloss plot` draws.

#![allow(dead_code, reason = "none of them uses all of it")]

pub mod arguments;
pub mod digits;
pub mod gpu_loss;
pub mod network;
pub mod program;
pub mod random;
pub mod training;
