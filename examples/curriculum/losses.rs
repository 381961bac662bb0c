//! A classifier's loss on the GPU, with a weight for each sample that its difficulty gives.

use wgloss::{
    BufferSlice, CrossEntropy, DType, Gpu, Named, Plan, Reduction, Tensor, TensorType,
    ops::{BoundOp, Curriculum, Operation},
};

use crate::common::digits::CLASSES;

/// The weights of a batch and its loss, bound to tensors that stay on the device for the whole training.
pub struct Losses {
    gpu: Gpu,
    difficulty: Tensor,
    logits: Tensor,
    target: Tensor,
    gradient: Tensor,
    curriculum: BoundOp<Curriculum>,
    loss: wgloss::BoundPlan,
}

impl Losses {
    pub fn new(gpu: &Gpu, batch: usize) -> Result<Self, wgloss::Error> {
        let of_samples = TensorType::new(DType::F32, [batch]);
        let zeros = |ty: &TensorType| Tensor::zeros(gpu, ty.clone());
        let (difficulty, weight) = (zeros(&of_samples)?, zeros(&of_samples)?);
        let samples = Named::<Tensor>::new().with("difficulty", difficulty.clone()).with("weight", weight.clone());
        let types = samples.map(|tensor| tensor.ty().clone());
        let curriculum = Curriculum { progress: 1.0 }.plan(gpu, &types)?.bind_tensors(&samples)?;

        let types = Named::<TensorType>::new()
            .with("logits", TensorType::new(DType::F32, [batch, CLASSES]))
            .with("target", TensorType::new(DType::I32, [batch]))
            .with("weight", of_samples);
        let plan = Plan::new(gpu, &CrossEntropy::default(), &types, Reduction::Mean)?;
        let type_of = |name: &str| types.get(name).expect("it was just given");
        let (logits, target, gradient) =
            (zeros(type_of("logits"))?, zeros(type_of("target"))?, zeros(type_of("logits"))?);
        let value = zeros(&TensorType::new(DType::F32, []))?;
        let loss = plan.bind(
            &Named::<BufferSlice<'_>>::new()
                .with("logits", &logits)
                .with("target", &target)
                .with("weight", &weight)
                .with("grad.logits", &gradient)
                .with("loss", &value),
        )?;
        Ok(Losses { gpu: gpu.clone(), difficulty, logits, target, gradient, curriculum, loss })
    }

    /// Sets up to which difficulty samples count from now on.
    pub fn set_progress(&self, progress: f32) -> Result<(), wgloss::Error> {
        self.curriculum.set_progress(progress)
    }

    /// The gradient of a batch with respect to its logits. Weights and loss are one submit, without a readback between.
    pub fn gradient(&self, logits: &[f32], labels: &[i32], difficulty: &[f32]) -> Result<Vec<f32>, wgloss::Error> {
        self.logits.write(logits)?;
        self.target.write(labels)?;
        self.difficulty.write(difficulty)?;
        let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
        self.curriculum.record(&mut encoder);
        self.loss.record(&mut encoder);
        self.gpu.queue().submit([encoder.finish()]);
        self.gradient.read_blocking()?.to_vec::<f32>()
    }
}
