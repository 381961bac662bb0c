//! Losses of several tasks, weighed on the device and recorded as one.

mod bind;
mod bound;
pub(crate) mod copy;
mod sharing;

pub use bound::{BoundJoint, JointStatus};

use std::sync::Arc;

use crate::{
    DType, Error, Gpu, Loss, Named, Options, Plan, Reduction, TensorType,
    drivers::gradient_name,
    spec::{Input, UPSTREAM},
};

/// The input of a weighting that holds the losses of the tasks.
const LOSSES: &str = "losses";
/// The result of a plan.
const LOSS: &str = "loss";

/// Plans of several losses, the *tasks*, and a loss of their losses, the *weighting*, prepared together.
///
/// The weighting is [`WeightedSum`](crate::WeightedSum), [`UncertaintyWeighting`](crate::UncertaintyWeighting) or any
/// loss with an input `losses` `[K]`, of whose sum the gradient by a task's loss is that task's weight. Each task gets
/// its weight as its `upstream`, so that the gradients of all tasks are those of the joint loss, and so are those of
/// what the weighting learns. Weights must not depend on the losses themselves: they are taken where all losses are 0.
///
/// A step is recorded into one encoder, and nothing is read back between its parts. Losses of several tasks that have a
/// gradient by the same tensor share its buffer: the first task writes, the others have
/// [`Gradients::Add`](crate::Gradients::Add).
///
/// ```
/// use wgloss::{
///     BufferSlice, DType, Gpu, Huber, JointPlan, Mse, Named, Plan, Reduction, Tensor, TensorType,
///     UncertaintyWeighting,
/// };
/// let gpu = Gpu::new_blocking()?;
/// let ty = TensorType::new(DType::F32, [4]);
/// let one = TensorType::new(DType::F32, [1]);
/// // What a task's gradients are multiplied with comes from the device.
/// let types = Named::new().with("prediction", ty.clone()).with("target", ty.clone()).with("upstream", one);
/// let tasks = Named::<Plan>::new()
///     .with("depth", Plan::new(&gpu, &Huber::default(), &types, Reduction::Mean)?)
///     .with("height", Plan::new(&gpu, &Mse, &types, Reduction::Mean)?);
/// let of_two = Named::new().with("log_vars", TensorType::new(DType::F32, [2]));
/// let joint = JointPlan::new(&gpu, &UncertaintyWeighting, &tasks, &of_two)?;
///
/// let tensor = |value: f32| Tensor::from_host(&gpu, &[value; 4]);
/// let (target, depth, height) = (tensor(0.0)?, tensor(3.0)?, tensor(2.0)?);
/// let (of_depth, of_height) = (tensor(0.0)?, tensor(0.0)?);
/// let log_vars = Tensor::from_host(&gpu, &[0.0_f32, 2_f32.ln()])?;
/// let of_log_vars = Tensor::from_host(&gpu, &[0.0_f32, 0.0])?;
/// let bound = joint.bind(
///     &Named::<Named<BufferSlice>>::new()
///         .with(
///             "depth",
///             Named::<BufferSlice>::new()
///                 .with("prediction", &depth)
///                 .with("target", &target)
///                 .with("grad.prediction", &of_depth),
///         )
///         .with(
///             "height",
///             Named::<BufferSlice>::new()
///                 .with("prediction", &height)
///                 .with("target", &target)
///                 .with("grad.prediction", &of_height),
///         ),
///     &Named::<BufferSlice>::new().with("log_vars", &log_vars).with("grad.log_vars", &of_log_vars),
/// )?;
///
/// let mut encoder = gpu.device().create_command_encoder(&Default::default());
/// bound.record(&mut encoder); // no allocation, no submit, no wait
/// gpu.queue().submit([encoder.finish()]);
///
/// // Whenever one wants to know; no step needs it.
/// let status = bound.read_status_blocking()?;
/// assert_eq!(status.losses, Named::<f32>::new().with("depth", 2.5).with("height", 4.0));
/// approx::assert_abs_diff_eq!(status.loss, 2.5 + 4.0 / 2.0 + 2_f32.ln(), epsilon = 1e-6);
/// approx::assert_abs_diff_eq!(of_height.read_blocking()?.to_f64()[0], 0.5 * 1.0, epsilon = 1e-6);
/// # Ok::<(), wgloss::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct JointPlan(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    gpu: Gpu,
    weighting: Plan,
    tasks: Vec<(String, Plan)>,
}

