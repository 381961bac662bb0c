//! How the rows of a call are shared out among lanes and workgroups.

use super::super::items::measure_loops;
use crate::{
    Error, RowKernel, Tuning,
    gpu::{Loops, Machine},
    kernel::BLOCK,
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
    /// What `reduce_state` reduces at most.
    pub state_reductions: u64,
}

/// The loops of the entry points of rows, as far as their kernels' parts have any.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowLoops {
    pub tuning: Tuning,
    pub layout: RowLayout,
    pub shape: RowShape,
}

/// What `reduce_state` reduces of any loss at most: maximum, column and sum of two softmaxes, two sums, and whether all
/// is in range.
pub(super) const STATE_REDUCTIONS: u64 = 9;
/// What it reduces besides where classes have offsets: the largest logit twice, each time with key and offset too.
pub(super) const OFFSET_REDUCTIONS: u64 = 6;
/// What `reduce_middle` reduces.
const MIDDLE_REDUCTIONS: u64 = 4;
/// What `store_tally` reduces.
const TALLY_REDUCTIONS: u64 = 5;

impl RowLoops {
    fn lanes(self) -> u64 {
        self.tuning.workgroup_size.into()
    }

    fn reductions(self, count: u64) -> Loops {
        Loops::reduce(self.tuning) * count
    }

    /// Over the columns before and behind whole quads, three at most each.
    fn rests(lanes: u64) -> Loops {
        Loops::walk(3, lanes) * 2
    }

    /// `walk` or `walk_middle` over so many columns, by so many lanes; by quads or not.
    fn walk(columns: u64, lanes: u64) -> Loops {
        Loops::blocks(columns, lanes, Loops::NONE) + RowLoops::rests(lanes)
    }

    /// The first walk over columns that all lanes share, which may keep them, quad by quad, and what is reduced of it.
    fn state(self, columns: u64) -> Loops {
        let quads = columns.div_ceil(4).div_ceil(self.lanes());
        let keeping = match self.layout {
            // And once for nothing behind each block of 16, and behind all.
            RowLayout::Workgroup { cache } if cache > 0 => Loops::plain(4) * (quads + quads.div_ceil(16) + 1),
            _ => Loops::NONE,
        };
        RowLoops::walk(columns, self.lanes()) + keeping + self.reductions(self.shape.state_reductions)
    }

    /// The second walk over columns that all lanes share, and what is reduced of it.
    fn middle(self, columns: u64) -> Loops {
        RowLoops::walk(columns, self.lanes()) + self.reductions(MIDDLE_REDUCTIONS)
    }

    /// `store_row` over columns that all lanes share.
    fn store(self, columns: u64) -> Loops {
        Loops::walk(columns, self.lanes()) + RowLoops::rests(self.lanes())
    }

    /// `evaluate` over a span of rows with a lane or a workgroup each.
    pub fn evaluate(self, span: u64) -> Loops {
        let RowShape { classes, walks, .. } = self.shape;
        if let RowLayout::Lane { .. } = self.layout {
            // Some lanes take two rows at once.
            let rows = 2 * span.div_ceil(2 * self.lanes());
            let row = RowLoops::walk(classes, 1) * (walks - 1) + Loops::plain(classes);
            return Loops::each(rows, row) + self.reductions(TALLY_REDUCTIONS);
        }
        let middle = if walks > 2 { self.middle(classes) } else { Loops::NONE };
        Loops::each(span, self.state(classes) + middle + self.store(classes))
    }

    /// A step over the parts of a span of rows, of so many columns: their states, their middles or their gradients.
    pub fn parts(self, span: u64, columns: u64) -> Loops {
        if self.layout.is_contiguous() {
            let longest = self.state(columns).or(self.middle(columns)).or(self.store(columns));
            return Loops::each(span, longest);
        }
        let longest = RowLoops::walk(columns, 1).or(Loops::plain(columns));
        Loops::each(span.div_ceil(self.lanes()), longest)
    }

    /// `join_rows` or `join_middles` over a span of rows of so many parts; `measure` too.
    pub fn join(self, span: u64, parts: u64) -> Loops {
        let join = Loops::each(span.div_ceil(self.lanes()), Loops::plain(parts)) + self.reductions(TALLY_REDUCTIONS);
        join.or(measure_loops(self.tuning, span))
    }
}

