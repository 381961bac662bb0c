//! The kernels that find which items there are where other steps than their loss's look at their values, and tell it.

use std::sync::Arc;

use super::{Call, is_kept};
use crate::{
    Error, Tuning,
    gpu::Loops,
    kernel::{Access, Block, Glue, Holds, Kernel, TensorView, block},
    program::{Place, Program, Step, WORKSPACE},
    spec::{ShaderFile, shader_file},
};

/// A tensor that a kernel binds, and where it lies.
type Bound = (TensorView, Place);

/// Items, each of which has a part in so many slots; from the parts of one slot to those of the next it is a stride.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged {
    pub items: u64,
    pub slots: u64,
    pub stride: u64,
}

/// The step that makes of how each part stands, `standing`, which items there are, `kept`, and how many are out of
/// range and the first of these, `judged`. A mask leaves items out.
pub(super) fn step(call: &Call<'_>, of: Judged, mask: Option<Bound>, left: [Bound; 3]) -> Result<Step, Error> {
    let what = format!("{}: {} items", call.loss(), of.items);
    let loops = |tuning: Tuning| Loops::walk(of.items, tuning.workgroup_size.into()) + Loops::reduce(tuning) * 2;
    let tuning = call.machine.fitting(&what, call.machine.tuning, loops)?;
    let words = block! { items: of.items as u32, slots: of.slots as u32, stride: of.stride as u32 };
    let tensors: Vec<Bound> = mask.into_iter().chain(left).collect();
    let mut glue = Glue::default();
    is_kept(&mut glue, &tensors.iter().map(|(view, _)| view.clone()).collect::<Vec<_>>(), "index");
    Ok(alone(("judge", shader_file!("drivers/judge/judge.wgsl")), tuning, words, tensors, glue, loops(tuning)))
}

/// The step that adds what is in the scratch `judged` to what the loss has found to be out of range.
pub(super) fn tell(call: &Call<'_>, program: &Program, judged: usize) -> Step {
    let view = TensorView::new("judged", Holds::Values("u32"), Access::Write);
    let tensors = vec![(view, program.whole(judged)), (TensorView::workspace(Access::Write), program.whole(WORKSPACE))];
    let entry = ("tell", shader_file!("drivers/judge/tell.wgsl"));
    alone(entry, call.machine.tuning, Block::default(), tensors, Glue::default(), Loops::NONE)
}

/// A step of one workgroup.
fn alone(
    (entry, file): (&'static str, ShaderFile),
    tuning: Tuning,
    words: Block,
    tensors: Vec<Bound>,
    glue: Glue,
    loops: Loops,
) -> Step {
    let mut kernel = Kernel::new(tuning.workgroup_size, tuning.reduce).with_call(&words);
    let (views, bound) = tensors.into_iter().unzip();
    kernel.tensors = views;
    kernel.glue = glue.0;
    kernel.join([file]);
    Step { kernel: Arc::new(kernel), entry, call: words, params: None, bound, workgroups: [1, 1, 1], loops }
}
