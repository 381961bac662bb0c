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

/// What one dispatch takes: all of a tensor, unless a binding or a dispatch would be too large.
#[derive(Debug)]
pub(crate) struct Part {
    pub place: Place,
    pub dtype: DType,
    /// Whether quads are bound whole.
    pub quads: bool,
    pub chunk: Chunk,
    /// Quads of a workgroup.
    pub span: u32,
    /// The first workgroup's partial, among those of all tensors.
    pub first_partial: u32,
}

/// The parts of all tensors.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub all: Vec<Part>,
    /// Of each tensor, its first partial.
    pub first_partials: Vec<u32>,
    /// How many partials there are.
    pub partials: u32,
}

/// A pass over all parts: its entry point, what it does with values, what memory it binds behind them, and its files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass<'a> {
    pub entry: &'static str,
    pub access: Access,
    pub memory: &'a [(TensorView, Place)],
    pub files: &'a [ShaderFile],
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
    /// The parts, of which lanes run these loops for so many quads of a workgroup.
    pub(crate) fn parts(&self, loops: impl Fn(u64) -> Loops) -> Result<Parts, Error> {
        let tuning = self.machine.tuning;
        let most = self.machine.most(self.name, MOST_ELEMENTS / QUAD, loops)?;
        let mut parts = Parts::default();
        for ((name, ty), &quads) in self.tensors.iter().zip(&self.roomy) {
            let items = ty.elements();
            // A workgroup that has less than a few quads a lane costs more to start than it computes.
            let least = 2 * u64::from(tuning.workgroup_size);
            let span = even_span(items.div_ceil(QUAD), tuning.workgroups.into(), least, most);
            let split = Split { items_at_once: QUAD, ..Split::of_spans(span) };
            let start = Start::Aligned;
            let operand = Operand { name: name.clone(), ty: ty.clone(), unit: Some(1), start, quads, scratch: None };
            let whole =
                Splittable { loss: self.name, items, items_of_unit: 1, operands: std::slice::from_ref(&operand) };
            let chunks = chunks(self.machine, whole, split)?;
            parts.first_partials.push(parts.partials);
            for &chunk in &chunks {
                let place = operand.place(Some(&chunk), 1);
                let first_partial = parts.partials.saturating_add(chunk.first_partial);
                parts.all.push(Part { place, dtype: ty.dtype, quads, chunk, span, first_partial });
            }
            parts.partials = parts.partials.saturating_add(partials(&chunks));
        }
        Ok(parts)
    }

    /// A step for each part. A kernel serves all parts of a storage type.
    pub(crate) fn steps(
        &self,
        parts: &Parts,
        pass: Pass<'_>,
        words: impl Fn(&Part) -> Block,
        loops: impl Fn(u64) -> Loops,
    ) -> Vec<Step> {
        let Pass { entry, access, memory, files } = pass;
        let tuning = self.machine.tuning;
        let mut kernels: HashMap<(DType, bool), Arc<Kernel>> = HashMap::new();
        let step = |part: &Part| {
            let call = words(part);
            let make = || {
                let values = TensorView::new("tensor", Holds::Elements(part.dtype), access);
                let values = values.in_quads(part.quads);
                let mut kernel = Kernel::new(tuning.workgroup_size, tuning.reduce).with_call(&call);
                kernel.glue = glue(&values).0;
                kernel.tensors = std::iter::once(values).chain(memory.iter().map(|(view, _)| view.clone())).collect();
                kernel.join(files.iter().copied());
                Arc::new(kernel)
            };
            let kernel = kernels.entry((part.dtype, part.quads)).or_insert_with(make).clone();
            let bound = std::iter::once(part.place.clone()).chain(memory.iter().map(|(_, place)| place.clone()));
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

/// What files of operations load and store of a tensor.
fn glue(values: &TensorView) -> Glue {
    let mut glue = Glue::default();
    let places = "4u * quad + vec4<u32>(0u, 1u, 2u, 3u)";
    glue.function("are_inside(quad: u32) -> vec4<bool>", &format!("{places} < vec4<u32>(call.length)"));
    glue.load_quad("load_values", Some(values));
    if values.is_writable() {
        glue.put_quad("store_values", Some(values), false);
        glue.put("put_value", values, false);
    }
    glue
}
