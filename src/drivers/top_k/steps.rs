//! The steps around the row losses that a loss of a teacher's top k is made of.

use std::sync::Arc;

use super::{
    super::{gradient_name, gradient_view, input_view, is_ignored, is_kept, judge},
    Builder, INDICES, Judged, LOG_PROBS, LOGITS,
};
use crate::{
    Error, Tuning,
    gpu::Loops,
    kernel::{Access, Block, Glue, Holds, Kernel, TensorView, block},
    program::{
        Place, Step,
        chunk::{Chunk, Operand},
    },
    spec::{CLASSES_LEFT_OUT, MASK, ShaderFile, UPSTREAM, WEIGHT, shader_file},
};

/// Pairs of elements that a lane clears at least.
const LEAST_OF_LANE: u64 = 8;

/// What a kernel binds: of what chunks share their part, or something whole.
enum At {
    Part(Operand),
    Whole(Place),
}

type Bound = (TensorView, At);

/// An entry point, the files of its kernel, and the constants and parameters that these read.
struct Entry {
    name: &'static str,
    files: Vec<ShaderFile>,
    flags: Vec<(&'static str, bool)>,
    params: &'static [&'static str],
}

impl Builder<'_> {
    /// A scratch of values of a WGSL type.
    fn memory(&self, name: &str, scratch: usize, ty: &'static str) -> Bound {
        (TensorView::new(name, Holds::Values(ty), Access::Write), At::Whole(self.program.whole(scratch)))
    }

    /// An input of one value a row, if it is given.
    fn of_rows(&self, name: &str) -> Option<Bound> {
        let ty = self.call.signature.input(name)?;
        let place = Place::Tensor(name.to_string(), 0..ty.buffer_size());
        Some((TensorView::read(format!("input_{name}"), ty.dtype), At::Whole(place)))
    }

    fn read(&self, operand: Operand) -> Bound {
        (TensorView::read(format!("input_{}", operand.name), operand.ty.dtype), At::Part(operand))
    }

    /// The gradient of the logits, in a tensor of its own or in theirs.
    fn gradient(&self) -> Operand {
        if self.call.is_in_place() { self.logits(LOGITS) } else { self.logits(&gradient_name(LOGITS)) }
    }

    /// Where the first row of a chunk begins in what has so many values a row.
    fn base(&self, chunk: &Chunk, values: u64) -> u32 {
        self.start().base(chunk.first * values) as u32
    }

    /// What all kernels of rows read.
    fn words(&self, chunk: &Chunk) -> Block {
        block! {
            rows: self.rows as u32,
            first_row: chunk.first as u32,
            classes: self.classes as u32,
            given: self.given as u32,
            class_base: self.base(chunk, self.classes),
            given_base: self.base(chunk, self.given),
        }
    }

    /// Adds a step for each chunk, with words and workgroups of its own.
    fn each_chunk(
        &mut self,
        entry: Entry,
        tuning: Tuning,
        tensors: Vec<Bound>,
        glue: Glue,
        loops: Loops,
        of_chunk: impl Fn(&Self, &Chunk) -> (Block, u32),
    ) {
        let Entry { name, files, flags, params } = entry;
        let mut kernel = Kernel::new(tuning.workgroup_size, tuning.reduce).with_some_params(self.call.values, params);
        kernel.flags(&flags);
        let (views, ats): (Vec<TensorView>, Vec<At>) = tensors.into_iter().unzip();
        kernel.tensors = views;
        kernel.glue = glue.0;
        kernel.join(files);
        let (words, _) = of_chunk(self, &self.chunks[0]);
        let kernel = Arc::new(kernel.with_call(&words));
        let step = |chunk: &Chunk| {
            let (call, workgroups) = of_chunk(self, chunk);
            let place = |at: &At| match at {
                At::Part(operand) => operand.place(Some(chunk), 1),
                At::Whole(place) => place.clone(),
            };
            let bound = ats.iter().map(place).collect();
            let workgroups = [workgroups, 1, 1];
            Step { kernel: kernel.clone(), entry: name, call, params: None, bound, workgroups, loops }
        };
        let steps: Vec<Step> = self.chunks.iter().map(step).collect();
        self.program.steps.extend(steps);
    }

    /// The outcomes of each row, and how it stands.
    pub fn gather(&mut self) -> Result<(), Error> {
        let what = format!("{}: a row of {} classes, {} of them given", self.call.loss(), self.classes, self.given);
        let loops = |tuning: Tuning| {
            let lanes = tuning.workgroup_size.into();
            let walks = Loops::walk(self.left_out_words(), lanes) + Loops::walk(self.given, lanes);
            walks + Loops::blocks(self.given, lanes, Loops::NONE) + Loops::reduce(tuning) * 5
        };
        let tuning = self.call.machine.fitting(&what, self.call.machine.tuning, loops)?;
        let loops = loops(tuning);
        let of_rows = ["target", MASK.name].into_iter().filter_map(|name| self.of_rows(name));
        let classes = [LOGITS, INDICES, LOG_PROBS]
            .map(|name| self.read(if name == LOGITS { self.logits(name) } else { self.of_given(name) }));
        let bits = TensorView::new(CLASSES_LEFT_OUT.name, Holds::Values("u32"), Access::Atomic);
        let left = [
            (bits, At::Part(self.left_out())),
            self.memory("student", self.at.student, "f32"),
            self.memory("teacher", self.at.teacher, "f32"),
            self.memory("origins", self.at.origins, "f32"),
            self.memory("standing", self.at.standing, "u32"),
        ];
        let tensors: Vec<Bound> = classes.into_iter().chain(of_rows).chain(left).collect();
        let views: Vec<TensorView> = tensors.iter().map(|(view, _)| view.clone()).collect();
        let mut glue = Glue::default();
        glue.load(LOGITS, "f32", input_view(&views, LOGITS), "index", "0.0");
        glue.load(INDICES, "i32", input_view(&views, INDICES), "index", "0");
        glue.load(LOG_PROBS, "f32", input_view(&views, LOG_PROBS), "index", "0.0");
        glue.load("target", "i32", input_view(&views, "target"), "index", "0");
        is_kept(&mut glue, &views, "index");
        is_ignored(&mut glue, self.call.spec());
        let entry = Entry {
            name: "gather",
            files: vec![
                shader_file!("lib/domain.wgsl"),
                shader_file!("drivers/top_k/outcomes.wgsl"),
                shader_file!("drivers/top_k/gather.wgsl"),
            ],
            flags: vec![("HAS_TARGET", self.call.signature.has_labels()), ("BUCKET", self.has_bucket)],
            params: &["temperature", "ignore_index"],
        };
        self.each_chunk(entry, tuning, tensors, glue, loops, |builder, chunk| {
            let words = builder.words(chunk).and(block! {
                left_out_words: builder.left_out_words() as u32,
                left_out_base: builder.base(chunk, builder.left_out_words()),
            });
            (words, chunk.items)
        });
        Ok(())
    }

    /// Which rows there are.
    pub fn judge(&mut self) -> Result<(), Error> {
        let items = Judged { items: self.rows, slots: 1, stride: self.rows };
        let of = |name: &str, scratch: usize, ty: &'static str| {
            (TensorView::new(name, Holds::Values(ty), Access::Write), self.program.whole(scratch))
        };
        let left = [
            of("standing", self.at.standing, "u32"),
            of("kept", self.at.kept, "i32"),
            of("judged", self.at.judged, "u32"),
        ];
        // A row that a mask leaves out stands so.
        let step = judge::step(self.call, items, None, left)?;
        self.program.steps.push(step);
        Ok(())
    }

    /// Makes all gradients 0, but of rows whose factor is no number.
    pub fn clear(&mut self) -> Result<(), Error> {
        let machine = self.call.machine;
        let tuning = machine.tuning;
        let lanes = u64::from(tuning.workgroup_size);
        let pairs = |chunk: &Chunk| u64::from(chunk.items) * self.classes / 2 + 1;
        let most = u64::from(machine.limits.max_compute_workgroups_per_dimension);
        let largest = self.chunks.iter().map(pairs).max().unwrap_or(1);
        let span = largest.div_ceil(most).max(LEAST_OF_LANE * lanes);
        let gradient = self.gradient();
        let view = TensorView::write(format!("grad_{LOGITS}"), gradient.ty.dtype);
        let mut glue = Glue::default();
        glue.put("store_gradient", &view, false);
        let mut tensors = vec![(view, At::Part(gradient)), self.memory("kept", self.at.kept, "i32")];
        for input in [WEIGHT, UPSTREAM] {
            let is_one = self.call.signature.input(input.name).is_some_and(|ty| ty.elements() == 1);
            let factor = self.of_rows(input.name);
            let place = if is_one { "0u" } else { "index" };
            glue.load(input.name, "f32", factor.as_ref().map(|(view, _)| view), place, "1.0");
            tensors.extend(factor);
        }
        let entry = Entry {
            name: "clear",
            files: vec![shader_file!("drivers/top_k/clear.wgsl")],
            flags: Vec::new(),
            params: &[],
        };
        let loops = Loops::walk(span, lanes);
        self.each_chunk(entry, tuning, tensors, glue, loops, |builder, chunk| {
            let class_base = builder.base(chunk, builder.classes);
            let (first_row, classes) = (chunk.first as u32, builder.classes as u32);
            let elements = chunk.items * builder.classes as u32;
            let pairs = elements / 2 + 1;
            (block! { first_row, classes, class_base, elements, span: span as u32 }, pairs.div_ceil(span as u32))
        });
        Ok(())
    }

    /// Brings the gradients of the classes that are given to where they belong.
    pub fn scatter(&mut self) -> Result<(), Error> {
        let what = format!("{}: a row of {} given classes", self.call.loss(), self.given);
        let loops = |tuning: Tuning| Loops::walk(self.given, tuning.workgroup_size.into());
        let tuning = self.call.machine.fitting(&what, self.call.machine.tuning, loops)?;
        let loops = loops(tuning);
        let gradient = self.gradient();
        // Of the halves of a word each may be another lane's.
        let access = if gradient.ty.dtype.is_half() { Access::Atomic } else { Access::Write };
        let view = TensorView::write(format!("grad_{LOGITS}"), gradient.ty.dtype).with_access(access);
        let tensors = vec![
            self.read(self.of_given(INDICES)),
            (view, At::Part(gradient)),
            self.memory("student", self.at.student, "f32"),
            self.memory("kept", self.at.kept, "i32"),
        ];
        let views: Vec<TensorView> = tensors.iter().map(|(view, _)| view.clone()).collect();
        let mut glue = Glue::default();
        glue.load(INDICES, "i32", input_view(&views, INDICES), "index", "0");
        if let Some(gradient) = gradient_view(&views, LOGITS) {
            glue.put("put_gradient", gradient, self.call.adds());
        }
        let entry = Entry {
            name: "scatter",
            files: vec![shader_file!("drivers/top_k/outcomes.wgsl"), shader_file!("drivers/top_k/scatter.wgsl")],
            flags: vec![("BUCKET", self.has_bucket)],
            params: &[],
        };
        self.each_chunk(entry, tuning, tensors, glue, loops, |builder, chunk| (builder.words(chunk), chunk.items));
        Ok(())
    }
}
