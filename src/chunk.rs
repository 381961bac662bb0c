//! How a call is split where it is larger than a binding may be, and how a chunk is split into workgroups.
//!
//! Workgroups get the same items however a call is split, wherever a chunk holds a workgroup's items: so the sums, and
//! their bits, are the same too.

use crate::{
    Error, Gpu, Tuning,
    plan::Operand,
    shader::BLOCK,
    spec::{Driver, LossSpec, Signature},
    tuning::{RowLayout, RowShape, rest_iterations, walk_iterations},
};

/// A part of the items that one dispatch takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// The first item.
    pub first: u64,
    /// How many items.
    pub items: u32,
    /// How many workgroups.
    pub workgroups: u32,
    /// How many of them leave a partial: all, or of rows by parts those that join the parts.
    pub partials: u32,
    /// The first one's partial.
    pub first_partial: u32,
}

/// What each workgroup gets of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Split {
    /// Quads of elements (elementwise), rows, pixels or boxes of one workgroup, or of `parts` of them.
    pub span: u32,
    /// The same of the workgroups that leave partials, and how many those are.
    pub tally_span: u32,
    pub tallies: u32,
    /// Workgroups that share a row, or a sample's pixels.
    pub parts: u32,
    /// Columns or pixels of one of them.
    pub part_columns: u32,
}

/// At most so many elements of the first input go to one workgroup, if an item has not more: so that a chunk has many.
const MOST_ELEMENTS: u64 = 1 << 18;

impl Split {
    /// How the items of a call go to workgroups.
    pub fn new(spec: &LossSpec, signature: &Signature, tuning: Tuning, rows: Option<(RowLayout, RowShape)>) -> Self {
        let lanes = u64::from(tuning.workgroup_size);
        let (loops, workgroups) = (u64::from(tuning.max_loop_iterations), u64::from(tuning.workgroups));
        // The items of a workgroup: a power of two, so that spans end where chunks do.
        let span = |items: u64, least: u64, most: u64| {
            let even = floor_power_of_two(items.div_ceil(workgroups));
            even.max(least).min(floor_power_of_two(most)) as u32
        };
        if let Driver::Pairs = spec.driver {
            let least = pairs_of_words(signature);
            let most = (MOST_ELEMENTS / signature.row).min(loops / pair_iterations(signature, tuning)).max(least);
            let span = span(signature.items, least, most);
            return Split { span, tally_span: span, tallies: 1, parts: 1, part_columns: 0 };
        }
        let Some((layout, shape)) = rows else {
            // A workgroup that has less than a few quads a lane costs more to start than it computes. The lanes share
            // the quads, of which a box is one, and run the blocks around them.
            let most = (loops - loops.div_ceil(BLOCK.into())).saturating_mul(lanes).min(MOST_ELEMENTS / 4);
            let span = span(signature.items.div_ceil(spec.items_at_once()), 2 * lanes, most);
            return Split { span, tally_span: span, tallies: 1, parts: 1, part_columns: 0 };
        };
        let most_rows = (MOST_ELEMENTS / shape.classes).max(1);
        let one = |span: u32| Split { span, tally_span: span, tallies: 1, parts: 1, part_columns: 0 };
        match layout {
            RowLayout::Workgroup { .. } => {
                // No word of halves is left to two workgroups.
                let least = shape.rows_of_words;
                one(span(shape.rows, least, most_rows.min(loops / tuning.workgroup_iterations(shape)).max(least)))
            }
            RowLayout::Lane { .. } => {
                // Two rows a lane where they are paired, one otherwise; a power of two covers both.
                let most = (loops / tuning.lane_iterations(shape)).max(1).saturating_mul(2 * lanes);
                one(span(shape.rows, 2 * lanes, most.min(most_rows.max(2 * lanes))))
            }
            RowLayout::Parts { contiguous, .. } => {
                // The lanes of a workgroup run along the columns of one row after the other, or along rows.
                let (rows_at_once, columns_at_once) = if contiguous { (1, lanes) } else { (lanes, 1) };
                let groups = shape.rows.div_ceil(rows_at_once).max(1);
                let wanted = shape.classes.div_ceil(workgroups.div_ceil(groups));
                // A tenth of the iterations, so that a workgroup may have several rows.
                let most = (loops / 10).saturating_mul(columns_at_once) / shape.walks;
                let part_columns = wanted.max(16 * columns_at_once).min(most).min(shape.classes).next_multiple_of(4);
                let parts = shape.classes.div_ceil(part_columns);
                let columns = part_columns.div_ceil(columns_at_once);
                let iterations = walk_iterations(columns) + rest_iterations(columns_at_once) + 1;
                let most_rows = (loops / iterations).max(1).saturating_mul(rows_at_once);
                Split {
                    span: span(shape.rows.saturating_mul(parts), rows_at_once, most_rows),
                    tally_span: span(shape.rows, lanes, (loops / (2 * parts + 2)).max(1).saturating_mul(lanes)),
                    tallies: 1,
                    parts: parts as u32,
                    part_columns: part_columns as u32,
                }
            }
        }
    }
}

