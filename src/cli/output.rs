//! What the command prints: results on standard output, everything else on standard error.

use std::{
    fmt::Display,
    fs,
    io::{self, Write},
    path::Path,
};

use comfy_table::{Cell, ContentArrangement, Row, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value as Json;

use crate::error::CliError;

/// How a command prints its result.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Format {
    /// Print the result as JSON.
    #[arg(long, display_order = 100)]
    pub json: bool,
}

/// Prints a result. A reader that has closed the pipe has read enough.
pub fn print(text: impl Display) -> Result<(), CliError> {
    match writeln!(io::stdout(), "{}", escaped(&text.to_string())) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CliError::Stdout(error)),
        _ => Ok(()),
    }
}

/// Prints a machine-readable result.
pub fn print_json(value: &Json) -> Result<(), CliError> {
    print(format_args!("{value:#}"))
}

/// Refuses an output file whose writing would destroy something else than an earlier output.
pub fn check_file(output: &Path, input: &Path) -> Result<(), CliError> {
    if output.exists() && !output.is_file() {
        return Err(CliError::NotAFile { path: output.to_path_buf() });
    }
    match (fs::canonicalize(output), fs::canonicalize(input)) {
        (Ok(output), Ok(found)) if output == found && !is_standard(input) => {
            Err(CliError::OverwritesInput { path: output })
        }
        _ => Ok(()),
    }
}

/// The text with control characters, but for line ends, as JSON escapes them: names come from files and other programs,
/// and a terminal obeys what it is sent.
pub fn escaped(text: &str) -> String {
    let is_plain = |c: char| !c.is_control() || c == '\n';
    if text.chars().all(is_plain) {
        return text.to_string();
    }
    text.chars().fold(String::new(), |mut escaped, c| {
        if is_plain(c) {
            escaped.push(c);
        } else {
            escaped += &format!("\\u{:04x}", u32::from(c));
        }
        escaped
    })
}

/// Whether a path means standard input or output.
pub fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Refuses an output file that cannot be written, before a result is worked for. What is in it stays.
pub fn check_writable(path: &Path) -> Result<(), CliError> {
    match fs::OpenOptions::new().create(true).append(true).open(path) {
        Ok(_) => Ok(()),
        Err(source) => Err(CliError::WriteText { path: path.to_path_buf(), source }),
    }
}

/// Writes a text to a file.
pub fn write(path: &Path, text: &str) -> Result<(), CliError> {
    fs::write(path, text).map_err(|source| CliError::WriteText { path: path.to_path_buf(), source })
}

/// Whether a path is a file that another may take the place of, rather than a link or a device.
pub fn is_ordinary(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_file())
}

/// Puts a text in the place of a file, so that nobody ever finds a part of it.
pub fn replace(path: &Path, text: &str) -> Result<(), CliError> {
    let mut part = path.as_os_str().to_os_string();
    part.push(".part");
    write(Path::new(&part), text)?;
    fs::rename(&part, path).map_err(|source| CliError::WriteText { path: path.to_path_buf(), source })
}

/// Tells something besides the result, on one line.
pub fn notice(text: impl Display) {
    let text = escaped(&text.to_string());
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    // Where standard error is closed, nobody wants to know.
    let _ = writeln!(io::stderr(), "wgloss: {}", lines.join(" "));
}

/// A table with these column headings, as wide as the terminal at most.
pub fn table(headings: impl IntoIterator<Item = impl Into<Cell>>) -> Table {
    let mut table = plain_table();
    table.load_preset(presets::UTF8_FULL_CONDENSED).set_header(Row::from(headings));
    table
}

/// Names and their values, a line each.
pub fn properties<N: Into<String>>(rows: impl IntoIterator<Item = (N, String)>) -> String {
    let mut table = plain_table();
    table.load_preset(presets::NOTHING);
    table.add_rows(rows.into_iter().map(|(name, value)| [name.into(), value]));
    table.trim_fmt()
}

/// A progress bar on standard error, with `prefix` in front.
pub fn progress(prefix: String) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {msg}");
    let bar = ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_prefix(escaped(&prefix));
    bar
}

fn plain_table() -> Table {
    let mut table = Table::new();
    // Into a file or a pipe, every row is one line.
    if let Some((_, width)) = console::Term::stdout().size_checked() {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table
}

/// The lengths of axes, as `4096×1000`.
pub fn shape(shape: &[usize]) -> String {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join("×")
}

/// A number for people: as many digits as an f32 has.
pub fn digits(x: f64) -> String {
    format!("{:?}", x as f32)
}

/// A number as JSON, which has no NaN and no infinity: these are the strings `NaN`, `inf` and `-inf`.
pub fn json_number(x: f64) -> Json {
    if x.is_finite() { x.into() } else { x.to_string().into() }
}
