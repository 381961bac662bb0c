//! The steps of a linear loss: which rows count, what they are given, and panel by panel the products around the row
//! loss's own steps.

use std::ops::Range;

use super::{
    super::{
        Call, CallTensor, Role, gradient_name, is_ignored, is_kept,
        rows::{self, InPanels},
    },
    draft::Draft,
    layout::{HeadLayout, Layout, QUAD},
    product::{MOST_DEPTH, Which},
};
use crate::{
    DType, Error, Gradients, Tuning,
    gpu::Loops,
    kernel::{Access, Block, Glue, Holds, Kernel, TensorView, block, list},
    program::{Place, Program, Report, Scratch, Step, WORKSPACE, chunk::Chunk},
    spec::{Input, Kind, Linear, MASK, Margin, Shape, shader_file},
};

/// The parameter by which targets lie behind their rows.
const SHIFT: &str = "shift";

/// Scratch that steps leave for later ones, by its number in the program.
pub(super) struct Places {
    /// Which row is at each place, which place each row has, and whether a place has a row.
    order: usize,
    places: usize,
    pub kept: usize,
    /// The items' values in the places' order, by their names in the row loss.
    pub items: Vec<(&'static str, usize)>,
    /// What the row loss leaves of each place, by the names of its outputs.
    results: Vec<(CallTensor, usize)>,
    /// Of each head the logits of a panel, its rows in quads, and the gradients of these.
    pub logits: Vec<usize>,
    pub rows: Vec<usize>,
    pub gradient: usize,
    /// Of cosines the inverse lengths of a panel's rows and of the head's, what margins make of the slopes, and where
    /// classes have several rows of the head the logits that those make.
    pub lengths: [usize; 2],
    pub slopes: usize,
    pub centers: usize,
    /// The sums of the head's gradient, a scratch for each slice of its classes, and of the biases'.
    weight: Vec<usize>,
    bias: usize,
}

/// The program of a call while it is built.
pub(super) struct Builder<'a> {
    pub call: &'a Call<'a>,
    pub linear: Linear,
    pub layout: Layout,
    of_rows: &'a Call<'a>,
    in_panels: Option<InPanels>,
    pub program: Program,
    pub at: Places,
}

