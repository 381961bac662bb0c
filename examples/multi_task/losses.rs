//! The losses of the tasks on the GPU, weighed there and recorded as one step.

use wgloss::{
    BoundJoint, BufferSlice, CeDice, DType, Giou, Gpu, Huber, JointPlan, Loss, Named, Plan, Reduction, Tensor,
    TensorType, UncertaintyWeighting, WeightedSum,
    ops::{BoundOp, GradNorm, Operation},
};

use crate::{
    network::TASKS,
    scenes::{CLASSES, PIXELS, Scenes, WIDTH},
};

/// How tasks are weighed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weighting {
    /// All by 1.
    Fixed,
    /// By variances that are learnt.
    Uncertainty,
    /// So that the norms of their gradients are balanced.
    GradNorm,
}

impl Weighting {
    pub const ALL: [Weighting; 3] = [Weighting::Fixed, Weighting::Uncertainty, Weighting::GradNorm];

    pub fn name(self) -> &'static str {
        match self {
            Weighting::Fixed => "fixed",
            Weighting::Uncertainty => "uncertainty",
            Weighting::GradNorm => "GradNorm",
        }
    }
}

/// The step of the logarithms of variances.
const LOG_VAR_STEP: f32 = 0.02;
/// The step of balanced weights, which is multiplied with norms of gradients.
const WEIGHT_STEP: f32 = 0.002;

/// What the losses of the tasks gave.
pub struct Step {
    /// By the predictions of each task.
    pub gradients: [Vec<f32>; 3],
    /// What the tasks counted for.
    pub weights: Vec<f32>,
}

/// The joint plan, bound to tensors that stay on the device for the whole training.
pub struct Losses {
    gpu: Gpu,
    weighting: Weighting,
    /// Of each task the predictions, the targets and the gradient.
    tensors: Vec<[Tensor; 3]>,
    /// The weights, or the logarithms of variances.
    parameters: Tensor,
    parameter_gradient: Tensor,
    joint: BoundJoint,
    balance: BoundOp<GradNorm>,
    initial_losses: Tensor,
    gradient_norms: Tensor,
    is_first: bool,
}

impl Losses {
    /// For batches of so many scenes.
    pub fn new(gpu: &Gpu, weighting: Weighting, batch: usize) -> Result<Self, wgloss::Error> {
        let floats = |shape: &[usize]| TensorType::new(DType::F32, shape);
        let giou = Giou::default();
        let (ce_dice, huber) = (CeDice::default(), Huber { delta: 0.1 });
        let tasks: [(&dyn Loss, TensorType, TensorType); 3] = [
            (&ce_dice, floats(&[batch, CLASSES, WIDTH, WIDTH]), TensorType::new(DType::I32, [batch, WIDTH, WIDTH])),
            (&huber, floats(&[batch, PIXELS]), floats(&[batch, PIXELS])),
            (&giou, floats(&[batch, 4]), floats(&[batch, 4])),
        ];
        let (mut plans, mut tensors) = (Named::<Plan>::new(), Vec::new());
        for (name, (loss, prediction, target)) in TASKS.into_iter().zip(tasks) {
            // What the gradient is multiplied with comes from the device.
            let types = Named::<TensorType>::new()
                .with("prediction", prediction.clone())
                .with("target", target.clone())
                .with("upstream", floats(&[1]));
            plans = plans.with(name, Plan::new(gpu, loss, &types, Reduction::Mean)?);
            let [first, second, third] = [prediction.clone(), target, prediction].map(|ty| Tensor::zeros(gpu, ty));
            tensors.push([first?, second?, third?]);
        }

        let (loss, name, first): (&dyn Loss, &str, f32) = match weighting {
            Weighting::Uncertainty => (&UncertaintyWeighting, "log_vars", 0.0),
            Weighting::Fixed | Weighting::GradNorm => (&WeightedSum, "weights", 1.0),
        };
        let of_tasks = |value: f32| Tensor::from_host(gpu, &[value; TASKS.len()]);
        let (parameters, parameter_gradient) = (of_tasks(first)?, of_tasks(0.0)?);
        let plan = JointPlan::new(gpu, loss, &plans, &Named::new().with(name, parameters.ty().clone()))?;
        let bindings = TASKS.iter().zip(&tensors).map(|(task, [prediction, target, gradient])| {
            let tensors = Named::<BufferSlice<'_>>::new()
                .with("prediction", prediction)
                .with("target", target)
                .with("grad.prediction", gradient);
            (task.to_string(), tensors)
        });
        let own =
            Named::<BufferSlice<'_>>::new().with(name, &parameters).with(format!("grad.{name}"), &parameter_gradient);
        let joint = plan.bind(&bindings.collect(), &own)?;

        // The weights of the sum are the ones that are balanced, and the losses those of the joint plan.
        let (initial_losses, gradient_norms) = (of_tasks(1.0)?, of_tasks(1.0)?);
        let balanced = Named::<Tensor>::new()
            .with("losses", joint.losses().clone())
            .with("initial_losses", initial_losses.clone())
            .with("gradient_norms", gradient_norms.clone())
            .with("weights", parameters.clone());
        let balance = GradNorm::new(WEIGHT_STEP).plan(gpu, &balanced.map(|tensor| tensor.ty().clone()))?;
        Ok(Losses {
            gpu: gpu.clone(),
            weighting,
            tensors,
            parameters,
            parameter_gradient,
            joint,
            balance: balance.bind_tensors(&balanced)?,
            initial_losses,
            gradient_norms,
            is_first: true,
        })
    }

