//! What a step by wgloss computes, and what it should.

use wgloss::{Error, Loss, reference};

use super::case::{Checked, StepResult};
use crate::{
    inputs::Inputs,
    wgloss_step::{WglossStep, reduction},
};

/// What a step should compute: the result of the reference in f64.
pub fn truth(loss: &dyn Loss, inputs: &Inputs) -> Result<StepResult, Error> {
    let truth = reference::evaluate(loss, inputs, &reduction(loss).into())?;
    let rounded = |values: &[f64]| values.iter().map(|&value| value as f32).collect();
    let gradients = truth.gradients.iter().map(|(_, gradient)| rounded(gradient)).collect();
    Ok(StepResult { loss: rounded(&truth.loss), gradients })
}

impl Checked for WglossStep {
    fn result(&self) -> StepResult {
        let evaluation = self.output.read_blocking().expect("the inputs are in their domains");
        let gradients = evaluation.gradients.iter();
        StepResult {
            loss: evaluation.loss.to_vec().expect("losses are f32"),
            gradients: gradients.map(|(_, g)| g.to_vec().expect("gradients of f32 are f32")).collect(),
        }
    }
}
