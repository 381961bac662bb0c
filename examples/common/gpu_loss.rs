//! What a training program needs of wgloss: a [`Plan`] bound once, recorded at every step.

use wgloss::{Gpu, Loss, Named, Output, Plan, Reduction, Tensor, TensorType};

/// A loss on the GPU for predictions of one shape: its plan, bound to tensors that stay there for the whole training.
pub struct GpuLoss {
    gpu: Gpu,
    prediction: Tensor,
    /// What the predictions are compared with.
    pub target: Tensor,
    output: Output,
}

impl GpuLoss {
    /// A loss whose first two inputs, the prediction and the target, have these types, whatever their names.
    pub fn new(
        gpu: &Gpu,
        loss: &dyn Loss,
        [prediction, target]: [TensorType; 2],
        reduction: Reduction,
    ) -> Result<Self, wgloss::Error> {
        let [first, second, ..] = loss.spec().inputs else { unreachable!("every loss offered has two inputs") };
        let types = Named::new().with(first.name, prediction.clone()).with(second.name, target.clone());
        let plan = Plan::new(gpu, loss, &types, reduction)?;

        // A framework with buffers of its own binds those with `Plan::bind`.
        let (prediction, target) = (Tensor::zeros(gpu, prediction)?, Tensor::zeros(gpu, target)?);
        let inputs = Named::new().with(first.name, prediction.clone()).with(second.name, target.clone());
        Ok(GpuLoss { gpu: gpu.clone(), prediction, target, output: plan.bind_tensors(&inputs)? })
    }

    /// The loss of a prediction, and its gradient with respect to the prediction.
    pub fn evaluate(&self, prediction: &[f32]) -> Result<(f64, Vec<f32>), wgloss::Error> {
        self.prediction.write(prediction)?;
        // If the network ran on the GPU too, its passes would go into this encoder, and the gradient would never be
        // read.
        let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
        self.output.record(&mut encoder);
        self.gpu.queue().submit([encoder.finish()]);
        let result = self.output.read_blocking()?;
        let (_, gradient) = result.gradients.iter().next().expect("the first input has a gradient");
        Ok((result.loss.item(), gradient.to_vec()?))
    }
}
