//! The `wgloss` command, as a user runs it.

mod command;
mod files;

mod bench;
mod commands;
mod compare_reports;
mod diagnose;
mod readme;
mod tensors;
mod tune;
