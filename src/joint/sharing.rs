//! Which tensors of several plans may lie in the same memory, where one is recorded after the other.

use std::ops::Range;

use crate::{BufferSlice, DType, Error, Named, Plan, TensorType, drivers::gradient_name};

/// What a plan does with a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Reads,
    Writes,
    Adds,
}

/// A tensor of a plan and where it lies.
struct Bound<'a> {
    plan: usize,
    name: String,
    buffer: &'a wgpu::Buffer,
    range: Range<u64>,
    dtype: DType,
    used: Use,
}

/// That no plan reads what another writes, and that a later one only adds to what an earlier one writes, in the same
/// type. `plans` are in the order in which they are recorded, each with its name and those of its tensors that the
/// caller binds.
pub(super) fn check<'a>(
    loss: &'static str,
    plans: impl Iterator<Item = (&'a str, &'a Plan, &'a Named<BufferSlice<'a>>)>,
) -> Result<(), Error> {
    let bound: Vec<Bound<'_>> = plans.enumerate().flat_map(|(number, plan)| tensors(number, plan)).collect();
    for (index, later) in bound.iter().enumerate() {
        for earlier in &bound[..index] {
            let is_shared = earlier.plan != later.plan
                && earlier.buffer == later.buffer
                && earlier.range.start < later.range.end
                && later.range.start < earlier.range.end;
            let is_right = match (earlier.used, later.used) {
                (Use::Reads, Use::Reads) => true,
                // Numbers of one type are added to numbers of that type alone.
                (Use::Writes | Use::Adds, Use::Adds) => earlier.dtype == later.dtype,
                (Use::Reads, _) | (_, Use::Reads | Use::Writes) => false,
            };
            if is_shared && !is_right {
                let (output, other) = if later.used == Use::Reads { (earlier, later) } else { (later, earlier) };
                return Err(Error::BufferOverlap { loss, output: output.name.clone(), other: other.name.clone() });
            }
        }
    }
    Ok(())
}

fn tensors<'a>(
    number: usize,
    (name, plan, buffers): (&'a str, &'a Plan, &'a Named<BufferSlice<'a>>),
) -> Vec<Bound<'a>> {
    let overwritten: Vec<&str> = match plan.is_in_place() {
        true => plan.differentiable().map(|(input, _)| input.name).collect(),
        false => Vec::new(),
    };
    let gradients: Vec<String> = plan.differentiable().map(|(input, _)| gradient_name(input.name)).collect();
    let (inputs, outputs) = (plan.inputs(), plan.outputs());
    let of = |tensor: &str, ty: &TensorType, used| {
        let BufferSlice { buffer, offset } = *buffers.get(tensor)?;
        Some(Bound {
            plan: number,
            name: format!("{name}: {tensor}"),
            buffer,
            range: offset..offset + ty.buffer_size(),
            dtype: ty.dtype,
            used,
        })
    };
    let read = inputs.iter().filter_map(|(tensor, ty)| {
        of(tensor, ty, if overwritten.contains(&tensor) { Use::Writes } else { Use::Reads })
    });
    let written = outputs.iter().filter_map(|(tensor, ty)| {
        let adds = plan.adds() && gradients.iter().any(|gradient| gradient == tensor);
        of(tensor, ty, if adds { Use::Adds } else { Use::Writes })
    });
    read.chain(written).collect()
}
