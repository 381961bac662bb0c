//! The gradient of an input whose values serve several items each: the items' gradients, summed over the axes that the
//! input lacks. Step after step a number of neighbours become one sum, in a fixed order, until one is left.

use std::sync::Arc;

use super::{Call, broadcast::Axis, gradient_name};
use crate::{
    DType, Error,
    gpu::Loops,
    kernel::{BLOCK, Block, Glue, Kernel, TensorView, block},
    program::{Place, Program, Scratch, Step, chunk::Operand},
    spec::{Input, shader_file},
};

/// One pass over the terms: of `outer` axes of so many rows, `fan` neighbouring rows at a time become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pass {
    outer: u64,
    axis: u64,
    inner: u64,
    fan: u64,
}

impl Pass {
    /// What is left of an axis. Of none at all there is one sum, 0.
    fn parts(self) -> u64 {
        self.axis.div_ceil(self.fan).max(1)
    }

    fn rows(self) -> u64 {
        self.outer * self.parts()
    }

    fn sums(self) -> u64 {
        self.rows() * self.inner
    }

    /// The row of terms with which a row of sums begins.
    fn first_term(self, row: u64) -> u64 {
        row / self.parts() * self.axis + row % self.parts() * self.fan
    }
}

/// The passes that leave the axes that are kept. A row of sums takes no more than so many terms.
fn passes(mut axes: Vec<Axis>, most_terms: u64) -> Vec<Pass> {
    let mut passes = Vec::new();
    while let Some(place) = axes.iter().position(|axis| !axis.kept) {
        let length = |axes: &[Axis]| axes.iter().map(|axis| axis.length).product::<u64>();
        let (outer, inner) = (length(&axes[..place]), length(&axes[place + 1..]));
        let fan = (most_terms / inner.max(1)).clamp(2, BLOCK.into());
        let pass = Pass { outer, axis: axes[place].length, inner, fan };
        passes.push(pass);
        match pass.parts() {
            1 => _ = axes.remove(place),
            parts => axes[place].length = parts,
        }
    }
    passes
}

/// How many pairs of sums a lane takes at least: fewer cost more to start than they compute.
const LEAST_PAIRS: u64 = 8;

/// Adds the steps that sum the terms of an input's gradient to a program.
pub(super) fn add_steps(call: &Call<'_>, input: &Input, terms: &Operand, program: &mut Program) -> Result<(), Error> {
    let (Some(spread), Some(ty), Some(mut from)) =
        (call.signature.spread(input.name), call.signature.input(input.name), terms.scratch)
    else {
        return Ok(());
    };
    let binding = call.machine.limits.max_storage_buffer_binding_size;
    let passes = passes(spread.axes().to_vec(), binding / 4 / 2);
    // What one pass leaves is the next one's: the memory for it takes turns with that of the terms.
    let mut to = program.scratch.len();
    if passes.len() > 1 {
        program.scratch.push(Scratch { label: "the sums of a broadcast input's gradients", size: 0 });
    }
    for (number, &pass) in passes.iter().enumerate() {
        let is_last = number + 1 == passes.len();
        let sums = if is_last {
            let name = if call.is_in_place() { input.name.to_string() } else { gradient_name(input.name) };
            Memory { dtype: ty.dtype, at: At::Tensor(name) }
        } else {
            let needed = DType::F32.buffer_size(pass.sums());
            program.scratch[to].size = program.scratch[to].size.max(needed);
            Memory { dtype: DType::F32, at: At::Scratch(to) }
        };
        let terms = Memory { dtype: DType::F32, at: At::Scratch(from) };
        add_pass(call, input, pass, &[terms, sums], is_last && call.adds(), program)?;
        (from, to) = (to, from);
    }
    Ok(())
}

/// What a pass reads or writes.
struct Memory {
    dtype: DType,
    at: At,
}

enum At {
    Scratch(usize),
    Tensor(String),
}

impl Memory {
    /// What is bound of it for so many elements, from an aligned place on, and the place of the first of them there.
    fn place(&self, first: u64, elements: u64, alignment: u64) -> (Place, u64) {
        let size = self.dtype.size() as u64;
        let start = first * size / alignment * alignment;
        // Of nothing, that is one word.
        let end = self.dtype.buffer_size(first + elements.max(1));
        let place = match &self.at {
            At::Scratch(scratch) => Place::Scratch(*scratch, start..end),
            At::Tensor(name) => Place::Tensor(name.clone(), start..end),
        };
        (place, first - start / size)
    }
}

