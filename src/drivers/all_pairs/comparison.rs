//! How embeddings are compared: what the value of a pair is.

use super::super::tile::Tile;
use crate::{
    Distance, Reduce, Tuning,
    spec::{AllPairs, Anchors, LossSpec, ShaderFile, Shape, Values, shader_file},
};

/// What the value of a pair is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    Similarity,
    Difference,
    Cosine,
}

impl Measure {
    pub fn files(self) -> Vec<ShaderFile> {
        let differences = shader_file!("drivers/all_pairs/terms_of_differences.wgsl");
        match self {
            Measure::Similarity => vec![shader_file!("drivers/all_pairs/measure_similarity.wgsl")],
            Measure::Difference => vec![differences, shader_file!("drivers/all_pairs/measure_difference.wgsl")],
            Measure::Cosine => vec![differences, shader_file!("drivers/all_pairs/measure_cosine.wgsl")],
        }
    }
}

/// Whether rows are brought to unit length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// They stay as they are.
    No,
    /// They are divided by their length, but for a least one.
    Floored,
    /// They are divided by their length.
    Exact,
}

/// How embeddings are compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Comparison {
    pub measure: Measure,
    pub unit: Unit,
    /// What shorter rows are divided by where that is floored.
    pub least_norm: f32,
    /// Whether the scale of all values is an input.
    pub scale_is_input: bool,
    /// Quads of a tile's rows.
    pub tile_quads: u32,
}

impl Comparison {
    pub fn new(all_pairs: AllPairs, spec: &LossSpec, values: &Values, dimensions: u64) -> Self {
        let is_similarity = all_pairs.anchors == Anchors::Softmax;
        let is_plain = !values.flag_or("normalize", true);
        let (measure, unit) = if is_similarity {
            (Measure::Similarity, if is_plain { Unit::No } else { Unit::Floored })
        } else if values.word_or("distance", Distance::Euclidean) == Distance::Cosine {
            (Measure::Cosine, Unit::Exact)
        } else {
            (Measure::Difference, Unit::No)
        };
        let scale_is_input = spec.inputs.iter().any(|input| input.shape == Shape::Scalar);
        // As many as fill rows without much behind their ends.
        let quads = dimensions.div_ceil(4);
        let wastes_little = |tile: &u64| (quads.div_ceil(*tile) * tile - quads) <= quads / 8;
        let tile_quads = [4, 2].into_iter().find(wastes_little).unwrap_or(1) as u32;
        let least_norm = values.number_or("norm_eps", 1e-12) as f32;
        Comparison { measure, unit, least_norm, scale_is_input, tile_quads }
    }

    /// Quads of a row, zeros behind its end included.
    pub fn quads(self, dimensions: u64) -> u64 {
        let tile = u64::from(self.tile_quads);
        dimensions.div_ceil(4).div_ceil(tile) * tile
    }

    /// The register tile for the values of so many anchors with so many columns, where workgroups have lanes for it.
    pub fn measuring_tile(self, tuning: Tuning, rows: u64, columns: u64) -> Option<Tile> {
        Tile::for_product(tuning, (rows, columns), 2, self.tile_quads)
    }

    /// The register tile for what so many rows get in all their dimensions. Besides the sums, differences keep the rows
    /// themselves in registers, so a lane takes half as many.
    pub fn gathering_tile(self, tuning: Tuning, rows: u64, dimensions: u64) -> Option<Tile> {
        Tile::for_product(tuning, (rows, dimensions), if self.has_differences() { 1 } else { 2 }, 4)
    }

    pub fn is_cosine(self) -> bool {
        self.measure == Measure::Cosine
    }

    /// Whether a row is drawn to another less itself: exact for close ones, and where rows have unit length the part
    /// along the row is taken away anyhow.
    pub fn has_differences(self) -> bool {
        self.measure != Measure::Similarity || self.unit != Unit::No
    }
}

/// Rows of a tile whose workgroup is several subgroups.
pub(super) const TILE_ROWS: u64 = 16;

/// Rows of a tile: `TILE_ROWS` of `shaders/drivers/all_pairs/tile_….wgsl`.
pub(super) fn tile_rows(tuning: Tuning) -> u64 {
    match tuning.reduce {
        Reduce::SingleSubgroup => 2 * u64::from(tuning.workgroup_size),
        Reduce::Workgroup | Reduce::Subgroup => TILE_ROWS,
    }
}
