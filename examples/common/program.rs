//! How the examples show that they go on, keep what they have drawn, and end.

use std::{error::Error, path::Path, process::ExitCode};

use indicatif::{ProgressBar, ProgressStyle};

/// A bar that counts the epochs or steps of training.
pub fn progress(count: u32, unit: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(&format!("{{bar:30}} {unit} {{pos}}/{{len}}  {{msg}}"));
    ProgressBar::new(count.into()).with_style(style.expect("the template is valid"))
}

/// Writes a file, and the folders above it.
pub fn write(path: &Path, text: &str) -> Result<(), String> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(path, text));
    written.map_err(|error| format!("{} cannot be written: {error}", path.display()))
}

/// The end of a program, which tells on standard error why it failed.
pub fn exit(result: Result<(), Box<dyn Error>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
