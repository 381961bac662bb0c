//! Errors against the reference, as text and JSON.

use serde_json::{Value as Json, json};
use wgloss::parity::{Comparison, TOLERANCE, Worst};

use crate::output;

/// The error, as a part of the largest magnitude and in units in the last place of an f32.
pub fn text(worst: Worst) -> String {
    format!("{:.1e} ({:.1} ulp)", worst.relative, worst.ulps)
}

/// The error as JSON.
pub fn json(worst: Worst) -> Json {
    json!({ "relative": output::json_number(worst.relative), "ulps": output::json_number(worst.ulps) })
}

/// What errors may be, as JSON.
pub fn tolerance_json() -> Json {
    json!({ "loss": TOLERANCE.loss, "gradient": TOLERANCE.gradient })
}

/// The comparison of an evaluation as JSON.
pub fn comparison_json(comparison: &Comparison) -> Json {
    json!({
        "passed": comparison.failures.is_empty(),
        "tolerance": tolerance_json(),
        "loss_error": json(comparison.loss_error),
        "gradient_error": json(comparison.gradient_error),
        "failures": comparison.failures,
    })
}
