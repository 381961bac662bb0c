//! Losses of Gram matrices: one item an entry of what those of two samples differ in. The products of a sample's rows
//! are made in slices of its columns, which are then added up; the matrix times the rows is the gradient.

use std::sync::Arc;

#[cfg(feature = "parity")]
use super::trials::{Arrangement, Trials};
use super::{
    Call, CallTensor, Extent, Role, Room,
    divisor::Divisor,
    finalize::{self, Ending},
    gradient_view, items, load_optional, view_of,
};
use crate::{
    DType, Error, Reduction, TensorType, Tuning,
    gpu::Loops,
    kernel::{Access, Block, Glue, Holds, Kernel, PARTS, TensorView, block, list},
    program::{
        Place, Program, Scratch, Step, WORKSPACE,
        chunk::{Chunk, MOST_ELEMENTS, Operand, Split, Splittable, chunks, even_span},
        workspace,
    },
    spec::{ShaderFile, UPSTREAM, Values, shader_file},
};

/// The driver of losses of Gram matrices.
pub(crate) struct Gram;

/// The scratch that holds the products of rows: of each sample a matrix a slice, of which the first becomes what the
/// Gram matrices differ in.
const PRODUCTS: usize = WORKSPACE + 1;
/// The scratch that keeps features which their gradient overwrites.
const KEPT: usize = WORKSPACE + 2;

/// Rows and columns of a tile of products, which a workgroup makes; and rows of a tile of gradients, which a lane
/// makes. The files know both.
const PRODUCT_ROWS: u64 = 4;
const GRADIENT_ROWS: u64 = 8;

/// Quads that a lane multiplies of a slice at most, because sums of more lose digits, and at least, because fewer cost
/// more to add up.
const MOST_QUADS: u64 = 64;
const LEAST_QUADS: u64 = 4;

/// Words that a lane copies.
const COPIED_WORDS: u64 = 16;

const QUAD: u64 = 4;

const LOAD: ShaderFile = shader_file!("drivers/gram/load.wgsl");

impl Room for Gram {
    fn extent(&self, _: &Values, shape: &[usize]) -> Result<Extent, String> {
        let Extent { row, class_stride, .. } = Extent::of_rows(shape, 1)?;
        // Rows without columns have no products.
        let channels = if class_stride == 0 { 0 } else { row as usize };
        let entries = vec![shape[0], channels, channels];
        if !TensorType::new(DType::F32, &entries[..]).is_countable() {
            return Err(format!("[N, C, d…] with N·C² ≤ {}", TensorType::MOST_ELEMENTS));
        }
        Ok(Extent { item_shape: entries.clone(), result_shape: entries, row, class_stride })
    }

    fn symbols(&self) -> [&'static str; 2] {
        ["[N, C, C]", "[1]"]
    }

    fn refuses(&self, loss: &'static str, reduction: Reduction) -> Option<Error> {
        let known = &[Reduction::Mean, Reduction::Sum];
        (!known.contains(&reduction)).then_some(Error::TermsReduction { loss, reduction, known })
    }

    fn program(&self, call: &Call<'_>) -> Result<Program, Error> {
        Products::new(call)?.program()
    }

    #[cfg(feature = "parity")]
    fn trials(&self, trials: &Trials) -> Vec<Arrangement> {
        vec![trials.arrangement(&[2, 5, 7], &[], &[])]
    }
}

/// The features of a call, and how their products are shared out.
struct Products<'a> {
    call: &'a Call<'a>,
    tuning: Tuning,
    /// The two inputs, the first one's gradient, if there is one, and the upstream.
    tensors: Vec<(CallTensor, Operand)>,
    chunks: Vec<Chunk>,
    /// Quads of a row, and of a slice of it; and how many slices there are.
    quads: u64,
    slice: u64,
    slices: u64,
    /// Entries of a workgroup that compares.
    span: u32,
}

