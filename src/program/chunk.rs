//! How a call is split where it is larger than a binding may be, and how a chunk is split into workgroups.
//!
//! Workgroups get the same items however a call is split, wherever a chunk holds a workgroup's items: so the sums, and
//! their bits, are the same too.

use crate::{Error, TensorType, gpu::Machine, program::Place};

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
    /// Where the records of its items begin, in bytes.
    pub first_record: u64,
}

/// What each workgroup gets of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Split {
    /// How many items a lane takes at once: a quad of elements, or one row, pixel or box.
    pub items_at_once: u64,
    /// Quads of elements (elementwise), rows, pixels or boxes of one workgroup, or of `parts` of them.
    pub span: u32,
    /// Quads, rows, pixels or boxes of one of the workgroups that leave partials.
    pub tally_span: u32,
    /// How many workgroups leave partials for each such span.
    pub tallies: u32,
    /// Workgroups that share a row, or a sample's pixels.
    pub parts: u32,
    /// Columns or pixels of one of them.
    pub part_columns: u32,
    /// Bytes of records that each item leaves for later steps.
    pub record_size: u64,
    /// Chunks have a multiple of so many units, but for the last: what shares a word is of one chunk.
    pub units_of_words: u64,
}

impl Split {
    /// Spans of so many items, each of one workgroup.
    pub fn of_spans(span: u32) -> Self {
        Split {
            items_at_once: 1,
            span,
            tally_span: span,
            tallies: 1,
            parts: 1,
            part_columns: 0,
            record_size: 0,
            units_of_words: 1,
        }
    }
}

/// The items of a workgroup where so many of them go to so many workgroups: a power of two, so that spans end where
/// chunks do.
pub(crate) fn even_span(items: u64, workgroups: u64, least: u64, most: u64) -> u32 {
    let even = floor_power_of_two(items.div_ceil(workgroups));
    even.max(least).min(floor_power_of_two(most)) as u32
}

/// At most so many elements of the first input go to one workgroup, if an item has not more: so that a chunk has many.
pub(crate) const MOST_ELEMENTS: u64 = 1 << 18;

/// Where a chunk's elements begin in the binding of an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// With the binding: chunks start where that is aligned.
    Aligned,
    /// Anywhere: kernels add a base, by which the binding starts earlier, at a multiple of so many elements.
    Behind(u64),
}

impl Start {
    /// How far into its binding an element is that a chunk begins with.
    pub fn base(self, first: u64) -> u64 {
        match self {
            Start::Aligned => 0,
            Start::Behind(aligned) => first % aligned,
        }
    }

    /// The largest base of elements that are multiples of so many.
    fn largest_base(self, step: u64) -> u64 {
        match self {
            Start::Aligned => 0,
            Start::Behind(aligned) => aligned - gcd(aligned, step),
        }
    }
}

/// An input or output as chunks take it.
#[derive(Clone, Debug)]
pub(crate) struct Operand {
    pub name: String,
    pub ty: TensorType,
    /// Elements from one unit of a chunk to the next, those between rows included; `None` where every item needs the
    /// whole tensor.
    pub unit: Option<u64>,
    pub start: Start,
    /// Whether kernels take four elements at once, up to the end of the last four.
    pub quads: bool,
    /// The scratch that it lies in, of what steps leave for later ones.
    pub scratch: Option<usize>,
    /// Whether each chunk has its part anew, at the start of memory that the steps before it fill.
    pub anew: bool,
}

impl Operand {
    /// The part of the tensor that a chunk takes, which has so many items a unit. The sums over all chunks take the
    /// whole of a scalar; items' own losses they leave alone.
    pub fn place(&self, chunk: Option<&Chunk>, items_of_unit: u64) -> Place {
        let ty = &self.ty;
        let (first, elements) = match (chunk, self.unit) {
            (Some(chunk), Some(elements)) => {
                let units = u64::from(chunk.items) / items_of_unit;
                let first = if self.anew { 0 } else { chunk.first / items_of_unit * elements };
                // The last row has no gap behind it.
                (first, (units * elements).min(ty.extent() - first))
            }
            (None, Some(_)) => (0, 1),
            (_, None) => (0, ty.elements()),
        };
        let base = self.start.base(first);
        let (first, elements) = (first - base, elements + base);
        let size = if self.quads { ty.dtype.size_in_quads(elements) } else { ty.dtype.buffer_size(elements) };
        let start = first * ty.dtype.size() as u64;
        let range = start..start + size;
        match self.scratch {
            Some(scratch) => Place::Scratch(scratch, range),
            None => Place::Tensor(self.name.clone(), range),
        }
    }
}

/// What is split: so many items, of which the rows of one class are so many apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Splittable<'a> {
    /// What messages call it.
    pub loss: &'static str,
    pub items: u64,
    /// Items of a unit; chunks have whole ones.
    pub items_of_unit: u64,
    /// Items of a chunk at most.
    pub most: u64,
    pub operands: &'a [Operand],
}

