//! Weights of samples that bring difficult ones in later.

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};

use super::{
    BoundOp,
    checks::{expect_alike, expect_parameter},
    rules::Rules,
    walk::{Part, Parts, Pass, PassValues, Walk, Work},
};
use crate::{
    Error, TensorType, Tuning,
    gpu::Loops,
    kernel::{Access, Holds, Kernel, TensorView, block},
    program::{Place, Program, Scratch, Step, WORKSPACE},
    spec::{Rule, shader_file},
};

/// Weighs samples by how difficult they are: from `difficulty` it makes `weight`, that of any loss.
///
/// A sample whose difficulty is at most `progress` has the weight N/(n + 1e-6), where n of N samples are so, and every
/// other one 0: a `mean` is then over the n samples. A NaN is never so. Both tensors are of one shape, each f32, f16 or
/// bf16. Of f16 a weight above 65,504 is infinite.
///
/// `progress` goes from 0 to 1 as training goes on: [`BoundOp::set_progress`] sets it for what is submitted later,
/// without another plan. Source: Bengio et al. 2009, Curriculum Learning.
///
/// ```
/// use wgloss::{Gpu, HostTensor, Named, Tensor, ops::{Curriculum, Operation}};
/// let gpu = Gpu::new_blocking()?;
/// let weight = Tensor::from_host(&gpu, &[0.0_f32; 4])?;
/// let samples = Named::<Tensor>::new()
///     .with("difficulty", Tensor::from_host(&gpu, &[0.1_f32, 0.9, 0.5, f32::NAN])?)
///     .with("weight", weight.clone());
/// let curriculum = Curriculum { progress: 0.25 }.run(&gpu, &samples)?;
/// assert_eq!(curriculum.read_blocking()?.selected, 1);
/// approx::assert_relative_eq!(weight.read_blocking()?.to_f64()[0], 4.0, epsilon = 1e-4);
///
/// curriculum.set_progress(0.5)?;
/// let mut encoder = gpu.device().create_command_encoder(&Default::default());
/// curriculum.record(&mut encoder); // and the loss, and the optimizer
/// gpu.queue().submit([encoder.finish()]);
/// assert_eq!(curriculum.read_blocking()?.selected, 2);
/// # Ok::<(), wgloss::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Curriculum {
    /// Up to which difficulty samples count at first; from 0 to 1.
    pub progress: f32,
}

/// What a run of [`Curriculum`] tells.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Selection {
    /// How many samples count.
    pub selected: u64,
    /// The weight of each of them.
    pub weight: f32,
}

/// The workspace before its partials, as `shaders/ops/curriculum/lesson.wgsl` has it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(crate) struct LessonHeader {
    pub progress: f32,
    pub selected: u32,
    pub weight: f32,
}

/// The tensors that it takes.
const DIFFICULTY: &str = "difficulty";
const WEIGHT: &str = "weight";

impl Rules for Curriculum {
    const NAME: &'static str = "curriculum";
    type Report = Selection;

    fn check(&self) -> Result<(), Error> {
        expect_parameter(Self::NAME, "progress", Rule::Unit, self.progress)
    }

    fn check_tensors(tensors: &[(String, TensorType)]) -> Result<(), Error> {
        let [difficulty, _] = expect_alike(Self::NAME, tensors, [DIFFICULTY, WEIGHT])?;
        if difficulty.elements() > u32::MAX.into() {
            let (rule, found) = (format!("have at most {} elements", u32::MAX), format!("{:?}", difficulty.shape));
            return Err(Error::Operand { operation: Self::NAME, tensor: DIFFICULTY.to_string(), rule, found });
        }
        Ok(())
    }

    fn writes(tensor: &str) -> bool {
        tensor == WEIGHT
    }

