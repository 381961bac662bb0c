//! How the rows, the panel and the sums of a batch lie in memory.

use super::{
    super::{Call, tile::Tile},
    comparison::{Comparison, Measure, TILE_ROWS, tile_rows},
    loops::BatchLoops,
};
use crate::{
    Error, Tuning,
    gpu::Loops,
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
    /// Of a cosine, how much of itself each row gets.
    Radials,
}

impl Memory {
    pub const ALL: [Self; 6] = [Self::Rows, Self::Records, Self::Panel, Self::Lists, Self::Sums, Self::Radials];

    /// Its name in kernels.
    pub const fn name(self) -> &'static str {
        match self {
            Memory::Rows => "rows",
            Memory::Records => "records",
            Memory::Panel => "panel",
            Memory::Lists => "lists",
            Memory::Sums => "sums",
            Memory::Radials => "radials",
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
            Memory::Radials => "what rows add to their own gradients",
        }
    }

    pub fn holds(self) -> Holds {
        Holds::Values(match self {
            Memory::Rows | Memory::Sums => "vec4<f32>",
            Memory::Records => "Record",
            Memory::Panel | Memory::Radials => "f32",
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
    /// The register tile of what gathers, where workgroups have lanes for it.
    pub gathering: Option<Tile>,
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

        let layout =
            Layout { rows, set, quads, panel_rows, stride, planes, lists, mined, gathering: None, parts: 1, part: set };
        let loops = layout.loops(comparison, all_pairs.anchors);
        let gathering = comparison
            .gathering_tile(tuning, set, 4 * quads)
            .filter(|tile| call.machine.runs(loops.gather_tiles(*tile, tile.depth())));
        let layout = Layout { gathering, ..layout };
        let depth = gathering.map_or_else(|| tile_rows(tuning), Tile::depth);
        let workgroups = layout.gathering_workgroups(comparison, tuning, panel_rows).iter().product();
        // Enough workgroups for the adapter, and no more sums than there are rows.
        let wanted = u64::from(tuning.workgroups).div_ceil(workgroups).min(set / panel_rows).max(1);
        let what = format!("{}: a batch of {set}", call.loss());
        let tiles = |tiles: u64| layout.gather_loops(loops, tuning, tiles * depth);
        let part = depth * call.machine.most(&what, set.div_ceil(wanted).div_ceil(depth), tiles)?;
        let parts = if is_hardest { 1 } else { set.div_ceil(part).max(1) };
        Ok(Layout { parts, part, ..layout })
    }

    /// Workgroups that gather for so many rows: along these, and along the dimensions.
    pub fn gathering_workgroups(self, comparison: Comparison, tuning: Tuning, receivers: u64) -> [u64; 2] {
        match self.gathering {
            Some(tile) => {
                let [along_dimensions, along_rows] = tile.workgroups(receivers, 4 * self.quads);
                [along_rows, along_dimensions]
            }
            None => {
                let rows = 4 * u64::from(tuning.workgroup_size);
                [receivers.div_ceil(rows), self.quads / u64::from(comparison.tile_quads)]
            }
        }
    }

    /// The loops of a step that gathers from so many rows.
    pub fn gather_loops(self, loops: BatchLoops, tuning: Tuning, givers: u64) -> Loops {
        match self.gathering {
            Some(tile) => loops.gather_tiles(tile, givers),
            None => loops.gather(tuning, givers),
        }
    }

    /// The loops of a batch that lies so.
    pub fn loops(self, comparison: Comparison, anchors: Anchors) -> BatchLoops {
        BatchLoops { comparison, rows: self.rows, set: self.set, quads: self.quads, anchors }
    }

    /// Rows of sums: those of all rows, and behind them those of the parts.
    fn sum_rows(self) -> u64 {
        self.rows + if self.parts > 1 { self.parts * self.panel_rows } else { 0 }
    }

    /// Bytes of each of [`Memory::ALL`]; something at least, because nothing cannot be bound.
    pub fn sizes(self, call: &Call<'_>) -> [u64; 6] {
        let row = self.quads.saturating_mul(16);
        let panel = self.panel_rows.saturating_mul(self.stride).saturating_mul(4);
        let sum_rows = if call.has_gradients() { self.sum_rows() } else { 0 };
        let of = |memory| match memory {
            Memory::Rows => self.rows.saturating_mul(row),
            Memory::Records => self.rows.saturating_mul(RECORD_SIZE),
            Memory::Panel => panel.saturating_mul(self.planes),
            Memory::Lists => panel.saturating_mul(self.lists) + LIST_PLANES * 4 * self.mined,
            Memory::Sums => sum_rows.saturating_mul(row),
            Memory::Radials => sum_rows.saturating_mul(4),
        };
        Memory::ALL.map(|memory| of(memory).max(RECORD_SIZE))
    }
}
