//! Gradients times a number that is on the device.

use super::{
    rules::Rules,
    walk::{Part, Pass, PassValues, Walk, Work},
};
use crate::{
    DType, Error, TensorType,
    gpu::Loops,
    kernel::{Access, Holds, TensorView, block},
    program::{Place, Program, Scratch},
    spec::shader_file,
};

/// Multiplies gradients with `factor`, one f32 among the tensors: the chain rule, where the gradient of what comes
/// after a loss is known only once the loss's own gradients are there.
///
/// Where the factor is 1 nothing is written.
///
/// ```
/// use wgloss::{Gpu, HostTensor, Named, ops::{Operation, ScaleGradients}};
/// let gpu = Gpu::new_blocking()?;
/// let tensors = Named::<HostTensor>::new().with("weight", &[1.0_f32, -4.0]).with("factor", &[0.25_f32]);
/// let scaled = ScaleGradients.eval(&gpu, &tensors)?;
/// assert_eq!(scaled.tensors.get("weight").unwrap().to_f64(), [0.25, -1.0]);
/// # Ok::<(), wgloss::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ScaleGradients;

/// The tensor with the factor.
const FACTOR: &str = "factor";

impl Rules for ScaleGradients {
    const NAME: &'static str = "scale_gradients";
    type Report = ();

    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    fn check_tensors(tensors: &[(String, TensorType)]) -> Result<(), Error> {
        let Some((_, factor)) = tensors.iter().find(|(name, _)| name == FACTOR) else {
            return Err(Error::MissingTensor { loss: Self::NAME, tensor: FACTOR.to_string() });
        };
        if factor.dtype != DType::F32 {
            let (tensor, expected) = (format!("{}: `{FACTOR}`", Self::NAME), DType::F32.to_string());
            return Err(Error::DType { tensor, expected, found: factor.dtype });
        }
        if factor.elements() != 1 {
            let found = factor.shape.clone();
            return Err(Error::Shape { loss: Self::NAME, tensor: FACTOR, expected: "[1]".to_string(), found });
        }
        if tensors.len() == 1 {
            return Err(Error::NoTensors { operation: Self::NAME });
        }
        Ok(())
    }

    fn writes(tensor: &str) -> bool {
        tensor != FACTOR
    }

    fn work(&self, walk: &Walk<'_>) -> Result<Work, Error> {
        let lanes = u64::from(walk.machine.tuning.workgroup_size);
        let loops = |span| Loops::walk(span, lanes);
        let parts = walk.parts_without(FACTOR, loops)?;
        // Nothing is left for later steps.
        let mut program = Program::new(vec![Scratch { label: "the workspace", size: 0 }]);
        let factor = TensorView::new(FACTOR, Holds::Elements(DType::F32), Access::Read);
        let pass = Pass {
            entry: "map",
            values: PassValues::Replace,
            memory: &[(factor, Place::Tensor(FACTOR.to_string(), 0..DType::F32.buffer_size(1)))],
            files: &[shader_file!("ops/scale_gradients.wgsl"), shader_file!("ops/map.wgsl")],
        };
        let words = |part: &Part| block! { length: part.chunk.items, span: part.span };
        program.steps = walk.steps(&parts, pass, words, loops);
        Ok(Work { program, first_partials: parts.first_partials, told: 0 })
    }

    fn report(_: &[u8], _: &[(String, TensorType)], _: &[u32]) -> Result<(), Error> {
        Ok(())
    }
}
