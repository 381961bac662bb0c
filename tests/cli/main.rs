//! The `wgloss` command, as a user runs it.

mod command;
mod files;

mod bench;
mod choose;
mod commands;
mod compare_reports;
mod custom;
mod diagnose;
#[cfg(target_os = "linux")]
mod gpu_script;
mod plot;
mod readme;
mod tensors;
mod tune;