/// Adds the steps of a pass: one, unless a binding or a dispatch would be too large.
fn add_pass(
    call: &Call<'_>,
    input: &Input,
    pass: Pass,
    [terms, sums]: &[Memory; 2],
    adds: bool,
    program: &mut Program,
) -> Result<(), Error> {
    let (limits, tuning) = (&call.machine.limits, call.machine.tuning);
    let lanes = u64::from(tuning.workgroup_size);
    let (alignment, binding) =
        (u64::from(limits.min_storage_buffer_offset_alignment), limits.max_storage_buffer_binding_size);
    let available = u64::from(limits.max_compute_workgroups_per_dimension);
    let name = gradient_name(input.name);
    let pairs_of_lane = call.machine.most(&name, u32::MAX.into(), |pairs| loops(pairs, pass.fan))?;
    let most_sums = 2 * pairs_of_lane.saturating_mul(lanes).saturating_mul(available);
    let size_of_row = 4 * pass.inner * pass.fan.min(pass.axis.max(1));
    let most = ((binding - alignment) / size_of_row).min(most_sums / pass.inner).min(u64::from(u32::MAX / 2));
    // Words of halves are whole in each step.
    let rows_of_words = if sums.dtype.is_half() && pass.inner % 2 == 1 { 2 } else { 1 };
    let step = if pass.rows() > most { most / rows_of_words * rows_of_words } else { most };
    if step == 0 {
        let what = format!("{}: the sum of `{}`", call.loss(), gradient_name(input.name));
        let needed = size_of_row * rows_of_words + alignment;
        return Err(call.machine.limit(&what, "max_storage_buffer_binding_size", needed, binding));
    }
    let mut kernel = None;
    let mut row = 0;
    while row < pass.rows() {
        let rows = step.min(pass.rows() - row);
        let (first, behind) = (pass.first_term(row), pass.first_term(row + rows));
        let (terms, terms_start) = terms.place(first * pass.inner, (behind - first) * pass.inner, alignment);
        let (sums_place, sums_start) = sums.place(row * pass.inner, rows * pass.inner, alignment);
        let pairs = (rows * pass.inner).div_ceil(2);
        let span = pairs.div_ceil(available).max(LEAST_PAIRS * lanes);
        let words = block! {
            length: (rows * pass.inner) as u32,
            span: span as u32,
            inner: pass.inner as u32,
            axis: pass.axis as u32,
            parts: pass.parts() as u32,
            first_part: (row % pass.parts()) as u32,
            fan: pass.fan as u32,
            terms_start: terms_start as u32,
            sums_start: sums_start as u32,
        };
        let kernel = kernel.get_or_insert_with(|| Arc::new(self::kernel(call, sums.dtype, adds, &words))).clone();
        let workgroups = [pairs.div_ceil(span) as u32, 1, 1];
        let bound = vec![terms, sums_place];
        let loops = loops(span.div_ceil(lanes), pass.fan);
        program.steps.push(Step { kernel, entry: "fold", call: words, params: None, bound, workgroups, loops });
        row += rows;
    }
    Ok(())
}

/// Over a lane's pairs of sums, and over the terms of each.
fn loops(pairs: u64, fan: u64) -> Loops {
    Loops::each(pairs, Loops::plain(fan) * 2)
}

fn kernel(call: &Call<'_>, dtype: DType, adds: bool, words: &Block) -> Kernel {
    let tuning = call.machine.tuning;
    let mut kernel = Kernel::new(tuning.workgroup_size, tuning.reduce).with_call(words);
    let (terms, sums) = (TensorView::read("terms", DType::F32), TensorView::write("sums", dtype));
    kernel.glue = glue(&terms, &sums, adds).0;
    kernel.tensors = vec![terms, sums];
    kernel.join([shader_file!("drivers/fold/fold.wgsl")]);
    kernel
}

/// What `shaders/drivers/fold/interface.wgsl` lists.
fn glue(terms: &TensorView, sums: &TensorView, adds: bool) -> Glue {
    let mut glue = Glue::default();
    glue.load("terms", "f32", Some(terms), "index", "0.0");
    glue.put("put_gradient", sums, adds);
    let both = match sums.half() {
        Some(_) => sums.put_word("(index / 2u)", "values", None, adds),
        None => "put_gradient(index, values.x);\n    put_gradient(index + 1u, values.y);".to_string(),
    };
    glue.procedure("put_both(index: u32, values: vec2<f32>)", &both);
    glue
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axes(axes: &[(u64, bool)]) -> Vec<Axis> {
        axes.iter().map(|&(length, kept)| Axis { length, kept }).collect()
    }

    #[test]
    fn passes_leave_the_axes_that_are_kept() {
        let pass = |outer, axis, inner, fan| Pass { outer, axis, inner, fan };
        let most = 1 << 20;
        assert_eq!(passes(axes(&[(7, true), (130, false)]), most), [pass(7, 130, 1, 64), pass(7, 3, 1, 64)]);
        let both = axes(&[(3, false), (5, true), (4, false), (2, true)]);
        assert_eq!(passes(both, most), [pass(1, 3, 40, 64), pass(5, 4, 2, 64)]);
        // Of nothing there is a sum too.
        assert_eq!(passes(axes(&[(0, false), (3, true)]), most)[0].sums(), 3);
        // Long rows are few at a time.
        assert_eq!(passes(axes(&[(8, false), (300_000, true)]), most).len(), 2);
    }

    #[test]
    fn every_term_is_in_one_sum() {
        for (axis, fan) in [(0, 64), (1, 64), (64, 64), (65, 64), (200, 64), (7, 2)] {
            let pass = Pass { outer: 3, axis, inner: 1, fan };
            assert_eq!(pass.first_term(0), 0);
            assert_eq!(pass.first_term(pass.rows()), 3 * axis);
            let counts = (0..pass.rows()).map(|row| pass.first_term(row + 1) - pass.first_term(row));
            assert!(counts.clone().all(|count| count <= fan), "{axis} {fan}");
            assert_eq!(counts.sum::<u64>(), 3 * axis);
        }
    }
}
