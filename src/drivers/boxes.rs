//! Losses of boxes: one item a box of four corners, which a lane takes.

#[cfg(feature = "parity")]
use super::trials::{Arrangement, TrialShape, Trials};
use super::{
    Binding, Call, CallTensor, Extent, Need, Room, gradient_view, input_view, is_kept,
    items::{self, Items},
    load_optional, view, views_of,
};
use crate::{
    Error,
    gpu::Loops,
    kernel::{Glue, Kernel, TensorView},
    program::{
        Program,
        chunk::{MOST_ELEMENTS, Split, even_span},
    },
    spec::{Shape, UPSTREAM, Values, WEIGHT, shader_file},
};

/// The driver of losses of boxes.
pub(crate) struct Boxes;

impl Room for Boxes {
    fn extent(&self, _: &Values, shape: &[usize]) -> Result<Extent, String> {
        match shape {
            [items @ .., 4] => Ok(Extent::of_items(items.to_vec(), 4)),
            _ => Err("[4], [N, 4] or [N, d1, …, 4]".to_string()),
        }
    }

    fn symbols(&self) -> [&'static str; 2] {
        ["[N, d…]", "[1] or [N, d…]"]
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need { what: "`params` has a number `eps`", is_met: |spec| spec.has_number("eps") }]
    }

    fn program(&self, call: &Call<'_>) -> Result<Program, Error> {
        let tuning = call.machine.tuning;
        let lanes = u64::from(tuning.workgroup_size);
        // Over the boxes of a span, whose losses and counts are added up.
        let loops = |span| Loops::blocks(span, lanes, Loops::NONE) + Loops::reduce(tuning) * 4;
        let most = call.machine.most(call.loss(), MOST_ELEMENTS / 4, loops)?;
        // A workgroup that has less than a few boxes a lane costs more to start than it computes.
        let span = even_span(call.signature.items, tuning.workgroups.into(), 2 * lanes, most);
        let tensors = items::operands(call, is_of_boxes);
        let items = Items::new(call, tuning, Split::of_spans(span), items::divisor(call), tensors)?;
        let bindings = items.bindings();
        let kernel = kernel(call, &items, &bindings);
        items.with_kernel(kernel, bindings, |items, chunk| items.words(chunk)).evaluated(loops(span.into()))
    }

    #[cfg(feature = "parity")]
    fn trials(&self, trials: &Trials) -> Vec<Arrangement> {
        let w = trials.lanes;
        let counts = [1, 2, 3, w - 1, w, w + 1, 2 * w - 1, 2 * w, 2 * w + 1, 101 * w + 3];
        // In a call of few boxes each one's error shows.
        let more = [1, 1, 2, 2, 3, 3, 128 * w + 1, 100_003];
        let counts = counts.iter().chain(if trials.full { &more[..] } else { &[] });
        let mut others: Vec<TrialShape> = counts.map(|&count| TrialShape::dense(&[count, 4])).collect();
        others.push(TrialShape::dense(&[7, 3, 4]));
        others.push(TrialShape::dense(&[4]));
        if trials.full {
            others.push(TrialShape::dense(&[4, 1031, 4]));
        }
        vec![Arrangement { middle: TrialShape::dense(&[131, 4]), others }]
    }
}

/// Whether a tensor has boxes: these are whole quads, whatever their number.
fn is_of_boxes(tensor: &CallTensor) -> bool {
    tensor.role.input().is_some_and(|input| input.shape == Shape::Boxes)
}

fn kernel(call: &Call<'_>, items: &Items<'_>, bindings: &[Binding]) -> Kernel {
    let mut kernel = Kernel::new(items.tuning.workgroup_size, items.tuning.reduce).with_params(call.values);
    kernel.tensors = views_of(bindings);
    kernel.glue = glue(call, &kernel.tensors).0;
    kernel.join([
        shader_file!("lib/domain.wgsl"),
        shader_file!("lib/scale.wgsl"),
        shader_file!("lib/share.wgsl"),
        shader_file!("drivers/boxes/overlap.wgsl"),
        call.spec().shader,
        shader_file!("drivers/boxes/evaluate.wgsl"),
        shader_file!("lib/measure.wgsl"),
    ]);
    kernel
}

/// What `shaders/drivers/boxes/interface.wgsl` lists.
fn glue(call: &Call<'_>, views: &[TensorView]) -> Glue {
    let mut glue = Glue::default();
    for input in call.spec().inputs.iter().filter(|input| input.shape == Shape::Boxes) {
        glue.load_quad(&format!("load_{}", input.name), input_view(views, input.name), "1.0");
    }
    is_kept(&mut glue, views, "index");
    load_optional(&mut glue, views, &WEIGHT, "index");
    load_optional(&mut glue, views, &UPSTREAM, "index");
    glue.store("loss", "f32", view(views, "loss_of_item"), "index");
    let gradient = call.spec().differentiable().find_map(|input| gradient_view(views, input.name));
    glue.put_quad("store_gradient", gradient, call.adds());
    glue
}
