//! Options that the examples share.

use wgloss::Gpu;

/// What every example can be told.
#[derive(clap::Args)]
pub struct Common {
    /// Seed of all that is random
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// A part of the adapter's name, as `llvmpipe` or `vulkan:`; any adapter if empty
    #[arg(long, default_value = "")]
    adapter: String,
}

impl Common {
    pub fn gpu(&self) -> Result<Gpu, wgloss::Error> {
        Gpu::find_blocking(&self.adapter)
    }
}

/// Parses the step size of an optimiser.
pub fn learning_rate(text: &str) -> Result<f32, String> {
    number(text, "a finite number above 0", |rate| rate > 0.0 && rate.is_finite())
}

/// Parses the weight of a term.
pub fn not_negative(text: &str) -> Result<f32, String> {
    number(text, "a finite number of 0 or above", |weight| weight >= 0.0 && weight.is_finite())
}

/// Parses a part of a whole.
pub fn fraction(text: &str) -> Result<f32, String> {
    number(text, "from 0 to 1", |part| (0.0..=1.0).contains(&part))
}

fn number(text: &str, expected: &str, is_valid: impl Fn(f32) -> bool) -> Result<f32, String> {
    let number = text.parse().map_err(|error| format!("{error}"))?;
    if is_valid(number) { Ok(number) } else { Err(format!("it must be {expected}")) }
}