impl<'a> Products<'a> {
    fn new(call: &'a Call<'a>) -> Result<Self, Error> {
        let (tuning, signature) = (call.machine.tuning, call.signature);
        // Rows without columns, of which there may be more than have a square, have no products.
        let rows = if signature.items == 0 { 0 } else { signature.row };
        let sample = signature.row * signature.class_stride;
        let is_aligned = is_aligned(call);
        let operands = items::operands(call, |tensor| is_aligned && is_of_features(tensor)).into_iter();
        let tensors: Vec<_> = operands
            .map(|(tensor, operand)| {
                let unit = is_of_features(&tensor).then_some(sample);
                (tensor, Operand { unit, ..operand })
            })
            .collect();
        let operands: Vec<Operand> = tensors.iter().map(|(_, operand)| operand.clone()).collect();
        let whole = Splittable {
            loss: call.loss(),
            items: signature.batch,
            items_of_unit: 1,
            most: u64::MAX,
            operands: &operands,
        };

        let lanes = u64::from(tuning.workgroup_size);
        let quads = signature.class_stride.div_ceil(QUAD);
        // As many slices as sums need, or as leave no workgroup without work.
        let tiles = (tiles(rows) * signature.batch).max(1);
        let for_all = u64::from(tuning.workgroups).div_ceil(tiles).min(quads / (LEAST_QUADS * lanes));
        let slice = quads.div_ceil(quads.div_ceil(MOST_QUADS * lanes).max(for_all).max(1)).max(1);
        let slices = quads.div_ceil(slice).max(1);
        // A chunk's products are bound whole, and may be larger than its features. Where no chunk leaves them room,
        // that they are too large is told with the scratch that they lie in.
        let record_size = DType::F32.buffer_size(rows.pow(2) * slices);
        let split = Split::of_spans(1);
        let chunks = chunks(call.machine, whole, Split { record_size, ..split })
            .or_else(|_| chunks(call.machine, whole, split))?;
        let most = call.machine.most(call.loss(), MOST_ELEMENTS, |span| comparing_loops(tuning, slices, span))?;
        let span = even_span(signature.items, tuning.workgroups.into(), 2 * lanes, most);
        Ok(Products { call, tuning, tensors, chunks, quads, slice, slices, span })
    }

    fn program(&self) -> Result<Program, Error> {
        let call = self.call;
        let partials = self.chunks.iter().map(|chunk| self.spans(chunk)).sum();
        let largest = |size: fn(&Self, &Chunk) -> u64| self.chunks.iter().map(|chunk| size(self, chunk)).max();
        let mut program = Program::new(vec![
            Scratch { label: "the workspace", size: workspace::size(partials) },
            Scratch { label: "the products of rows", size: largest(Self::size_of_products).unwrap_or(4) },
        ]);
        if call.is_in_place() {
            program.scratch.push(Scratch { label: "the features", size: largest(Self::size_of_features).unwrap_or(4) });
        }
        let mut first_partial = 0;
        for chunk in self.chunks.iter().filter(|_| call.signature.items > 0) {
            program.steps.push(self.multiply(chunk));
            program.steps.push(self.compare(chunk, first_partial, partials));
            program.steps.extend(call.is_in_place().then(|| self.keep(chunk)));
            program.steps.extend(call.has_gradients().then(|| self.project(chunk)));
            first_partial += self.spans(chunk);
        }
        program.steps.push(finalize::step(call, self.tuning, partials, self.divisor(), Ending::Loss)?);
        Ok(program)
    }

    /// The products of the rows of each slice: a workgroup makes a tile of them.
    fn multiply(&self, chunk: &Chunk) -> Step {
        let signature = self.call.signature;
        let [tall, wide] = folded(signature.row);
        let words = self.shape(chunk).and(block! {
            slice: self.slice as u32,
            tall: tall as u32,
            wide: wide as u32,
        });
        let [features, target] = [0, 1].map(|place| self.input(place, chunk));
        let mut glue = Glue::default();
        load_features(&mut glue, "features", &features.0);
        load_features(&mut glue, "target_features", &target.0);
        let tensors = vec![features, target, self.products(chunk, Access::Write)];
        let workgroups = u64::from(chunk.items) * self.slices * tall * wide;
        let quads = self.slice.div_ceil(self.tuning.workgroup_size.into());
        let products = PRODUCT_ROWS * PRODUCT_ROWS;
        let loops = Loops::plain(quads) * 2 + Loops::reduce(self.tuning) * products;
        self.step(
            ("multiply", &[LOAD, shader_file!("drivers/gram/multiply.wgsl")]),
            words,
            tensors,
            glue,
            workgroups,
            loops,
        )
    }

    /// The sums of all slices, and the losses of their entries.
    fn compare(&self, chunk: &Chunk, first_partial: u32, partials: u32) -> Step {
        let signature = self.call.signature;
        let elements = (signature.row * signature.class_stride).max(1);
        let words = block! {
            samples: chunk.items,
            rows: signature.row as u32,
            slices: self.slices as u32,
            span: self.span,
            first_partial: first_partial,
            inverse: (elements as f64).recip() as f32,
            measured: self.divisor().word(),
            divisor: self.divisor().known() as f32,
        };
        let workspace = Place::Scratch(WORKSPACE, 0..workspace::size(partials));
        let tensors = vec![self.products(chunk, Access::Write), (TensorView::workspace(Access::Write), workspace)];
        let loops = comparing_loops(self.tuning, self.slices, self.span.into());
        let workgroups = self.spans(chunk).into();
        let files = [shader_file!("lib/share.wgsl"), shader_file!("drivers/gram/compare.wgsl")];
        self.step(("compare", &files), words, tensors, Glue::default(), workgroups, loops)
    }