/// How many items of pairs a workgroup takes at least: two where rows are of an odd length, so that no word of halves is
/// left to two workgroups.
pub(crate) fn pairs_of_words(signature: &Signature) -> u64 {
    if signature.row.is_multiple_of(2) { 1 } else { 2 }
}

/// Iterations of a lane for each item of pairs of its workgroup.
pub(crate) fn pair_iterations(signature: &Signature, tuning: Tuning) -> u64 {
    // Quads, with one that a row shares at either end, in two walks for the distances and one for the gradients.
    let quads = signature.row.div_ceil(4) + 2;
    let (rows, row_strides) = (signature.items, [signature.row; 2]);
    let shape = RowShape { rows, classes: quads, class_stride: 1, row_strides, walks: 3, rows_of_words: 1 };
    tuning.workgroup_iterations(shape)
}

/// Splits the items of a call, of which each needs `record_size` bytes of records.
pub(crate) fn chunks(
    gpu: &Gpu,
    spec: &LossSpec,
    signature: &Signature,
    operands: &[Operand],
    split: Split,
    record_size: u64,
) -> Result<Vec<Chunk>, Error> {
    let limits = gpu.limits();
    let alignment = u64::from(limits.min_storage_buffer_offset_alignment);
    let (binding, buffer) = (limits.max_storage_buffer_binding_size, limits.max_buffer_size);
    let too_large = |operand: &Operand, part: &str, limit, needed, available| {
        let what = format!("{}: `{}`{part}", spec.name, operand.name);
        Err(gpu.limit(&what, limit, needed, available))
    };

    // A chunk has whole units: as many items as lie between two rows of one class, or one.
    let unit = signature.class_stride.max(1);
    // Spans are of quads of elements, of rows, pixels or boxes.
    let per_span = spec.items_at_once();
    let units = signature.items / unit;
    // Indices of elements are u32, and kernels look a little ahead.
    let mut most = u64::from(u32::MAX) / 2 / unit;
    if record_size > 0 {
        most = most.min(binding / (record_size * unit));
    }
    // One unit at least: that it is too many is told below.
    let available = limits.max_compute_workgroups_per_dimension;
    let spans = u64::from(available / split.parts.max(split.tallies));
    most = most.min((spans * u64::from(split.span) * per_span / unit).max(1));
    // Quads of elements are bound to the end of the last one.
    let binding_of_quads = binding / 16 * 16;
    // Chunks start where every binding is aligned, so that no word of halves is in two, nor a quad.
    let mut step = spec.items_at_once();
    for operand in operands {
        let size = operand.ty.buffer_size();
        if size > buffer {
            return too_large(operand, "", "max_buffer_size", size, buffer);
        }
        match operand.unit {
            None if size > binding => return too_large(operand, "", "max_storage_buffer_binding_size", size, binding),
            None | Some(0) => {}
            Some(elements) => {
                let bytes = elements * operand.ty.dtype.size() as u64;
                most = most.min(binding_of_quads / bytes).min(u64::from(u32::MAX) / 2 / elements);
                step = lcm(step, alignment / gcd(alignment, bytes));
            }
        }
    }
    if units > most && most < step {
        let items = step * unit;
        let part = format!(" in chunks of {items} items");
        let needed = step * operands[0].unit.unwrap_or(1) * operands[0].ty.dtype.size() as u64;
        return too_large(&operands[0], &part, "max_storage_buffer_binding_size", needed, binding);
    }
    let in_units = |span: u32| {
        let items = u64::from(span) * per_span;
        items / gcd(items, unit)
    };
    let whole_spans = lcm(step, lcm(in_units(split.span), in_units(split.tally_span)));
    let step = if whole_spans <= most { whole_spans } else { step };
    let per_chunk = unit * if units <= most { units } else { most / step * step };

    let mut chunks = Vec::new();
    let (mut first, mut first_partial) = (0, 0);
    while first < signature.items {
        let items = per_chunk.min(signature.items - first) as u32;
        let spanned = items.div_ceil(per_span as u32);
        let partials = spanned.div_ceil(split.tally_span) * split.tallies;
        let workgroups = spanned.div_ceil(split.span) * split.parts;
        if workgroups.max(partials) > available {
            let needed = u64::from(workgroups.max(partials));
            return Err(gpu.limit(spec.name, "max_compute_workgroups_per_dimension", needed, available.into()));
        }
        chunks.push(Chunk { first, items, workgroups, partials, first_partial });
        first += u64::from(items);
        first_partial += partials;
    }
    Ok(chunks)
}

pub(crate) fn floor_power_of_two(x: u64) -> u64 {
    if x == 0 { 1 } else { 1 << x.ilog2() }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn lcm(a: u64, b: u64) -> u64 {
    a / gcd(a, b) * b
}
