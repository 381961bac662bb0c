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
        ClipGradNorm, ClipGradValue, Curriculum, Diagnose, GradNorm, Norm, ScaleGradients,
        clip_grad_norm::{NormPartial, NormsHeader},
        curriculum::LessonHeader,
        diagnose::Tally,
        grad_norm::BalanceHeader,
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

/// A program of an operation with what it was made for, its outputs included.
pub(super) struct Made {
    pub name: &'static str,
    pub tensors: Vec<(String, TensorType)>,
    pub program: Program,
}

/// The programs of every operation, for these tensors or for as many elements as the first of them has.
pub(super) fn programs_of(machine: &Machine, tensors: &[(String, TensorType)], roomy: bool) -> Vec<Made> {
    fn made<O: Rules>(operation: &O, machine: &Machine, tensors: &[(String, TensorType)], roomy: bool) -> Vec<Made> {
        let with = |outputs: &[&'static str]| {
            let (outputs, roomy) = (outputs.to_vec(), vec![roomy; tensors.len()]);
            let told = outputs.iter().map(|name| (name.to_string(), O::output(name, tensors)));
            let all = tensors.iter().cloned().chain(told).collect();
            let walk = Walk { name: O::NAME, machine, tensors, roomy, outputs };
            Made { name: O::NAME, tensors: all, program: operation.work(&walk).expect("the machine runs it").program }
        };
        let without = with(&[]);
        if O::OUTPUTS.is_empty() { vec![without] } else { vec![without, with(O::OUTPUTS)] }
    }
    let named = |names: &[&str], dtypes: &[DType]| -> Vec<(String, TensorType)> {
        let ty = |dtype| TensorType::new(dtype, [tensors[0].1.elements() as usize]);
        names.iter().zip(dtypes).map(|(name, &dtype)| (name.to_string(), ty(dtype))).collect()
    };
    let clips = [Norm::L1, Norm::L2, Norm::Max].map(|norm| ClipGradNorm { norm, ..ClipGradNorm::new(1.0) });
    let mut programs: Vec<Made> = clips.iter().flat_map(|clip| made(clip, machine, tensors, roomy)).collect();
    programs.extend(made(&ClipGradValue { limit: 1.0 }, machine, tensors, roomy));
    let factor = [("factor".to_string(), TensorType::new(DType::F32, [1]))];
    programs.extend(made(&ScaleGradients, machine, &[tensors, &factor].concat(), roomy));
    programs.extend(made(&Diagnose, machine, tensors, roomy));
    let tasks = named(&["losses", "initial_losses", "gradient_norms", "weights"], &[DType::F32; 4]);
    programs.extend(made(&GradNorm::new(1.0), machine, &tasks, roomy));
    // Each storage type is read and written once.
    for dtypes in [[DType::F32, DType::F16], [DType::F16, DType::BF16], [DType::BF16, DType::F32]] {
        let samples = named(&["difficulty", "weight"], &dtypes);
        programs.extend(made(&Curriculum { progress: 0.5 }, machine, &samples, roomy));
    }
    programs
}

/// The programs of all operations and of what joins tasks, by each reduction and with room for quads or without.
pub(super) fn programs() -> Vec<(&'static str, Program)> {
    let layouts = [(8, Reduce::SingleSubgroup), (64, Reduce::Workgroup), (256, Reduce::Subgroup)];
    let of = |(lanes, roomy)| {
        let machine = plain_machine(lanes);
        let made = programs_of(&machine, &tensors([5, 40_001]), roomy).into_iter();
        let joint = [("joint", joint::copy::program(&machine, 3, [4, 256]))];
        made.map(|made| (made.name, made.program)).chain(joint).collect::<Vec<_>>()
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
    let balance = words!(BalanceHeader: loss, invalid, first_invalid, input).to_vec();
    assert_eq!(layout(Holds::One("Balance"), "Balance"), (balance, size_of::<BalanceHeader>()));
    let header = words!(LessonHeader: progress, selected, weight).to_vec();
    let partials = vec![("partials".to_string(), size_of::<LessonHeader>() as u32)];
    assert_eq!(layout(Holds::One("Lesson"), "Lesson").0, [header, partials].concat());
}