    fn work(&self, walk: &Walk<'_>) -> Result<Work, Error> {
        let lanes = u64::from(walk.machine.tuning.workgroup_size);
        let loops = |span| Loops::walk(span, lanes) + Loops::reduce(walk.machine.tuning);
        let parts = walk.parts_side_by_side(&[DIFFICULTY, WEIGHT], loops)?;
        let header = size_of::<LessonHeader>() as u64;
        let size = header + u64::from(parts.partials.max(1)) * size_of::<u32>() as u64;
        let mut program = Program::new(vec![Scratch { label: "the lesson", size }]);
        let place = Place::Scratch(WORKSPACE, 0..size);
        let files = [shader_file!("ops/bits.wgsl"), shader_file!("ops/curriculum/lesson.wgsl")];

        let count = Pass {
            entry: "count_selected",
            values: PassValues::Read,
            memory: &[(lesson_view(Access::Write), place.clone())],
            files: &[&files[..], &[shader_file!("ops/curriculum/count.wgsl")]].concat(),
        };
        let words =
            |part: &Part| block! { length: part.chunk.items, span: part.span, first_partial: part.first_partial };
        program.steps = walk.steps(&parts, count, words, loops);
        program.steps.push(self.finish(walk, &parts, place.clone())?);
        let weigh = Pass {
            entry: "map",
            values: PassValues::Fill,
            memory: &[(lesson_view(Access::Read), place)],
            files: &[&files[..], &[shader_file!("ops/curriculum/weigh.wgsl"), shader_file!("ops/map.wgsl")]].concat(),
        };
        let words = |part: &Part| block! { length: part.chunk.items, span: part.span };
        program.steps.extend(walk.steps(&parts, weigh, words, |span| Loops::walk(span, lanes)));
        Ok(Work { program, first_partials: parts.first_partials, told: header })
    }

    fn beginning(&self) -> Vec<u8> {
        self.progress.to_le_bytes().to_vec()
    }

    fn report(bytes: &[u8], _: &[(String, TensorType)], _: &[u32]) -> Result<Selection, Error> {
        let LessonHeader { selected, weight, .. } = bytemuck::pod_read_unaligned(bytes);
        Ok(Selection { selected: selected.into(), weight })
    }
}

/// How kernels see what the steps leave for each other.
fn lesson_view(access: Access) -> TensorView {
    TensorView::new("lesson", Holds::One("Lesson"), access)
}

impl Curriculum {
    /// The step that makes the weight of the counts.
    fn finish(&self, walk: &Walk<'_>, parts: &Parts, place: Place) -> Result<Step, Error> {
        let loops =
            |tuning: Tuning| Loops::walk(parts.partials.into(), tuning.workgroup_size.into()) + Loops::reduce(tuning);
        let what = format!("{}: {} partial counts", Self::NAME, parts.partials);
        let tuning = walk.machine.fitting(&what, walk.machine.tuning, loops)?;
        let samples = walk.tensors.first().map_or(0, |(_, ty)| ty.elements()) as u32;
        let call = block! { partials: parts.partials, samples };
        let mut kernel = Kernel::new(tuning.workgroup_size, tuning.reduce).with_call(&call);
        kernel.tensors = vec![lesson_view(Access::Write)];
        kernel.join([
            shader_file!("ops/bits.wgsl"),
            shader_file!("ops/curriculum/lesson.wgsl"),
            shader_file!("ops/curriculum/finish.wgsl"),
        ]);
        let (kernel, entry, loops) = (Arc::new(kernel), "finish_lesson", loops(tuning));
        Ok(Step { kernel, entry, call, params: None, bound: vec![place], workgroups: [1, 1, 1], loops })
    }
}

impl BoundOp<Curriculum> {
    /// Sets up to which difficulty samples count in whatever is submitted later.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a number that is not from 0 to 1, [`Error::DeviceLost`].
    pub fn set_progress(&self, progress: f32) -> Result<(), Error> {
        let curriculum = Curriculum { progress };
        curriculum.check()?;
        self.begin(&curriculum.beginning())
    }
}
