//! What the examples share, also with the pictures that `wgloss plot` draws.

#![allow(dead_code, reason = "none of them uses all of it")]

pub mod arguments;
pub mod digits;
pub mod gpu_loss;
pub mod network;
pub mod random;
pub mod training;

use std::path::Path;

/// Writes a file, and the folders above it.
pub fn write(path: &Path, text: &str) -> Result<(), String> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(path, text));
    written.map_err(|error| format!("{} cannot be written: {error}", path.display()))
}
