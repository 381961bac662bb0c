//! Gradients held between two values.

use super::{
    checks::expect_parameter,
    rules::Rules,
    walk::{Part, Pass, PassValues, Walk, Work},
};
use crate::{
    Error, TensorType,
    gpu::Loops,
    kernel::block,
    program::{Program, Scratch},
    spec::{Rule, shader_file},
};

/// Clamps every value of the gradients to ±`limit`, as PyTorch's `clip_grad_value_` does. A NaN stays one.
///
/// ```
/// use wgloss::{Gpu, HostTensor, Named, ops::{ClipGradValue, Operation}};
/// let gpu = Gpu::new_blocking()?;
/// let gradients = Named::<HostTensor>::new().with("weight", &[0.25_f32, -7.0, f32::INFINITY]);
/// let clipped = ClipGradValue { limit: 0.5 }.eval(&gpu, &gradients)?;
/// assert_eq!(clipped.tensors.get("weight").unwrap().to_f64(), [0.25, -0.5, 0.5]);
/// # Ok::<(), wgloss::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClipGradValue {
    /// The largest absolute value that is left; above 0.
    pub limit: f32,
}

impl Rules for ClipGradValue {
    const NAME: &'static str = "clip_grad_value";
    type Report = ();

    fn check(&self) -> Result<(), Error> {
        expect_parameter(Self::NAME, "limit", Rule::Positive, self.limit)
    }

    fn writes(_: &str) -> bool {
        true
    }

    fn work(&self, walk: &Walk<'_>) -> Result<Work, Error> {
        let lanes = u64::from(walk.machine.tuning.workgroup_size);
        let loops = |span| Loops::walk(span, lanes);
        let parts = walk.parts(loops)?;
        // Nothing is left for later steps.
        let mut program = Program::new(vec![Scratch { label: "the workspace", size: 0 }]);
        let pass = Pass {
            entry: "map",
            values: PassValues::Replace,
            memory: &[],
            files: &[
                shader_file!("ops/bits.wgsl"),
                shader_file!("ops/clip_grad_value.wgsl"),
                shader_file!("ops/map.wgsl"),
            ],
        };
        let words = |part: &Part| block! { length: part.chunk.items, span: part.span, limit: self.limit };
        program.steps = walk.steps(&parts, pass, words, loops);
        Ok(Work { program, first_partials: parts.first_partials, told: 0 })
    }

    fn report(_: &[u8], _: &[(String, TensorType)], _: &[u32]) -> Result<(), Error> {
        Ok(())
    }
}
