//! Weights of tasks balanced by the norms of their gradients.

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};

use super::{
    checks::{expect_alike, expect_parameter},
    rules::Rules,
    walk::{Walk, Work},
};
use crate::{
    DType, Error, TensorType, Tuning,
    gpu::Loops,
    kernel::{Access, Glue, Holds, Kernel, TensorView, block},
    program::{Place, Program, Scratch, Step, WORKSPACE},
    spec::{Rule, shader_file},
};

/// Steps the weights of tasks so that the norms of their weighted gradients come to be alike, and larger for a task
/// that has trained less than the others.
///
/// It takes `weights` w, `gradient_norms` n of each task's unweighted loss by the parameters that all share, `losses` L
/// and `initial_losses` L₀, all f32 `[K]`. With G = w·n and r = (L/L₀)/mean(L/L₀), or 1 where no loss is left, the loss
/// of the weights is Σ|G − mean(G)·r^α|, where mean(G)·r^α is held constant. The weights take one step of
/// `learning_rate` against its gradient, and are scaled to the sum K. A weight that the step would bring below
/// [`GradNorm::LEAST_WEIGHT`] is that: the paper says nothing of it, and below 0 its task would be unlearnt.
///
/// Only `weights` are written. `loss` `[1]` and `grad.weights` `[K]` may be bound too. Out of range are a loss below 0;
/// an initial loss, norm or weight that is not above 0, as which subnormal numbers count; and any of these that is not
/// finite. Then the weights stay as they are, the loss and its gradient are 0, and reading the step is
/// [`Error::Target`]. Where mean(G) or mean(L/L₀) is beyond f32 the weights stay too, and the loss is infinite.
///
/// Source: Chen et al. 2018, arXiv 1711.02257.
///
/// ```
/// use wgloss::{Gpu, HostTensor, Named, ops::{GradNorm, Operation}};
/// let gpu = Gpu::new_blocking()?;
/// let tasks = Named::<HostTensor>::new()
///     .with("losses", &[0.5_f32, 0.5])
///     .with("initial_losses", &[1.0_f32, 1.0])
///     .with("gradient_norms", &[4.0_f32, 2.0])
///     .with("weights", &[1.0_f32, 1.0]);
/// let step = GradNorm::new(0.025).eval(&gpu, &tasks)?;
/// // Both have trained alike, so that the task of the larger gradient gets the smaller weight.
/// assert_eq!(step.report.loss, 2.0);
/// let weights = step.tensors.get("weights").unwrap().to_f64();
/// approx::assert_abs_diff_eq!(weights[0], 0.9 / 1.95 * 2.0, epsilon = 1e-6);
/// approx::assert_abs_diff_eq!(weights[1], 1.05 / 1.95 * 2.0, epsilon = 1e-6);
/// # Ok::<(), wgloss::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradNorm {
    /// How strongly a task that trains slowly is favoured; 0 or above. At 0 all gradients are to have one norm.
    pub alpha: f32,
    /// The step of the weights; above 0.
    pub learning_rate: f32,
}

impl GradNorm {
    /// What a weight is at least, before all are scaled to the sum K.
    pub const LEAST_WEIGHT: f32 = 1e-4;

    /// Steps of this size with the paper's α of 1.5.
    pub const fn new(learning_rate: f32) -> Self {
        GradNorm { alpha: 1.5, learning_rate }
    }
}

/// What a run of [`GradNorm`] tells.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Balance {
    /// Σ|G − mean(G)·r^α| before the step.
    pub loss: f32,
}

/// The workspace, as `shaders/ops/grad_norm.wgsl` has it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(crate) struct BalanceHeader {
    pub loss: f32,
    pub invalid: u32,
    pub first_invalid: u32,
    pub input: u32,
}

/// The inputs, in the order in which kernels check and bind them.
const INPUTS: [&str; 4] = ["losses", "initial_losses", "gradient_norms", WEIGHTS];
const WEIGHTS: &str = "weights";
/// The outputs that a caller may bind.
const LOSS: &str = "loss";
const GRADIENT: &str = "grad.weights";

