//! A step by wgloss.

use wgloss::{Error, Gpu, Loss, Output, Plan, Reduction, Tensor, wgpu::PollType};

use crate::{inputs::Inputs, step::Step};

/// A plan over tensors of its own, recorded and submitted anew in each run.
pub struct WglossStep {
    gpu: Gpu,
    pub output: Output,
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
pub fn reduction(loss: &dyn Loss) -> Reduction {
    let has = |reduction: &Reduction| loss.spec().reductions().any(|known| known == *reduction);
    [Reduction::Mean, Reduction::BatchMean].into_iter().find(has).unwrap_or(Reduction::None)
}

impl Step for WglossStep {
    fn run(&mut self) {
        let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
        self.output.record(&mut encoder);
        self.gpu.queue().submit([encoder.finish()]);
        self.gpu.device().poll(PollType::wait_indefinitely()).expect("the device works");
    }
}
