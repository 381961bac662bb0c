//! How the rows, the panel and the sums of a batch lie in memory.

use super::{
    super::Call,
    comparison::{Comparison, Measure, TILE_ROWS, tile_rows},
    loops::BatchLoops,
};
use crate::{
    Error,
    kernel::Holds,
    spec::{AllPairs, Anchors, Relation},
};

/// A panel is at least so large, if there are as many pairs, in values: 4 MiB.
const LEAST_PANEL: u64 = 1 << 20;

/// More rows of a panel would not make its kernels faster.
const MOST_PANEL_ROWS: u64 = 4096;

/// Planes of what is sorted: keys and what they belong to, before a step and after it.
const LIST_PLANES: u64 = 4;

/// Bytes of what is known of a row: `Record` in `shaders/drivers/all_pairs/records.wgsl`.
pub(in crate::drivers) const RECORD_SIZE: u64 = 88;

/// What the steps leave for each other, besides the workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Memory {
    /// All embeddings as rows of quads.
    Rows,
    /// What is known of each row.
    Records,
    /// The values of the pairs of some anchors.
    Panel,
    /// The keys of anchors that are sorted, and which rows were mined.
    Lists,
    /// The gradients of rows so far.
    Sums,
}

impl Memory {
    pub const ALL: [Self; 5] = [Self::Rows, Self::Records, Self::Panel, Self::Lists, Self::Sums];

    /// Its name in kernels.
    pub const fn name(self) -> &'static str {
        match self {
            Memory::Rows => "rows",
            Memory::Records => "records",
            Memory::Panel => "panel",
            Memory::Lists => "lists",
            Memory::Sums => "sums",
        }
    }

    /// What messages call it.
    pub const fn label(self) -> &'static str {
        match self {
            Memory::Rows => "the rows of all embeddings",
            Memory::Records => "the records of all rows",
            Memory::Panel => "the values of a panel",
            Memory::Lists => "the lists of a panel",
            Memory::Sums => "the sums of all rows",
        }
    }

    pub fn holds(self) -> Holds {
        Holds::Values(match self {
            Memory::Rows | Memory::Sums => "vec4<f32>",
            Memory::Records => "Record",
            Memory::Panel => "f32",
            Memory::Lists => "u32",
        })
    }
}

/// How rows, panel and sums lie in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// Rows of all inputs.
    pub rows: u64,
    /// Rows of one of the sets that are compared.
    pub set: u64,
    /// Quads of a row.
    pub quads: u64,
    /// Rows of the panel.
    pub panel_rows: u64,
    /// Values of a row of the panel.
    pub stride: u64,
    /// Planes of the panel.
    planes: u64,
    /// Planes of the lists of each of the panel's rows.
    pub lists: u64,
    /// Words of a plane of the one list of all mined rows.
    pub mined: u64,
    /// Into how many parts those are split that give to the rows of a panel.
    pub parts: u64,
    /// How many of them are one part.
    pub part: u64,
}

impl Layout {
    /// The layout of a call.
    ///
    /// # Errors
    /// [`Error::Limit`] for a batch beyond what indices or bindings can hold.
    pub fn new(all_pairs: AllPairs, comparison: Comparison, call: &Call<'_>) -> Result<Self, Error> {
        let (machine, signature) = (call.machine, call.signature);
        // All that follows is made of products that this bounds.
        let elements = signature.batch.saturating_mul(comparison.quads(signature.row)).saturating_mul(8);
        if elements > u64::from(u32::MAX) {
            let what = format!("{}: embeddings [{}, {}]", call.loss(), signature.batch, signature.row);
            return Err(machine.limit(&what, "32-bit index", elements, u32::MAX.into()));
        }
        let layout = Layout::unchecked(all_pairs, comparison, call)?;
        let limits = &machine.limits;
        for (size, memory) in layout.sizes(call).into_iter().zip(Memory::ALL) {
            let what = format!("{}: the {} of [{}, {}]", call.loss(), memory.name(), layout.rows, signature.row);
            for (limit, available) in [
                ("max_storage_buffer_binding_size", limits.max_storage_buffer_binding_size),
                ("max_buffer_size", limits.max_buffer_size),
                // Of words.
                ("32-bit index", 4 * u64::from(u32::MAX)),
            ] {
                if size > available {
                    return Err(machine.limit(&what, limit, size, available));
                }
            }
        }
        Ok(layout)
    }

