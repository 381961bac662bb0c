//! The steps of a linear loss: which rows count, what they are given, and panel by panel the products around the row
//! loss's own steps.

use std::ops::Range;

use super::{
    super::{
        CallTensor, Role, gradient_name, is_ignored, is_kept,
        rows::{self, InPanels},
    },
    builder::{Builder, load_row_quad},
    draft::Draft,
    layout::{HeadLayout, QUAD},
    product::{MOST_DEPTH, Which},
};
use crate::{
    DType, Error, Tuning,
    gpu::Loops,
    kernel::{Access, Block, Glue, Holds, Kernel, TensorView, block},
    program::{Place, Program, Report, Step, WORKSPACE, chunk::Chunk},
    spec::{Input, Kind, MASK, shader_file},
};

/// The parameter by which targets lie behind their rows.
const SHIFT: &str = "shift";

impl Builder<'_> {
    pub fn program(mut self) -> Result<Program, Error> {
        let Some(InPanels { first, panels, rest }) = self.in_panels.take() else { return Ok(self.program) };
        self.list()?;
        for (name, scratch) in self.at.items.clone() {
            self.pick_input(name, scratch)?;
        }
        self.of_rows(first);
        self.clear_rows()?;
        self.measure_head()?;
        let partials = panels.first().map_or(1, |(chunk, _)| chunk.partials);
        for (number, (chunk, steps)) in panels.into_iter().enumerate() {
            self.panel(&chunk, steps, number > 0)?;
        }
        if self.layout.rows == 0 {
            let nothing = Chunk { first: 0, items: 0, workgroups: 0, partials: 0, first_partial: 0, first_record: 0 };
            self.gradients_of_head(&nothing, false)?;
        }
        self.finish_head()?;
        self.of_rows(rest.steps);
        for (tensor, scratch) in self.at.results.clone() {
            self.pick_result(&tensor, scratch)?;
        }
        self.name_invalid(partials);
        // The first row out of range is named by its own number.
        self.program.report = Report::default();
        Ok(self.program)
    }

    /// The row loss's steps, with its tensors where they lie in the whole.
    fn of_rows(&mut self, steps: Vec<Step>) {
        let logits = self.linear.panel_inputs();
        let moved = |place: Place| {
            let Place::Tensor(name, range) = place else { return place };
            let scratch = |index: usize| Place::Scratch(index, range.clone());
            if let Some(head) = logits.iter().position(|input| *input == name) {
                return scratch(self.at.logits[head]);
            }
            if name == MASK.name {
                return scratch(self.at.kept);
            }
            if let Some((_, index)) = self.at.items.iter().find(|(item, _)| *item == name) {
                return scratch(*index);
            }
            if let Some((_, index)) = self.at.results.iter().find(|(tensor, _)| tensor.name == name) {
                return scratch(*index);
            }
            Place::Tensor(name, range)
        };
        let values = self.of_rows.values;
        let steps = steps.into_iter().map(|step| {
            let bound = step.bound.into_iter().map(moved).collect();
            let params = step.params.unwrap_or_else(|| step.kernel.bytes_of_params(values));
            Step { bound, params: Some(params), ..step }
        });
        self.program.steps.extend(steps.collect::<Vec<_>>());
    }

    /// The rows that count.
    fn list(&mut self) -> Result<(), Error> {
        let (call, signature) = (self.call, self.call.signature);
        let sequence = signature.item_shape.last().copied().unwrap_or(1).max(1);
        let compacts = self.linear.compacts(signature);
        for segment in self.layout.segments().collect::<Vec<_>>() {
            let words = block! {
                first: segment.start as u32,
                length: (segment.end - segment.start) as u32,
                sequence: sequence as u32,
                shift: self.shift(),
                classes: self.layout.classes as u32,
            };
            let is_taken = |input: &Input| input.name == MASK.name || input.kind == Kind::Index;
            let mut tensors: Vec<(TensorView, Place)> = (call.tensors().into_iter())
                .filter(|tensor| matches!(tensor.role, Role::Input(input) if is_taken(input)))
                .map(|tensor| (TensorView::read(format!("input_{}", tensor.name), tensor.ty.dtype), whole(&tensor)))
                .collect();
            let views: Vec<TensorView> = tensors.iter().map(|(view, _)| view.clone()).collect();
            let labels = views.iter().find(|view| view.name != "input_mask");
            let mut glue = Glue::default();
            glue.load("target", "i32", labels, "index", "0");
            is_kept(&mut glue, &views, "index");
            match labels {
                Some(_) => is_ignored(&mut glue, self.of_rows.spec()),
                None => glue.function("is_ignored(label: i32) -> bool", "false"),
            }
            let in_range = if labels.is_some() { "label >= 0 && u32(label) < call.classes" } else { "true" };
            glue.function("is_in_range(label: i32) -> bool", in_range);
            for (name, scratch, ty) in
                [("order", self.at.order, "u32"), ("places", self.at.places, "u32"), ("kept", self.at.kept, "i32")]
            {
                tensors.push(self.memory(name, scratch, ty, Access::Write));
            }
            let loops = |tuning: Tuning| {
                let share = (segment.end - segment.start).div_ceil(tuning.workgroup_size.into());
                Loops::plain(share) * 3 + Loops::scan(tuning) + Loops::reduce(tuning)
            };
            let what = format!("{}: a segment of rows", call.loss());
            let tuning = call.machine.fitting(&what, call.machine.tuning, loops)?;
            let files = vec![shader_file!("drivers/linear/list.wgsl")];
            let draft = Draft { words, tensors, glue, files };
            let mut kernel = draft.kernel(tuning);
            kernel.params = Kernel::new(1, tuning.reduce).with_params(self.of_rows.values).params;
            kernel.flags(&[("COMPACTS", compacts)]);
            let params = kernel.bytes_of_params(self.of_rows.values);
            self.push("list", kernel, draft, [1, 1, 1], loops(tuning), Some(params));
        }
        Ok(())
    }

    fn shift(&self) -> u32 {
        let shift = if self.call.values.has(SHIFT) { self.call.values.integer(SHIFT) } else { 0 };
        shift.unsigned_abs()
    }

    /// The values of an input of items in the order of the rows that count.
    fn pick_input(&mut self, name: &'static str, scratch: usize) -> Result<(), Error> {
        let input = self.of_rows.signature.inputs.iter().map(|(input, _)| *input).find(|input| input.name == name);
        let Some(of_whole) = input.and_then(|input| self.linear.input_of(input)) else { return Ok(()) };
        let Some(ty) = self.call.signature.input(of_whole) else { return Ok(()) };
        let source = TensorView::read("source", ty.dtype);
        let value = source.element("index");
        let bits = if ty.dtype == DType::I32 {
            format!("bitcast<u32>({value})")
        } else {
            format!("bitcast<u32>(f32({value}))")
        };
        let is_target = input.is_some_and(|input| input.kind == Kind::Index);
        let shift = if is_target { self.shift() } else { 0 };
        let source = (source, Place::Tensor(of_whole.to_string(), 0..ty.buffer_size()));
        self.pick((self.at.order, source, bits), self.program.whole(scratch), (0, shift))
    }

    /// What the row loss left of each place, for each row. A row that does not count has no loss, nothing that is about
    /// it, and no other statistics.
    fn pick_result(&mut self, tensor: &CallTensor, scratch: usize) -> Result<(), Error> {
        let absent = match (tensor.role, tensor.ty.dtype) {
            (Role::Loss, _) => 0,
            (Role::Statistic, _) if rows::is_of_counted(self.of_rows.spec(), &tensor.name) => 0,
            (_, DType::I32) => (-1i32).cast_unsigned(),
            _ => f32::NAN.to_bits(),
        };
        let source = (TensorView::new("source", Holds::Values("u32"), Access::Read), self.program.whole(scratch));
        let ty = DType::F32.buffer_size(self.layout.rows);
        let to = Place::Tensor(tensor.name.clone(), 0..ty);
        self.pick((self.at.places, source, "source[index]".to_string()), to, (absent, 0))
    }

    fn pick(
        &mut self,
        (indices, source, bits): (usize, (TensorView, Place), String),
        to: Place,
        (absent, shift): (u32, u32),
    ) -> Result<(), Error> {
        let mut glue = Glue::default();
        glue.function("load_bits(index: u32) -> u32", &bits);
        let tensors = vec![
            self.memory("indices", indices, "u32", Access::Read),
            source,
            (TensorView::new("picked", Holds::Values("u32"), Access::Write), to),
        ];
        let words = block! { absent, shift };
        let files = vec![shader_file!("drivers/linear/pick.wgsl")];
        self.moves("pick", self.layout.rows, Draft { words, tensors, glue, files })
    }

    /// A panel: its logits, what the row loss makes of them, and the gradients.
    fn panel(&mut self, chunk: &Chunk, steps: Vec<Step>, is_later: bool) -> Result<(), Error> {
        for head in 0..self.layout.heads.len() {
            self.take_rows(chunk, head)?;
            self.normalize_rows(chunk)?;
            self.logits(chunk, head)?;
        }
        self.centers("merge_centers", chunk)?;
        self.margin("add_margin", chunk)?;
        self.of_rows(steps);
        if self.call.has_gradients() {
            self.margin("follow_margin", chunk)?;
            self.centers("spread_centers", chunk)?;
            self.gradients_of_rows(chunk)?;
            self.gradients_of_head(chunk, is_later)?;
        }
        Ok(())
    }

    /// The rows of a panel, as quads of f32.
    fn take_rows(&mut self, chunk: &Chunk, number: usize) -> Result<(), Error> {
        let head = self.layout.heads[number];
        let segment = self.layout.segment_of(chunk.first);
        let words = block! {
            first_place: chunk.first as u32,
            first_row: segment.start as u32,
            quads: head.quads as u32,
            dimensions: head.dimensions as u32,
        };
        let hidden = self.rows_of(head.head.hidden, &segment, head.dimensions);
        let mut glue = Glue::default();
        load_row_quad(&mut glue, "load_quad", &hidden.0);
        let tensors = vec![
            hidden,
            self.memory("order", self.at.order, "u32", Access::Read),
            self.memory("kept", self.at.kept, "i32", Access::Read),
            self.memory("rows", self.at.rows[number], "vec4<f32>", Access::Write),
        ];
        let length = u64::from(chunk.items) * head.quads;
        let files = vec![shader_file!("drivers/linear/take_rows.wgsl")];
        self.moves("take_rows", length, Draft { words, tensors, glue, files })
    }

    /// The logits of a panel, slice by slice of the classes.
    fn logits(&mut self, chunk: &Chunk, number: usize) -> Result<(), Error> {
        let head = self.layout.heads[number];
        for slice in head.slices(self.layout.head_rows).collect::<Vec<_>>() {
            let size = (chunk.items.into(), slice.end - slice.start);
            let words = block! {
                quads: head.quads as u32,
                dimensions: head.dimensions as u32,
                stride: self.layout.head_stride as u32,
                first_column: slice.start as u32,
            };
            let weight = self.rows_of(head.head.weight, &slice, head.dimensions);
            let mut glue = Glue::default();
            load_row_quad(&mut glue, "load_head", &weight.0);
            let bias = head.head.bias.and_then(|name| Some((name, self.call.signature.input(name)?)));
            let bias = bias.map(|(name, ty)| {
                let place = Place::Tensor(name.to_string(), 0..ty.buffer_size());
                (TensorView::read(format!("input_{name}"), ty.dtype), place)
            });
            glue.load("bias", "f32", bias.as_ref().map(|(view, _)| view), "index", "0.0");
            let mut tensors = vec![self.memory("rows", self.at.rows[number], "vec4<f32>", Access::Read), weight];
            tensors.extend(bias);
            self.inverse_length_of(&mut glue, &mut tensors);
            tensors.push(self.memory("products", self.head_logits(number), "vec4<f32>", Access::Write));
            let draft = Draft { words, tensors, glue, files: Vec::new() };
            self.product(Which::Logits, size, 0..head.quads * QUAD, draft, false)?;
        }
        Ok(())
    }

    /// The gradients of a panel's rows, summed over the slices of the classes, and put where they belong.
    fn gradients_of_rows(&mut self, chunk: &Chunk) -> Result<(), Error> {
        let head = self.layout.heads[0];
        if !self.call.trains(head.head.hidden) {
            return Ok(());
        }
        for (number, slice) in head.slices(self.layout.head_rows).enumerate().collect::<Vec<_>>() {
            let size = (chunk.items.into(), head.dimensions);
            let classes = slice.end - slice.start;
            let words = block! {
                quads: head.quads as u32,
                dimensions: head.dimensions as u32,
                stride: (head.quads * QUAD) as u32,
                first_column: 0,
                logit_stride: self.layout.head_stride as u32,
                first_class: slice.start as u32,
                last_quad: self.last_quad(),
                last_depth: (classes - 1) as u32,
            };
            let weight = self.rows_of(head.head.weight, &slice, head.dimensions);
            let mut glue = Glue::default();
            load_row_quad(&mut glue, "load_head", &weight.0);
            let mut tensors = vec![self.memory("logits", self.head_logits(0), "vec4<f32>", Access::Read), weight];
            self.inverse_length_of(&mut glue, &mut tensors);
            tensors.push(self.memory("products", self.at.gradient, "vec4<f32>", Access::Write));
            let draft = Draft { words, tensors, glue, files: Vec::new() };
            self.product(Which::GradientOfRows, size, 0..classes, draft, number > 0)?;
        }
        self.project_rows(chunk.items.into())?;
        let segment = self.layout.segment_of(chunk.first);
        let words = block! { first_place: chunk.first as u32, first_row: segment.start as u32 };
        let order = self.memory("order", self.at.order, "u32", Access::Read);
        let row = "order[call.first_place + index]";
        let sums = self.memory("rows", self.at.gradient, "vec4<f32>", Access::Read);
        self.put_rows((head.head.hidden, &head), &segment, u64::from(chunk.items), words, vec![sums, order], row)
    }

    /// What a panel adds to the head's gradients.
    fn gradients_of_head(&mut self, chunk: &Chunk, is_later: bool) -> Result<(), Error> {
        let head = self.layout.heads[0];
        if !self.call.has_gradients() {
            return Ok(());
        }
        let depth = u64::from(chunk.items);
        if self.call.trains(head.head.weight) {
            for (number, slice) in head.slices(self.layout.head_rows).enumerate().collect::<Vec<_>>() {
                let words = block! {
                    quads: head.quads as u32,
                    stride: (head.quads * QUAD) as u32,
                    first_column: 0,
                    logit_stride: self.layout.head_stride as u32,
                    first_class: slice.start as u32,
                    last_quad: self.last_quad(),
                    last_depth: depth.saturating_sub(1) as u32,
                };
                let (sums, adds) = self.sums_of_head(&head, number, &slice);
                let tensors = vec![
                    self.memory("logits", self.head_logits(0), "vec4<f32>", Access::Read),
                    self.memory("rows", self.at.rows[0], "vec4<f32>", Access::Read),
                    sums,
                ];
                let size = (slice.end - slice.start, head.dimensions);
                let draft = Draft { words, tensors, glue: Glue::default(), files: Vec::new() };
                self.product(Which::GradientOfHead, size, 0..depth, draft, adds || is_later)?;
            }
        }
        if head.head.bias.is_some_and(|bias| self.call.trains(bias)) {
            self.sum_rows(depth, is_later)?;
        }
        Ok(())
    }

    /// What a panel of so many rows adds to the biases' gradient, in as many steps as loops and digits ask for.
    fn sum_rows(&mut self, rows: u64, is_later: bool) -> Result<(), Error> {
        let of_each = |rows| Loops::blocks(rows, 1, Loops::NONE);
        let most = self.call.machine.most(self.call.loss(), MOST_DEPTH, of_each)?;
        for part in 0..rows.div_ceil(most).max(1) {
            let (first, end) = (part * most, (part * most + most).min(rows));
            let words = block! {
                first_depth: first as u32,
                end_depth: end as u32,
                adds: is_later || part > 0,
                factor: self.factor(),
            };
            let tensors = vec![
                self.memory("logits", self.at.logits[0], "vec4<f32>", Access::Read),
                self.memory("sums", self.at.bias, "vec4<f32>", Access::Write),
            ];
            let length = self.layout.logit_stride / QUAD;
            let files = vec![shader_file!("drivers/linear/sum_rows.wgsl")];
            let draft = Draft { words, tensors, glue: Glue::default(), files };
            self.moves_each("sum_rows", length, draft, of_each(end - first))?;
        }
        Ok(())
    }

    /// Where the sums of the head's gradient of a slice lie, and whether the first panel adds to what is there.
    fn sums_of_head(&self, head: &HeadLayout, number: usize, slice: &Range<u64>) -> ((TensorView, Place), bool) {
        let view = TensorView::new("products", Holds::Values("vec4<f32>"), Access::Write);
        match self.at.weight.get(number) {
            Some(&scratch) => ((view, self.program.whole(scratch)), false),
            None => {
                let bytes = |row: u64| row * head.size_in_quads(1);
                let place = Place::Tensor(gradient_name(head.head.weight), bytes(slice.start)..bytes(slice.end));
                ((view, place), self.call.adds())
            }
        }
    }

    /// The head's gradients in their storage type.
    fn finish_head(&mut self) -> Result<(), Error> {
        let head = self.layout.heads[0];
        if !self.call.has_gradients() {
            return Ok(());
        }
        let slices = head.slices(self.layout.head_rows).collect::<Vec<_>>();
        for (slice, scratch) in slices.into_iter().zip(self.at.weight.clone()) {
            self.project_head(&slice, scratch)?;
            let sums = self.memory("rows", scratch, "vec4<f32>", Access::Read);
            let rows = slice.end - slice.start;
            self.put_rows((head.head.weight, &head), &slice, rows, block! { first_row: 0 }, vec![sums], "index")?;
        }
        if let Some(bias) = head.head.bias.filter(|bias| self.call.trains(bias)) {
            // One row, of a value for each class.
            let row = HeadLayout { dimensions: self.layout.classes, quads: self.layout.logit_stride / QUAD, ..head };
            let sums = self.memory("rows", self.at.bias, "vec4<f32>", Access::Read);
            self.put_rows((bias, &row), &(0..1), 1, block! { first_row: 0 }, vec![sums], "index")?;
        }
        Ok(())
    }

    /// Rows of gradients in their storage type: of so many, `row_of(index)` says which each is.
    fn put_rows(
        &mut self,
        (input, shape): (&str, &HeadLayout),
        bound: &Range<u64>,
        rows: u64,
        words: Block,
        mut tensors: Vec<(TensorView, Place)>,
        row_of: &str,
    ) -> Result<(), Error> {
        let mut glue = Glue::default();
        glue.function("row_of(index: u32) -> u32", row_of);
        self.store_quads(&mut glue, &mut tensors, input, bound, shape);
        let words = words.and(block! { quads: shape.quads as u32, columns: shape.dimensions as u32 });
        let files = vec![shader_file!("drivers/linear/store_quad.wgsl"), shader_file!("drivers/linear/put_rows.wgsl")];
        self.moves("put_rows", rows * shape.quads, Draft { words, tensors, glue, files })
    }

    /// The gradients of the rows that do not count: 0.
    fn clear_rows(&mut self) -> Result<(), Error> {
        let head = self.layout.heads[0];
        let is_cleared = self.call.has_gradients() && !self.call.adds() && self.call.trains(head.head.hidden);
        if !is_cleared || !self.linear.compacts(self.call.signature) {
            return Ok(());
        }
        for segment in self.layout.segments().collect::<Vec<_>>() {
            let mut glue = Glue::default();
            let mut tensors = vec![self.memory("places", self.at.places, "u32", Access::Read)];
            self.store_quads(&mut glue, &mut tensors, head.head.hidden, &segment, &head);
            let words = block! {
                first_row: segment.start as u32,
                quads: head.quads as u32,
                columns: head.dimensions as u32,
            };
            let files =
                vec![shader_file!("drivers/linear/store_quad.wgsl"), shader_file!("drivers/linear/clear_rows.wgsl")];
            let length = (segment.end - segment.start) * head.quads;
            self.moves("clear_rows", length, Draft { words, tensors, glue, files })?;
        }
        Ok(())
    }

    /// Binds the gradient of an input, and gives functions that store its elements or the words of two halves, and
    /// whether rows are of whole words of halves.
    fn store_quads(
        &self,
        glue: &mut Glue,
        tensors: &mut Vec<(TensorView, Place)>,
        input: &str,
        rows: &Range<u64>,
        shape: &HeadLayout,
    ) {
        let name = if self.call.is_in_place() { input.to_string() } else { gradient_name(input) };
        let (_, place) = self.rows_of(input, rows, shape.dimensions);
        let Place::Tensor(_, range) = place else { return };
        let dtype = self.call.dtype(input).unwrap_or(DType::F32);
        let pairs = dtype.is_half() && shape.dimensions.is_multiple_of(2);
        let view = TensorView::write("gradient", dtype);
        // Rows of an odd length share words, which other lanes write.
        let view = if dtype.is_half() && !pairs { view.with_access(Access::Atomic) } else { view };
        glue.put("put_value", &view, self.call.adds());
        let put = if pairs { view.put_word("word", "values", None, self.call.adds()) } else { String::new() };
        glue.procedure("put_pair(word: u32, values: vec2<f32>)", &put);
        tensors.push((view, Place::Tensor(name, range)));
        glue.declare(&format!("const PAIRS: bool = {pairs};"));
    }

    /// The first row out of range by its own number.
    fn name_invalid(&mut self, partials_of_panel: u32) {
        let words = block! { partials_of_panel: partials_of_panel.max(1), panel_rows: self.layout.panel_rows as u32 };
        let tensors = vec![
            self.memory("order", self.at.order, "u32", Access::Read),
            (TensorView::workspace(Access::Write), self.program.whole(WORKSPACE)),
        ];
        let files = vec![shader_file!("drivers/linear/name_invalid.wgsl")];
        let draft = Draft { words, tensors, glue: Glue::default(), files };
        let kernel = draft.kernel(self.call.machine.tuning);
        self.push("name_invalid", kernel, draft, [1, 1, 1], Loops::NONE, None);
    }
}

fn whole(tensor: &CallTensor) -> Place {
    Place::Tensor(tensor.name.clone(), 0..tensor.ty.buffer_size())
}
