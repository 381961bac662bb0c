//! Register tiles: how the lanes of a workgroup share out a product of two sides, `shaders/lib/tile.wgsl`.

use crate::{
    Tuning,
    gpu::Loops,
    kernel::{Kernel, Reduce},
    spec::shader_file,
};

/// Lanes of the smallest workgroups that multiply by register tiles. Those of CPU adapters are smaller: a CPU runs
/// wider ones as loops around every barrier, of which each tile has two.
const LEAST_LANES: u32 = 64;

/// Lanes of the largest: more would need more workgroup memory than may be there.
const MOST_LANES: u32 = 256;

/// The sizes of a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tile {
    /// Lanes of a workgroup, and how many of them lie side by side along the columns.
    lanes: u32,
    column_lanes: u32,
    /// Blocks of four columns of a lane, and blocks of four of the depth.
    column_blocks: u32,
    steps: u32,
}

impl Tile {
    /// The largest tile for a product of so many rows and columns that still makes work for the adapter's compute units;
    /// none where workgroups are too small for tiles. A lane may take so many blocks of columns; of the depth a tile has
    /// so many steps.
    pub fn for_product(tuning: Tuning, (rows, columns): (u64, u64), most_blocks: u32, steps: u32) -> Option<Self> {
        let lanes = tuning.workgroup_size.min(MOST_LANES);
        if lanes < LEAST_LANES || tuning.reduce == Reduce::SingleSubgroup {
            return None;
        }
        let tile = |lanes: u32, column_blocks: u32| {
            // No more lanes along the columns than there are of these, and no more rows than workgroup memory may hold.
            let fours = columns.div_ceil(4 * u64::from(column_blocks)).next_power_of_two();
            let square = 1 << lanes.ilog2().div_ceil(2);
            let least = (lanes / LEAST_LANES * 2).min(square);
            let column_lanes = u32::try_from(fours).unwrap_or(square).clamp(least, square);
            Tile { lanes, column_lanes, column_blocks, steps }
        };
        let shapes = [(lanes, most_blocks), (LEAST_LANES, most_blocks), (LEAST_LANES, 1)].map(|(l, b)| tile(l, b));
        let is_enough = |tile: &Tile| tile.workgroups(rows, columns).iter().product::<u64>() >= tuning.few_rows.into();
        shapes.into_iter().find(is_enough).or(shapes.last().copied())
    }

    /// Workgroups along the columns and along the rows.
    pub fn workgroups(self, rows: u64, columns: u64) -> [u64; 2] {
        [columns.div_ceil(self.columns()), rows.div_ceil(self.rows())]
    }

    fn rows(self) -> u64 {
        u64::from(4 * (self.lanes / self.column_lanes))
    }

    fn columns(self) -> u64 {
        u64::from(4 * self.column_lanes * self.column_blocks)
    }

    /// Places of the depth.
    pub fn depth(self) -> u64 {
        u64::from(4 * self.steps)
    }

    /// The tuning of a step that multiplies so: no lanes add up what they have.
    pub fn tuning(self, tuning: Tuning) -> Tuning {
        Tuning { workgroup_size: self.lanes, reduce: Reduce::Workgroup, ..tuning }
    }

    /// Gives a kernel the constants and the file; which sides' quads lie along the depth, the left one's and the right
    /// one's.
    pub fn join(self, kernel: &mut Kernel, along: [bool; 2]) {
        kernel.constant("COLUMN_LANES", self.column_lanes);
        kernel.constant("COLUMN_BLOCKS", self.column_blocks);
        kernel.constant("TILE_STEPS", self.steps);
        kernel.flags(&[("LEFT_ALONG", along[0]), ("RIGHT_ALONG", along[1])]);
        kernel.join([shader_file!("lib/tile.wgsl")]);
    }

    /// Loops over the blocks of a lane.
    pub fn blocks(self) -> Loops {
        Loops::plain(self.column_blocks.into())
    }

    /// Loops over the quads of a tile's left side that a lane moves.
    pub fn left_slots(self) -> Loops {
        Loops::walk(self.rows() * u64::from(self.steps), self.lanes.into())
    }

    /// Loops over rows of the tile, with these in each.
    pub fn rows_of_lane(self, inner: Loops) -> Loops {
        Loops::each(self.rows().div_ceil(self.lanes.into()), inner)
    }

    /// Loops over the steps.
    pub fn step_loop(self, inner: Loops) -> Loops {
        Loops::each(self.steps.into(), inner)
    }

    /// `multiply` over so much of the depth.
    pub fn multiply(self, depth: u64) -> Loops {
        let right = Loops::walk(self.columns() * u64::from(self.steps), self.lanes.into());
        let slots = self.left_slots() + right;
        let tile = slots * 2 + self.step_loop(self.blocks());
        self.blocks() + slots + Loops::each(depth.div_ceil(self.depth()), tile)
    }
}