/// Splits the items of a call.
pub(crate) fn chunks(machine: &Machine, call: Splittable<'_>, split: Split) -> Result<Vec<Chunk>, Error> {
    let limits = &machine.limits;
    let alignment = u64::from(limits.min_storage_buffer_offset_alignment);
    let (binding, buffer) = (limits.max_storage_buffer_binding_size, limits.max_buffer_size);
    let too_large = |operand: &Operand, part: &str, limit, needed, available| {
        let what = format!("{}: `{}`{part}", call.loss, operand.name);
        Err(machine.limit(&what, limit, needed, available))
    };

    // A chunk has whole units: as many items as lie between two rows of one class, or one.
    let unit = call.items_of_unit;
    // Spans are of quads of elements, of rows, pixels or boxes.
    let per_span = split.items_at_once;
    let units = call.items / unit;
    // Indices of elements are u32, and kernels look a little ahead.
    let mut most = (u64::from(u32::MAX) / 2).min(call.most) / unit;
    if split.record_size > 0 {
        most = most.min(binding / (split.record_size * unit));
    }
    // One unit at least: that it is too many is told below.
    let available = limits.max_compute_workgroups_per_dimension;
    let spans = u64::from(available / split.parts.max(split.tallies));
    most = most.min((spans * u64::from(split.span) * per_span / unit).max(1));
    // Quads of elements are bound to the end of the last one.
    let binding_of_quads = binding / 16 * 16;
    // Chunks start where every binding is aligned, so that no word of halves is in two, nor a quad; or behind a base.
    let mut step = lcm(split.items_at_once, split.units_of_words);
    // What one chunk may have, which needs no base, and what several may have each.
    let mut whole = most;
    for operand in call.operands {
        let size = operand.ty.buffer_size();
        if size > buffer && !operand.anew {
            return too_large(operand, "", "max_buffer_size", size, buffer);
        }
        match operand.unit {
            None if size > binding => return too_large(operand, "", "max_storage_buffer_binding_size", size, binding),
            None | Some(0) => {}
            Some(elements) => {
                let size = operand.ty.dtype.size() as u64;
                let base = operand.start.largest_base(elements * split.units_of_words);
                let bound = (binding_of_quads / size).min(u64::from(u32::MAX) / 2);
                whole = whole.min(bound / elements);
                most = most.min(bound.saturating_sub(base) / elements);
                if operand.start == Start::Aligned {
                    step = lcm(step, alignment / gcd(alignment, elements * size));
                }
            }
        }
    }
    if units > whole && most < step {
        return Err(too_large_units(machine, call, if most == 0 { 1 } else { step }));
    }
    let in_units = |span: u32| {
        let items = u64::from(span) * per_span;
        items / gcd(items, unit)
    };
    let whole_spans = lcm(step, lcm(in_units(split.span), in_units(split.tally_span)));
    let step = if whole_spans <= most { whole_spans } else { step };
    let per_chunk = unit * if units <= whole { units } else { most / step * step };

    let mut chunks = Vec::new();
    let (mut first, mut first_partial, mut first_record) = (0, 0, 0);
    while first < call.items {
        let items = per_chunk.min(call.items - first) as u32;
        let spanned = items.div_ceil(per_span as u32);
        let partials = spanned.div_ceil(split.tally_span) * split.tallies;
        let workgroups = spanned.div_ceil(split.span) * split.parts;
        if workgroups.max(partials) > available {
            let needed = u64::from(workgroups.max(partials));
            return Err(machine.limit(call.loss, "max_compute_workgroups_per_dimension", needed, available.into()));
        }
        chunks.push(Chunk { first, items, workgroups, partials, first_partial, first_record });
        first_record += (u64::from(items) * split.record_size).next_multiple_of(alignment);
        first += u64::from(items);
        // Too many for any workspace, if they are too many to count.
        first_partial = first_partial.saturating_add(partials);
    }
    Ok(chunks)
}

/// The error for so few units as a chunk may have, which are too large for a binding, and what to do.
fn too_large_units(machine: &Machine, call: Splittable<'_>, units: u64) -> Error {
    let available = machine.limits.max_storage_buffer_binding_size;
    let size = |operand: &&Operand| {
        let elements = units * operand.unit.unwrap_or(0);
        (operand.start.largest_base(elements) + elements) * operand.ty.dtype.size() as u64
    };
    let largest = call.operands.iter().rev().max_by_key(size);
    let (name, needed) = largest.map_or(("", 0), |operand| (&operand.name, size(&operand)));
    let (part, advice) = match (units, call.items_of_unit) {
        (1, 1) => ("one item".to_string(), "use a smaller storage type, or fewer classes or dimensions".to_string()),
        (1, items) => {
            let advice = "split it along its last axes into several calls, whose sums divided by what counts are the \
                mean (regions are scored in each call for itself), or use a smaller storage type";
            (format!("one sample of {items} items"), advice.to_string())
        }
        (units, items) => {
            let advice = format!("pad what lies between two of them to a multiple of {units} elements, or pass fewer");
            (format!("the {} items that a chunk has at least", units * items), advice)
        }
    };
    Error::Limit {
        what: format!("{}: `{name}`, {part},", call.loss),
        limit: "max_storage_buffer_binding_size",
        needed,
        available,
        adapter: machine.adapter.clone(),
        advice: Some(advice.into()),
    }
}

/// How many partials chunks leave.
pub(crate) fn partials(chunks: &[Chunk]) -> u32 {
    chunks.last().map_or(0, |chunk| chunk.first_partial.saturating_add(chunk.partials))
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
