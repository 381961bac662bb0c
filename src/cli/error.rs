//! What can go wrong on the command line, and the exit code that says so.

use std::{io, path::PathBuf, process::ExitCode};

use safetensors::{Dtype, SafeTensorError};
use wgloss::bench::ReportError;

use crate::choose::error::ChooseError;

/// An error that ends the command.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The library's own errors.
    #[error(transparent)]
    Loss(#[from] wgloss::Error),
    /// A tuning could not be saved or removed.
    #[error(transparent)]
    Tuning(#[from] wgloss::bench::TuningFileError),
    /// No loss was chosen.
    #[error(transparent)]
    Choose(#[from] ChooseError),
    /// A file could not be read.
    #[error("{path}: {source}", path = path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A file is truncated, or no safetensors file at all.
    #[error("{path}: not a valid safetensors file: {source}", path = path.display())]
    Invalid { path: PathBuf, source: SafeTensorError },
    /// A file could not be written.
    #[error("{path}: cannot be written: {source}", path = path.display())]
    Write { path: PathBuf, source: SafeTensorError },
    /// A text file could not be written.
    #[error("{path}: cannot be written: {source}", path = path.display())]
    WriteText { path: PathBuf, source: io::Error },
    /// A report cannot be written as JSON.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A file holds no report of a benchmark.
    #[error("{path}: {source}", path = path.display())]
    NotAReport { path: PathBuf, source: ReportError },
    /// The output would replace the input.
    #[error("{path}: the output must not be the input file", path = path.display())]
    OverwritesInput { path: PathBuf },
    /// The output would replace a device or a directory.
    #[error("{path}: the output must be a regular file", path = path.display())]
    NotAFile { path: PathBuf },
    /// A file stands where files are to be written.
    #[error("{path}: the output must be a directory", path = path.display())]
    NotADirectory { path: PathBuf },
    /// A tensor's numbers are of a type that no loss takes.
    #[error("{path}: `{tensor}` is {found}, which no loss takes", path = path.display())]
    Type { path: PathBuf, tensor: String, found: Dtype },
    /// A check was asked for where the reference evaluates.
    #[error("`--check` compares an adapter with the reference: with `--adapter cpu` there is nothing to check")]
    NothingToCheck,
    /// The digits that come with the command cannot be read.
    #[error("the handwritten digits of this program: {0}")]
    Digits(Box<dyn std::error::Error>),
    /// Standard output cannot be written.
    #[error("standard output: {0}")]
    Stdout(io::Error),
}

impl CliError {
    /// The exit code: 3 where the adapter, the device or a kernel of ours is at fault, 2 where the input is.
    pub fn exit_code(&self) -> ExitCode {
        use wgloss::Error::{DeviceLost, NoAdapter, NoDevice, OutOfMemory, Refused, Shader};
        match self {
            CliError::Loss(
                NoAdapter { .. }
                | NoDevice { .. }
                | DeviceLost { .. }
                | OutOfMemory { .. }
                | Refused { .. }
                | Shader { built_in: true, .. },
            )
            | CliError::NothingToCheck => ExitCode::from(3),
            _ => ExitCode::from(2),
        }
    }
}
