//! How a call is split where it is larger than a binding may be, and how a chunk is split into workgroups.

use crate::{
    Error, Gpu,
    plan::Operand,
    signature::Signature,
    spec::{Driver, LossSpec},
};

/// A part of the items that one dispatch takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// The first item.
    pub first: u64,
    /// How many items.
    pub items: u32,
    /// Pairs (elementwise) or rows of one workgroup.
    pub span: u32,
    /// How many workgroups.
    pub workgroups: u32,
    /// The first workgroup's partial.
    pub first_partial: u32,
}

/// Splits the items of a call.
pub(crate) fn chunks(
    gpu: &Gpu,
    spec: &LossSpec,
    signature: &Signature,
    operands: &[Operand],
) -> Result<Vec<Chunk>, Error> {
    let limits = gpu.limits();
    let alignment = u64::from(limits.min_storage_buffer_offset_alignment);
    let largest = limits.max_storage_buffer_binding_size;
    let too_large = |operand: &Operand, part: &str, needed| {
        let what = format!("{}: `{}`{part}", spec.name, operand.name);
        Err(gpu.limit(&what, "max_storage_buffer_binding_size", needed, largest))
    };

    // Indices of elements are u32, and kernels look one pair ahead.
    let mut most = u64::from(u32::MAX) / 2 / signature.row;
    // Chunks start where every binding is aligned. An even number of items keeps each word of halves in one chunk.
    let mut step = 2;
    for operand in operands {
        match operand.per_item {
            None if operand.ty.buffer_size() > largest => return too_large(operand, "", operand.ty.buffer_size()),
            None => {}
            Some(elements) => {
                let bytes = elements * operand.ty.dtype.size() as u64;
                most = most.min(largest / bytes);
                step = lcm(step, alignment / gcd(alignment, bytes));
            }
        }
    }
    if signature.items > most && most < step {
        let part = format!(" in chunks of {step} items");
        return too_large(&operands[0], &part, step * signature.row * operands[0].ty.dtype.size() as u64);
    }
    let per_chunk = if signature.items <= most { signature.items } else { most / step * step };

    let mut chunks = Vec::new();
    let (mut first, mut first_partial) = (0, 0);
    while first < signature.items {
        let items = per_chunk.min(signature.items - first) as u32;
        let (span, workgroups) = split(gpu, spec.driver, items);
        chunks.push(Chunk { first, items, span, workgroups, first_partial });
        first += u64::from(items);
        first_partial += workgroups;
    }
    Ok(chunks)
}

/// The span of a workgroup and the number of workgroups.
fn split(gpu: &Gpu, driver: Driver, items: u32) -> (u32, u32) {
    let tuning = gpu.tuning();
    let (units, least) = match driver {
        // A workgroup that has less than a few pairs a lane costs more to start than it computes.
        Driver::Elementwise => (items.div_ceil(2), 4 * tuning.workgroup_size),
        Driver::Rows => (items, 1),
    };
    let span = units.div_ceil(tuning.workgroups).max(least);
    // An even number of rows keeps each word of halves in one workgroup.
    let span = if driver == Driver::Rows { span.next_multiple_of(2) } else { span };
    (span, units.div_ceil(span))
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn lcm(a: u64, b: u64) -> u64 {
    a / gcd(a, b) * b
}
