//! The loops of the entry points of all pairs.

use super::{
    super::tile::Tile,
    comparison::{Comparison, tile_rows},
};
use crate::{Tuning, gpu::Loops, kernel::Reduce, spec::Anchors};

/// Digits of `shaders/drivers/all_pairs/sort.wgsl`.
const DIGITS: u64 = 16;
/// How many searches a look-up of sorted distances takes at most: of `positive_outcome` or `active_positives`.
const SEARCHES: u64 = 3;
/// What `reduce_add_wide` reduces.
const WIDE_REDUCTIONS: u64 = 3;

/// What the loops of a batch run over.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchLoops {
    pub comparison: Comparison,
    /// Rows of all inputs, and of one of the sets that are compared.
    pub rows: u64,
    pub set: u64,
    /// Quads of a row.
    pub quads: u64,
    pub anchors: Anchors,
}

impl BatchLoops {
    fn tile_quads(self) -> u64 {
        self.comparison.tile_quads.into()
    }

    /// `load_tile`.
    fn load_tile(self, tuning: Tuning) -> Loops {
        match tuning.reduce {
            Reduce::SingleSubgroup => Loops::each(2, Loops::plain(self.tile_quads())),
            Reduce::Workgroup | Reduce::Subgroup => {
                Loops::walk(tile_rows(tuning) * self.tile_quads(), tuning.workgroup_size.into())
            }
        }
    }

    /// `prepare` of a span of rows.
    pub fn prepare(self, tuning: Tuning, span: u64) -> Loops {
        let lanes = tuning.workgroup_size.into();
        // Of a quad four elements, in each of three walks.
        let quad = Loops::plain(4);
        let walks = Loops::blocks(self.quads, lanes, quad) + Loops::each(self.quads.div_ceil(lanes), quad) * 2;
        Loops::each(span, walks + Loops::reduce(tuning) * 2)
    }

    /// `measure_pairs`.
    pub fn measure(self, tuning: Tuning) -> Loops {
        let rows = Loops::plain(tile_rows(tuning));
        let tile = self.load_tile(tuning) + Loops::each(self.tile_quads(), rows);
        rows * 2 + Loops::each(self.quads / self.tile_quads(), tile)
    }

    /// `measure_pairs` by register tiles.
    pub fn measure_tiles(self, tile: Tile) -> Loops {
        tile.multiply(4 * self.quads) + tile.blocks()
    }

    /// `list_pairs`.
    pub fn list(self, tuning: Tuning) -> Loops {
        Loops::blocks(self.set, tuning.workgroup_size.into(), Loops::NONE) + Loops::reduce(tuning) * 5
    }

    /// `sort` of a list of so many keys.
    pub fn sort(tuning: Tuning, keys: u64) -> Loops {
        let digits = Loops::each(DIGITS, Loops::scan(tuning) + Loops::reduce(tuning));
        Loops::scan(tuning) + Loops::plain(DIGITS) + Loops::walk(keys, tuning.workgroup_size.into()) * 2 + digits
    }

    /// `select_pairs`.
    pub fn select(self, tuning: Tuning) -> Loops {
        let lanes = tuning.workgroup_size.into();
        let blocks = Loops::blocks(self.set, lanes, Loops::NONE);
        let walk = Loops::walk(self.set, lanes);
        match self.anchors {
            Anchors::Softmax => walk + blocks * 2 + Loops::reduce(tuning) * 7,
            Anchors::Hardest => blocks + Loops::reduce(tuning) * 9,
            Anchors::Sorted => {
                // The sums of the sorted; then of each its outcome, and its slope. Where the positives end, lanes that
                // run in step look up both.
                let search = Loops::search(self.set) * SEARCHES;
                let looked_up = Loops::each(self.set.div_ceil(lanes), search);
                let sums = Loops::scan(tuning) * 2 + walk * 2;
                sums + looked_up * 2 + search + Loops::reduce(tuning) * (1 + 2 * WIDE_REDUCTIONS)
            }
        }
    }

    /// `gather` of so many rows that owe.
    pub fn gather(self, tuning: Tuning, givers: u64) -> Loops {
        let fours = tile_rows(tuning) / 4;
        let quads = Loops::plain(self.tile_quads());
        let tile = self.load_tile(tuning) + Loops::plain(fours) + Loops::each(fours, quads * 4);
        quads * 2 + Loops::each(givers.div_ceil(tile_rows(tuning)), tile)
    }

    /// `gather` of so many rows that owe, by register tiles.
    pub fn gather_tiles(self, tile: Tile, givers: u64) -> Loops {
        let radials = tile.left_slots() + tile.rows_of_lane(tile.step_loop(Loops::NONE));
        tile.blocks() * 2 + tile.multiply(givers) + if self.comparison.is_cosine() { radials } else { Loops::NONE }
    }

    /// `join` of so many parts.
    pub fn join(self, tuning: Tuning, parts: u64) -> Loops {
        let parts = Loops::plain(parts);
        Loops::each(self.quads.div_ceil(tuning.workgroup_size.into()), parts) + parts
    }

    /// `finalize_batch`: three sums, five counts and two distances.
    pub fn finalize(self, tuning: Tuning) -> Loops {
        let blocks = Loops::blocks(self.rows, tuning.workgroup_size.into(), Loops::NONE);
        blocks + Loops::reduce(tuning) * (3 + 5 * WIDE_REDUCTIONS + 2)
    }

    /// `list_mined` of a span of anchors.
    pub fn list_mined(tuning: Tuning, span: u64) -> Loops {
        Loops::each(span.div_ceil(tuning.workgroup_size.into()), Loops::plain(2))
    }

    /// `gather_mined` of a span of rows.
    pub fn gather_mined(self, tuning: Tuning, span: u64) -> Loops {
        let lanes = tuning.workgroup_size.into();
        let quads = Loops::plain(self.tile_quads());
        // All that owe may owe to the rows of one span; besides, each row has its own two, and a pass that is not full.
        let owing = Loops::each((2 * self.rows).div_ceil(lanes), quads);
        let own = Loops::each(2, quads);
        let sums = Loops::each(self.tile_quads(), Loops::reduce(tuning) * 4) + Loops::reduce(tuning);
        owing + Loops::each(span, Loops::search(2 * self.rows) * 2 + quads + own + sums)
    }

    /// `project` of a span of rows.
    pub fn project(self, tuning: Tuning, span: u64) -> Loops {
        Loops::each(span, Loops::walk(self.quads, tuning.workgroup_size.into()) + Loops::reduce(tuning))
    }

    /// `finish` of a span of words.
    pub fn finish(tuning: Tuning, span: u64) -> Loops {
        Loops::walk(span, tuning.workgroup_size.into())
    }
}
