//! How much of a linear loss is in memory at a time: panels of rows, segments of all rows, and slices of the classes.

use std::ops::Range;

use super::super::Call;
use crate::{DType, Error, program::chunk::Chunk, spec::Head};

/// Elements of a quad.
pub(super) const QUAD: u64 = 4;

/// So many rows of any length and storage type end where a binding may begin.
const ALIGNED_ROWS: u64 = 128;

/// What the logits of a panel take at least by default: fewer rows would not pay for a pass over the head.
const LEAST_BUDGET: u64 = 128 << 20;

/// What the hidden states of a panel take at most, in f32.
const MOST_OF_HIDDEN: u64 = 128 << 20;

/// The rows of a panel are a multiple of this, where there are as many.
const ROWS_AT_ONCE: u64 = 16;

/// The sizes of a head.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeadLayout {
    pub head: &'static Head,
    /// Elements of a row, and quads of one.
    pub dimensions: u64,
    pub quads: u64,
    /// Rows of a slice of it, at most.
    pub slice: u64,
}

/// The sizes of a call.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub rows: u64,
    pub classes: u64,
    /// Rows of the head, several of which may belong to a class.
    pub head_rows: u64,
    /// From one row of logits to the next: whole quads.
    pub logit_stride: u64,
    /// The same of the logits that the head makes.
    pub head_stride: u64,
    /// Rows of a panel, and of a segment, whose rows that count are listed by themselves.
    pub panel_rows: u64,
    segment_rows: u64,
    pub heads: Vec<HeadLayout>,
}

impl Layout {
    pub fn new(call: &Call<'_>, heads: &'static [Head]) -> Result<Self, Error> {
        let (signature, limits) = (call.signature, &call.machine.limits);
        let (rows, classes) = (signature.items, signature.head_classes());
        let head_rows = classes * signature.centers;
        let [logit_stride, head_stride] = [classes, head_rows].map(|length| length.next_multiple_of(QUAD));
        let binding = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
        let dtype = |name: &str| call.dtype(name).unwrap_or(DType::F32).size() as u64;
        let dimensions = |name: &str| signature.input(name).and_then(|ty| ty.shape.last()).map_or(1, |&n| n as u64);

        // In f32, in whole quads.
        let quads = heads.iter().map(|head| dimensions(head.hidden).div_ceil(QUAD)).max().unwrap_or(1);
        let hidden = quads * QUAD * DType::F32.size() as u64;
        let budget = match call.options.panel_bytes {
            0 => (rows * hidden).max(LEAST_BUDGET),
            bytes => bytes,
        };
        let row = head_stride * DType::F32.size() as u64;
        call.machine.expect(
            &format!("{}: the logits of one row", call.loss()),
            "max_storage_buffer_binding_size",
            row,
            binding,
        )?;
        // Products have a workgroup for so many rows, or classes, at least.
        let dispatched = ROWS_AT_ONCE * u64::from(limits.max_compute_workgroups_per_dimension);
        let most = (budget.min(binding) / row).min(MOST_OF_HIDDEN.min(binding) / hidden).min(dispatched).max(1);
        let even = rows.div_ceil(rows.div_ceil(most).max(1)).max(1);
        let whole = even.next_multiple_of(ROWS_AT_ONCE);
        let panel_rows = if whole <= most { whole } else { even };

        // Segments are of whole panels and begin where bindings may.
        let hidden_row = heads.iter().map(|head| dimensions(head.hidden) * dtype(head.hidden)).max().unwrap_or(1);
        let (panel_rows, segment_rows) = if rows * hidden_row <= binding {
            (panel_rows, rows.max(1))
        } else {
            let held = binding / hidden_row;
            let panel_rows = 1 << panel_rows.min(held).max(1).ilog2();
            let step = panel_rows.max(ALIGNED_ROWS);
            (panel_rows, (held / step * step).max(step))
        };
        let heads = heads.iter().map(|head| {
            let dimensions = dimensions(head.hidden);
            let quads = dimensions.div_ceil(QUAD);
            // The sums of a head's gradient are f32, of whole quads.
            let largest = quads * QUAD * DType::F32.size() as u64;
            let slice = (binding / largest).min(dispatched) / ALIGNED_ROWS * ALIGNED_ROWS;
            let slice = slice.max(ALIGNED_ROWS);
            HeadLayout { head, dimensions, quads, slice }
        });
        let heads = heads.collect();
        Ok(Layout { rows, classes, head_rows, logit_stride, head_stride, panel_rows, segment_rows, heads })
    }

    /// The same with the panels that the row loss has made of so many rows: where these are of several segments, they
    /// are a power of two, as its spans are, and stay as they were.
    pub fn with_panels<T>(self, panels: &[(Chunk, T)]) -> Self {
        let panel_rows = panels.first().map_or(self.panel_rows, |(chunk, _)| chunk.items.into());
        Layout { panel_rows, ..self }
    }

    /// The segments of all rows.
    pub fn segments(&self) -> impl Iterator<Item = Range<u64>> {
        parts(self.rows, self.segment_rows)
    }

    /// The segment that a row is in.
    pub fn segment_of(&self, row: u64) -> Range<u64> {
        let first = row / self.segment_rows * self.segment_rows;
        first..(first + self.segment_rows).min(self.rows)
    }

    /// Bytes of a panel's logits, and of those that the head makes.
    pub fn logits_size(&self) -> u64 {
        DType::F32.buffer_size(self.panel_rows * self.logit_stride)
    }

    pub fn head_logits_size(&self) -> u64 {
        DType::F32.buffer_size(self.panel_rows * self.head_stride)
    }
}

impl HeadLayout {
    /// The slices of the head's rows.
    pub fn slices(&self, classes: u64) -> impl Iterator<Item = Range<u64>> + use<> {
        parts(classes, self.slice)
    }

    /// Bytes of so many rows in quads of f32.
    pub fn size_in_quads(&self, rows: u64) -> u64 {
        DType::F32.buffer_size(rows * self.quads * QUAD)
    }
}

fn parts(whole: u64, part: u64) -> impl Iterator<Item = Range<u64>> {
    (0..whole.div_ceil(part)).map(move |number| number * part..(number * part + part).min(whole))
}