impl<'a> Builder<'a> {
    pub fn new(
        call: &'a Call<'a>,
        linear: Linear,
        layout: Layout,
        of_rows: &'a Call<'a>,
        mut in_panels: InPanels,
    ) -> Self {
        let scratch = std::mem::take(&mut in_panels.rest.scratch);
        let mut program = Program::new(scratch);
        let mut add = |label: &'static str, size: u64| {
            program.scratch.push(Scratch { label, size });
            program.scratch.len() - 1
        };
        let words = DType::F32.buffer_size(layout.rows);
        let order = add("the order of rows", words);
        let places = add("the places of rows", words);
        let kept = add("which places have a row", words);
        let is_of_items = |input: &Input, elements: u64| match input.shape {
            Shape::Items => input.name != MASK.name,
            Shape::OneOrItems => elements != 1,
            _ => false,
        };
        let items = of_rows.signature.inputs.iter().filter(|(input, ty)| is_of_items(input, ty.elements()));
        let items = items.map(|(input, _)| (input.name, add("the values of items in order", words))).collect();
        let results = of_rows.tensors().into_iter().filter(|tensor| match tensor.role {
            Role::Loss => of_rows.is_per_item(),
            Role::Statistic => true,
            _ => false,
        });
        let results = results.map(|tensor| (tensor, add("the results of items in order", words))).collect();
        let each = |add: &mut dyn FnMut(&'static str, u64) -> usize, label, size: &dyn Fn(&HeadLayout) -> u64| {
            layout.heads.iter().map(|head| add(label, size(head))).collect::<Vec<usize>>()
        };
        let logits = each(&mut add, "the logits of a panel", &|_| layout.logits_size());
        let rows = each(&mut add, "the rows of a panel", &|head| head.size_in_quads(layout.panel_rows));
        let head = layout.heads[0];
        let has = |name: &str| of_rows.has_gradients() && call.trains(name);
        let gradient = add(
            "the gradients of a panel's rows",
            if has(head.head.hidden) { head.size_in_quads(layout.panel_rows) } else { 4 },
        );
        let is_cosine = linear.cosine.is_some();
        let of_rows_if = |is: bool, rows: u64| DType::F32.buffer_size(if is { rows } else { 0 });
        let lengths = [
            add("the lengths of a panel's rows", of_rows_if(is_cosine, layout.panel_rows)),
            add("the lengths of the head's rows", of_rows_if(is_cosine, layout.head_rows)),
        ];
        let has_margin = linear.cosine.is_some_and(|cosine| cosine.margin != Margin::None);
        let slopes = add("the slopes of margins", of_rows_if(has_margin, layout.panel_rows));
        let has_centers = linear.centers() > 1;
        let centers = add("the logits of centres", if has_centers { layout.head_logits_size() } else { 4 });
        let slices = head
            .slices(layout.head_rows)
            .filter(|_| has(head.head.weight) && (is_cosine || !adds_in_output(call, &head)));
        let weight =
            slices.map(|slice| add("the sums of the head's gradient", head.size_in_quads(slice.end - slice.start)));
        let weight = weight.collect();
        let bias = add("the sums of the biases' gradient", DType::F32.buffer_size(layout.logit_stride));
        let at = Places {
            order,
            places,
            kept,
            items,
            results,
            logits,
            rows,
            gradient,
            lengths,
            slopes,
            centers,
            weight,
            bias,
        };
        Builder { call, linear, layout, of_rows, in_panels: Some(in_panels), program, at }
    }

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
        self.pick((self.at.order, source, bits), scratch_place(&self.program, scratch), (0, shift))
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
        let source =
            (TensorView::new("source", Holds::Values("u32"), Access::Read), scratch_place(&self.program, scratch));
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
            Some(&scratch) => ((view, scratch_place(&self.program, scratch)), false),
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
            (TensorView::workspace(Access::Write), scratch_place(&self.program, WORKSPACE)),
        ];
        let files = vec![shader_file!("drivers/linear/name_invalid.wgsl")];
        let draft = Draft { words, tensors, glue: Glue::default(), files };
        let kernel = draft.kernel(self.call.machine.tuning);
        self.push("name_invalid", kernel, draft, [1, 1, 1], Loops::NONE, None);
    }

    /// What products are multiplied with.
    pub fn factor(&self) -> f32 {
        self.linear.logit_scale(self.call.values) as f32
    }

    /// The scratch of the logits that a head makes.
    fn head_logits(&self, number: usize) -> usize {
        if self.linear.centers() > 1 { self.at.centers } else { self.at.logits[number] }
    }

    /// The last quad of a panel's logits.
    fn last_quad(&self) -> u32 {
        (self.layout.panel_rows * self.layout.head_stride / QUAD).saturating_sub(1) as u32
    }

    /// A whole scratch of values of a WGSL type.
    pub fn memory(&self, name: &str, scratch: usize, ty: &'static str, access: Access) -> (TensorView, Place) {
        (TensorView::new(name, Holds::Values(ty), access), scratch_place(&self.program, scratch))
    }

    /// Rows of an input of so many columns, by quads where they are of whole ones.
    pub fn rows_of(&self, input: &str, rows: &Range<u64>, columns: u64) -> (TensorView, Place) {
        let dtype = self.call.dtype(input).unwrap_or(DType::F32);
        let size = dtype.size() as u64;
        let start = rows.start * columns * size;
        let elements = (rows.end - rows.start) * columns;
        let quads = self.call.roomy && columns.is_multiple_of(QUAD);
        let bytes = if quads { dtype.size_in_quads(elements) } else { dtype.buffer_size(elements) };
        let view = TensorView::read(format!("input_{input}"), dtype).in_quads(quads);
        (view, Place::Tensor(input.to_string(), start..start + bytes))
    }
}

/// Whether the sums of a head's gradient are made where the gradient lies: f32 in whole quads, which the product reads
/// as such.
fn adds_in_output(call: &Call<'_>, head: &HeadLayout) -> bool {
    call.options.gradients != Gradients::InPlace
        && call.dtype(head.head.weight) == Some(DType::F32)
        && head.dimensions.is_multiple_of(QUAD)
}

fn whole(tensor: &CallTensor) -> Place {
    Place::Tensor(tensor.name.clone(), 0..tensor.ty.buffer_size())
}

fn scratch_place(program: &Program, scratch: usize) -> Place {
    Place::Scratch(scratch, 0..program.scratch[scratch].size)
}

/// `<function>(row, place)`: four values of a row, by the place of their quad in it; behind its end 0.
pub(super) fn load_row_quad(glue: &mut Glue, function: &str, view: &TensorView) {
    let body = match view.quads {
        true => format!("let quad = row * call.quads + place;\n    return vec4<f32>({});", view.quad()),
        false => {
            let value = |i: &u64| {
                let element = view.element(&format!("first + min(column + {i}u, call.dimensions - 1u)"));
                format!("select(0.0, {element}, column + {i}u < call.dimensions)")
            };
            let values = list(&[0, 1, 2, 3], value);
            format!("let first = row * call.dimensions;\n    let column = 4u * place;\n    return vec4<f32>({values});")
        }
    };
    glue.procedure(&format!("{function}(row: u32, place: u32) -> vec4<f32>"), &body);
}
