//! What a training program needs of wgloss: a [`Plan`] bound once, recorded at every step.

use wgloss::{Gpu, Loss, Mining, Named, Options, Output, Plan, Tensor, TensorType};

/// A loss on the GPU for predictions of one shape: its plan, bound to tensors that stay there for the whole training.
pub struct GpuLoss {
    gpu: Gpu,
    predictions: Vec<Tensor>,
    /// What the predictions are compared with: the first input that has no gradient, or the last where all have one.
    pub target: Tensor,
    output: Output,
}

/// What one evaluation gave.
pub struct Step {
    pub loss: f64,
    /// The gradient with respect to the predictions, if it is computed.
    pub gradient: Vec<f32>,
    /// Of a triplet loss.
    pub mining: Option<Mining>,
    /// Of a loss that is a sum.
    pub terms: Named<f32>,
}

impl GpuLoss {
    /// A loss whose first inputs have these types, whatever their names.
    pub fn new(
        gpu: &Gpu,
        loss: &dyn Loss,
        types: &[TensorType],
        options: impl Into<Options>,
    ) -> Result<Self, wgloss::Error> {
        let given = || loss.spec().inputs.iter().zip(types);
        let types = given().map(|(input, ty)| (input.name.to_string(), ty.clone())).collect();
        let plan = Plan::new(gpu, loss, &types, options)?;

        // A framework with buffers of its own binds those with `Plan::bind`.
        let tensors = given().map(|(_, ty)| Tensor::zeros(gpu, ty.clone())).collect::<Result<Vec<_>, _>>()?;
        let named: Named<Tensor> =
            given().zip(&tensors).map(|((input, _), tensor)| (input.name.to_string(), tensor.clone())).collect();
        let of_kind = |differentiable| {
            let inputs = given().zip(&tensors).filter(move |((input, _), _)| input.differentiable == differentiable);
            inputs.map(|(_, tensor)| tensor)
        };
        Ok(GpuLoss {
            gpu: gpu.clone(),
            predictions: of_kind(true).cloned().collect(),
            target: of_kind(false).next().or(tensors.last()).expect("every loss has an input").clone(),
            output: plan.bind_tensors(&named)?,
        })
    }

    /// How many values the predictions have.
    pub fn predictions(&self) -> usize {
        self.predictions.iter().map(|tensor| tensor.shape().iter().product::<usize>()).sum()
    }

    /// The loss of predictions, and its gradient with respect to them. Where several inputs are predictions, such as
    /// two views of the same samples, or a reconstruction and latent variables, one follows the other, here and in the
    /// gradient.
    pub fn evaluate(&self, predictions: &[f32]) -> Result<Step, wgloss::Error> {
        let mut rest = predictions;
        for tensor in &self.predictions {
            let (values, others) = rest.split_at(tensor.shape().iter().product());
            tensor.write(values)?;
            rest = others;
        }
        // If the network ran on the GPU too, its passes would go into this encoder, and the gradient would never be
        // read.
        let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
        self.output.record(&mut encoder);
        self.gpu.queue().submit([encoder.finish()]);
        let result = self.output.read_blocking()?;
        let mut gradient = Vec::new();
        for (_, values) in result.gradients.iter() {
            gradient.extend(values.to_vec::<f32>()?);
        }
        Ok(Step { loss: result.loss.item(), gradient, mining: result.mining(), terms: result.terms() })
    }
}
