//! The panels of a batch: the values of some anchors with all rows, their slopes, and what these add to the rows'
//! gradients.

use super::{
    Builder, Which,
    comparison::Measure,
    comparison::tile_rows,
    layout::Layout,
    sorting::{DISTANCE_BITS, Lists},
};
use crate::{
    Error,
    kernel::{Block, block},
    spec::Anchors,
};

/// The anchors whose values are in memory, and what they are compared with.
#[derive(Clone, Copy)]
pub(super) struct Panel {
    /// How many anchors.
    rows: u32,
    /// The first one, among all rows; the first row that is a column.
    first_row: u32,
    first_column: u32,
    /// The number that the first one has as an anchor.
    first_item: u32,
    /// The share of this direction of comparison in an item's loss, and whether it counts the items.
    direction: f32,
    counts: bool,
}

/// Who gets gradients from whom, a side of a panel.
#[derive(Clone, Copy)]
pub(super) struct Side {
    to_columns: bool,
    receivers: u32,
    first_receiver: u32,
    givers: u32,
    first_giver: u32,
    /// How many givers are a part, and how many parts there are.
    part: u32,
    parts: u32,
    /// Where the sums go, and whether they are added to what is there.
    first_sum: u32,
    adds: bool,
}

impl Builder<'_> {
    /// All panels of one direction, which has this share in an item's loss.
    pub(super) fn compare(&mut self, (anchors, columns): (u64, u64), number: usize, share: f32) -> Result<(), Error> {
        let Layout { set, panel_rows, .. } = self.layout;
        for first in (0..set).step_by(panel_rows as usize) {
            let panel = Panel {
                rows: panel_rows.min(set - first) as u32,
                first_row: (anchors * set + first) as u32,
                first_column: (columns * set) as u32,
                first_item: first as u32,
                direction: share,
                counts: number == 0,
            };
            self.panel(panel)?;
            if self.has_gradients() && self.anchors != Anchors::Hardest {
                // Both sides of a pair get their gradients. The first that a row gets replaces what is there.
                let is_later = number > 0 || first > 0;
                self.gather_to_columns(panel, is_later)?;
                self.gather_to_anchors(panel, number > 0 || anchors == columns)?;
            }
        }
        Ok(())
    }

    /// The values of a panel, and the slopes of its anchors' losses.
    pub(super) fn panel(&mut self, panel: Panel) -> Result<(), Error> {
        let Layout { set, lists, stride, .. } = self.layout;
        let loops = self.loops;
        let Panel { rows, first_row, first_column, first_item, direction, counts } = panel;
        let (columns, stride) = (set as u32, stride as u32);
        self.measure(panel)?;

        let list = self.plane();
        if lists > 0 {
            let tuning = self.fitting(|tuning| loops.list(tuning))?;
            let words = block! { columns, stride, list, first_row, first_item };
            self.step(Which::List, (tuning, loops.list(tuning)), words, [rows.into(), 1, 1])?;
            self.sort(Lists { lists: rows.into(), keys: columns, stride, list }, DISTANCE_BITS)?;
        }
        let tuning = self.fitting(|tuning| loops.select(tuning))?;
        let words = block! { columns, stride, first_row, upstream_stride: self.call.upstream_stride() };
        let words = words.and(match self.anchors {
            Anchors::Softmax => block! { first_item, direction, counts },
            Anchors::Hardest => block! { first_column, first_item, counts },
            Anchors::Sorted => block! { first_column, plane: list, list, to_list: 2 * list },
        });
        let words = words.and(self.value_scale());
        self.step(Which::Select, (tuning, loops.select(tuning)), words, [rows.into(), 1, 1])
    }

    /// The values of a panel.
    fn measure(&mut self, panel: Panel) -> Result<(), Error> {
        let Layout { set, stride, panel_rows, .. } = self.layout;
        let (loops, machine) = (self.loops, self.call.machine);
        let Panel { rows, first_row, first_column, .. } = panel;
        let words = block! {
            rows,
            columns: set as u32,
            stride: stride as u32,
            first_row,
            first_column,
            quads: self.quads(),
        };
        let words = words.and(self.value_scale());
        // The last panel may have fewer rows, and shares the kernel.
        let tile = self.comparison.measuring_tile(self.tuning, panel_rows.min(set), set);
        if let Some(tile) = tile.filter(|tile| machine.runs(loops.measure_tiles(*tile))) {
            let [along_columns, along_rows] = tile.workgroups(rows.into(), set);
            let tuned = (tile.tuning(self.tuning), loops.measure_tiles(tile));
            return self.step(Which::Measure { tile: Some(tile) }, tuned, words, [along_columns, along_rows, 1]);
        }
        let what = format!("{}: embeddings of {} dimensions", self.call.loss(), self.call.signature.row);
        let tuning = machine.fitting(&what, self.tuning, |tuning| loops.measure(tuning))?;
        let lanes = u64::from(tuning.workgroup_size);
        let workgroups = [set.div_ceil(2 * lanes), u64::from(rows).div_ceil(tile_rows(tuning)), 1];
        self.step(Which::Measure { tile: None }, (tuning, loops.measure(tuning)), words, workgroups)
    }

    /// What similarities are multiplied with, where no input says it.
    pub(super) fn value_scale(&self) -> Block {
        if self.comparison.measure != Measure::Similarity || self.comparison.scale_is_input {
            return Block::default();
        }
        let values = self.call.values;
        let scale = if values.has("temperature") { values.number("temperature").recip() } else { 1.0 };
        block! { value_scale: scale as f32 }
    }

    pub(super) fn gather_to_columns(&mut self, panel: Panel, adds: bool) -> Result<(), Error> {
        self.gather(Side {
            to_columns: true,
            receivers: self.layout.set as u32,
            first_receiver: panel.first_column,
            givers: panel.rows,
            first_giver: panel.first_row,
            part: panel.rows,
            parts: 1,
            first_sum: panel.first_column,
            adds,
        })
    }

    pub(super) fn gather_to_anchors(&mut self, panel: Panel, adds: bool) -> Result<(), Error> {
        let Layout { rows, set, parts, part, .. } = self.layout;
        let side = Side {
            to_columns: false,
            receivers: panel.rows,
            first_receiver: panel.first_row,
            givers: set as u32,
            first_giver: panel.first_column,
            part: part as u32,
            parts: parts as u32,
            first_sum: panel.first_row,
            adds,
        };
        if parts == 1 {
            return self.gather(side);
        }
        let side = Side { first_sum: rows as u32, adds: false, ..side };
        self.gather(side)?;
        let Side { receivers, first_receiver, parts, first_sum, .. } = side;
        let words = block! {
            receivers,
            first_receiver,
            parts,
            first_sum,
            adds,
            quads: self.quads(),
        };
        let loops = self.loops;
        let tuning = self.fitting(|tuning| loops.join(tuning, parts.into()))?;
        self.step(Which::Join, (tuning, loops.join(tuning, parts.into())), words, [receivers.into(), 1, 1])
    }

    pub(super) fn gather(&mut self, side: Side) -> Result<(), Error> {
        let Side { to_columns, receivers, first_receiver, givers, first_giver, part, parts, first_sum, adds } = side;
        let [along_rows, along_dimensions] =
            self.layout.gathering_workgroups(self.comparison, self.tuning, receivers.into());
        let words = block! {
            receivers,
            first_receiver,
            givers,
            first_giver,
            part,
            first_sum,
            adds,
            quads: self.quads(),
            stride: self.layout.stride as u32,
            plane: self.plane(),
            least_norm: self.comparison.least_norm,
        };
        let loops = self.layout.gather_loops(self.loops, self.tuning, part.into());
        let tile = self.layout.gathering;
        let tuning = tile.map_or(self.tuning, |tile| tile.tuning(self.tuning));
        let workgroups = [along_rows, along_dimensions, parts.into()];
        self.step(Which::Gather { to_columns, tile }, (tuning, loops), words, workgroups)
    }
}
