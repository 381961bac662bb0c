//! The end of a batch: the sums over all anchors, and the gradients of all rows in their storage type.

use super::{Builder, Which, comparison::Unit, sorting::Lists};
use crate::{
    Error, Reduction,
    drivers::{CallTensor, gradient_name},
    kernel::{BLOCK, Block, block},
    spec::{Anchors, Shape, WEIGHT},
};

impl Builder<'_> {
    /// The loss, and the gradients in their storage.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        let rows = self.layout.rows;
        let walk = |lanes: u64| rows.div_ceil(lanes) + rows.div_ceil(lanes * u64::from(BLOCK)) + 20 * (lanes + 2);
        let tuning = self.widened(walk)?;
        let is_weighted = self.call.options.reduction == Reduction::WeightedMean;
        let words = block! {
            length: rows as u32,
            measured: self.divisor.is_measured(),
            weighted: is_weighted && self.call.dtype(WEIGHT.name).is_some(),
            divisor: self.divisor.known() as f32,
        };
        self.step(Which::Finalize, tuning, words, [1, 1, 1])?;
        if !self.has_gradients() {
            return Ok(());
        }
        let scaled = block! {
            scale: self.call.gradient_scale(self.divisor.known()) as f32,
            measured: self.divisor.is_measured(),
        };
        if rows > 0 {
            self.finish_rows(&scaled)?;
        }
        // A batch without rows has a gradient of its scale all the same, of 0.
        for tensor in self.gradients(Shape::Scalar) {
            let words = block! { elements: 1_u32 }.and(scaled.clone());
            self.step(Which::StoreScale(tensor), self.tuning, words, [1, 1, 1])?;
        }
        Ok(())
    }

    /// The gradients of all rows.
    fn finish_rows(&mut self, scaled: &Block) -> Result<(), Error> {
        let rows = self.layout.rows;
        if self.anchors == Anchors::Hardest {
            self.gather_mined()?;
        }
        if self.comparison.unit != Unit::No {
            let (span, workgroups) = self.spread(rows, self.row_iterations());
            let words = block! {
                length: rows as u32,
                span: span as u32,
                quads: self.quads(),
                least_norm: self.comparison.least_norm,
                first_radial: self.first_radial(),
            };
            self.step(Which::Project, self.tuning, words, [workgroups, 1, 1])?;
        }
        let (batch, dimensions) = (self.call.signature.batch, self.call.signature.row);
        let elements = batch * dimensions;
        for (number, tensor) in self.gradients(Shape::Embeddings).into_iter().enumerate() {
            let words = if tensor.ty.dtype.is_half() { elements.div_ceil(2) } else { elements };
            let lanes = u64::from(self.tuning.workgroup_size);
            let (span, workgroups) = self.spread(words.div_ceil(lanes), 1);
            let words = block! {
                length: words as u32,
                span: (span * lanes) as u32,
                elements: elements as u32,
                first_row: (number as u64 * batch) as u32,
                dimensions: dimensions as u32,
                quads: self.quads(),
            };
            self.step(Which::Finish(tensor), self.tuning, words.and(scaled.clone()), [workgroups, 1, 1])?;
        }
        Ok(())
    }

    /// Of losses of the hardest rows, the gradients: each anchor has two pairs, which are found from both sides.
    pub(super) fn gather_mined(&mut self) -> Result<(), Error> {
        let rows = self.layout.rows;
        let lanes = u64::from(self.tuning.workgroup_size);
        let list = self.layout.mined as u32;
        let (span, workgroups) = self.spread(rows.div_ceil(lanes), 4);
        let words = block! { length: rows as u32, span: (span * lanes) as u32, list };
        self.step(Which::ListMined, self.tuning, words, [workgroups, 1, 1])?;
        // Keys are rows, and one more for nothing.
        let bits = u64::BITS - rows.leading_zeros();
        let from_list = self.sort(Lists { lists: 1, keys: list, stride: list, list }, bits)?;

        // A workgroup looks each of its rows up, and its rows may have been mined by all others.
        let quads = u64::from(self.comparison.tile_quads);
        let each = |lanes: u64| 2 * u64::from(bits + 2) + (quads + 1) * (4 * (lanes + 2) + 4);
        let all = |lanes: u64| each(lanes) + ((2 * rows).div_ceil(lanes) + 1) * (quads + 1);
        let tuning = self.widened(all)?;
        let lanes = u64::from(tuning.workgroup_size);
        let left = u64::from(tuning.max_loop_iterations) - all(lanes);
        let span = rows.div_ceil(tuning.workgroups.into()).clamp(1, left / each(lanes) + 1);
        let words = block! {
            rows: rows as u32,
            span: span as u32,
            list,
            from_list,
            quads: self.quads(),
            first_radial: self.first_radial(),
        };
        let workgroups = [rows.div_ceil(span), self.layout.quads / quads, 1];
        self.step(Which::GatherMined, tuning, words, workgroups)
    }

    /// Where the gradients of the inputs of a shape go.
    pub(super) fn gradients(&self, shape: Shape) -> Vec<CallTensor> {
        let stored = |tensor: CallTensor| match self.call.is_in_place() {
            true => tensor,
            false => CallTensor { name: gradient_name(&tensor.name), ..tensor },
        };
        self.inputs(shape).into_iter().map(stored).collect()
    }
}
