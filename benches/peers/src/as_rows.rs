//! Logits of shape `[N, C, d]` for a loss that takes rows only.

use crate::step::{Step, StepResult};

/// A step whose inputs were brought into rows before: its gradient goes back to the layout of the logits.
pub struct AsRows<S> {
    pub step: S,
    /// N, C and d.
    pub sizes: [usize; 3],
}

impl<S: Step> Step for AsRows<S> {
    fn run(&mut self) {
        self.step.run();
    }

    fn result(&self) -> StepResult {
        back(self.step.result(), self.sizes)
    }
}

/// A result for rows in the layout of the logits.
pub fn back(rows: StepResult, [batch, classes, inner]: [usize; 3]) -> StepResult {
    StepResult { gradient: classes_last(&rows.gradient, [batch, inner, classes]), ..rows }
}

/// From `[N, C, d]` to `[N, d, C]`.
pub fn classes_last(values: &[f32], [batch, classes, inner]: [usize; 3]) -> Vec<f32> {
    let at = |n, i, c| values[(n * classes + c) * inner + i];
    (0..batch).flat_map(|n| (0..inner).flat_map(move |i| (0..classes).map(move |c| at(n, i, c)))).collect()
}
