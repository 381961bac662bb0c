//! What the command prints: results on standard output, everything else on standard error.

use std::{
    fmt::Display,
    io::{self, Write},
};

use comfy_table::{ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value as Json;

use crate::error::CliError;

/// Prints a result. A reader that has closed the pipe has read enough.
pub fn print(text: impl Display) -> Result<(), CliError> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CliError::Stdout(error)),
        _ => Ok(()),
    }
}

/// Prints a machine-readable result.
pub fn print_json(value: &Json) -> Result<(), CliError> {
    print(format_args!("{value:#}"))
}

/// Tells something besides the result, on one line.
pub fn notice(text: impl Display) {
    let text = text.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    // Where standard error is closed, nobody wants to know.
    let _ = writeln!(io::stderr(), "wgloss: {}", lines.join(" "));
}

/// A progress bar on standard error, of nothing yet.
pub fn progress_bar(prefix: String) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {msg}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())).with_prefix(prefix)
}

/// A table with these column headings, as wide as the terminal at most.
pub fn table<const COLUMNS: usize>(headings: [&str; COLUMNS]) -> Table {
    let mut table = plain_table();
    table.load_preset(presets::UTF8_FULL_CONDENSED).set_header(headings);
    table
}

/// Names and their values, a line each.
pub fn properties<N: Into<String>>(rows: impl IntoIterator<Item = (N, String)>) -> String {
    let mut table = plain_table();
    table.load_preset(presets::NOTHING);
    table.add_rows(rows.into_iter().map(|(name, value)| [name.into(), value]));
    table.trim_fmt()
}

fn plain_table() -> Table {
    let mut table = Table::new();
    // Into a file or a pipe, every row is one line.
    if let Some((_, width)) = console::Term::stdout().size_checked() {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table
}

/// A number for people: as many digits as an f32 has.
pub fn digits(x: f64) -> String {
    format!("{:?}", x as f32)
}

/// A number as JSON, which has no NaN and no infinity: these are the strings `NaN`, `inf` and `-inf`.
pub fn json_number(x: f64) -> Json {
    if x.is_finite() { x.into() } else { x.to_string().into() }
}
