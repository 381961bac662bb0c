//! A test of hooks with what they are joined to, before there is a device.

use std::collections::BTreeMap;

use super::{
    CustomFault,
    inputs::signature,
    words::{declared, last_word, members_of, types_of},
};
use crate::{
    DType, Error, Options, Reduce, Reduction, RowKernel, Signature, TensorType, Tuning,
    drivers::{Call, program},
    gpu::Machine,
    kernel::{Fault, Kernel, Place, Text},
    spec::{Kind, LossSpec, Shape},
};

/// What is wrong with the hooks of a loss.
pub(super) fn check(spec: &'static LossSpec) -> Result<(), Error> {
    let texts = texts(spec)?;
    let custom = |fault| Err(Error::Custom { loss: spec.name.to_string(), fault: Box::new(fault) });
    if let Some(fault) = redefinition(spec, &texts) {
        return custom(fault);
    }
    for text in texts.iter().filter(|text| text.dtype == DType::F32) {
        let Some(fault) = text.text.fault() else { continue };
        return match named(spec, &fault) {
            Some(fault) => custom(fault),
            None => {
                let location = place_in_hooks(spec, &fault).to_string();
                Err(Error::Shader { loss: spec.name, built_in: false, location, message: fault.message })
            }
        };
    }
    Ok(())
}

/// A kernel that has the hooks in it.
struct Joined {
    dtype: DType,
    text: Text,
}

/// The kernels that calls of different types and of many rows or few have.
fn texts(spec: &'static LossSpec) -> Result<Vec<Joined>, Error> {
    let layouts: &[(RowKernel, &[usize])] = match spec.rows() {
        None => &[(RowKernel::BySize, &[6, 5])],
        Some(_) => &[(RowKernel::Lane, &[6, 5]), (RowKernel::Workgroup, &[6, 7]), (RowKernel::Parts, &[2, 4097])],
    };
    let mut texts = Vec::new();
    for dtype in DType::FLOATS {
        for (rows, shape) in layouts {
            let kernels = kernels(spec, dtype, *rows, shape)?;
            texts.extend(kernels.iter().map(|kernel| Joined { dtype, text: kernel.assemble() }));
        }
    }
    Ok(texts)
}

/// The kernels with hooks of a call that is given every input.
fn kernels(spec: &'static LossSpec, dtype: DType, rows: RowKernel, shape: &[usize]) -> Result<Vec<Kernel>, Error> {
    let tuning = Tuning {
        workgroup_size: 64,
        workgroups: 2048,
        reduce: Reduce::Workgroup,
        max_loop_iterations: u32::MAX,
        rows,
        lane_classes: 64,
        few_rows: 16,
        cached_classes: 0,
        least_lanes: 32,
    };
    let (adapter, limits) = ("none".to_string(), wgpu::Limits::defaults());
    let machine = Machine { adapter, limits, tuning, table: tuning, stores_components: false };
    let values = spec.values(&[])?;
    let shaped = Signature::of_shape(&values, shape)?;
    let types = spec.all_inputs().map(|input| {
        let dtype = if input.kind == Kind::Index { DType::I32 } else { dtype };
        let shape = if input.shape == Shape::OneOrItems { vec![1] } else { shaped.shape_of(input) };
        (input.name.to_string(), TensorType::new(dtype, shape))
    });
    // The reduction with which every input may be given.
    let options = Options::new(Reduction::Sum);
    let signature = Signature::new(spec, &values, &types.collect(), &options)?;
    let call = Call {
        machine: &machine,
        values: &values,
        signature: &signature,
        options: &options,
        roomy: false,
        panels: None,
    };
    let program = program(&call)?;
    let kernels = program.steps.iter().map(|step| &*step.kernel);
    Ok(kernels.filter(|kernel| kernel.files.contains(&spec.shader)).cloned().collect())
}

/// A name that the hooks declare although something else has it.
fn redefinition(spec: &'static LossSpec, texts: &[Joined]) -> Option<CustomFault> {
    let mut taken: BTreeMap<&str, &str> = BTreeMap::new();
    let parts = texts.iter().flat_map(|joined| joined.text.parts());
    for (file, part) in parts.filter(|(file, _)| *file != spec.shader.path) {
        declared(part).into_iter().for_each(|word| _ = taken.entry(word.text).or_insert(file));
    }
    declared(spec.shader.source).into_iter().find_map(|word| {
        let by = taken.get(word.text).copied().or_else(|| is_of_wgsl(word.text).then_some("WGSL itself"))?;
        let location = Place::of(spec.shader.path, spec.shader.source, word.byte).to_string();
        Some(CustomFault::Redefined { location, name: word.text.to_string(), by: by.to_string() })
    })
}

/// Whether WGSL has a function or a type of that name, which a declaration would hide from all files.
fn is_of_wgsl(name: &str) -> bool {
    #[cfg(not(target_arch = "wasm32"))]
    return wgpu::naga::keywords::wgsl::BUILTIN_IDENTIFIERS.contains(&name);
    #[cfg(target_arch = "wasm32")]
    return false;
}

/// Where the hooks have a fault. One that shows in what they are joined to, which is right by itself, comes of them: of
/// their end, where a compiler reads on, or of a function that does what it must not.
fn place_in_hooks(spec: &'static LossSpec, fault: &Fault) -> Place<'static> {
    let (path, source) = (spec.shader.path, spec.shader.source);
    let reads_on = fault.message.starts_with("expected");
    let word = if reads_on { last_word(source) } else { declared(source).into_iter().next() };
    match word {
        Some(word) if fault.place.file != path => Place::of(path, source, word.byte),
        _ => fault.place,
    }
}

/// What a compiler's fault comes of, where that can be told.
fn named(spec: &'static LossSpec, fault: &Fault) -> Option<CustomFault> {
    let (path, source) = (spec.shader.path, spec.shader.source);
    let place = |byte| Place::of(path, source, byte).to_string();
    if fault.place.file == path {
        let known: Vec<String> = spec.params.iter().map(|param| param.member()).collect();
        let undeclared = members_of(source, "params").into_iter().find(|word| !known.iter().any(|k| k == word.text))?;
        let parameter = undeclared.text.to_string();
        return Some(CustomFault::UndeclaredParameter { location: place(undeclared.byte), parameter, known });
    }
    let hook = ["loss_and_grad", "row_outcome", "class_gradient"].into_iter().find(|hook| {
        let wanted = types_of(&signature(hook, spec.inputs), hook);
        types_of(source, hook).is_some_and(|own| Some(own) != wanted)
    })?;
    let own = declared(source).into_iter().find(|word| word.text == hook)?;
    Some(CustomFault::Signature { location: place(own.byte), hook, signature: signature(hook, spec.inputs) })
}
