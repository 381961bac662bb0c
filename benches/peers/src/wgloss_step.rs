//! A step by wgloss, and what it should compute.

use burn::tensor::wgpu::wgpu::PollType;
use wgloss::{Error, Gpu, Loss, Output, Plan, Reduction, Tensor, reference};

use crate::{
    inputs::Inputs,
    step::{Step, StepResult},
};

/// A plan over tensors of its own, recorded and submitted anew in each run.
pub struct WglossStep {
    gpu: Gpu,
    output: Output,
}

impl WglossStep {
    pub fn new(gpu: &Gpu, loss: &dyn Loss, inputs: &Inputs) -> Result<Self, Error> {
        let plan = Plan::new(gpu, loss, &inputs.map(|input| input.ty().clone()), reduction(loss))?;
        let tensors = inputs.iter().map(|(name, input)| Ok((name.to_string(), Tensor::from_host(gpu, input)?)));
        let output = plan.bind_tensors(&tensors.collect::<Result<_, Error>>()?)?;
        Ok(WglossStep { gpu: gpu.clone(), output })
    }
}

/// The mean, or that of samples, which all have but functions of a value per class.
fn reduction(loss: &dyn Loss) -> Reduction {
    let has = |reduction: &Reduction| loss.spec().reductions().any(|known| known == *reduction);
    [Reduction::Mean, Reduction::BatchMean].into_iter().find(has).unwrap_or(Reduction::None)
}

/// What a step should compute: the result of the reference in f64.
pub fn truth(loss: &dyn Loss, inputs: &Inputs) -> Result<StepResult, Error> {
    let truth = reference::evaluate(loss, inputs, &reduction(loss).into())?;
    let rounded = |values: &[f64]| values.iter().map(|&value| value as f32).collect();
    let gradients = truth.gradients.iter().map(|(_, gradient)| rounded(gradient)).collect();
    Ok(StepResult { loss: rounded(&truth.loss), gradients })
}

impl Step for WglossStep {
    fn run(&mut self) {
        let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
        self.output.record(&mut encoder);
        self.gpu.queue().submit([encoder.finish()]);
        self.gpu.device().poll(PollType::wait_indefinitely()).expect("the device works");
    }

    fn result(&self) -> StepResult {
        let evaluation = self.output.read_blocking().expect("the inputs are in their domains");
        let gradients = evaluation.gradients.iter();
        StepResult {
            loss: evaluation.loss.to_vec().expect("losses are f32"),
            gradients: gradients.map(|(_, g)| g.to_vec().expect("gradients of f32 are f32")).collect(),
        }
    }
}