impl Rules for GradNorm {
    const NAME: &'static str = "gradnorm";
    const OUTPUTS: &'static [&'static str] = &[LOSS, GRADIENT];
    type Report = Balance;

    fn check(&self) -> Result<(), Error> {
        expect_parameter(Self::NAME, "alpha", Rule::NonNegative, self.alpha)?;
        expect_parameter(Self::NAME, "learning_rate", Rule::Positive, self.learning_rate)
    }

    fn check_tensors(tensors: &[(String, TensorType)]) -> Result<(), Error> {
        let types = expect_alike(Self::NAME, tensors, INPUTS)?;
        if let Some((name, ty)) = INPUTS.iter().zip(types).find(|(_, ty)| ty.dtype != DType::F32) {
            let (tensor, expected) = (format!("{}: `{name}`", Self::NAME), DType::F32.to_string());
            return Err(Error::DType { tensor, expected, found: ty.dtype });
        }
        match &types[0].shape[..] {
            [tasks] if *tasks > 0 => Ok(()),
            found => {
                let (tensor, expected) = (INPUTS[0], "[K] with K ≥ 1".to_string());
                Err(Error::Shape { loss: Self::NAME, tensor, expected, found: found.to_vec() })
            }
        }
    }

    fn writes(tensor: &str) -> bool {
        tensor == WEIGHTS
    }

    fn output(name: &str, tensors: &[(String, TensorType)]) -> TensorType {
        let tasks = tensors.first().map_or(1, |(_, ty)| ty.elements() as usize);
        TensorType::new(DType::F32, [if name == GRADIENT { tasks } else { 1 }])
    }

    fn work(&self, walk: &Walk<'_>) -> Result<Work, Error> {
        let tasks = walk.tensors.first().map_or(0, |(_, ty)| ty.elements());
        let loops = |tuning: Tuning| {
            let lanes = u64::from(tuning.workgroup_size);
            let sums = Loops::blocks(tasks, lanes, Loops::NONE) * 2;
            sums + Loops::reduce(tuning) * 6 + Loops::walk(tasks, lanes)
        };
        let what = format!("{}: {tasks} tasks", Self::NAME);
        walk.machine.expect(&what, "indices of 32 bits", tasks, u32::MAX.into())?;
        let tuning = walk.machine.fitting(&what, walk.machine.tuning, loops)?;
        let call = block! {
            tasks: tasks as u32,
            alpha: self.alpha,
            learning_rate: self.learning_rate,
            least: Self::LEAST_WEIGHT,
        };
        let mut kernel = Kernel::new(tuning.workgroup_size, tuning.reduce).with_call(&call);
        let size = size_of::<BalanceHeader>() as u64;
        // Where the caller has no use for the loss, it is written to memory of the plan's own.
        let unwanted = Scratch { label: "the loss", size: DType::F32.buffer_size(1) };
        let mut program = Program::new(vec![Scratch { label: "the balance", size }, unwanted]);
        let place = |name: &str, elements| Place::Tensor(name.to_string(), 0..DType::F32.buffer_size(elements));
        let is_wanted = |name| walk.outputs.contains(&name);

        kernel.tensors = INPUTS.map(|name| TensorView::read(name, DType::F32).with_access(access_of(name))).into();
        let mut bound: Vec<Place> = INPUTS.iter().map(|name| place(name, tasks)).collect();
        kernel.tensors.push(TensorView::new("balance", Holds::One("Balance"), Access::Write));
        bound.push(Place::Scratch(WORKSPACE, 0..size));
        kernel.tensors.push(TensorView::write("total_loss", DType::F32));
        bound.push(match is_wanted(LOSS) {
            true => place(LOSS, 1),
            false => Place::Scratch(WORKSPACE + 1, 0..DType::F32.buffer_size(1)),
        });
        let gradient = is_wanted(GRADIENT).then(|| TensorView::write("gradient", DType::F32));
        let mut glue = Glue::default();
        let put = gradient.as_ref().map_or_else(String::new, |view| view.put("index", "value", false));
        glue.procedure("put_gradient(index: u32, value: f32)", &put);
        kernel.glue = glue.0;
        if let Some(view) = gradient {
            kernel.tensors.push(view);
            bound.push(place(GRADIENT, tasks));
        }
        kernel.join([shader_file!("ops/grad_norm.wgsl")]);
        let (kernel, entry, loops) = (Arc::new(kernel), "balance_tasks", loops(tuning));
        program.steps.push(Step { kernel, entry, call, params: None, bound, workgroups: [1, 1, 1], loops });
        Ok(Work { program, first_partials: Vec::new(), told: size })
    }

    fn report(bytes: &[u8], _: &[(String, TensorType)], _: &[u32]) -> Result<Balance, Error> {
        let BalanceHeader { loss, invalid, first_invalid, input } = bytemuck::pod_read_unaligned(bytes);
        if invalid == 0 {
            return Ok(Balance { loss });
        }
        let name = INPUTS[(input as usize).min(INPUTS.len() - 1)];
        let values = if name == INPUTS[0] { "finite, 0 or above" } else { "finite, above 0" };
        let (first, index) = (first_invalid.into(), [first_invalid as usize].into());
        let rule = format!("`{name}` must be {values}");
        Err(Error::Target { loss: Self::NAME, count: invalid.into(), first, index, rule, offender: None })
    }
}

fn access_of(name: &str) -> Access {
    if GradNorm::writes(name) { Access::Write } else { Access::Read }
}