    /// The losses of predictions, and their weighed gradients. A network on the GPU would be recorded into the same
    /// encoder, and no gradient would be read.
    pub fn evaluate(&mut self, predictions: &[Vec<f32>; 3], scenes: &Scenes) -> Result<Step, wgloss::Error> {
        for ([tensor, ..], values) in self.tensors.iter().zip(predictions) {
            tensor.write(values)?;
        }
        self.tensors[0][1].write(&scenes.classes)?;
        self.tensors[1][1].write(&scenes.depths)?;
        self.tensors[2][1].write(&scenes.boxes)?;
        self.submit(|encoder| self.joint.record(encoder));
        let weights = self.joint.weights().read_blocking()?.to_vec::<f32>()?;
        let mut gradients = self.tensors.iter().map(|[.., gradient]| gradient.read_blocking()?.to_vec::<f32>());
        let mut next = || gradients.next().unwrap_or_else(|| Ok(Vec::new()));
        Ok(Step { gradients: [next()?, next()?, next()?], weights })
    }

    /// Changes the weights, where they change, by what the last step left on the device and by the norms of the tasks'
    /// gradients.
    pub fn reweigh(&mut self, weights: &[f32], norms: [f32; 3]) -> Result<(), wgloss::Error> {
        match self.weighting {
            Weighting::Fixed => {}
            Weighting::Uncertainty => {
                let slopes = self.parameter_gradient.read_blocking()?.to_vec::<f32>()?;
                let log_vars = self.parameters.read_blocking()?.to_vec::<f32>()?;
                let step = |(s, slope): (&f32, &f32)| s - LOG_VAR_STEP * slope;
                self.parameters.write(&log_vars.iter().zip(&slopes).map(step).collect::<Vec<f32>>())?;
            }
            Weighting::GradNorm => {
                if self.is_first {
                    self.initial_losses.write(&self.joint.losses().read_blocking()?)?;
                }
                // The gradients are weighed already.
                let unweighed: Vec<f32> = norms.iter().zip(weights).map(|(norm, weight)| norm / weight).collect();
                self.gradient_norms.write(&unweighed)?;
                self.submit(|encoder| self.balance.record(encoder));
            }
        }
        self.is_first = false;
        Ok(())
    }

    /// That the whole training was as it should be: no target out of range, no weight that cannot be.
    pub fn check(&self) -> Result<(), wgloss::Error> {
        self.joint.read_status_blocking()?;
        if self.weighting == Weighting::GradNorm {
            self.balance.read_blocking()?;
        }
        Ok(())
    }

    fn submit(&self, record: impl FnOnce(&mut wgpu::CommandEncoder)) {
        let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
        record(&mut encoder);
        self.gpu.queue().submit([encoder.finish()]);
    }
}