    fn unchecked(all_pairs: AllPairs, comparison: Comparison, call: &Call<'_>) -> Result<Self, Error> {
        let (tuning, signature) = (call.machine.tuning, call.signature);
        let (rows, set) = match all_pairs.relation {
            Relation::Labelled => (signature.batch, signature.batch),
            Relation::Views => (2 * signature.batch, 2 * signature.batch),
            Relation::Paired | Relation::PairedBothWays => (2 * signature.batch, signature.batch),
        };
        let quads = comparison.quads(signature.row);
        let stride = set.next_multiple_of(4);
        let is_hardest = all_pairs.anchors == Anchors::Hardest;
        let planes = if comparison.measure == Measure::Cosine && !is_hardest { 2 } else { 1 };
        let lists = if all_pairs.anchors == Anchors::Sorted { LIST_PLANES } else { 0 };
        let mined = if is_hardest { 2 * rows } else { 0 };
        // As many values as the rows have, at least.
        let values = LEAST_PANEL.max(rows * 4 * quads).min(call.machine.limits.max_storage_buffer_binding_size / 4);
        // Anchors of a panel come in whole tiles.
        let wanted = values / (stride.max(1) * (planes + lists)) / TILE_ROWS * TILE_ROWS;
        let panel_rows = wanted.clamp(TILE_ROWS, MOST_PANEL_ROWS).min(set.next_multiple_of(TILE_ROWS).max(TILE_ROWS));

        let tile_rows = tile_rows(tuning);
        let lanes = u64::from(tuning.workgroup_size);
        let workgroups = panel_rows.div_ceil(4 * lanes) * (quads / u64::from(comparison.tile_quads));
        // Enough workgroups for the adapter, and no more sums than there are rows.
        let wanted = u64::from(tuning.workgroups).div_ceil(workgroups).min(set / panel_rows).max(1);
        let layout = Layout { rows, set, quads, panel_rows, stride, planes, lists, mined, parts: 1, part: set };
        let loops = layout.loops(comparison, all_pairs.anchors);
        let what = format!("{}: a batch of {set}", call.loss());
        let tiles = |tiles: u64| loops.gather(tuning, tiles * tile_rows);
        let tiles = call.machine.most(&what, set.div_ceil(wanted).div_ceil(tile_rows), tiles)?;
        let part = tiles * tile_rows;
        let parts = if is_hardest { 1 } else { set.div_ceil(part).max(1) };
        Ok(Layout { parts, part, ..layout })
    }

    /// The loops of a batch that lies so.
    pub fn loops(self, comparison: Comparison, anchors: Anchors) -> BatchLoops {
        BatchLoops { comparison, rows: self.rows, set: self.set, quads: self.quads, anchors }
    }

    /// Rows of sums: those of all rows, and behind them those of the parts.
    fn sum_rows(self) -> u64 {
        self.rows + if self.parts > 1 { self.parts * self.panel_rows } else { 0 }
    }

    /// Where the numbers behind all rows of sums begin, one for each of these, in a quad of its own.
    pub fn first_radial(self) -> u32 {
        (self.sum_rows() * self.quads) as u32
    }

    /// Bytes of each of [`Memory::ALL`]; something at least, because nothing cannot be bound.
    pub fn sizes(self, call: &Call<'_>) -> [u64; 5] {
        let row = self.quads.saturating_mul(16);
        let panel = self.panel_rows.saturating_mul(self.stride).saturating_mul(4);
        let sums = self.sum_rows().saturating_mul(row.saturating_add(16));
        let of = |memory| match memory {
            Memory::Rows => self.rows.saturating_mul(row),
            Memory::Records => self.rows.saturating_mul(RECORD_SIZE),
            Memory::Panel => panel.saturating_mul(self.planes),
            Memory::Lists => panel.saturating_mul(self.lists) + LIST_PLANES * 4 * self.mined,
            Memory::Sums => {
                if call.has_gradients() {
                    sums
                } else {
                    0
                }
            }
        };
        Memory::ALL.map(|memory| of(memory).max(RECORD_SIZE))
    }
}
