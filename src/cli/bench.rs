//! `wgloss bench`: how fast the losses are.

use std::path::PathBuf;

/// Which reports to compare.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Compare reports with the first of them instead of measuring; with one, show it.
    #[arg(long, num_args = 1.., required = true, value_name = "REPORT")]
    pub compare: Vec<PathBuf>,
    /// Write an HTML page.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}
