//! Losses of pairs and triplets: one item a row of each input, which a workgroup takes.

#[cfg(feature = "parity")]
use super::trials::{Arrangement, Trials};
use super::{
    Binding, Call, CallTensor, Extent, Room,
    elementwise::domain_check,
    gradient_view, input_view, is_kept,
    items::{self, Items},
    load_optional, view, views_of,
};
use crate::{
    Distance, Error, Tuning,
    gpu::Loops,
    kernel::{Glue, Kernel, PARTS, TensorView, block, list},
    program::{
        Program,
        chunk::{MOST_ELEMENTS, Split, even_span},
    },
    spec::{Input, Kind, Shape, UPSTREAM, Values, WEIGHT, Word, shader_file},
};

/// The driver of losses of pairs and triplets.
pub(crate) struct Pairs;

impl Room for Pairs {
    fn extent(&self, _: &Values, shape: &[usize]) -> Result<Extent, String> {
        Extent::of_one_or_more_embeddings(shape)
    }

    fn symbols(&self) -> [&'static str; 2] {
        ["[N]", "[1] or [N]"]
    }

    fn program(&self, call: &Call<'_>) -> Result<Program, Error> {
        let signature = call.signature;
        // A workgroup takes an item, whose rows its lanes may be too few for.
        let least = items_of_words(signature.row);
        let what = format!("{}: `{}`", call.loss(), call.spec().inputs[0].name);
        let tuning = call.machine.tuning.for_classes(signature.row);
        let tuning = call.machine.fitting(&what, tuning, |tuning| loops(tuning, signature.row, least))?;
        let loops = |span| loops(tuning, signature.row, span);
        let most = call.machine.most(&what, MOST_ELEMENTS / signature.row, loops)?.max(least);
        let span = even_span(signature.items, tuning.workgroups.into(), least, most);
        let split = Split::of_spans(span);
        let tensors = items::operands(call, |tensor| is_aligned(call) && is_of_rows(tensor));
        let items = Items::new(call, tuning, split, items::divisor(call), tensors)?;
        let bindings = items.bindings();
        let kernel = kernel(call, &items, &bindings);
        let items = items.with_kernel(kernel, bindings, |items, chunk| {
            items.words(chunk).and(block! { classes: items.call.signature.row as u32 })
        });
        items.evaluated(loops(span.into()))
    }

    #[cfg(feature = "parity")]
    fn trials(&self, trials: &Trials) -> Vec<Arrangement> {
        // Rows of whole quads, and others.
        vec![
            trials.arrangement(
                &[33, 10],
                &[&[3], &[1, 1], &[2, 3], &[3, 2], &[65, 3], &[257, 2], &[6, 513], &[64, 1]],
                &[&[1, 513], &[3, 1], &[17, 513], &[257, 3], &[1000, 5], &[1000, 2], &[1000, 513]],
            ),
            trials.arrangement(&[33, 12], &[&[17, 48], &[64, 128]], &[&[1, 48], &[2, 128], &[257, 48], &[1000, 128]]),
        ]
    }
}

/// Whether rows are of whole quads.
fn is_aligned(call: &Call<'_>) -> bool {
    call.signature.row.is_multiple_of(4)
}

fn is_of_rows(tensor: &CallTensor) -> bool {
    tensor.role.input().is_some_and(|input| input.shape == Shape::Embeddings)
}

/// How many items a workgroup takes at least: two where rows are of an odd length, so that no word of halves is left to
/// two workgroups.
fn items_of_words(row: u64) -> u64 {
    if row.is_multiple_of(2) { 1 } else { 2 }
}

/// The loops over the items of a span, of rows of this length.
fn loops(tuning: Tuning, row: u64, span: u64) -> Loops {
    let lanes = tuning.workgroup_size.into();
    // With one that a row shares at either end.
    let quads = row.div_ceil(4) + 2;
    // For the distances, of which there are three, walks with two sums of each: one or, for rows that need a scale, two
    // and one for near rows; and a walk for the gradients.
    let sums = Loops::blocks(quads, lanes, Loops::NONE) + Loops::reduce(tuning) * 6;
    let distances = Loops::each(2, sums) + sums;
    Loops::each(span, distances + Loops::walk(quads, lanes))
}

fn kernel(call: &Call<'_>, items: &Items<'_>, bindings: &[Binding]) -> Kernel {
    let mut kernel = Kernel::new(items.tuning.workgroup_size, items.tuning.reduce).with_params(call.values);
    if !call.values.has("distance") {
        for (number, name) in (0..).zip(Distance::NAMES) {
            kernel.constant(format!("DISTANCE_{}", name.to_uppercase()), number);
        }
    }
    kernel.flags(&[
        ("ALIGNED", is_aligned(call)),
        ("GRADIENTS", call.has_gradients()),
        ("THIRD", call.spec().differentiable().count() > 2),
    ]);
    kernel.tensors = views_of(bindings);
    kernel.glue = glue(call, &kernel.tensors).0;
    kernel.join([
        shader_file!("lib/domain.wgsl"),
        shader_file!("lib/scale.wgsl"),
        shader_file!("lib/share.wgsl"),
        shader_file!("drivers/pairs/distances.wgsl"),
        call.spec().shader,
        shader_file!("drivers/pairs/evaluate.wgsl"),
        shader_file!("lib/measure.wgsl"),
    ]);
    kernel
}

/// What `shaders/drivers/pairs/interface.wgsl` lists.
fn glue(call: &Call<'_>, views: &[TensorView]) -> Glue {
    let spec = call.spec();
    let embeddings: Vec<&Input> = spec.differentiable().collect();
    let label = spec.inputs.iter().find(|input| input.kind == Kind::Label);
    let mut glue = Glue::default();

    let values = |input: &&Input| match input_view(views, input.name) {
        Some(tensor) if tensor.quads => tensor.quad(),
        Some(tensor) => format!("vec4<f32>({})", list(&PARTS, |part| tensor.element(&format!("places.{part}")))),
        None => "vec4<f32>()".to_string(),
    };
    let absent = ", vec4<f32>()".repeat(3_usize.saturating_sub(embeddings.len()));
    let quad = format!("Quad({}{absent})", list(&embeddings, values));
    glue.function("load_values(quad: u32, places: vec4<u32>) -> Quad", &quad);

    let mut put_gradients = Vec::new();
    for (input, part) in embeddings.iter().zip(["first", "second", "third"]) {
        let Some(tensor) = gradient_view(views, input.name) else { continue };
        let function = format!("put_{part}");
        if tensor.quads {
            glue.put_quad(&function, Some(tensor), call.adds());
            put_gradients.push(format!("{function}(quad, gradients.{part});"));
        } else {
            glue.put_inside(&function, tensor, call.adds());
            put_gradients.push(format!("{function}(quad, inside, gradients.{part});"));
        }
    }
    let signature = "put_gradients(quad: u32, inside: vec4<bool>, gradients: Quad)";
    glue.procedure(signature, &put_gradients.join("\n    "));

    let is_label = label.and_then(|label| domain_check(label.domain, "label"));
    glue.function("is_label(label: f32) -> bool", is_label.as_deref().unwrap_or("true"));
    glue.load("label", "f32", label.and_then(|label| input_view(views, label.name)), "index", "1.0");
    is_kept(&mut glue, views, "index");
    load_optional(&mut glue, views, &WEIGHT, "index");
    load_optional(&mut glue, views, &UPSTREAM, "index");
    glue.store("loss", "f32", view(views, "loss_of_item"), "index");
    glue
}
