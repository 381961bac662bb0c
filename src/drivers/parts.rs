//! What losses that are made of others share: each part runs by itself, one after the other, and one more step adds
//! them up. What a mean of a part divides by is known to it alone, and no part waits for another.

use std::{mem::offset_of, ops::Range, sync::Arc};

use super::{Call, gradient_name, program};
use crate::{
    Error, Loss, Named, Options, Signature, Statistics, TensorType,
    gpu::{Loops, Machine},
    kernel::{Access, Block, Glue, Holds, Kernel, TensorView, block},
    program::{Place, Program, Report, Scratch, Step, WORKSPACE, workspace::WorkspaceHeader},
    spec::{DIVISOR, UPSTREAM, Values, shader_file},
};

/// The scratch that holds the results of the parts.
const LOSSES: usize = WORKSPACE + 1;

/// Bytes of a word of a workspace.
const WORD: usize = size_of::<u32>();

/// A part of a loss.
pub(crate) struct Part {
    pub loss: Box<dyn Loss>,
    pub values: Values,
    /// Which inputs of the whole the required ones of the part are, in their order.
    pub inputs: Vec<&'static str>,
    pub options: Options,
}

impl Part {
    /// A part whose gradients are multiplied with a weight, besides what the options of the whole say.
    pub fn new(loss: Box<dyn Loss>, inputs: Vec<&'static str>, weight: f64, options: &Options) -> Result<Self, Error> {
        let values = Values::new(loss.spec(), loss.values())?;
        let upstream = (f64::from(options.upstream) * weight) as f32;
        let options = Options { upstream, statistics: Statistics::default(), ..*options };
        Ok(Part { loss, values, inputs, options })
    }

    /// The inputs of the part, with the names that they have in the whole.
    fn names(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.values.spec().inputs.iter().map(|input| input.name).zip(self.inputs.iter().copied())
    }

    /// What is there of the inputs of the whole, under the names that the part has for them.
    pub fn given<T>(&self, given: impl Fn(&str) -> Option<T>) -> Named<T> {
        let all = self.names().chain([UPSTREAM, DIVISOR].map(|input| (input.name, input.name)));
        all.filter_map(|(own, of_whole)| Some((own.to_string(), given(of_whole)?))).collect()
    }

    /// The names in the whole of the inputs that have a gradient.
    pub fn differentiable(&self) -> impl Iterator<Item = &'static str> {
        let inputs = self.values.spec().inputs.iter().zip(&self.inputs);
        inputs.filter(|(input, _)| input.differentiable).map(|(_, name)| *name)
    }

    /// The name that a tensor of the part has in the whole.
    fn name_in_whole(&self, name: &str) -> String {
        let found = self.names().find_map(|(own, of_whole)| {
            let is_gradient = name == gradient_name(own);
            if is_gradient { Some(gradient_name(of_whole)) } else { (name == own).then(|| of_whole.to_string()) }
        });
        found.unwrap_or_else(|| name.to_string())
    }

    /// The error of a limit as it is said of the whole: with the names that the caller knows.
    fn said_of_whole(&self, error: Error, whole: &str) -> Error {
        let Error::Limit { what, limit, needed, available, adapter, advice } = error else { return error };
        let of_part = what.replacen(&format!("{}: ", self.values.spec().name), &format!("{whole}: "), 1);
        // Names stand between backticks.
        let renamed = |(place, text): (usize, &str)| match place % 2 {
            1 => self.name_in_whole(text),
            _ => text.to_string(),
        };
        let what = of_part.split('`').enumerate().map(renamed).collect::<Vec<_>>().join("`");
        Error::Limit { what, limit, needed, available, adapter, advice }
    }

    /// The program of the part, with an upstream of this type.
    fn program(&self, call: &Call<'_>, upstream: Option<&TensorType>) -> Result<Program, Error> {
        let type_of = |name: &str| if name == UPSTREAM.name { upstream } else { call.signature.input(name) };
        let types = self.given(|name| type_of(name).cloned());
        let signature = Signature::new(self.values.spec(), &self.values, &types, &self.options)?;
        let whole = call.loss();
        let call = Call { values: &self.values, signature: &signature, options: &self.options, ..*call };
        let mut program = program(&call).map_err(|error| self.said_of_whole(error, whole))?;
        for step in &mut program.steps {
            step.params.get_or_insert_with(|| step.kernel.bytes_of_params(&self.values));
        }
        Ok(program)
    }
}

/// The programs of parts, one behind the other in one.
pub(super) struct Joined {
    pub program: Program,
    parts: u64,
    /// From the workspace of one part to that of the next; the first is the sum's own.
    workspace_stride: u64,
    /// From the result of one part to that of the next.
    loss_stride: u64,
}

/// A tensor of one value for each part, where bindings may start.
pub(super) struct Slots {
    scratch: usize,
    stride: u64,
    parts: u64,
}

impl Slots {
    /// Memory for so many values.
    pub fn new(machine: &Machine, scratch: usize, parts: usize) -> Self {
        let stride = machine.limits.min_storage_buffer_offset_alignment.into();
        Slots { scratch, stride, parts: parts as u64 }
    }

    pub fn size(&self) -> u64 {
        self.stride * self.parts
    }

    /// From one value to the next.
    pub fn stride_in_words(&self) -> u32 {
        (self.stride / WORD as u64) as u32
    }

