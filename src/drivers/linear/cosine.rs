//! The steps of heads whose logits are cosines: lengths, margins, and classes of several centres.

use std::ops::Range;

use super::{
    builder::{Builder, load_row_quad},
    draft::Draft,
    layout::QUAD,
};
use crate::{
    Error,
    gpu::Loops,
    kernel::{Access, Block, Glue, TensorView, block},
    program::{Place, chunk::Chunk},
    spec::{Cosine, Margin, shader_file},
};

/// The length that shorter rows are taken to have.
const LEAST_LENGTH: f32 = 1e-12;

/// A panel's rows, or the head's.
const OF_ROWS: usize = 0;
const OF_HEAD: usize = 1;

impl Builder<'_> {
    /// The inverse lengths of the head's rows.
    pub(super) fn measure_head(&mut self) -> Result<(), Error> {
        if self.linear.cosine.is_none() {
            return Ok(());
        }
        let head = self.layout.heads[0];
        for slice in head.slices(self.layout.head_rows).collect::<Vec<_>>() {
            let weight = self.rows_of(head.head.weight, &slice, head.dimensions);
            self.measure(weight, slice)?;
        }
        Ok(())
    }

    /// The rows of a panel brought to unit length.
    pub(super) fn normalize_rows(&mut self, chunk: &Chunk) -> Result<(), Error> {
        if self.linear.cosine.is_none() {
            return Ok(());
        }
        let head = self.layout.heads[0];
        let rows = self.memory("rows", self.at.rows[0], "vec4<f32>", Access::Read);
        self.measure(rows, 0..chunk.items.into())?;
        let tensors = vec![
            self.memory("lengths", self.at.lengths[OF_ROWS], "f32", Access::Read),
            self.memory("rows", self.at.rows[0], "vec4<f32>", Access::Write),
        ];
        let words = block! { quads: head.quads as u32 };
        let files = vec![shader_file!("drivers/linear/normalize_rows.wgsl")];
        let length = u64::from(chunk.items) * head.quads;
        self.moves("normalize_rows", length, Draft { words, tensors, glue: Glue::default(), files })
    }

    /// The inverse lengths of rows: of the head's, if these are a tensor of the caller's.
    fn measure(&mut self, rows: (TensorView, Place), range: Range<u64>) -> Result<(), Error> {
        let head = self.layout.heads[0];
        let is_head = matches!(rows.1, Place::Tensor(..));
        let mut glue = Glue::default();
        if is_head {
            load_row_quad(&mut glue, "load_row", &rows.0);
        } else {
            let load = "load_row(row: u32, place: u32) -> vec4<f32>";
            glue.function(load, "rows[row * call.quads + place]");
        }
        let lengths = self.at.lengths[if is_head { OF_HEAD } else { OF_ROWS }];
        let tensors = vec![rows, self.memory("lengths", lengths, "f32", Access::Write)];
        let words = self.shape_of_rows().and(block! { first_class: range.start as u32 });
        let files = vec![shader_file!("drivers/linear/measure_lengths.wgsl")];
        let loops = Loops::plain(head.quads) + Loops::blocks(head.quads, 1, Loops::NONE);
        self.moves_each("measure_lengths", range.end - range.start, Draft { words, tensors, glue, files }, loops)
    }

    /// `inverse_length_of(class)`: 1 where logits are no cosines.
    pub(super) fn inverse_length_of(&self, glue: &mut Glue, tensors: &mut Vec<(TensorView, Place)>) {
        let is_cosine = self.linear.cosine.is_some();
        if is_cosine {
            tensors.push(self.memory("lengths", self.at.lengths[OF_HEAD], "f32", Access::Read));
        }
        glue.function("inverse_length_of(index: u32) -> f32", if is_cosine { "lengths[index]" } else { "1.0" });
    }

    /// A step of margins, where there are some.
    pub(super) fn margin(&mut self, entry: &'static str, chunk: &Chunk) -> Result<(), Error> {
        let Some(Cosine { margin, .. }) = self.linear.cosine else { return Ok(()) };
        let file = match margin {
            Margin::None => return Ok(()),
            Margin::OfCosine => shader_file!("drivers/linear/margin_of_cosine.wgsl"),
            Margin::OfAngle => shader_file!("drivers/linear/margin_of_angle.wgsl"),
        };
        let size = self.call.values.number("margin");
        let words = block! {
            first_place: chunk.first as u32,
            logit_stride: self.layout.logit_stride as u32,
            classes: self.layout.classes as u32,
            factor: self.factor(),
            margin: size as f32,
            cos_margin: size.cos() as f32,
            sin_margin: size.sin() as f32,
        };
        let mut glue = Glue::default();
        let target = self.at.items.iter().find(|(name, _)| *name == "target").map(|(_, scratch)| *scratch);
        let target = target.map(|scratch| self.memory("targets", scratch, "i32", Access::Read));
        glue.function("load_target(index: u32) -> i32", if target.is_some() { "targets[index]" } else { "0" });
        let mut tensors: Vec<_> = target.into_iter().collect();
        tensors.extend([
            self.memory("kept", self.at.kept, "i32", Access::Read),
            self.memory("logits", self.at.logits[0], "vec4<f32>", Access::Write),
            self.memory("slopes", self.at.slopes, "f32", Access::Write),
        ]);
        let files = vec![file, shader_file!("drivers/linear/margin.wgsl")];
        self.moves(entry, chunk.items.into(), Draft { words, tensors, glue, files })
    }

    /// A step of classes with several centres, where there are such.
    pub(super) fn centers(&mut self, entry: &'static str, chunk: &Chunk) -> Result<(), Error> {
        let centers = self.linear.centers();
        if centers == 1 {
            return Ok(());
        }
        let words = block! {
            centers: centers as u32,
            center_stride: self.layout.head_stride as u32,
            logit_stride: self.layout.logit_stride as u32,
            classes: self.layout.classes as u32,
        };
        let tensors = vec![
            self.memory("center_logits", self.at.centers, "vec4<f32>", Access::Write),
            self.memory("logits", self.at.logits[0], "vec4<f32>", Access::Write),
        ];
        let files = vec![shader_file!("drivers/linear/centers.wgsl")];
        let length = u64::from(chunk.items) * self.layout.logit_stride / QUAD;
        let loops = Loops::each(QUAD, Loops::plain(centers) * 2);
        self.moves_each(entry, length, Draft { words, tensors, glue: Glue::default(), files }, loops)
    }

    /// The gradients of a panel's rows, through their unit length.
    pub(super) fn project_rows(&mut self, rows: u64) -> Result<(), Error> {
        let mut glue = Glue::default();
        glue.function("direction_of(row: u32, quad: u32) -> vec4<f32>", "rows[row * call.quads + quad]");
        let directions = self.memory("rows", self.at.rows[0], "vec4<f32>", Access::Read);
        self.project((OF_ROWS, 0..rows), self.at.gradient, directions, glue)
    }

    /// The gradients of a slice of the head's rows, through their unit length.
    pub(super) fn project_head(&mut self, slice: &Range<u64>, sums: usize) -> Result<(), Error> {
        let head = self.layout.heads[0];
        let weight = self.rows_of(head.head.weight, slice, head.dimensions);
        let mut glue = Glue::default();
        load_row_quad(&mut glue, "load_head", &weight.0);
        let direction = "lengths[call.first_class + row] * load_head(row, quad)";
        glue.function("direction_of(row: u32, quad: u32) -> vec4<f32>", direction);
        self.project((OF_HEAD, slice.clone()), sums, weight, glue)
    }

    fn project(
        &mut self,
        (side, range): (usize, Range<u64>),
        gradients: usize,
        directions: (TensorView, Place),
        glue: Glue,
    ) -> Result<(), Error> {
        if self.linear.cosine.is_none() {
            return Ok(());
        }
        let head = self.layout.heads[0];
        let words = self.shape_of_rows().and(block! { first_class: range.start as u32 });
        let tensors = vec![
            directions,
            self.memory("lengths", self.at.lengths[side], "f32", Access::Read),
            self.memory("products", gradients, "vec4<f32>", Access::Write),
        ];
        let files = vec![shader_file!("drivers/linear/project_rows.wgsl")];
        let loops = Loops::blocks(head.quads, 1, Loops::NONE) + Loops::plain(head.quads);
        self.moves_each("project_rows", range.end - range.start, Draft { words, tensors, glue, files }, loops)
    }

    fn shape_of_rows(&self) -> Block {
        let head = self.layout.heads[0];
        block! {
            quads: head.quads as u32,
            dimensions: head.dimensions as u32,
            least_length: LEAST_LENGTH,
        }
    }
}
