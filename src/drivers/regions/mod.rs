//! Losses of regions: one item a score of the overlap of regions with their targets. What is walked over are pixels.

mod glue;
mod layout;
pub(super) mod scores;

use std::sync::Arc;

#[cfg(feature = "parity")]
use super::trials::{Arrangement, Trials};
use super::{
    At, Binding, Call, Extent, Need, Role, Room,
    divisor::Divisor,
    finalize::Ending,
    items::{self, Entry, Items, RECORDS},
    views_of,
};
use crate::{
    DType, Error, Reduction,
    extra::Extra,
    kernel::{Access, Block, Holds, Kernel, TensorView, block},
    program::{
        Program, Scratch, Step, WORKSPACE,
        chunk::{Chunk, Operand},
        workspace,
        workspace::WorkspaceHeader,
    },
    spec::{
        Activation, CLASS_WEIGHT, Driver, LossSpec, MeanOver, Regions, Scope, ShaderFile, Shape, Values, shader_file,
    },
};
use layout::Layout;
use scores::{ScoreSplit, Scores};

impl Room for Regions {
    fn extent(&self, values: &Values, shape: &[usize]) -> Result<Extent, String> {
        let scope = values.word_or("scope", Scope::Class);
        let extent = match values.word_or("activation", Activation::Softmax) {
            // Of one class it is 1, whatever the logits.
            Activation::Softmax => Extent::of_rows(shape, 2).map_err(|shapes| format!("{shapes} for a softmax"))?,
            Activation::None | Activation::Sigmoid => Extent::of_rows(shape, 1)?,
        };
        let samples = scope.is_per_sample().then_some(shape[0]);
        let classes = scope.is_per_class().then_some(scores::scored_classes(values, extent.row) as usize);
        Ok(Extent { result_shape: samples.into_iter().chain(classes).collect(), ..extent })
    }

    fn symbols(&self) -> [&'static str; 2] {
        ["[N, d…]", if self.terms.is_some() { "[1]" } else { "[1] or that of the scores" }]
    }

    fn needs(&self) -> Vec<Need> {
        let weigh = |spec: &LossSpec| match spec.driver {
            Driver::Regions(Regions { terms: Some(terms) }) => terms.weights.iter().all(|name| spec.has_number(name)),
            _ => true,
        };
        let are_three = |spec: &LossSpec| {
            let [_, _, weight] = spec.inputs else { return false };
            spec.inputs[0].shape == Shape::Rows && weight.name == CLASS_WEIGHT.name
        };
        let what = "`params` has a flag `include_background`";
        vec![
            Need { what: "`inputs` are predictions, targets and `CLASS_WEIGHT`", is_met: are_three },
            Need { what: "`params` has a number `smooth`", is_met: |spec| spec.has_number("smooth") },
            Need { what: "`params` has a compiled flag `squared`", is_met: |spec| spec.has_flag("squared", true) },
            Need { what, is_met: |spec| spec.has_flag("include_background", false) },
            Need { what: "`params` has the numbers that are the weights of its terms", is_met: weigh },
        ]
    }

    fn refuses(&self, loss: &'static str, reduction: Reduction) -> Option<Error> {
        let known = &[Reduction::Mean, Reduction::Sum, Reduction::BatchMean];
        let has_it = self.terms.is_none() || known.contains(&reduction);
        (!has_it).then_some(Error::TermsReduction { loss, reduction, known })
    }

