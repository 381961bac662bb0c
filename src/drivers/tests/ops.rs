//! The programs of operations, whose kernels are tested as those of losses are.

use super::{
    calls::plain_machine,
    structs::{kernel_with, layout_of, module_of, words},
};
use crate::{
    DType, Reduce, TensorType,
    gpu::Machine,
    joint,
    kernel::Holds,
    ops::{
        ClipGradNorm, ClipGradValue, Diagnose, Norm,
        clip_grad_norm::{NormPartial, NormsHeader},
        diagnose::Tally,
        rules::Rules,
        walk::Walk,
    },
    program::Program,
};

/// A tensor of each storage type and of each of two sizes.
pub(super) fn tensors(sizes: [usize; 2]) -> Vec<(String, TensorType)> {
    let of = |dtype: DType| sizes.map(|size| (format!("{dtype} {size}"), TensorType::new(dtype, [size])));
    DType::FLOATS.into_iter().flat_map(of).collect()
}

/// The program of every operation for these tensors.
pub(super) fn programs_of(
    machine: &Machine,
    tensors: &[(String, TensorType)],
    roomy: bool,
) -> Vec<(&'static str, Program)> {
    fn program<O: Rules>(
        operation: &O,
        machine: &Machine,
        tensors: &[(String, TensorType)],
        roomy: bool,
    ) -> (&'static str, Program) {
        let walk = Walk { name: O::NAME, machine, tensors, roomy: vec![roomy; tensors.len()], outputs: Vec::new() };
        (O::NAME, operation.work(&walk).expect("the machine runs it").program)
    }
    let clips = [Norm::L1, Norm::L2, Norm::Max].map(|norm| ClipGradNorm { norm, ..ClipGradNorm::new(1.0) });
    let clips = clips.iter().map(|clip| program(clip, machine, tensors, roomy));
    let others =
        [program(&ClipGradValue { limit: 1.0 }, machine, tensors, roomy), program(&Diagnose, machine, tensors, roomy)];
    clips.chain(others).collect()
}

/// The programs of all operations and of what joins tasks, by each reduction and with room for quads or without.
pub(super) fn programs() -> Vec<(&'static str, Program)> {
    let layouts = [(8, Reduce::SingleSubgroup), (64, Reduce::Workgroup), (256, Reduce::Subgroup)];
    let of = |(lanes, roomy)| {
        let machine = plain_machine(lanes);
        let mut programs = programs_of(&machine, &tensors([5, 40_001]), roomy);
        programs.push(("joint", joint::copy::program(&machine, 3, [4, 256])));
        programs
    };
    layouts.into_iter().flat_map(|layout| [(layout, true), (layout, false)]).flat_map(of).collect()
}

#[test]
fn steps_of_operations_fill_the_words_and_bindings_of_their_kernels() {
    for (name, program) in programs() {
        assert!(!program.steps.is_empty());
        for step in program.steps {
            assert_eq!(step.call.members(), step.kernel.call, "{name}, {}", step.entry);
            assert_eq!(step.bound.len(), step.kernel.tensors.len(), "{name}, {}", step.entry);
            assert!(step.kernel.params.is_empty());
        }
    }
}

#[test]
fn what_operations_leave_is_the_same_on_host_and_device() {
    let layout = |holds, name: &str| {
        let (members, size) = layout_of(&module_of(kernel_with(holds)), name).expect("the struct is there");
        let members: Vec<(String, u32)> = members.into_iter().map(|(name, offset, _)| (name, offset)).collect();
        (members, size as usize)
    };
    let norms = Holds::One("Norms");
    let partial = words!(NormPartial: low, middle, high, largest).to_vec();
    assert_eq!(layout(norms, "NormPartial"), (partial, size_of::<NormPartial>()));
    let header = words!(NormsHeader: norm, coefficient, first_nonfinite).to_vec();
    let partials = vec![("partials".to_string(), size_of::<NormsHeader>() as u32)];
    assert_eq!(layout(norms, "Norms").0, [header, partials].concat());
    let tally = words!(Tally: nan, infinite, zero, negative, least, largest, sum, scaled_sum, low, middle, high);
    assert_eq!(layout(Holds::Values("Tally"), "Tally"), (tally.to_vec(), size_of::<Tally>()));
}
