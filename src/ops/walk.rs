//! How the kernels of operations walk over tensors: what each dispatch takes, and its steps.

use std::{collections::HashMap, sync::Arc};

use crate::{
    DType, Error, TensorType,
    gpu::{Loops, Machine},
    kernel::{Access, Block, Glue, Holds, Kernel, TensorView},
    program::{
        Place, Program, Step,
        chunk::{Chunk, MOST_ELEMENTS, Operand, Split, Splittable, Start, chunks, even_span, partials},
    },
    spec::ShaderFile,
};

/// Elements that a lane takes at once.
const QUAD: u64 = 4;

/// The tensors of an operation on a device, in order.
#[derive(Debug)]
pub struct Walk<'a> {
    /// What messages call the operation.
    pub(crate) name: &'static str,
    pub(crate) machine: &'a Machine,
    pub(crate) tensors: &'a [(String, TensorType)],
    /// Of each, whether its buffer goes on to the end of its last quad.
    pub(crate) roomy: Vec<bool>,
    /// The outputs that the caller binds.
    pub(crate) outputs: Vec<&'static str>,
}

/// What one dispatch takes of a tensor, or of several of the same length side by side: all of it, unless a binding or a
/// dispatch would be too large.
#[derive(Debug)]
pub(crate) struct Part {
    pub operands: Vec<PartOperand>,
    pub chunk: Chunk,
    /// Quads of a workgroup.
    pub span: u32,
    /// The first workgroup's partial, among those of all tensors.
    pub first_partial: u32,
}

/// What a part has of a tensor.
#[derive(Clone, Debug)]
pub(crate) struct PartOperand {
    pub place: Place,
    pub dtype: DType,
    /// Whether quads are bound whole.
    pub quads: bool,
}

/// The parts of all tensors.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub all: Vec<Part>,
    /// Of each tensor, or of those that lie side by side, the first partial.
    pub first_partials: Vec<u32>,
    /// How many partials there are.
    pub partials: u32,
}

/// A pass over all parts: its entry point, what it does with values, what memory it binds behind them, and its files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass<'a> {
    pub entry: &'static str,
    pub values: PassValues,
    pub memory: &'a [(TensorView, Place)],
    pub files: &'a [ShaderFile],
}

/// Which values a pass loads and stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PassValues {
    /// Loads those of a part's first tensor.
    Read,
    /// Loads them, and stores others in their place.
    Replace,
    /// Loads them, and stores others in the part's second tensor.
    Fill,
}

/// The steps of an operation, and what is read back of them.
#[derive(Debug)]
pub struct Work {
    pub(crate) program: Program,
    /// Of each tensor, its first partial.
    pub(crate) first_partials: Vec<u32>,
    /// Bytes of the workspace that tell how a run went.
    pub(crate) told: u64,
}

