//! How a loss of regions shares out its pixels and its scores.

use crate::{
    Error, Gpu, Tuning,
    chunk::{Chunk, Split, floor_power_of_two},
    header::FixedParams,
    shader::BLOCK,
    spec::{Regions, Scope, Signature, Values},
    workspace::REGION_SIZE,
};

/// How a lane takes its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RegionLayout {
    /// Classes that it holds in registers at a time.
    pub strip: u32,
    /// Whether there are more.
    pub strips: bool,
    /// Whether a lane takes two pixels side by side, whose halves make whole words: of one strip.
    pub pairs: bool,
}

/// So many classes make one strip: with their sums, some hundred registers.
const MOST_CLASSES: u64 = 20;
/// Of more classes a strip has so many.
const STRIP: u32 = 8;
/// Each part has a record for each class; small enough a number of parts keeps them few.
const MOST_RECORDS: u64 = 1 << 16;

/// The scores of a call, and the records behind them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scores {
    /// How many there are.
    scores: u64,
    /// Samples that are scored apart, or 1 for all together.
    segments: u64,
    /// Scores of a segment.
    segment_scores: u64,
    /// Whether each class has its own, and each sample.
    per_class: bool,
    per_sample: bool,
    /// Records of a part or of a segment's slopes.
    records: u64,
    /// Whether the pixels have a term of their own.
    has_term: bool,
}

/// How many scores a workgroup takes, and how many workgroups there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScoreSplit {
    span: u32,
    workgroups: u32,
    /// Workgroups with the one for the pixels' term.
    pub dispatched: u32,
    /// Parts of a segment, and of all of them.
    segment_parts: u32,
    pub parts: u32,
}

impl RegionLayout {
    pub fn new(signature: &Signature) -> Self {
        let strips = signature.row > MOST_CLASSES;
        let strip = if strips { STRIP } else { signature.row as u32 };
        RegionLayout { strip, strips, pairs: !strips && signature.class_stride.is_multiple_of(2) }
    }

    /// Iterations that a pixel takes of all loops of a lane, for loops over a strip that a compiler leaves as they are.
    fn iterations(self, signature: &Signature) -> u64 {
        // Some sixteen loops over the classes, each with its strips.
        let strips = signature.row.div_ceil(self.strip.into());
        16 * (u64::from(self.strip) + 2) * strips + 8
    }

    /// Parts of the pixels: of a sample, or of all samples together.
    pub fn split(self, gpu: &Gpu, loss: &str, signature: &Signature, scores: Scores) -> Result<Split, Error> {
        let tuning = gpu.tuning();
        let lanes = u64::from(tuning.workgroup_size);
        let (loops, iterations) = (u64::from(tuning.max_loop_iterations), self.iterations(signature));
        if iterations > loops {
            let what = format!("{loss}: a pixel of {} classes", signature.row);
            return Err(gpu.limit(&what, "max_loop_iterations", iterations, loops));
        }
        let workgroups = u64::from(tuning.workgroups).min((MOST_RECORDS / signature.row).max(1));
        let most = (loops / iterations).saturating_mul(lanes);
        let even = floor_power_of_two(signature.items.div_ceil(workgroups));
        // A lane's sums are joined once a part, which its pixels should outweigh.
        let span = even.max(8 * lanes).min(floor_power_of_two(most.min(1 << 30)));
        if !scores.per_sample {
            let span = span as u32;
            return Ok(Split { span, tally_span: span, tallies: 1, parts: 1, part_columns: 0 });
        }
        let pixels = signature.class_stride.max(1);
        let parts = pixels.div_ceil(span) as u32;
        let span = pixels.div_ceil(parts.into()).next_multiple_of(2) as u32;
        let sample = pixels as u32;
        Ok(Split { span: sample, tally_span: sample, tallies: parts, parts, part_columns: span })
    }
}

