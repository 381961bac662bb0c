//! The scores of a call, and the records behind them.

use super::super::Call;
use crate::{
    Error, Tuning,
    gpu::Loops,
    spec::{Regions, Scope, Values},
};

/// The scores of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scores {
    /// How many there are.
    pub scores: u64,
    /// Samples that are scored apart, or 1 for all together.
    pub segments: u64,
    /// Scores of a segment.
    pub segment_scores: u64,
    /// Whether each class has its own.
    pub per_class: bool,
    /// Whether each sample has its own.
    pub per_sample: bool,
    /// Records of a part or of a segment's slopes.
    records: u64,
    /// Whether the pixels have a term of their own.
    has_term: bool,
}

/// How many scores a workgroup takes, and how many workgroups there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScoreSplit {
    pub span: u32,
    pub workgroups: u32,
    /// Workgroups with the one for the pixels' term.
    pub dispatched: u32,
    /// Parts of a segment.
    pub segment_parts: u32,
    /// Parts of all segments.
    pub parts: u32,
    /// The workgroups, and the loops of a lane.
    pub tuning: Tuning,
    pub loops: Loops,
}

/// Bytes of a record: `Region` in `shaders/drivers/regions/regions.wgsl`.
pub(in crate::drivers) const RECORD_SIZE: u64 = 16;

/// How many of so many classes are scored: all, or all but the background, if there are others.
pub(super) fn scored_classes(values: &Values, classes: u64) -> u64 {
    classes - u64::from(classes > 1 && !values.flag_or("include_background", true))
}

impl Scores {
    pub fn new(regions: Regions, call: &Call<'_>) -> Self {
        let (values, signature) = (call.values, call.signature);
        let scope = values.word_or("scope", Scope::Class);
        let scored = scored_classes(values, signature.row);
        let has_term = regions.terms.is_some();
        Scores {
            scores: signature.results(),
            segments: if scope.is_per_sample() { signature.batch } else { 1 },
            segment_scores: if scope.is_per_class() { scored } else { 1 },
            per_class: scope.is_per_class(),
            per_sample: scope.is_per_sample(),
            records: signature.row + u64::from(has_term),
            has_term,
        }
    }

    /// Bytes of the records: the sums of all parts, then each segment's slopes. Where there is no segment there is a
    /// place for one all the same, in which the slope of the pixels' term is kept.
    pub fn records_size(self, parts: u32) -> u64 {
        (u64::from(parts) + self.segments.max(1)).saturating_mul(self.records).max(1).saturating_mul(RECORD_SIZE)
    }

    /// The record that the slopes begin at.
    pub fn first_slopes(self, split: ScoreSplit) -> u32 {
        split.parts * self.records as u32
    }

    /// The loops over a span of scores, of segments of so many parts; or over the parts of the pixels' term, which are
    /// those of all segments.
    fn loops(self, tuning: Tuning, segment_parts: u64, span: u64) -> Loops {
        let lanes = tuning.workgroup_size.into();
        let classes = if self.per_class { 1 } else { self.records };
        let region = Loops::blocks(segment_parts * classes, lanes, Loops::NONE) + Loops::reduce(tuning) * 3;
        let scale = Loops::walk(self.records, lanes) + Loops::reduce(tuning);
        let of_scores = scale + Loops::blocks(span, 1, region + Loops::walk(classes, lanes));
        let term = || Loops::walk(self.segments.saturating_mul(segment_parts), lanes) + Loops::reduce(tuning) * 2;
        if self.has_term { of_scores.or(term()) } else { of_scores }
    }

    /// How the scores go to workgroups, where the pixels are in so many parts.
    pub fn split(self, call: &Call<'_>, parts: u32) -> Result<ScoreSplit, Error> {
        let segment_parts = u64::from(parts).checked_div(self.segments).unwrap_or(0);
        let (loss, machine) = (call.loss(), call.machine);
        let (size, binding) = (self.records_size(parts), machine.limits.max_storage_buffer_binding_size);
        if size > binding {
            let what = format!("{loss}: the sums of all regions");
            return Err(machine.limit(&what, "max_storage_buffer_binding_size", size, binding));
        }

        let what = format!("{loss}: a score of {segment_parts} parts");
        let tuning = machine.fitting(&what, machine.tuning, |tuning| self.loops(tuning, segment_parts, 1))?;
        let even = self.scores.div_ceil(tuning.workgroups.into()).max(1);
        let span = machine.most(&what, even, |span| self.loops(tuning, segment_parts, span))?;
        let loops = self.loops(tuning, segment_parts, span);
        let workgroups = self.scores.div_ceil(span);
        let dispatched = workgroups + u64::from(self.has_term);
        let available = u64::from(machine.limits.max_compute_workgroups_per_dimension);
        if dispatched > available {
            let what = format!("{loss}: {} scores", self.scores);
            return Err(machine.limit(&what, "max_compute_workgroups_per_dimension", dispatched, available));
        }
        let (span, workgroups, dispatched) = (span as u32, workgroups as u32, dispatched as u32);
        Ok(ScoreSplit { span, workgroups, dispatched, segment_parts: segment_parts as u32, parts, tuning, loops })
    }
}
