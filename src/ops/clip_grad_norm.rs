//! Gradients scaled together, so that the norm of all of them is at most a given one.

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};

use super::{
    checks::expect_parameter,
    rules::Rules,
    walk::{Part, Parts, Pass, PassValues, Walk, Work},
};
use crate::{
    DType, Error, TensorType, Tuning,
    gpu::Loops,
    kernel::{Access, Holds, Kernel, TensorView, block},
    program::{Place, Program, Scratch, Step, WORKSPACE},
    spec::{Rule, ShaderFile, shader_file},
};

/// Scales gradients by min(1, max_norm/(norm + 1e-6)), where `norm` is that of all of them together, as PyTorch's
/// `clip_grad_norm_` does.
///
/// The norm stays on the device, where the scaling reads it: with [`OpPlan::bind`](super::OpPlan::bind) a buffer bound
/// as `total_norm`, one f32, gets it too. Where the norm is not above `max_norm`, no gradient is written.
/// The Euclidean norm is right wherever it is itself an f32, whatever becomes of the squares.
///
/// ```
/// use wgloss::{Gpu, Named, Tensor, ops::{ClipGradNorm, Operation}};
/// let gpu = Gpu::new_blocking()?;
/// let weight = Tensor::from_host(&gpu, &[30.0_f32, -40.0])?;
/// let clip = ClipGradNorm::new(5.0);
/// let clipped = clip.run(&gpu, &Named::new().with("weight", weight.clone()))?;
/// assert_eq!(clipped.read_blocking()?.norm, 50.0);
/// approx::assert_abs_diff_eq!(weight.read_blocking()?.to_f64()[1], -4.0, epsilon = 1e-6);
/// # Ok::<(), wgloss::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClipGradNorm {
    /// The largest norm that is left as it is; above 0.
    pub max_norm: f32,
    /// How all values together become one number.
    pub norm: Norm,
    /// What becomes of gradients whose norm is not finite.
    pub nonfinite: NonFinite,
}

impl ClipGradNorm {
    /// The Euclidean norm, and gradients that are not finite kept as they are.
    pub const fn new(max_norm: f32) -> Self {
        ClipGradNorm { max_norm, norm: Norm::L2, nonfinite: NonFinite::Keep }
    }
}

/// A norm of all gradients together. `shaders/ops/clip_grad_norm/finish.wgsl` has the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Norm {
    /// Σ|x|.
    L1,
    /// √Σx².
    L2,
    /// max|x|.
    Max,
}

/// The fate of gradients whose norm is NaN or infinite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NonFinite {
    /// None is scaled, and [`ClippedNorm`] says so.
    Keep,
    /// All are scaled, as by PyTorch without `error_if_nonfinite`: to NaN where the norm is NaN, to 0 where it is
    /// infinite, but for what is infinite itself, which becomes NaN.
    Scale,
}

/// What a run of [`ClipGradNorm`] tells.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ClippedNorm {
    /// The norm of all gradients together before they were scaled.
    pub norm: f32,
    /// What the gradients were multiplied with: 1 where they were left as they are.
    pub coefficient: f32,
    /// The first gradient with a NaN or an infinity. Without one the norm of finite gradients may still be beyond f32.
    pub nonfinite: Option<String>,
}

impl ClippedNorm {
    /// Whether the norm is finite, so that the coefficient is what it should be.
    pub fn is_finite(&self) -> bool {
        self.norm.is_finite()
    }
}

/// The workspace before its partials.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(crate) struct NormsHeader {
    pub norm: f32,
    pub coefficient: f32,
    pub first_nonfinite: u32,
}

/// One workgroup's share. Only the device reads it; the host makes room.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(crate) struct NormPartial {
    pub low: f32,
    pub middle: f32,
    pub high: f32,
    pub largest: u32,
}

/// The output that a caller may bind.
const TOTAL_NORM: &str = "total_norm";

