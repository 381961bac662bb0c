//! Losses that are another one at each of any number of layers, weighted.

use std::sync::Arc;

#[cfg(feature = "parity")]
use super::trials::{Arrangement, TrialShape, Trials};
use super::{
    Call, CallTensor, Extent, Role, Room, gradient_view, input_view, load_optional,
    parts::{Joined, Part, Slots, Weights},
    room, view_of,
};
use crate::{
    Error, Options, Reduction, Signature,
    gpu::Loops,
    kernel::{Access, Glue, Holds, Kernel, TensorView, block},
    program::{Place, Program, Step, WORKSPACE},
    spec::{Input, LAYER_WEIGHTS, Layers, UPSTREAM, Values, shader_file},
};

/// The scratch that holds what the gradients of each layer are multiplied with.
const FACTORS: usize = WORKSPACE + 2;

const REDUCTIONS: &[Reduction] = &[Reduction::Mean, Reduction::Sum];

impl Room for Layers {
    fn extent(&self, values: &Values, shape: &[usize]) -> Result<Extent, String> {
        let loss = (self.loss)(values);
        // Its parameters are checked where it is called.
        if let Ok(own) = Values::new(loss.spec(), loss.values()) {
            room(&loss.spec().driver).extent(&own, shape)?;
        }
        Ok(Extent { result_shape: Vec::new(), ..Extent::of_items(shape.to_vec(), 1) })
    }

    fn symbols(&self) -> [&'static str; 2] {
        ["[*]", "[1]"]
    }

    fn refuses(&self, loss: &'static str, reduction: Reduction) -> Option<Error> {
        let known = REDUCTIONS;
        (!known.contains(&reduction)).then_some(Error::TermsReduction { loss, reduction, known })
    }

    fn program(&self, call: &Call<'_>) -> Result<Program, Error> {
        let parts = parts(self, call.values, call.signature, call.options, share)?;
        let is_weighted = call.signature.input(LAYER_WEIGHTS.name).is_some();
        let share = share(parts.len(), call.options.reduction);
        let factors = is_weighted.then(|| Slots::new(call.machine, FACTORS, parts.len()));
        let mut joined = Joined::new(call, &parts, factors.as_ref())?;
        if let Some(factors) = &factors {
            joined.program.steps.insert(0, spread(call, factors, parts.len()));
        }
        let is = |role| matches!(role, Role::Input(_) | Role::Overwritten(_) | Role::Gradient(_));
        let tensors = weights_of(call, is, |tensor| view_of(tensor, false));
        let views: Vec<TensorView> = tensors.iter().map(|(view, _)| view.clone()).collect();
        let mut glue = Glue::default();
        let weight = input_view(&views, LAYER_WEIGHTS.name).map_or("1.0".to_string(), |view| view.element("part"));
        glue.function("weight_of(part: u32) -> f32", &format!("call.share * {weight}"));
        load_optional(&mut glue, &views, &UPSTREAM, "0u");
        let put = gradient_view(&views, LAYER_WEIGHTS.name).filter(|_| call.has_gradients());
        let slope = "(call.slope * load_upstream(0u)) * value";
        let put = put.map_or_else(String::new, |view| view.put("part", slope, call.adds()));
        glue.procedure("put_slope(part: u32, value: f32)", &put);
        let slope = call.gradient_scale(1.0) * share;
        let words = block! { share: share as f32, slope: slope as f32, upstream_stride: call.upstream_stride() };
        Ok(joined.combined(call, Weights { words, tensors, glue }))
    }

    #[cfg(feature = "parity")]
    fn trials(&self, trials: &Trials) -> Vec<Arrangement> {
        let w = trials.lanes;
        let few: &[&[usize]] =
            &[&[1, 1], &[1, 3], &[2, 5], &[3, w], &[2, w + 1, 3], &[1, 2, 16], &[4, 1, 2], &[1, 9, 4], &[2, 4, 1, 6]];
        let many: &[&[usize]] = &[&[1, 5, 8 * w + 1], &[2, 33, 7, 11]];
        let arrangement = trials.arrangement(&[3, 6, 7], &[few, many].concat(), &[&[2, 64, 1031], &[1, 130, 40]]);
        let others = arrangement.others.into_iter().zip([1, 2, 3].into_iter().cycle());
        let others = others.map(|(shape, layers)| TrialShape { layers, ..shape }).collect();
        vec![Arrangement { middle: TrialShape { layers: 2, ..arrangement.middle }, others }]
    }
}

/// The loss at each layer of a call. Their gradients are multiplied with what `weight` says of one of so many layers.
pub(crate) fn parts(
    layers: &Layers,
    values: &Values,
    signature: &Signature,
    options: &Options,
    weight: fn(usize, Reduction) -> f64,
) -> Result<Vec<Part>, Error> {
    let spec = values.spec();
    let count = spec.layers_among(signature.inputs.iter().map(|(input, _)| input.name));
    let part = |layer| {
        let inputs = spec.inputs_of_layer(layer).map(|input| input.name).collect();
        Part::new((layers.loss)(values), inputs, weight(count, options.reduction), options)
    };
    (0..count).map(part).collect()
}

/// What the loss of one of so many layers is multiplied with.
pub(crate) fn share(layers: usize, reduction: Reduction) -> f64 {
    if reduction == Reduction::Sum { 1.0 } else { 1.0 / layers as f64 }
}

/// The tensors of a call with these roles that are the weights of layers, or of those the upstream.
fn weights_of(call: &Call<'_>, is: fn(Role) -> bool, view: fn(&CallTensor) -> TensorView) -> Vec<(TensorView, Place)> {
    let own = |input: &Input| [LAYER_WEIGHTS.name, UPSTREAM.name].contains(&input.name);
    let tensors = call.tensors().into_iter().filter(|tensor| is(tensor.role) && tensor.role.input().is_some_and(own));
    tensors.map(|tensor| (view(&tensor), Place::Tensor(tensor.name, 0..tensor.ty.buffer_size()))).collect()
}

/// The step that makes the factors: of each layer its weight, times the upstream.
fn spread(call: &Call<'_>, factors: &Slots, layers: usize) -> Step {
    let tuning = call.machine.tuning;
    let lanes = u64::from(tuning.workgroup_size);
    let words = block! {
        parts: layers as u32,
        factor_stride: factors.stride_in_words(),
        upstream_stride: call.upstream_stride(),
    };
    let mut kernel = Kernel::new(tuning.workgroup_size, tuning.reduce).with_call(&words);
    let is = |role| matches!(role, Role::Input(_) | Role::Overwritten(_));
    let read = |tensor: &CallTensor| TensorView::read(format!("input_{}", tensor.name), tensor.ty.dtype);
    let tensors = weights_of(call, is, read);
    let (views, places): (Vec<TensorView>, Vec<Place>) = tensors.into_iter().unzip();
    let mut glue = Glue::default();
    glue.load("weight", "f32", input_view(&views, LAYER_WEIGHTS.name), "index", "1.0");
    load_optional(&mut glue, &views, &UPSTREAM, "0u");
    kernel.glue = glue.0;
    kernel.tensors = views;
    kernel.tensors.push(TensorView::new("factors", Holds::Values("f32"), Access::Write));
    kernel.join([shader_file!("drivers/sum/spread.wgsl")]);
    Step {
        kernel: Arc::new(kernel),
        entry: "spread",
        call: words,
        params: None,
        bound: places.into_iter().chain([factors.whole()]).collect(),
        workgroups: [1, 1, 1],
        loops: Loops::walk(layers as u64, lanes),
    }
}