    /// A copy of the features, which their gradient overwrites.
    fn keep(&self, chunk: &Chunk) -> Step {
        let (features, Place::Tensor(name, range)) = self.input(0, chunk) else {
            unreachable!("an input lies in a tensor")
        };
        let length = (range.end - range.start) / 4;
        let lanes = u64::from(self.tuning.workgroup_size);
        let words = block! { length: length as u32 };
        let holds = Holds::Values("u32");
        let tensors = vec![
            (TensorView::new(features.name, holds, Access::Read), Place::Tensor(name, range.clone())),
            (TensorView::new("kept", holds, Access::Write), Place::Scratch(KEPT, 0..range.end - range.start)),
        ];
        let workgroups = length.div_ceil(COPIED_WORDS * lanes);
        let files = [shader_file!("drivers/gram/keep.wgsl")];
        self.step(("keep", &files), words, tensors, Glue::default(), workgroups, Loops::plain(COPIED_WORDS))
    }

    /// The gradient: the matrix times the rows.
    fn project(&self, chunk: &Chunk) -> Step {
        let (call, signature) = (self.call, self.call.signature);
        let elements = (signature.row * signature.class_stride).max(1) as f64;
        let scale = call.gradient_scale(self.divisor().known()) * 4.0 / elements;
        let features = match call.is_in_place() {
            true => {
                let (view, _) = self.input(0, chunk);
                (view, Place::Scratch(KEPT, 0..self.size_of_features(chunk)))
            }
            false => self.input(0, chunk),
        };
        let is_gradient = |role: Role| matches!(role, Role::Gradient(_) | Role::Overwritten(_));
        let others = self.tensors.iter().filter(|(tensor, _)| is_gradient(tensor.role) || is_upstream(tensor));
        let others = others.map(|(tensor, operand)| {
            let view = view_of(tensor, operand.quads);
            // A word may hold the end of a row and the beginning of the next.
            let shares_words = operand.ty.dtype.is_half() && signature.class_stride % 2 == 1;
            let is_shared = is_gradient(tensor.role) && shares_words;
            let view = if is_shared { view.with_access(Access::Atomic) } else { view };
            (view, operand.place(Some(chunk), 1))
        });
        let mut tensors = vec![features, self.products(chunk, Access::Read)];
        tensors.extend(others);
        tensors.push((TensorView::workspace(Access::Read), Place::Scratch(WORKSPACE, 0..workspace::size(0))));
        let views: Vec<TensorView> = tensors.iter().map(|(view, _)| view.clone()).collect();
        let mut glue = Glue::default();
        load_features(&mut glue, "features", &views[0]);
        load_optional(&mut glue, &views, &UPSTREAM, "0u");
        if let Some(view) = gradient_view(&views, signature.inputs[0].0.name) {
            // One of them is called: rows are of whole quads or not.
            let (elements, whole) = if view.quads { (None, Some(view)) } else { (Some(view), None) };
            let put = elements.map_or_else(String::new, |view| view.put("index", "value", call.adds()));
            glue.procedure("put_gradient(index: u32, value: f32)", &put);
            glue.put_quad("put_gradients", whole, call.adds());
        }
        let tiles = signature.row.div_ceil(GRADIENT_ROWS);
        let blocks = self.quads.div_ceil(self.tuning.workgroup_size.into());
        let workgroups = u64::from(chunk.items) * tiles * blocks;
        // Without whole quads their elements are stored one by one.
        let loops = Loops::blocks(signature.row, 1, Loops::NONE) + Loops::plain(QUAD) * GRADIENT_ROWS;
        let words = self.shape(chunk).and(block! {
            tiles: tiles as u32,
            blocks: blocks as u32,
            scale: scale as f32,
            measured: self.divisor().word(),
            upstream_stride: call.upstream_stride(),
        });
        self.step(
            ("project", &[LOAD, shader_file!("lib/scale.wgsl"), shader_file!("drivers/gram/project.wgsl")]),
            words,
            tensors,
            glue,
            workgroups,
            loops,
        )
    }