impl Rules for ClipGradNorm {
    const NAME: &'static str = "clip_grad_norm";
    const OUTPUTS: &'static [&'static str] = &[TOTAL_NORM];
    type Report = ClippedNorm;

    fn check(&self) -> Result<(), Error> {
        expect_parameter(Self::NAME, "max_norm", Rule::Positive, self.max_norm)
    }

    fn writes(_: &str) -> bool {
        true
    }

    fn work(&self, walk: &Walk<'_>) -> Result<Work, Error> {
        let lanes = u64::from(walk.machine.tuning.workgroup_size);
        // A block may be walked over twice.
        let measure_loops = |span| Loops::blocks(span, lanes, Loops::NONE) * 2 + Loops::reduce(walk.machine.tuning) * 4;
        let parts = walk.parts(measure_loops)?;
        let size = size_of::<NormsHeader>() as u64 + u64::from(parts.partials.max(1)) * size_of::<NormPartial>() as u64;
        let norms = Scratch { label: "the norms", size };
        // Where the caller has no use for the norm, it is written to memory of the plan's own.
        let total = Scratch { label: "the norm", size: DType::F32.buffer_size(1) };
        let mut program = Program::new(vec![norms, total]);
        let place = Place::Scratch(WORKSPACE, 0..size);

        let [bits, norms] = [shader_file!("ops/bits.wgsl"), shader_file!("ops/clip_grad_norm/norms.wgsl")];
        let measure = Pass {
            entry: "measure_norm",
            values: PassValues::Read,
            memory: &[(norms_view(Access::Write), place.clone())],
            files: &[vec![bits, norms], self.norm.files(), vec![shader_file!("ops/clip_grad_norm/measure.wgsl")]]
                .concat(),
        };
        let words =
            |part: &Part| block! { length: part.chunk.items, span: part.span, first_partial: part.first_partial };
        program.steps = walk.steps(&parts, measure, words, measure_loops);
        program.steps.push(self.finish(walk, &parts, place.clone())?);
        let scale = Pass {
            entry: "map",
            values: PassValues::Replace,
            memory: &[(norms_view(Access::Read), place)],
            files: &[bits, norms, shader_file!("ops/clip_grad_norm/scale.wgsl"), shader_file!("ops/map.wgsl")],
        };
        let words = |part: &Part| block! { length: part.chunk.items, span: part.span };
        program.steps.extend(walk.steps(&parts, scale, words, |span| Loops::walk(span, lanes)));
        Ok(Work { program, first_partials: parts.first_partials, told: size_of::<NormsHeader>() as u64 })
    }

    fn report(bytes: &[u8], tensors: &[(String, TensorType)], first_partials: &[u32]) -> Result<ClippedNorm, Error> {
        let NormsHeader { norm, coefficient, first_nonfinite } = bytemuck::pod_read_unaligned(bytes);
        // Of tensors without elements the next one's first partial is the same.
        let mut owners = tensors.iter().zip(first_partials).rev();
        let owner = owners.find(|((_, ty), first)| ty.elements() > 0 && **first <= first_nonfinite);
        let is_there = first_nonfinite != u32::MAX;
        let nonfinite = owner.filter(|_| is_there).map(|((name, _), _)| name.clone());
        Ok(ClippedNorm { norm, coefficient, nonfinite })
    }
}

/// How kernels see what the steps leave for each other.
fn norms_view(access: Access) -> TensorView {
    TensorView::new("norms", Holds::One("Norms"), access)
}

impl Norm {
    /// What a block comes to.
    fn files(self) -> Vec<ShaderFile> {
        match self {
            Norm::L1 => vec![shader_file!("ops/clip_grad_norm/l1.wgsl")],
            Norm::L2 => vec![
                shader_file!("ops/squares.wgsl"),
                shader_file!("ops/scaled_squares.wgsl"),
                shader_file!("ops/clip_grad_norm/l2.wgsl"),
            ],
            Norm::Max => vec![shader_file!("ops/clip_grad_norm/max.wgsl")],
        }
    }
}

impl ClipGradNorm {
    /// The step that makes the norm of the partials.
    fn finish(&self, walk: &Walk<'_>, parts: &Parts, norms: Place) -> Result<Step, Error> {
        let loops = |tuning: Tuning| {
            Loops::walk(parts.partials.into(), tuning.workgroup_size.into()) + Loops::reduce(tuning) * 5
        };
        let what = format!("{}: {} partial norms", Self::NAME, parts.partials);
        let tuning = walk.machine.fitting(&what, walk.machine.tuning, loops)?;
        let call = block! {
            partials: parts.partials,
            norm: self.norm as u32,
            max_norm: self.max_norm,
            scales_nonfinite: self.nonfinite == NonFinite::Scale,
        };
        let mut kernel = Kernel::new(tuning.workgroup_size, tuning.reduce).with_call(&call);
        kernel.tensors = vec![norms_view(Access::Write), TensorView::write(TOTAL_NORM, DType::F32)];
        kernel.join([
            shader_file!("ops/bits.wgsl"),
            shader_file!("ops/squares.wgsl"),
            shader_file!("ops/clip_grad_norm/norms.wgsl"),
            shader_file!("ops/clip_grad_norm/finish.wgsl"),
        ]);
        let size = 0..DType::F32.buffer_size(1);
        let total = match walk.outputs.contains(&TOTAL_NORM) {
            true => Place::Tensor(TOTAL_NORM.to_string(), size),
            false => Place::Scratch(WORKSPACE + 1, size),
        };
        let bound = vec![norms, total];
        let (kernel, entry, loops) = (Arc::new(kernel), "finish_norm", loops(tuning));
        Ok(Step { kernel, entry, call, params: None, bound, workgroups: [1, 1, 1], loops })
    }
}