impl Walk<'_> {
    /// The parts of each tensor by itself, of which lanes run these loops for so many quads of a workgroup.
    pub(crate) fn parts(&self, loops: impl Fn(u64) -> Loops) -> Result<Parts, Error> {
        self.parts_of((0..self.tensors.len()).map(|tensor| vec![tensor]), loops)
    }

    /// [`Walk::parts`] without the tensor of this name.
    pub(crate) fn parts_without(&self, left_out: &str, loops: impl Fn(u64) -> Loops) -> Result<Parts, Error> {
        let others = (0..self.tensors.len()).filter(|&tensor| self.tensors[tensor].0 != left_out);
        self.parts_of(others.map(|tensor| vec![tensor]), loops)
    }

    /// The parts of these tensors side by side, which are of one length.
    pub(crate) fn parts_side_by_side(&self, names: &[&str], loops: impl Fn(u64) -> Loops) -> Result<Parts, Error> {
        let place = |name: &&str| self.tensors.iter().position(|(known, _)| known == name);
        self.parts_of(std::iter::once(names.iter().filter_map(place).collect()), loops)
    }

    fn parts_of(&self, groups: impl Iterator<Item = Vec<usize>>, loops: impl Fn(u64) -> Loops) -> Result<Parts, Error> {
        let tuning = self.machine.tuning;
        let most = self.machine.most(self.name, MOST_ELEMENTS / QUAD, loops)?;
        let mut parts = Parts::default();
        for group in groups {
            let operands: Vec<Operand> = group.iter().map(|&tensor| self.operand(tensor)).collect();
            let items = operands.first().map_or(0, |operand| operand.ty.elements());
            // A workgroup that has less than a few quads a lane costs more to start than it computes.
            let least = 2 * u64::from(tuning.workgroup_size);
            let span = even_span(items.div_ceil(QUAD), tuning.workgroups.into(), least, most);
            let split = Split { items_at_once: QUAD, ..Split::of_spans(span) };
            let whole = Splittable { loss: self.name, items, items_of_unit: 1, most: u64::MAX, operands: &operands };
            let chunks = chunks(self.machine, whole, split)?;
            parts.first_partials.push(parts.partials);
            for &chunk in &chunks {
                let of_chunk = |operand: &Operand| {
                    let place = operand.place(Some(&chunk), 1);
                    PartOperand { place, dtype: operand.ty.dtype, quads: operand.quads }
                };
                let first_partial = parts.partials.saturating_add(chunk.first_partial);
                let operands = operands.iter().map(of_chunk).collect();
                parts.all.push(Part { operands, chunk, span, first_partial });
            }
            parts.partials = parts.partials.saturating_add(partials(&chunks));
        }
        Ok(parts)
    }

    fn operand(&self, tensor: usize) -> Operand {
        let ((name, ty), quads) = (self.tensors[tensor].clone(), self.roomy[tensor]);
        Operand { name, ty, unit: Some(1), start: Start::Aligned, quads, scratch: None, anew: false }
    }

    /// A step for each part. A kernel serves all parts of a storage type.
    pub(crate) fn steps(
        &self,
        parts: &Parts,
        pass: Pass<'_>,
        words: impl Fn(&Part) -> Block,
        loops: impl Fn(u64) -> Loops,
    ) -> Vec<Step> {
        let Pass { entry, values, memory, files } = pass;
        let tuning = self.machine.tuning;
        let mut kernels: HashMap<Vec<(DType, bool)>, Arc<Kernel>> = HashMap::new();
        let step = |part: &Part| {
            let call = words(part);
            let operands = &part.operands[..if values == PassValues::Fill { 2 } else { 1 }];
            let make = || {
                let views = values.views(operands);
                let mut kernel = Kernel::new(tuning.workgroup_size, tuning.reduce).with_call(&call);
                kernel.glue = glue(&views).0;
                kernel.tensors = views.into_iter().chain(memory.iter().map(|(view, _)| view.clone())).collect();
                kernel.join(files.iter().copied());
                Arc::new(kernel)
            };
            let key = operands.iter().map(|operand| (operand.dtype, operand.quads)).collect();
            let kernel = kernels.entry(key).or_insert_with(make).clone();
            let places = operands.iter().map(|operand| operand.place.clone());
            let bound = places.chain(memory.iter().map(|(_, place)| place.clone()));
            let workgroups = [part.chunk.workgroups, 1, 1];
            Step {
                kernel,
                entry,
                call,
                params: None,
                bound: bound.collect(),
                workgroups,
                loops: loops(part.span.into()),
            }
        };
        parts.all.iter().map(step).collect()
    }
}

impl PassValues {
    /// How a kernel sees the tensors of a part.
    fn views(self, operands: &[PartOperand]) -> Vec<TensorView> {
        let accesses = match self {
            PassValues::Read => &[Access::Read][..],
            PassValues::Replace => &[Access::Write],
            PassValues::Fill => &[Access::Read, Access::Write],
        };
        let view = |((operand, &access), name): ((&PartOperand, &Access), &str)| {
            let PartOperand { dtype, quads, .. } = *operand;
            TensorView::new(name, Holds::Elements(dtype), access).in_quads(quads)
        };
        operands.iter().zip(accesses).zip(["tensor", "filled"]).map(view).collect()
    }
}

/// What files of operations load of the first tensor, and store in the last.
fn glue(views: &[TensorView]) -> Glue {
    let mut glue = Glue::default();
    let places = "4u * quad + vec4<u32>(0u, 1u, 2u, 3u)";
    glue.function("are_inside(quad: u32) -> vec4<bool>", &format!("{places} < vec4<u32>(call.length)"));
    glue.load_quad("load_values", views.first(), "1.0");
    if let Some(stored) = views.last().filter(|view| view.is_writable()) {
        glue.put_quad("store_values", Some(stored), false);
        glue.put("put_value", stored, false);
    }
    glue
}