/// A lane that has a row to itself adds up blocks of its values one after the other: with more than a block of blocks,
/// the rounding of that would show.
const MOST_CLASSES_OF_A_LANE: u64 = BLOCK as u64 * BLOCK as u64;

/// The layout for rows of this shape, and the tuning with the workgroup that they get.
pub(super) fn layout_of(machine: &Machine, shape: RowShape) -> (RowLayout, Tuning) {
    let tuning = machine.tuning;
    let contiguous = shape.class_stride == 1;
    let parts = (RowLayout::Parts { contiguous }, tuning);
    // A row whose classes lie apart leaves the halves of a word to two rows, side by side if their number is even.
    let pairs = if contiguous { shape.row_strides[0] == shape.classes } else { shape.class_stride.is_multiple_of(2) };
    let lane = (RowLayout::Lane { contiguous, pairs }, tuning);
    let by_workgroup = tuning.for_classes(shape.classes);
    let cached = contiguous && shape.classes <= u64::from(tuning.cached_classes);
    let cache = if cached { (shape.classes as u32).next_multiple_of(1024).min(tuning.cached_classes) } else { 0 };
    let workgroup = (RowLayout::Workgroup { cache }, by_workgroup);

    let fits = |(layout, tuning): (RowLayout, Tuning), least: u64| {
        machine.runs(RowLoops { tuning, layout, shape }.evaluate(least))
    };
    let lane_fits = shape.classes <= MOST_CLASSES_OF_A_LANE && fits(lane, 2 * u64::from(tuning.workgroup_size));
    let workgroup_fits = contiguous && fits(workgroup, shape.rows_of_words);
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

/// What each workgroup gets of the rows, which messages call `what`.
pub(super) fn split_of(machine: &Machine, rows: RowLoops, what: &str) -> Result<Split, Error> {
    let RowLoops { tuning, layout, shape } = rows;
    let (lanes, workgroups) = (u64::from(tuning.workgroup_size), u64::from(tuning.workgroups));
    let span = |items: u64, least: u64, most: u64| even_span(items, workgroups, least, most);
    let most_rows = (MOST_ELEMENTS / shape.classes).max(1);
    let most = |most: u64, loops: &dyn Fn(u64) -> Loops| machine.most(what, most, loops);
    Ok(match layout {
        RowLayout::Workgroup { .. } => {
            // No word of halves is left to two workgroups.
            let least = shape.rows_of_words;
            let most = most(most_rows, &|span| rows.evaluate(span))?.max(least);
            Split { units_of_words: shape.rows_of_words, ..Split::of_spans(span(shape.rows, least, most)) }
        }
        RowLayout::Lane { pairs, .. } => {
            // Two rows a lane where they are paired, one otherwise; a power of two covers both.
            let most = most(most_rows.max(2 * lanes), &|span| rows.evaluate(span))?;
            let units_of_words = if pairs { shape.rows_of_words } else { 1 };
            Split { units_of_words, ..Split::of_spans(span(shape.rows, 2 * lanes, most)) }
        }
        RowLayout::Parts { contiguous, .. } => {
            // The lanes of a workgroup run along the columns of one row after the other, or along rows.
            let (rows_at_once, columns_at_once) = if contiguous { (1, lanes) } else { (lanes, 1) };
            let groups = shape.rows.div_ceil(rows_at_once).max(1);
            let wanted = shape.classes.div_ceil(workgroups.div_ceil(groups));
            // A tenth of the iterations, so that a workgroup may have several rows.
            let tenth = u64::from(tuning.max_loop_iterations) / 10 * columns_at_once / shape.walks;
            let part_columns = wanted.max(16 * columns_at_once).min(tenth).min(shape.classes).next_multiple_of(4);
            let parts = shape.classes.div_ceil(part_columns);
            let most_rows = most(1 << 30, &|span| rows.parts(span, part_columns))?;
            Split {
                span: span(shape.rows.saturating_mul(parts), rows_at_once, most_rows),
                tally_span: span(shape.rows, lanes, most(1 << 30, &|span| rows.join(span, parts))?),
                parts: parts as u32,
                part_columns: part_columns as u32,
                // The row's own record and those of its parts.
                record_size: (parts + 1) * RECORD_SIZE,
                ..Split::of_spans(0)
            }
        }
    })
}

/// Bytes of a record of rows by parts: `Row` in `shaders/drivers/rows/rows.wgsl`.
pub(in crate::drivers) const RECORD_SIZE: u64 = 128;