    fn program(&self, call: &Call<'_>) -> Result<Program, Error> {
        let scores = Scores::new(*self, call);
        let (layout, tuning) = Layout::of(call)?;
        let split = layout.split(call, tuning, scores)?;
        let tensors = items::operands(call, |_| false).into_iter().map(|(tensor, operand)| {
            // Scores are not split with the pixels.
            let is_of_scores =
                tensor.role == Role::Loss || tensor.role.input().is_some_and(|input| input.shape == Shape::OneOrItems);
            let unit = operand.unit.filter(|_| !is_of_scores);
            (tensor, Operand { unit, ..operand })
        });
        let mut items = Items::new(call, tuning, split, divisor(call), tensors.collect())?;
        let pixel_parts = items.partials;
        let score_split = scores.split(call, pixel_parts)?;
        items.partials = pixel_parts.saturating_add(score_split.dispatched);
        items.program.scratch[WORKSPACE].size = workspace::size(items.partials);
        let size = scores.records_size(pixel_parts);
        items.program.scratch.push(Scratch { label: "the records of regions", size });

        let form = Form { call, regions: *self, layout, scores, score_split };
        let bindings = form.pixel_bindings(&items);
        let kernel = form.pixel_kernel(&items, &bindings);
        let scoring = form.scoring(&items);
        let mut items = items.with_kernel(kernel, bindings, |items, chunk| form.pixel_words(items, chunk));
        let pixels = if scores.per_sample { split.part_columns } else { split.span };
        items.each_chunk(Entry::new("sum_regions", layout.sum_loops(tuning, pixels.into())));
        items.program.steps.push(scoring);
        if call.has_gradients() {
            let loops = layout.gradient_loops(tuning, pixels.into());
            items.each_chunk(Entry::new("evaluate_gradients", loops));
        }
        if let (Some(weights), false) = (self.weights(call), call.is_per_item()) {
            items.finalize(Ending::Terms(weights))?;
            return Ok(items.program);
        }
        items.ended()
    }

    fn extras(&self, _: &Call<'_>, found: &WorkspaceHeader) -> Vec<Extra> {
        let terms = self.terms.map(|terms| terms.names.into_iter().zip([found.first_term, found.second_term]));
        terms.into_iter().flatten().map(|(name, term)| Extra::Term(name, term)).collect()
    }

    #[cfg(feature = "parity")]
    fn trials(&self, trials: &Trials) -> Vec<Arrangement> {
        // Every number of classes that fits into registers has kernels of its own.
        let w = trials.lanes;
        vec![
            // Single pixels, planes and volumes, of odd and even sizes: around the part of a workgroup, and with many.
            trials.arrangement(
                &[2, 3, 7, 5],
                &[&[5, 3], &[2, 3, 1], &[2, 3, 8 * w + 1], &[67, 3, 3]],
                &[&[1030, 3], &[2, 3, 131, 77]],
            ),
            trials.arrangement(
                &[2, 3, 7, 6],
                &[&[2, 3, 4], &[3, 3, 2, 2, 3], &[33, 3, 2], &[2, 3, 64 * w + 2]],
                &[&[4, 3, 64, 64], &[2, 3, 20, 21, 22]],
            ),
            trials.arrangement(&[3, 2, 12], &[&[1, 2, 8 * w], &[1, 2, 130, 77]], &[&[67, 2, 4]]),
            // More classes than fit into registers, and enough pixels for each to be some sample's: without smoothing,
            // f32 has no score for one of which only probabilities below its range are left.
            trials.arrangement(
                &[2, 21, 14, 15],
                &[&[2, 40, 3], &[3, 40, 9 * w + 2]],
                &[&[2, 25, 9, 7], &[1, 150, 40, 10]],
            ),
        ]
        .into_iter()
        .chain([trials.arrangement(&[2, 1, 5], &[&[1, 1]], &[&[16, 1, 127, 127]])])
        .chain(trials.full.then(|| trials.arrangement(&[2, 8, 9, 7], &[&[4, 8, 63, 65]], &[])))
        .chain(trials.full.then(|| trials.arrangement(&[2, 20, 14, 15], &[&[2, 20, 34, 31]], &[])))
        .collect()
    }
}

impl Regions {
    /// The weights of the loss's two terms, if it is a sum of them.
    fn weights(&self, call: &Call<'_>) -> Option<[f64; 2]> {
        Some(self.terms?.weights.map(|weight| call.values.number(weight)))
    }
}

/// What a mean divides by: every score counts, and their weights are on the device.
fn divisor(call: &Call<'_>) -> Divisor {
    let signature = call.signature;
    let is_weighted =
        call.values.word_or("scope", Scope::Class).is_per_class() && call.dtype(CLASS_WEIGHT.name).is_some();
    match call.options.reduction {
        Reduction::None => Divisor::Known(1.0),
        Reduction::Sum => Divisor::of_sum(call),
        Reduction::BatchMean => Divisor::Known(signature.batch as f64),
        Reduction::WeightedMean if is_weighted => Divisor::Measured,
        Reduction::Mean | Reduction::WeightedMean => Divisor::Known(signature.results() as f64),
    }
}