    pub fn whole(&self) -> Place {
        Place::Scratch(self.scratch, 0..self.size())
    }

    fn part(&self, part: u64, range: Range<u64>) -> Place {
        Place::Scratch(self.scratch, shifted(range, self.stride * part))
    }
}

impl Joined {
    /// The programs of the parts. Where the gradients of each are multiplied with a value of its own, that is in one of
    /// the slots.
    pub fn new(call: &Call<'_>, parts: &[Part], factors: Option<&Slots>) -> Result<Self, Error> {
        let factor = TensorType::new(crate::DType::F32, []);
        let upstream = if factors.is_some() { Some(&factor) } else { call.signature.input(UPSTREAM.name) };
        let programs = parts.iter().map(|part| part.program(call, upstream)).collect::<Result<Vec<_>, _>>()?;
        // The workspaces lie side by side, the sum's own first, so that one step can read them all.
        let largest = programs.iter().map(|program| program.scratch[WORKSPACE].size).max().unwrap_or(0);
        let losses = Slots::new(call.machine, LOSSES, parts.len());
        let (workspace_stride, parts_count) = (largest.next_multiple_of(losses.stride), parts.len() as u64);
        let mut program = Program::new(vec![
            Scratch { label: "the workspace", size: workspace_stride * (1 + parts_count) },
            Scratch { label: "the losses of the parts", size: losses.size() },
        ]);
        program.scratch.extend(factors.map(|slots| Scratch { label: "the factors of the parts", size: slots.size() }));
        for ((number, part), of_part) in (0..).zip(parts).zip(programs) {
            if number == 0 {
                program.report = Report { chunks: of_part.report.chunks };
            }
            let first_scratch = program.scratch.len();
            program.scratch.extend(of_part.scratch.into_iter().skip(1));
            let moved = |place: Place| match place {
                Place::Scratch(WORKSPACE, range) => {
                    Place::Scratch(WORKSPACE, shifted(range, workspace_stride * (1 + number)))
                }
                Place::Scratch(index, range) => Place::Scratch(first_scratch + index - 1, range),
                Place::Tensor(name, range) if name == "loss" => losses.part(number, range),
                Place::Tensor(name, range) => match factors {
                    Some(slots) if name == UPSTREAM.name => slots.part(number, range),
                    _ => Place::Tensor(part.name_in_whole(&name), range),
                },
            };
            program.steps.extend(of_part.steps.into_iter().map(|step| {
                let bound = step.bound.into_iter().map(moved).collect();
                Step { bound, ..step }
            }));
        }
        let loss_stride = losses.stride;
        Ok(Joined { program, parts: parts_count, workspace_stride, loss_stride })
    }

    /// The program with the step that adds up the parts, whose kernel finds their weights by this glue, these words and
    /// these tensors.
    pub fn combined(mut self, call: &Call<'_>, weights: Weights) -> Program {
        let Joined { parts, workspace_stride, loss_stride, .. } = self;
        let tuning = call.machine.tuning;
        let words = block! {
            parts: parts as u32,
            loss_stride: (loss_stride / WORD as u64) as u32,
            workspace_stride: (workspace_stride / WORD as u64) as u32,
        };
        let words = words.and(weights.words);
        let mut kernel = Kernel::new(tuning.workgroup_size, tuning.reduce).with_call(&words);
        for (name, offset) in [
            ("ITEMS", offset_of!(WorkspaceHeader, items_low)),
            ("INVALID", offset_of!(WorkspaceHeader, invalid_low)),
            ("INVALID_PARTIAL", offset_of!(WorkspaceHeader, invalid_partial)),
            ("INVALID_ITEM", offset_of!(WorkspaceHeader, invalid_item)),
        ] {
            kernel.constant(name, (offset / WORD) as u32);
        }
        let (views, places): (Vec<_>, Vec<_>) = weights.tensors.into_iter().unzip();
        kernel.tensors = vec![
            TensorView::new("loss", Holds::Values("f32"), Access::Write),
            TensorView::new("losses", Holds::Values("f32"), Access::Write),
            TensorView::new("workspaces", Holds::Values("u32"), Access::Write),
            TensorView::workspace(Access::Write),
        ];
        kernel.tensors.extend(views);
        kernel.glue = weights.glue.0;
        kernel.join([shader_file!("drivers/sum/combine.wgsl")]);
        let loss = call.signature.loss_type(call.options.reduction).buffer_size();
        let own = [
            Place::Tensor("loss".to_string(), 0..loss),
            Place::Scratch(LOSSES, 0..loss_stride * parts),
            Place::Scratch(WORKSPACE, workspace_stride..workspace_stride * (1 + parts)),
            Place::Scratch(WORKSPACE, 0..workspace_stride),
        ];
        self.program.steps.push(Step {
            kernel: Arc::new(kernel),
            entry: "combine",
            call: words,
            params: None,
            bound: own.into_iter().chain(places).collect(),
            workgroups: [1, 1, 1],
            loops: Loops::walk(parts, 1),
        });
        self.program
    }
}

/// How the kernel that adds up parts knows their weights: `weight_of(part)`, and `put_slope(part, value)` for a
/// part's result where weights have gradients.
pub(super) struct Weights {
    pub words: Block,
    pub tensors: Vec<(TensorView, Place)>,
    pub glue: Glue,
}

fn shifted(range: Range<u64>, by: u64) -> Range<u64> {
    range.start + by..range.end + by
}
