//! The end of a batch: the sums over all anchors, and the gradients of all rows in their storage type.

use super::{Builder, Which, comparison::Unit, loops::BatchLoops, sorting::Lists};
use crate::{
    Error, Reduction,
    drivers::{CallTensor, gradient_name},
    gpu::Loops,
    kernel::{Block, block},
    spec::{Anchors, Shape, WEIGHT},
};

impl Builder<'_> {
    /// The loss, and the gradients in their storage.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        let rows = self.layout.rows;
        let loops = self.loops;
        let tuning = self.fitting(|tuning| loops.finalize(tuning))?;
        let is_weighted = self.call.options.reduction == Reduction::WeightedMean;
        let words = block! {
            length: rows as u32,
            measured: self.divisor.word(),
            weighted: is_weighted && self.call.dtype(WEIGHT.name).is_some(),
            divisor: self.divisor.known() as f32,
        };
        self.step(Which::Finalize, (tuning, loops.finalize(tuning)), words, [1, 1, 1])?;
        if !self.has_gradients() {
            return Ok(());
        }
        let scaled = block! {
            scale: self.call.gradient_scale(self.divisor.known()) as f32,
            measured: self.divisor.word(),
        };
        if rows > 0 {
            self.finish_rows(&scaled)?;
        }
        // A batch without rows has a gradient of its scale all the same, of 0.
        for tensor in self.gradients(Shape::Scalar) {
            let words = block! { elements: 1_u32 }.and(scaled.clone());
            self.step(Which::StoreScale(tensor), (self.tuning, Loops::NONE), words, [1, 1, 1])?;
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
            let loops = self.loops;
            let tuning = self.fitting(|tuning| loops.project(tuning, 1))?;
            let (span, workgroups) = self.spread(rows, 1, |span| loops.project(tuning, span))?;
            let words = block! {
                length: rows as u32,
                span: span as u32,
                quads: self.quads(),
                least_norm: self.comparison.least_norm,
            };
            self.step(Which::Project, (tuning, loops.project(tuning, span)), words, [workgroups, 1, 1])?;
        }
        let (batch, dimensions) = (self.call.signature.batch, self.call.signature.row);
        let elements = batch * dimensions;
        for (number, tensor) in self.gradients(Shape::Embeddings).into_iter().enumerate() {
            let words = if tensor.ty.dtype.is_half() { elements.div_ceil(2) } else { elements };
            let lanes = u64::from(self.tuning.workgroup_size);
            let loops = |span| BatchLoops::finish(self.tuning, span);
            let (span, workgroups) = self.spread(words, lanes, loops)?;
            let tuned = (self.tuning, loops(span));
            let words = block! {
                length: words as u32,
                span: span as u32,
                elements: elements as u32,
                first_row: (number as u64 * batch) as u32,
                first_item: self.first_item(number) as u32,
                dimensions: dimensions as u32,
                quads: self.quads(),
            };
            self.step(Which::Finish(tensor), tuned, words.and(scaled.clone()), [workgroups, 1, 1])?;
        }
        Ok(())
    }

    /// Of losses of the hardest rows, the gradients: each anchor has two pairs, which are found from both sides.
    pub(super) fn gather_mined(&mut self) -> Result<(), Error> {
        let rows = self.layout.rows;
        let lanes = u64::from(self.tuning.workgroup_size);
        let list = self.layout.mined as u32;
        let loops = |span| BatchLoops::list_mined(self.tuning, span);
        let (span, workgroups) = self.spread(rows, lanes, loops)?;
        let tuned = (self.tuning, loops(span));
        let words = block! { length: rows as u32, span: span as u32, list };
        self.step(Which::ListMined, tuned, words, [workgroups, 1, 1])?;
        // Keys are rows, and one more for nothing.
        let bits = u64::BITS - rows.leading_zeros();
        let from_list = self.sort(Lists { lists: 1, keys: list, stride: list, list }, bits)?;

        let quads = u64::from(self.comparison.tile_quads);
        let loops = self.loops;
        let tuning = self.fitting(|tuning| loops.gather_mined(tuning, 1))?;
        let (span, workgroups) = self.spread(rows, 1, |span| loops.gather_mined(tuning, span))?;
        let words = block! {
            rows: rows as u32,
            span: span as u32,
            list,
            from_list,
            quads: self.quads(),
        };
        let workgroups = [workgroups, self.layout.quads / quads, 1];
        self.step(Which::GatherMined, (tuning, loops.gather_mined(tuning, span)), words, workgroups)
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
