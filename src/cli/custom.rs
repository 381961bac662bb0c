//! Losses of one's own, of a file with their hooks.

use std::{fs, path::Path};

use wgloss::{CustomLoss, Loss, spec::LossSpec};

use crate::error::CliError;

/// How such a file is written.
pub const HELP: &str = "\
A file of your own, such as charbonnier.wgsl, is a loss called as the file is. Comments in it declare its parameters, \
which `above 0`, `at least 0` or `from 0 to 1` may follow, and what its target is checked to be:
  // param epsilon = 1e-3 above 0
  // target at least 0
  fn loss_and_grad(p: f32, t: f32) -> vec2<f32> {
      let root = sqrt((p - t) * (p - t) + params.epsilon * params.epsilon);
      return vec2<f32>(root, (p - t) / root);
  }
With this function it is a loss of elements of the inputs `prediction` and `target`, with `row_outcome` and \
`class_gradient` one of rows of `logits` and class indices `target`; `weight` and `mask` it has too. docs/own_loss.md \
says more. It has no reference in f64: `parity` holds its gradients to differences of the loss.";

/// The loss of a file.
pub fn read(path: &Path) -> Result<&'static LossSpec, CliError> {
    let wgsl = fs::read_to_string(path).map_err(|source| CliError::Read { path: path.to_path_buf(), source })?;
    // Some editors begin a file with it.
    let wgsl = wgsl.strip_prefix('\u{feff}').unwrap_or(&wgsl);
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let loss = CustomLoss::annotated(&name, &path.to_string_lossy(), wgsl)?.build()?;
    Ok(loss.spec())
}
