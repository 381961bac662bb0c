//! How a call is split where it is larger than a binding may be, and how a chunk is split into workgroups.

use crate::{
    Error, Gpu, Tuning,
    plan::Operand,
    shader::BLOCK,
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
    tuning: Tuning,
) -> Result<Vec<Chunk>, Error> {
    let limits = gpu.limits();
    let alignment = u64::from(limits.min_storage_buffer_offset_alignment);
    let (binding, buffer) = (limits.max_storage_buffer_binding_size, limits.max_buffer_size);
    let too_large = |operand: &Operand, part: &str, limit, needed, available| {
        let what = format!("{}: `{}`{part}", spec.name, operand.name);
        Err(gpu.limit(&what, limit, needed, available))
    };

    // Indices of elements are u32, and kernels look one pair ahead.
    let mut most = u64::from(u32::MAX) / 2 / signature.row;
    // Chunks start where every binding is aligned. An even number of items keeps each word of halves in one chunk.
    let mut step = 2;
    for operand in operands {
        let size = operand.ty.buffer_size();
        if size > buffer {
            return too_large(operand, "", "max_buffer_size", size, buffer);
        }
        match operand.per_item {
            None if size > binding => return too_large(operand, "", "max_storage_buffer_binding_size", size, binding),
            None => {}
            Some(elements) => {
                let bytes = elements * operand.ty.dtype.size() as u64;
                most = most.min(binding / bytes);
                step = lcm(step, alignment / gcd(alignment, bytes));
            }
        }
    }
    if signature.items > most && most < step {
        let part = format!(" in chunks of {step} items");
        let needed = step * signature.row * operands[0].ty.dtype.size() as u64;
        return too_large(&operands[0], &part, "max_storage_buffer_binding_size", needed, binding);
    }
    let per_chunk = if signature.items <= most { signature.items } else { most / step * step };

    let mut chunks = Vec::new();
    let (mut first, mut first_partial) = (0, 0);
    while first < signature.items {
        let items = per_chunk.min(signature.items - first) as u32;
        let (span, workgroups) = split(spec, signature, tuning, items);
        chunks.push(Chunk { first, items, span, workgroups, first_partial });
        first += u64::from(items);
        first_partial += workgroups;
    }
    Ok(chunks)
}

/// The layout of a call's kernels: the adapter's, with more lanes where a single row has more columns than a lane may
/// visit.
pub(crate) fn layout(gpu: &Gpu, spec: &LossSpec, signature: &Signature) -> Result<Tuning, Error> {
    let mut tuning = gpu.tuning();
    let limits = gpu.limits();
    let available = limits.max_compute_invocations_per_workgroup.min(limits.max_compute_workgroup_size_x);
    while iterations(spec.driver, signature, tuning) > u64::from(tuning.max_loop_iterations) / 2 {
        tuning = tuning.doubled();
        if tuning.workgroup_size > available {
            let what = format!("{}: rows of {} columns", spec.name, signature.row);
            let needed = u64::from(tuning.workgroup_size);
            return Err(gpu.limit(&what, "max_compute_invocations_per_workgroup", needed, available.into()));
        }
    }
    Ok(tuning)
}

/// How many loop iterations a lane runs for one pair or row: two walks over the columns, and the blocks around one of
/// them.
fn iterations(driver: Driver, signature: &Signature, tuning: Tuning) -> u64 {
    match driver {
        Driver::Elementwise => 1,
        Driver::Rows(_) => {
            let walk = signature.row.div_ceil(u64::from(tuning.workgroup_size));
            walk.saturating_mul(2).saturating_add(walk.div_ceil(BLOCK.into()) + 1)
        }
    }
}

/// The span of a workgroup and the number of workgroups.
fn split(spec: &LossSpec, signature: &Signature, tuning: Tuning, items: u32) -> (u32, u32) {
    let (units, least, most) = match spec.driver {
        // A workgroup that has less than a few pairs a lane costs more to start than it computes. The lanes share the
        // pairs, and run the blocks around them.
        Driver::Elementwise => {
            let most = tuning.max_loop_iterations - tuning.max_loop_iterations.div_ceil(BLOCK);
            (items.div_ceil(2), 4 * tuning.workgroup_size, most.saturating_mul(tuning.workgroup_size))
        }
        Driver::Rows(_) => {
            let most = u64::from(tuning.max_loop_iterations) / iterations(spec.driver, signature, tuning);
            (items, 1, most as u32)
        }
    };
    let span = units.div_ceil(tuning.workgroups).max(least).min(most);
    // An even number of rows keeps each word of halves in one workgroup; `layout` left room for two.
    let span = if matches!(spec.driver, Driver::Rows(_)) { span.next_multiple_of(2).min((most / 2 * 2).max(2)) } else { span };
    (span, units.div_ceil(span))
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn lcm(a: u64, b: u64) -> u64 {
    a / gcd(a, b) * b
}