impl Scores {
    pub fn new(regions: Regions, values: &Values, signature: &Signature) -> Self {
        let scope = values.word_or("scope", Scope::Class);
        let scores = signature.results();
        let segments = if scope.is_per_sample() { signature.batch } else { 1 };
        let scored = signature.row - u64::from(!values.flag("include_background"));
        let segment_scores = if scope.is_per_class() { scored } else { 1 };
        let has_term = regions.terms.is_some();
        let records = signature.row + u64::from(has_term);
        let (per_class, per_sample) = (scope.is_per_class(), scope.is_per_sample());
        Scores { scores, segments, segment_scores, per_class, per_sample, records, has_term }
    }

    /// Bytes of the records: the sums of all parts, then each segment's slopes.
    pub fn records_size(self, parts: u32) -> u64 {
        (u64::from(parts) + self.segments).saturating_mul(self.records).max(1).saturating_mul(REGION_SIZE)
    }

    /// The parameters of all kernels, with what they know of the scores.
    pub fn params(self, split: ScoreSplit, params: FixedParams) -> FixedParams {
        FixedParams {
            segments: self.segments as u32,
            segment_parts: split.segment_parts,
            segment_scores: self.segment_scores as u32,
            per_class: self.per_class.into(),
            first_slopes: split.parts * self.records as u32,
            ..params
        }
    }

    /// Those of the kernels that take a chunk's pixels.
    pub fn params_of_pixels(self, split: Split, chunk: &Chunk, params: FixedParams) -> FixedParams {
        match self.per_sample {
            true => FixedParams { segment: split.span, span: split.part_columns, ..params },
            false => FixedParams { segment: chunk.items, parts: chunk.workgroups, ..params },
        }
    }

    /// Those of the kernel that makes the scores.
    pub fn params_of_scores(self, split: ScoreSplit, params: FixedParams) -> FixedParams {
        let (length, span) = (self.scores as u32, split.span);
        FixedParams { length, span, first_partial: split.parts, parts: split.workgroups, ..params }
    }

    /// How the scores go to workgroups, where the pixels are in these chunks.
    pub fn split(self, gpu: &Gpu, loss: &str, tuning: Tuning, chunks: &[Chunk]) -> Result<ScoreSplit, Error> {
        let parts = chunks.last().map_or(0, |chunk| chunk.first_partial + chunk.partials);
        let segment_parts = u64::from(parts).checked_div(self.segments).unwrap_or(0);
        let limits = gpu.limits();
        let (size, binding) = (self.records_size(parts), limits.max_storage_buffer_binding_size);
        if size > binding {
            let what = format!("{loss}: the sums of all regions");
            return Err(gpu.limit(&what, "max_storage_buffer_binding_size", size, binding));
        }

        let lanes = u64::from(tuning.workgroup_size);
        let classes = if self.per_class { 1 } else { self.records };
        let walk = |items: u64| items.div_ceil(lanes) + items.div_ceil(lanes * u64::from(BLOCK)) + 1;
        // With the iterations of three reductions.
        let iterations = walk(segment_parts * classes) + walk(classes) + 3 * (lanes + 2);
        let loops = u64::from(tuning.max_loop_iterations);
        if 2 * iterations > loops {
            let what = format!("{loss}: a score of {segment_parts} parts");
            return Err(gpu.limit(&what, "max_loop_iterations", 2 * iterations, loops));
        }
        let even = self.scores.div_ceil(tuning.workgroups.into()).max(1);
        let span = even.min(loops / 2 / iterations);
        let workgroups = self.scores.div_ceil(span);
        let dispatched = workgroups + u64::from(self.has_term);
        let available = u64::from(limits.max_compute_workgroups_per_dimension);
        if dispatched > available {
            let what = format!("{loss}: {} scores", self.scores);
            return Err(gpu.limit(&what, "max_compute_workgroups_per_dimension", dispatched, available));
        }
        let (span, workgroups, dispatched) = (span as u32, workgroups as u32, dispatched as u32);
        Ok(ScoreSplit { span, workgroups, dispatched, segment_parts: segment_parts as u32, parts })
    }
}
