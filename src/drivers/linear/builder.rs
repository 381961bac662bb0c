//! A linear loss's program while it is built, and what its steps leave for later ones.

use std::ops::Range;

use super::{
    super::{Call, CallTensor, Role, rows::InPanels},
    layout::{HeadLayout, Layout, QUAD},
};
use crate::{
    DType, Gradients,
    kernel::{Access, Glue, Holds, TensorView, list},
    program::{Place, Program, Scratch},
    spec::{Input, Linear, MASK, Margin, Shape},
};

/// Scratch that steps leave for later ones, by its number in the program.
pub(super) struct Places {
    /// Which row is at each place, which place each row has, and whether a place has a row.
    pub order: usize,
    pub places: usize,
    pub kept: usize,
    /// The items' values in the places' order, by their names in the row loss.
    pub items: Vec<(&'static str, usize)>,
    /// What the row loss leaves of each place, by the names of its outputs.
    pub results: Vec<(CallTensor, usize)>,
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
    pub weight: Vec<usize>,
    pub bias: usize,
}

/// The program of a call while it is built.
pub(super) struct Builder<'a> {
    pub call: &'a Call<'a>,
    pub linear: Linear,
    pub layout: Layout,
    pub of_rows: &'a Call<'a>,
    pub in_panels: Option<InPanels>,
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

    /// What products are multiplied with.
    pub fn factor(&self) -> f32 {
        self.linear.logit_scale(self.call.values) as f32
    }

    /// The scratch of the logits that a head makes.
    pub fn head_logits(&self, number: usize) -> usize {
        if self.linear.centers() > 1 { self.at.centers } else { self.at.logits[number] }
    }

    /// The last quad of a panel's logits.
    pub fn last_quad(&self) -> u32 {
        (self.layout.panel_rows * self.layout.head_stride / QUAD).saturating_sub(1) as u32
    }

    /// A whole scratch of values of a WGSL type.
    pub fn memory(&self, name: &str, scratch: usize, ty: &'static str, access: Access) -> (TensorView, Place) {
        (TensorView::new(name, Holds::Values(ty), access), self.program.whole(scratch))
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
