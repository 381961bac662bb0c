//! What the sum over items is divided by, and the step that brings a divisor of the caller's to where all kernels find
//! it.

use std::sync::Arc;

use super::{Call, Role, load_optional, view_of};
use crate::{
    gpu::Loops,
    kernel::{Access, Glue, Kernel, TensorView, block},
    program::{Place, Step, WORKSPACE, workspace},
    spec::{DIVISOR, shader_file},
};

/// The divisor of a reduction.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Divisor {
    Known(f64),
    /// The device finds it: the rows or the weights of classes that count.
    Measured,
    /// The device finds it: the sum of the weights of items that count.
    Weighted,
    /// The caller has it on the device.
    Given,
}

impl Divisor {
    /// That of the reduction `sum`: what the caller says, else 1.
    pub fn of_sum(call: &Call<'_>) -> Self {
        match call.signature.input(DIVISOR.name) {
            Some(_) => Divisor::Given,
            None => Divisor::Known(call.options.divisor.map_or(1.0, f64::from)),
        }
    }

    /// The word `measured` of kernels; `shaders/lib/workspace.wgsl` has its values.
    pub fn word(self) -> u32 {
        match self {
            Divisor::Known(_) => 0,
            Divisor::Measured => 1,
            Divisor::Weighted => 2,
            Divisor::Given => 3,
        }
    }

    /// The divisor if it is known, else 1.
    pub fn known(self) -> f64 {
        match self {
            Divisor::Known(divisor) => divisor,
            Divisor::Measured | Divisor::Weighted | Divisor::Given => 1.0,
        }
    }
}

/// The first step of a call whose divisor is on the device: the caller's number times that of the options, in the
/// workspace. No other kernel binds the caller's.
pub(super) fn bring(call: &Call<'_>) -> Option<Step> {
    let tensor = call.tensors().into_iter().find(|tensor| tensor.role == Role::Divisor)?;
    let tuning = call.machine.tuning;
    let words = block! { factor: call.options.divisor.unwrap_or(1.0) };
    let mut kernel = Kernel::new(tuning.workgroup_size, tuning.reduce).with_call(&words);
    kernel.tensors = vec![view_of(&tensor, false), TensorView::workspace(Access::Write)];
    let mut glue = Glue::default();
    load_optional(&mut glue, &kernel.tensors, &DIVISOR, "index");
    kernel.glue = glue.0;
    kernel.join([shader_file!("drivers/divisor/bring.wgsl")]);
    let bound =
        vec![Place::Tensor(tensor.name, 0..tensor.ty.buffer_size()), Place::Scratch(WORKSPACE, 0..workspace::size(0))];
    Some(Step {
        kernel: Arc::new(kernel),
        entry: "bring_divisor",
        call: words,
        params: None,
        bound,
        workgroups: [1, 1, 1],
        loops: Loops::NONE,
    })
}

#[cfg(test)]
mod tests {
    use super::Divisor;

    #[test]
    fn kernels_know_the_words() {
        let lib = include_str!("../../shaders/lib/workspace.wgsl");
        for (name, divisor) in [("WEIGHTED", Divisor::Weighted), ("GIVEN", Divisor::Given)] {
            assert!(lib.contains(&format!("const {name}: u32 = {}u;", divisor.word())), "{name}");
        }
    }
}
