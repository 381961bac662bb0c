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
    /// The largest tile for a product of so many rows and columns that still makes work for the adapter's compute
    /// units; none where workgroups are too small for tiles. A lane may take so many blocks of columns, and of the
    /// depth a tile so many steps, a power of two.
    pub fn for_product(tuning: Tuning, (rows, columns): (u64, u64), most_blocks: u32, most_steps: u32) -> Option<Self> {
        let lanes = tuning.workgroup_size.min(MOST_LANES);
        if lanes < LEAST_LANES || tuning.reduce == Reduce::SingleSubgroup {
            return None;
        }
        let tile = |lanes: u32, column_blocks: u32| {
            // No more lanes along the columns than these keep busy, two at least.
            let busy = columns.div_ceil(4 * u64::from(column_blocks)).next_power_of_two();
            let square = 1 << lanes.ilog2().div_ceil(2);
            let column_lanes = u32::try_from(busy).unwrap_or(square).clamp(2, square);
            // What a lane moves of the left side are two quads at most: on their way they are in registers.
            let steps = most_steps.min(column_lanes / 2);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of workgroup memory.
    fn memory(tile: Tile) -> u64 {
        // Of either side two quads behind each step.
        let gaps = 2 * 2 * u64::from(tile.steps);
        16 * ((tile.rows() + tile.columns()) * u64::from(tile.steps) + gaps)
    }

    fn tuning(lanes: u32) -> Tuning {
        Tuning {
            workgroup_size: lanes,
            workgroups: 2048,
            reduce: Reduce::Workgroup,
            max_loop_iterations: u32::MAX,
            rows: crate::RowKernel::BySize,
            lane_classes: 32,
            few_rows: 256,
            cached_classes: 0,
            least_lanes: 32,
        }
    }

    #[test]
    fn tiles_fit_into_the_workgroup_memory_of_every_device() {
        let least = wgpu::Limits::downlevel_defaults().max_compute_workgroup_storage_size;
        for lanes in [64, 128, 256, 512, 1024] {
            for size in [1, 7, 64, 1000, 1 << 20] {
                for columns in [1, 3, 8, 30, 64, 1000, 1 << 20] {
                    for (blocks, steps) in [(1, 1), (1, 4), (2, 1), (2, 2), (2, 4)] {
                        let tile = Tile::for_product(tuning(lanes), (size, columns), blocks, steps).expect("a tile");
                        assert!(memory(tile) <= least.into(), "{tile:?}: {} bytes", memory(tile));
                        assert!(tile.lanes <= lanes && tile.lanes.is_multiple_of(tile.column_lanes), "{tile:?}");
                        assert!(tile.steps > 0 && steps.is_multiple_of(tile.steps), "{tile:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn small_products_are_shared_out_among_many_workgroups() {
        let tile = |rows, columns| Tile::for_product(tuning(256), (rows, columns), 2, 4).expect("a tile");
        let sizes = |tile: Tile| (tile.lanes, tile.rows(), tile.columns());
        assert_eq!(sizes(tile(16_384, 16_384)), (256, 64, 128));
        assert_eq!(sizes(tile(1024, 1024)), (64, 32, 64));
        assert_eq!(sizes(tile(64, 64)), (64, 32, 32));
        // As many rows as make up for few columns.
        assert_eq!(sizes(tile(1 << 20, 8)), (256, 512, 16));
        assert_eq!(tile(64, 64).workgroups(64, 65), [3, 2]);
        let narrow = Tuning { workgroup_size: 32, ..tuning(256) };
        assert_eq!(Tile::for_product(narrow, (64, 64), 2, 4), None);
    }
}