impl JointPlan {
    /// Prepares tasks, each with a name, and a weighting of their losses in that order. `inputs` are the weighting's
    /// inputs besides `losses`.
    ///
    /// Each task is a plan for one value of its loss, whose types have an `upstream` f32 `[1]`.
    ///
    /// # Errors
    /// [`Error::NoTasks`], [`Error::UnexpectedTensor`] for two tasks of one name, [`Error::OtherDevice`],
    /// [`Error::Tasks`] with what is wrong with each task, and the errors of [`Plan::new`] for the weighting.
    pub fn new(
        gpu: &Gpu,
        weighting: &dyn Loss,
        tasks: &Named<Plan>,
        inputs: &Named<TensorType>,
    ) -> Result<JointPlan, Error> {
        let loss = weighting.spec().name;
        let tasks: Vec<(String, Plan)> = tasks.iter().map(|(name, plan)| (name.to_string(), plan.clone())).collect();
        if tasks.is_empty() {
            return Err(Error::NoTasks { loss });
        }
        let names: Vec<String> = tasks.iter().map(|(name, _)| name.clone()).collect();
        tasks.iter().cloned().collect::<Named<Plan>>().expect_only(loss, &names)?;
        if let Some((name, _)) = tasks.iter().find(|(_, plan)| !plan.gpu().is_same_device(gpu)) {
            return Err(Error::OtherDevice { loss, tensor: name.clone() });
        }
        let faults = tasks.iter().filter_map(|(name, plan)| Some((name.clone(), fault(plan)?))).collect::<Vec<_>>();
        if !faults.is_empty() {
            return Err(Error::Tasks { loss, faults });
        }
        let losses = TensorType::new(DType::F32, [tasks.len()]);
        let given = inputs.iter().map(|(name, ty)| (name.to_string(), ty.clone()));
        let types = std::iter::once((LOSSES.to_string(), losses)).chain(given).collect();
        let weighting = Plan::new(gpu, weighting, &types, Options::new(Reduction::Sum))?;
        if let Some((input, ty)) = broadcasting(&weighting, tasks.len()) {
            let expected = format!("[{}], a value for each task", tasks.len());
            return Err(Error::Shape { loss, tensor: input.name, expected, found: ty.shape.clone() });
        }
        if weighting.outputs().get(&gradient_name(LOSSES)).is_none() {
            return Err(Error::MissingTensor { loss, tensor: gradient_name(LOSSES) });
        }
        Ok(JointPlan(Arc::new(Inner { gpu: gpu.clone(), weighting, tasks })))
    }

    /// The tasks, by name.
    pub fn tasks(&self) -> impl Iterator<Item = (&str, &Plan)> {
        self.0.tasks.iter().map(|(name, plan)| (name.as_str(), plan))
    }

    /// The plan of the weighting.
    pub fn weighting(&self) -> &Plan {
        &self.0.weighting
    }

    /// The tensors to bind for a task, none for one that there is not: its inputs and outputs but for `upstream` and
    /// `loss`, which are the joint plan's.
    pub fn tensors_of(&self, task: &str) -> Named<TensorType> {
        let plans = self.tasks().filter(|(name, _)| *name == task).map(|(_, plan)| plan);
        plans.flat_map(|plan| without(plan, &[UPSTREAM.name, LOSS])).collect()
    }
}

/// An input of a weighting that the losses are broadcast to, which makes more of them than there are tasks.
fn broadcasting(weighting: &Plan, tasks: usize) -> Option<(&'static Input, &TensorType)> {
    let signature = weighting.signature();
    let is_spread = signature.item_shape != [tasks];
    let is_wider = |ty: &TensorType| ty.shape != [tasks] && (ty.shape.len() > 1 || ty.elements() > 1);
    let wider = signature.inputs.iter().find(|(_, ty)| is_spread && is_wider(ty));
    wider.map(|(input, ty)| (*input, ty))
}

/// What is wrong with a plan as a task.
fn fault(plan: &Plan) -> Option<Error> {
    let loss = plan.spec().name;
    if plan.options().reduction == Reduction::None {
        return Some(Error::TaskReduction { loss });
    }
    match plan.input(UPSTREAM.name) {
        None => Some(Error::MissingTensor { loss, tensor: UPSTREAM.name.to_string() }),
        Some((_, ty)) if ty.dtype != DType::F32 => {
            let (tensor, expected) = (format!("{loss}: `{}`", UPSTREAM.name), DType::F32.to_string());
            Some(Error::DType { tensor, expected, found: ty.dtype })
        }
        Some(_) => None,
    }
}

/// The inputs and outputs of a plan but for some.
fn without(plan: &Plan, names: &[&str]) -> Vec<(String, TensorType)> {
    let (inputs, outputs) = (plan.inputs(), plan.outputs());
    let others = inputs.iter().chain(outputs.iter()).filter(|(name, _)| !names.contains(name));
    others.map(|(name, ty)| (name.to_string(), ty.clone())).collect()
}