    fn step(
        &self,
        (entry, files): (&'static str, &[ShaderFile]),
        words: Block,
        tensors: Vec<(TensorView, Place)>,
        glue: Glue,
        workgroups: u64,
        loops: Loops,
    ) -> Step {
        // More workgroups than an axis of the grid may have go on along the next.
        let most = u64::from(self.call.machine.limits.max_compute_workgroups_per_dimension);
        let across = workgroups.clamp(1, most);
        let call = block! { across: across as u32 }.and(words);
        let mut kernel = Kernel::new(self.tuning.workgroup_size, self.tuning.reduce).with_call(&call);
        if files.contains(&LOAD) {
            kernel.flags(&[("ALIGNED", is_aligned(self.call))]);
        }
        let (views, bound): (Vec<_>, Vec<_>) = tensors.into_iter().unzip();
        kernel.tensors = views;
        kernel.glue = glue.0;
        kernel.join(files.iter().copied());
        let workgroups = [across as u32, workgroups.div_ceil(across) as u32, 1];
        Step { kernel: Arc::new(kernel), entry, call, params: None, bound, workgroups, loops }
    }

    /// The words that tell the shape of a chunk's features.
    fn shape(&self, chunk: &Chunk) -> Block {
        let signature = self.call.signature;
        block! {
            samples: chunk.items,
            rows: signature.row as u32,
            columns: signature.class_stride as u32,
            quads: self.quads as u32,
            slices: self.slices as u32,
        }
    }

    /// An input as kernels read it that do not write it.
    fn input(&self, place: usize, chunk: &Chunk) -> (TensorView, Place) {
        let (input, _) = &self.call.signature.inputs[place];
        let own = self.tensors.iter().find(|(tensor, _)| tensor.name == input.name);
        let Some((tensor, operand)) = own else { unreachable!("every input given is a tensor of the call") };
        let view = TensorView::read(format!("input_{}", tensor.name), tensor.ty.dtype).in_quads(operand.quads);
        (view, operand.place(Some(chunk), 1))
    }

    fn products(&self, chunk: &Chunk, access: Access) -> (TensorView, Place) {
        let view = TensorView::new("products", Holds::Values("f32"), access);
        (view, Place::Scratch(PRODUCTS, 0..self.size_of_products(chunk)))
    }

    fn divisor(&self) -> Divisor {
        match self.call.options.reduction {
            Reduction::Mean => Divisor::Known(self.call.signature.items as f64),
            _ => Divisor::of_sum(self.call),
        }
    }

    fn entries(&self, chunk: &Chunk) -> u64 {
        let signature = self.call.signature;
        u64::from(chunk.items) * if signature.items == 0 { 0 } else { signature.row.pow(2) }
    }

    /// Workgroups that compare.
    fn spans(&self, chunk: &Chunk) -> u32 {
        self.entries(chunk).div_ceil(self.span.into()) as u32
    }

    fn size_of_products(&self, chunk: &Chunk) -> u64 {
        DType::F32.buffer_size(self.entries(chunk) * self.slices)
    }

    fn size_of_features(&self, chunk: &Chunk) -> u64 {
        match self.input(0, chunk).1 {
            Place::Tensor(_, range) | Place::Scratch(_, range) => range.end - range.start,
        }
    }
}

/// Whether rows are of whole quads.
fn is_aligned(call: &Call<'_>) -> bool {
    call.signature.class_stride.is_multiple_of(QUAD)
}

fn is_upstream(tensor: &CallTensor) -> bool {
    tensor.name == UPSTREAM.name
}

fn is_of_features(tensor: &CallTensor) -> bool {
    tensor.role.input().is_some() && !is_upstream(tensor)
}

/// How the tiles on and above a symmetric matrix's diagonal lie in a rectangle: its height and its width. The lower
/// half of them is turned round and laid before the upper one.
fn folded(rows: u64) -> [u64; 2] {
    let tiles = rows.div_ceil(PRODUCT_ROWS).next_multiple_of(2);
    [tiles / 2, tiles + 1]
}

fn tiles(rows: u64) -> u64 {
    folded(rows).into_iter().product()
}

fn comparing_loops(tuning: Tuning, slices: u64, span: u64) -> Loops {
    Loops::blocks(span, tuning.workgroup_size.into(), Loops::plain(slices)) + Loops::reduce(tuning)
}

/// `load_<name>(quad, places)`: four values of a row, by the quad that they are or by their places.
fn load_features(glue: &mut Glue, name: &str, view: &TensorView) {
    let values = match view.quads {
        true => view.quad(),
        false => format!("vec4<f32>({})", list(&PARTS, |part| view.element(&format!("places.{part}")))),
    };
    glue.function(&format!("load_{name}(quad: u32, places: vec4<u32>) -> vec4<f32>"), &values);
}
