//! The kernel that adds up what workgroups leave; it serves most drivers.

use std::sync::Arc;

use super::{Call, divisor::Divisor};
use crate::{
    DType, Error, Tuning,
    gpu::Loops,
    kernel::{Access, Block, Kernel, TensorView, block},
    program::{Place, Step, WORKSPACE, workspace},
    spec::shader_file,
};

/// What a sum of partials ends in; each is an entry point of `shaders/drivers/finalize/finalize.wgsl`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    /// The divisor, from the sums of `measure`.
    Divisor,
    /// The loss.
    Loss,
    /// The loss of two terms with these weights: of the pixels' and of the scores'.
    Terms([f64; 2]),
    /// The counts alone: each item has its loss.
    Items,
}

/// The step that adds up so many partials.
pub(crate) fn step(
    call: &Call<'_>,
    tuning: Tuning,
    partials: u32,
    divisor: Divisor,
    ending: Ending,
) -> Result<Step, Error> {
    let loops = |tuning| loops(tuning, partials);
    let what = format!("{}: {partials} partial sums", call.loss());
    let tuning = call.machine.fitting(&what, tuning, loops)?;
    let (entry, weights) = match ending {
        Ending::Divisor => ("finalize_divisor", [0.0, 1.0]),
        Ending::Loss => ("finalize_loss", [0.0, 1.0]),
        Ending::Terms(weights) => ("finalize_terms", weights),
        Ending::Items => ("finalize_items", [0.0, 1.0]),
    };
    let words = block! {
        partials,
        measured: divisor.word(),
        divisor: divisor.known() as f32,
        pixel_weight: weights[0] as f32,
        score_weight: weights[1] as f32,
    };
    // Where items keep their losses, this leaves them alone.
    let loss = call.signature.loss_type(call.options.reduction).elements().min(1) * DType::F32.size() as u64;
    let size = workspace::size(partials);
    Ok(Step {
        kernel: Arc::new(kernel(tuning, &words)),
        entry,
        call: words,
        params: None,
        bound: vec![Place::Tensor("loss".to_string(), 0..loss), Place::Scratch(WORKSPACE, 0..size)],
        workgroups: [1, 1, 1],
        loops: loops(tuning),
    })
}

/// The loops of every entry point: over the partials for their losses and for the counts, which are seven.
fn loops(tuning: Tuning, partials: u32) -> Loops {
    Loops::walk(partials.into(), tuning.workgroup_size.into()) * 2 + Loops::reduce(tuning) * 8
}

fn kernel(tuning: Tuning, words: &Block) -> Kernel {
    let mut kernel = Kernel::new(tuning.workgroup_size, tuning.reduce).with_call(words);
    kernel.tensors = vec![TensorView::write("loss", DType::F32), TensorView::workspace(Access::Write)];
    kernel.join([shader_file!("drivers/finalize/finalize.wgsl")]);
    kernel
}
