//! How the rows of a call are shared out among lanes and workgroups.

use super::super::items::workgroup_iterations;
use crate::{
    RowKernel, Tuning,
    gpu::{rest_iterations, walk_iterations},
    program::chunk::{MOST_ELEMENTS, Split, even_span},
};

/// How the rows of one call are shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RowLayout {
    Lane {
        contiguous: bool,
        /// Two rows whose halves make whole words.
        pairs: bool,
    },
    /// Classes side by side.
    Workgroup {
        /// Room for so many in workgroup memory.
        cache: u32,
    },
    Parts {
        contiguous: bool,
    },
}

impl RowLayout {
    /// Whether the classes of a row lie side by side.
    pub fn is_contiguous(self) -> bool {
        match self {
            RowLayout::Lane { contiguous, .. } | RowLayout::Parts { contiguous } => contiguous,
            RowLayout::Workgroup { .. } => true,
        }
    }

    /// Whether the lanes of a workgroup take the classes of a row, and may take four at once.
    pub fn runs_along_classes(self) -> bool {
        matches!(self, RowLayout::Workgroup { .. } | RowLayout::Parts { contiguous: true })
    }
}

/// The rows of one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowShape {
    pub rows: u64,
    pub classes: u64,
    /// From one class to the next.
    pub class_stride: u64,
    /// From one row, or with axes after the classes one sample, to the next, in the first and in the second input.
    pub row_strides: [u64; 2],
    /// How often a kernel walks over a row.
    pub walks: u64,
    /// How many rows make whole words: two where halves of an odd length follow each other.
    pub rows_of_words: u64,
}

impl RowShape {
    /// Iterations of a lane that has a row for itself, two where they are paired.
    fn lane_iterations(self) -> u64 {
        2 * self.walks * walk_iterations(self.classes) + 2
    }

    /// Iterations of a lane for each row of its workgroup.
    fn workgroup_iterations(self, tuning: Tuning) -> u64 {
        workgroup_iterations(tuning, self.walks, self.classes)
    }
}

/// The layout for rows of this shape, and the tuning with the workgroup that they get.
pub(super) fn layout_of(tuning: Tuning, shape: RowShape) -> (RowLayout, Tuning) {
    let contiguous = shape.class_stride == 1;
    let parts = (RowLayout::Parts { contiguous }, tuning);
    // A row whose classes lie apart leaves the halves of a word to two rows, side by side if their number is even.
    let pairs = if contiguous { shape.row_strides[0] == shape.classes } else { shape.class_stride.is_multiple_of(2) };
    let lane = (RowLayout::Lane { contiguous, pairs }, tuning);
    let by_workgroup = tuning.for_classes(shape.classes);
    let cached = contiguous && shape.classes <= u64::from(tuning.cached_classes);
    let cache = if cached { (shape.classes as u32).next_multiple_of(1024).min(tuning.cached_classes) } else { 0 };
    let workgroup = (RowLayout::Workgroup { cache }, by_workgroup);

    let lane_fits = shape.lane_iterations() <= tuning.max_loop_iterations.into();
    let iterations = shape.rows_of_words * shape.workgroup_iterations(by_workgroup);
    let workgroup_fits = contiguous && iterations <= tuning.max_loop_iterations.into();
    let is_few = shape.rows <= u64::from(tuning.few_rows);
    match tuning.rows {
        RowKernel::Lane if lane_fits => lane,
        RowKernel::Workgroup if workgroup_fits => workgroup,
        RowKernel::BySize if contiguous => {
            if shape.classes <= u64::from(tuning.lane_classes) && lane_fits {
                lane
            } else if workgroup_fits && !(is_few && shape.classes >= tuning.long_row()) {
                workgroup
            } else {
                parts
            }
        }
        // Lanes run along rows whichever way: there only have to be enough of them.
        RowKernel::BySize => {
            let lanes = u64::from(tuning.few_rows) * u64::from(tuning.workgroup_size);
            if lane_fits && (shape.rows >= lanes || shape.classes <= u64::from(tuning.lane_classes)) {
                lane
            } else {
                parts
            }
        }
        RowKernel::Lane | RowKernel::Workgroup | RowKernel::Parts => parts,
    }
}

/// What each workgroup gets of a call.
pub(super) fn split_of(layout: RowLayout, shape: RowShape, tuning: Tuning) -> Split {
    let lanes = u64::from(tuning.workgroup_size);
    let (loops, workgroups) = (u64::from(tuning.max_loop_iterations), u64::from(tuning.workgroups));
    let span = |items: u64, least: u64, most: u64| even_span(items, workgroups, least, most);
    let most_rows = (MOST_ELEMENTS / shape.classes).max(1);
    match layout {
        RowLayout::Workgroup { .. } => {
            // No word of halves is left to two workgroups.
            let least = shape.rows_of_words;
            let most = most_rows.min(loops / shape.workgroup_iterations(tuning)).max(least);
            Split::of_spans(span(shape.rows, least, most))
        }
        RowLayout::Lane { .. } => {
            // Two rows a lane where they are paired, one otherwise; a power of two covers both.
            let most = (loops / shape.lane_iterations()).max(1).saturating_mul(2 * lanes);
            Split::of_spans(span(shape.rows, 2 * lanes, most.min(most_rows.max(2 * lanes))))
        }
        RowLayout::Parts { contiguous, .. } => {
            // The lanes of a workgroup run along the columns of one row after the other, or along rows.
            let (rows_at_once, columns_at_once) = if contiguous { (1, lanes) } else { (lanes, 1) };
            let groups = shape.rows.div_ceil(rows_at_once).max(1);
            let wanted = shape.classes.div_ceil(workgroups.div_ceil(groups));
            // A tenth of the iterations, so that a workgroup may have several rows.
            let most = (loops / 10).saturating_mul(columns_at_once) / shape.walks;
            let part_columns = wanted.max(16 * columns_at_once).min(most).min(shape.classes).next_multiple_of(4);
            let parts = shape.classes.div_ceil(part_columns);
            let columns = part_columns.div_ceil(columns_at_once);
            let iterations = walk_iterations(columns) + rest_iterations(columns_at_once) + 1;
            let most_rows = (loops / iterations).max(1).saturating_mul(rows_at_once);
            Split {
                span: span(shape.rows.saturating_mul(parts), rows_at_once, most_rows),
                tally_span: span(shape.rows, lanes, (loops / (2 * parts + 2)).max(1).saturating_mul(lanes)),
                parts: parts as u32,
                part_columns: part_columns as u32,
                // The row's own record and those of its parts.
                record_size: (parts + 1) * RECORD_SIZE,
                ..Split::of_spans(0)
            }
        }
    }
}

/// Bytes of a record of rows by parts: `Row` in `shaders/drivers/rows/rows.wgsl`.
pub(in crate::drivers) const RECORD_SIZE: u64 = 128;
