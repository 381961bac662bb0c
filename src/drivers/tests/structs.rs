//! Structs are the same on host and device.

use std::collections::BTreeSet;

use wgpu::naga::{Module, ScalarKind, Type, TypeInner};

use super::{
    super::{all_pairs, regions, rows},
    calls::calls,
    kernels::kernels,
};
use crate::{
    kernel::{Holds, Kernel},
    losses::ALL,
    program::workspace::{Partial, WorkspaceHeader},
    spec::Value,
};

/// Names, offsets and kinds of the members of a struct, and its size.
pub(super) type Layout = (Vec<(String, u32, Option<ScalarKind>)>, u32);

pub(super) fn layout_of(module: &Module, name: &str) -> Option<Layout> {
    let is_one = |ty: &&Type| ty.name.as_deref() == Some(name);
    let TypeInner::Struct { members, span } = &module.types.iter().map(|(_, ty)| ty).find(is_one)?.inner else {
        return None;
    };
    let members = members.iter().map(|member| {
        let kind = module.types[member.ty].inner.scalar_kind();
        (member.name.clone().unwrap_or_default(), member.offset, kind)
    });
    Some((members.collect(), *span))
}

pub(super) fn module_of(kernel: &Kernel) -> Module {
    kernel.assemble().module().expect("kernels are valid")
}

/// The first kernel that has a view of a WGSL type.
pub(super) fn kernel_with(holds: Holds) -> &'static Kernel {
    let has = |kernel: &Kernel| kernel.tensors.iter().any(|view| view.holds == holds);
    kernels().iter().map(|used| &*used.kernel).find(|kernel| has(kernel)).expect("some kernel has it")
}

/// The members that a host struct has, in order, each a word.
macro_rules! words {
    ($ty:ty: $($name:ident),*) => {
        [$((stringify!($name).to_string(), std::mem::offset_of!($ty, $name) as u32)),*]
    };
}
pub(super) use words;

#[test]
fn the_workspace_is_the_same_on_host_and_device() {
    let module = module_of(kernel_with(Holds::One("Workspace")));
    let without_kinds = |name: &str| {
        let (members, size) = layout_of(&module, name).expect("the struct is there");
        let members: Vec<(String, u32)> = members.into_iter().map(|(name, offset, _)| (name, offset)).collect();
        (members, size)
    };
    let (partial, size) = without_kinds("Partial");
    assert_eq!(partial, words!(Partial: loss, items, invalid, first_invalid, correct));
    assert_eq!(size as usize, size_of::<Partial>());
    let header = words!(
        WorkspaceHeader: divisor, items_low, items_high, invalid_low, invalid_high, invalid_partial, invalid_item,
        correct_low, correct_high, first_term, second_term, triplets_low, triplets_high, active_low, active_high,
        positive_distance, negative_distance, value_scale, slope
    );
    let partials = ("partials".to_string(), WorkspaceHeader::SIZE as u32);
    assert_eq!(without_kinds("Workspace").0, [header.to_vec(), vec![partials]].concat());
}

#[test]
fn records_are_as_large_on_host_and_device() {
    for (name, size) in [
        ("Row", rows::layout::RECORD_SIZE),
        ("Region", regions::scores::RECORD_SIZE),
        ("Record", all_pairs::layout::RECORD_SIZE),
    ] {
        let module = module_of(kernel_with(Holds::Values(name)));
        let (_, found) = layout_of(&module, name).expect("the struct is there");
        assert_eq!(u64::from(found), size, "{name}");
    }
}

/// Of every step, and of its kernel once.
#[test]
fn uniforms_are_the_words_that_steps_fill() {
    let mut known = BTreeSet::new();
    for spec in ALL {
        for call in calls(spec) {
            for step in call.program().steps {
                let kernel = &step.kernel;
                let name = format!("{}, {}", spec.name, step.entry);
                assert_eq!(step.call.members(), kernel.call, "{name}");
                assert_eq!(step.call.bytes().len(), 4 * kernel.call.len(), "{name}");
                assert_eq!(step.bound.len(), kernel.tensors.len(), "{name}");
                if !known.insert((kernel.call.clone(), kernel.params.clone())) {
                    continue;
                }
                let module = module_of(kernel);
                let words = kernel.call.iter().zip(0..).map(|((name, ty), place)| {
                    let kind = if *ty == "f32" { ScalarKind::Float } else { ScalarKind::Uint };
                    (name.to_string(), 4 * place, Some(kind))
                });
                let words: Vec<_> = words.collect();
                let expected = (!words.is_empty()).then_some((words, 4 * kernel.call.len() as u32));
                assert_eq!(layout_of(&module, "Call"), expected, "{name}");

                let of_part = step.params.as_ref();
                let bytes = of_part.cloned().unwrap_or_else(|| kernel.bytes_of_params(&call.values));
                let (params, size) = layout_of(&module, "Params").unwrap_or_default();
                assert_eq!((bytes.len(), params.len()), (size as usize, kernel.params.len()), "{name}");
                // Those of a part are the values of its own loss.
                for (member, offset, kind) in params.into_iter().filter(|_| of_part.is_none()) {
                    let mut values = call.values.iter();
                    let (param, value) = values.find(|(param, _)| param.member() == member).expect("a parameter");
                    let expected = match value {
                        Value::Number(_) => ScalarKind::Float,
                        Value::Integer(_) => ScalarKind::Sint,
                        Value::Flag(_) | Value::Word(_) => ScalarKind::Uint,
                    };
                    let word = param.uniform(value).to_le_bytes();
                    let found = &bytes[offset as usize..offset as usize + 4];
                    assert_eq!((kind, found), (Some(expected), &word[..]), "{name}: {member}");
                }
            }
        }
    }
    assert!(!known.is_empty());
}