/// What the kernels are made from.
struct Form<'a> {
    call: &'a Call<'a>,
    regions: Regions,
    layout: Layout,
    scores: Scores,
    score_split: ScoreSplit,
}

impl Form<'_> {
    /// What the kernels of pixels bind.
    fn pixel_bindings(&self, items: &Items<'_>) -> Vec<Binding> {
        let is_atomic = !self.layout.pairs && self.call.first_dtype().is_half();
        let is_of_pixels = |view: &TensorView| !["input_upstream", "loss_of_item"].contains(&view.name.as_str());
        let bindings = items.bindings().into_iter().filter(|binding| is_of_pixels(&binding.view));
        let bindings = bindings.map(|mut binding| {
            if is_atomic && binding.view.name.starts_with("grad_") {
                binding.view.access = Access::Atomic;
            }
            binding
        });
        with_records(bindings.collect())
    }

    /// The words of a chunk's pixels.
    fn pixel_words(&self, items: &Items<'_>, chunk: &Chunk) -> Block {
        let (signature, split) = (self.call.signature, items.split);
        let (segment, span, parts) = match self.scores.per_sample {
            true => (split.span, split.part_columns, split.parts),
            false => (chunk.items, split.span, chunk.workgroups),
        };
        block! {
            length: chunk.items,
            span,
            first_partial: chunk.first_partial,
            parts,
            segment,
            classes: signature.row as u32,
            class_stride: signature.class_stride as u32,
            row_stride: signature.row_stride(0) as u32,
            segment_parts: self.score_split.segment_parts,
            first_slopes: self.scores.first_slopes(self.score_split),
        }
    }

    /// The kernel of pixels. The ratio of the sums is no concern of it: of losses without a term for each pixel it is
    /// the same.
    fn pixel_kernel(&self, items: &Items<'_>, bindings: &[Binding]) -> Kernel {
        let Form { call, regions, layout, .. } = self;
        let has_term = regions.terms.is_some();
        let kernel = Kernel::new(items.tuning.workgroup_size, items.tuning.reduce);
        let mut kernel = match has_term {
            true => kernel.with_params(call.values),
            false => kernel.with_some_params(call.values, &["smooth", "ignore_index"]).with_compiled(call.values),
        };
        let is_index = call.dtype(call.spec().inputs[1].name) == Some(DType::I32);
        let activation = call.values.word_or("activation", Activation::Softmax);
        kernel.constant("STRIP", layout.strip);
        let (softmaxes, pulls) = Layout::kept(items.tuning);
        kernel.constant("KEPT_SOFTMAXES", softmaxes);
        kernel.constant("KEPT_PULLS", pulls);
        kernel.flags(&[
            ("STRIPS", layout.strips),
            ("FEW_REGISTERS", Layout::has_few_registers(items.tuning)),
            ("SOFTMAX", activation == Activation::Softmax),
            ("SIGMOID", activation == Activation::Sigmoid),
            ("CHECKS_PREDICTION", activation == Activation::None),
            ("INDEX_TARGET", is_index),
            ("CHECKS_WEIGHT", call.dtype(CLASS_WEIGHT.name).is_some()),
            ("ELEMENTWISE_TERM", has_term && Regions::has_elementwise_term(call.values)),
            ("MASS_OF_WEIGHTS", regions.terms.is_some_and(|terms| terms.mean_over == MeanOver::ClassWeights)),
        ]);
        kernel.tensors = views_of(bindings);
        kernel.glue = glue::of_pixels(call, is_index, &kernel.tensors).0;
        kernel.join([shader_file!("lib/domain.wgsl"), shader_file!("drivers/regions/regions.wgsl")]);
        match has_term {
            true => kernel.join(hooks(call)),
            false => kernel.join([NO_TERM]),
        }
        let stores_pairs = layout.pairs && call.has_gradients() && call.first_dtype().is_half();
        let has_few_registers = Layout::has_few_registers(items.tuning);
        kernel.join([
            shader_file!("drivers/regions/pixels.wgsl"),
            match has_few_registers {
                true => shader_file!("drivers/regions/classes_in_turn.wgsl"),
                false => shader_file!("drivers/regions/classes_at_once.wgsl"),
            },
            shader_file!("drivers/regions/sum_regions.wgsl"),
            shader_file!("drivers/regions/evaluate_gradients.wgsl"),
            match (stores_pairs, has_few_registers) {
                (true, true) => shader_file!("drivers/regions/store_pixel_pairs_in_turn.wgsl"),
                (true, false) => shader_file!("drivers/regions/store_pixel_pairs.wgsl"),
                (false, _) => shader_file!("drivers/regions/store_pixel.wgsl"),
            },
        ]);
        kernel
    }

    /// The step that makes the scores of the sums.
    fn scoring(&self, items: &Items<'_>) -> Step {
        let call = self.call;
        let is_of_scores = |view: &TensorView| {
            let input = view.name.strip_prefix("input_").and_then(|name| call.spec().input(name));
            let is_input = input.is_some_and(|input| matches!(input.shape, Shape::Classes | Shape::OneOrItems));
            is_input || ["loss_of_item", "workspace"].contains(&view.name.as_str())
        };
        let bindings = items.bindings().into_iter().filter(|binding| is_of_scores(&binding.view));
        let bindings = with_records(bindings.collect());
        let words = self.score_words(items);
        let ScoreSplit { tuning, dispatched, loops, .. } = self.score_split;
        let mut kernel = Kernel::new(tuning.workgroup_size, tuning.reduce).with_params(call.values).with_call(&words);
        kernel.tensors = views_of(&bindings);
        kernel.glue = glue::of_scores(&kernel.tensors).0;
        kernel.join([shader_file!("drivers/regions/regions.wgsl")]);
        kernel.join(hooks(call));
        if self.regions.terms.is_none() {
            kernel.join([NO_TERM]);
        }
        kernel.join([shader_file!("drivers/regions/score_regions.wgsl")]);
        let place = |binding: &Binding| items.whole(binding);
        Step {
            kernel: Arc::new(kernel),
            entry: "score_regions",
            call: words,
            params: None,
            bound: bindings.iter().map(place).collect(),
            workgroups: [dispatched, 1, 1],
            loops,
        }
    }

    /// What the pixels' term is divided by, if it is that of the scores; 0 for what it is a mean over, which is on the
    /// device.
    fn term_divisor(&self, divisor: Divisor) -> f32 {
        match self.call.options.reduction {
            Reduction::Sum | Reduction::BatchMean => divisor.known() as f32,
            Reduction::None | Reduction::Mean | Reduction::WeightedMean => 0.0,
        }
    }

    fn score_words(&self, items: &Items<'_>) -> Block {
        let (call, scores, split) = (self.call, self.scores, self.score_split);
        let [pixel_weight, score_weight] = self.regions.weights(call).unwrap_or([0.0, 1.0]);
        block! {
            length: scores.scores as u32,
            span: split.span,
            first_partial: split.parts,
            parts: split.workgroups,
            classes: call.signature.row as u32,
            segments: scores.segments as u32,
            segment_parts: split.segment_parts,
            segment_scores: scores.segment_scores as u32,
            per_class: scores.per_class,
            first_slopes: scores.first_slopes(split),
            scale: (score_weight * call.gradient_scale(items.divisor.known())) as f32,
            term_divisor: self.term_divisor(items.divisor),
            term_scale: (pixel_weight * call.options.gradient_scale()) as f32,
            measured: items.divisor.word(),
            divisor: items.divisor.known() as f32,
            upstream_stride: call.upstream_stride(),
        }
    }
}

/// The hooks of a loss, and what they use.
fn hooks(call: &Call<'_>) -> [ShaderFile; 3] {
    [shader_file!("lib/logistic.wgsl"), shader_file!("drivers/regions/ratio.wgsl"), call.spec().shader]
}

/// The hooks of a loss without a term for each pixel.
pub(super) const NO_TERM: ShaderFile = shader_file!("drivers/regions/hooks/pixel_term.wgsl");

/// The bindings with the records before the workspace.
fn with_records(mut bindings: Vec<Binding>) -> Vec<Binding> {
    let records = TensorView::new("records", Holds::Values("Region"), Access::Write);
    let workspace = bindings.pop();
    bindings.push(Binding { view: records, at: At::Scratch(RECORDS) });
    bindings.extend(workspace);
    bindings
}
