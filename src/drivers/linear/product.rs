//! The products of a panel, by tiles or by strips.

use super::super::tile::Tile;
use crate::{
    Tuning,
    gpu::{Loops, Machine},
    kernel::{Kernel, Reduce},
    spec::{ShaderFile, shader_file},
};

/// Blocks of four columns of a lane, also of a strip's, and steps of a tile's depth: these fit into the workgroup
/// memory of every device.
const COLUMN_BLOCKS: u32 = 2;
const STEPS: u32 = 2;

/// Rows of a strip: `shaders/lib/strip.wgsl`.
const STRIP_ROWS: u64 = 16;

/// Places of the depth that are added up in one go at most: sums of more lose digits.
pub(super) const MOST_DEPTH: u64 = 8192;

/// Which product of a panel it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Logits,
    GradientOfRows,
    GradientOfHead,
}

impl Which {
    pub fn file(self) -> ShaderFile {
        match self {
            Which::Logits => shader_file!("drivers/linear/logits.wgsl"),
            Which::GradientOfRows => shader_file!("drivers/linear/gradient_of_rows.wgsl"),
            Which::GradientOfHead => shader_file!("drivers/linear/gradient_of_head.wgsl"),
        }
    }

    /// Whether the quads of the left and of the right side lie along the depth.
    fn along(self) -> [bool; 2] {
        match self {
            Which::Logits => [true, true],
            Which::GradientOfRows => [true, false],
            Which::GradientOfHead => [false, false],
        }
    }
}

/// How the lanes of a workgroup share out a product.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sharing {
    Tile(Tile),
    /// A strip of rows, for workgroups too small for tiles.
    Strip(Tuning),
}

impl Sharing {
    /// The best for a product of so many rows and columns.
    pub fn new(tuning: Tuning, size: (u64, u64)) -> Self {
        Tile::for_product(tuning, size, COLUMN_BLOCKS, STEPS).map_or(Sharing::Strip(tuning), Sharing::Tile)
    }

    pub fn tuning(self, tuning: Tuning) -> Tuning {
        match self {
            Sharing::Tile(tile) => tile.tuning(tuning),
            Sharing::Strip(tuning) => tuning,
        }
    }

    /// Workgroups along the columns and along the rows.
    pub fn workgroups(self, (rows, columns): (u64, u64)) -> [u64; 2] {
        match self {
            Sharing::Tile(tile) => tile.workgroups(rows, columns),
            Sharing::Strip(tuning) => {
                let width = QUADS_OF_LANE * u64::from(tuning.workgroup_size);
                [columns.div_ceil(width), rows.div_ceil(STRIP_ROWS)]
            }
        }
    }

    /// Gives a kernel the files and constants.
    pub fn join(self, kernel: &mut Kernel, which: Which) {
        let along = which.along();
        match self {
            Sharing::Tile(tile) => {
                tile.join(kernel, along);
                kernel.join([shader_file!("lib/tile_sums.wgsl")]);
            }
            Sharing::Strip(tuning) => {
                kernel.constant("COLUMN_BLOCKS", COLUMN_BLOCKS);
                kernel.flags(&[("LEFT_ALONG", along[0]), ("RIGHT_ALONG", along[1])]);
                kernel.join([
                    shader_file!("lib/strip.wgsl"),
                    match tuning.reduce {
                        Reduce::SingleSubgroup => shader_file!("lib/strip_subgroup.wgsl"),
                        Reduce::Workgroup | Reduce::Subgroup => shader_file!("lib/strip_workgroup.wgsl"),
                    },
                ]);
            }
        }
    }

    /// The loops of a lane over so much of the depth, and over what it stores.
    pub fn loops(self, depth: u64) -> Loops {
        match self {
            Sharing::Tile(tile) => tile.multiply(depth) + tile.blocks(),
            Sharing::Strip(_) => Loops::plain(depth.div_ceil(4)),
        }
    }

    /// How much of the depth one step takes: what its loops allow.
    pub fn depth(self, machine: &Machine, what: &str) -> Result<u64, crate::Error> {
        let quads = machine.most(what, MOST_DEPTH / 4, |quads| self.loops(4 * quads))?;
        Ok(4 * quads)
    }
}

/// Columns of a lane of a strip.
const QUADS_OF_LANE: u64 = 4 * COLUMN_BLOCKS as u64;
