//! What brings a value of each task from a tensor of all to places where it can be bound by itself, and back.

use std::sync::Arc;

use crate::{
    BufferSlice, DType, Error, Gpu, Named,
    dispatch::{Bindable, Compiled, Dispatches, Located},
    gpu::{Loops, Machine},
    kernel::{Kernel, TensorView, block},
    program::{Place, Program, Scratch, Step},
    spec::shader_file,
};

const SOURCE: &str = "source";
const DESTINATION: &str = "destination";

/// A value of each task, so many bytes apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Values<'a> {
    pub buffer: &'a wgpu::Buffer,
    pub stride: u64,
}

/// Bytes of a value.
const VALUE: u64 = size_of::<f32>() as u64;

/// Bytes of values side by side from one to the next.
pub(super) const SIDE_BY_SIDE: u64 = VALUE;

/// Bytes of so many values that lie so far apart.
fn size(tasks: u64, stride: u64) -> u64 {
    (tasks - 1) * stride + VALUE
}

/// The program that copies one value for each task between tensors of these strides in bytes.
pub(crate) fn program(machine: &Machine, tasks: u32, [from, to]: [u64; 2]) -> Program {
    let tuning = machine.tuning;
    let words = |stride: u64| (stride / VALUE) as u32;
    let call = block! { tasks, source_stride: words(from), destination_stride: words(to) };
    let mut kernel = Kernel::new(tuning.workgroup_size, tuning.reduce).with_call(&call);
    kernel.tensors = vec![TensorView::read(SOURCE, DType::F32), TensorView::write(DESTINATION, DType::F32)];
    kernel.join([shader_file!("joint/copy.wgsl")]);
    let place = |name: &str, stride: u64| Place::Tensor(name.to_string(), 0..size(tasks.into(), stride));
    // Nothing is left for later steps.
    let mut program = Program::new(vec![Scratch { label: "the workspace", size: 0 }]);
    program.steps.push(Step {
        kernel: Arc::new(kernel),
        entry: "copy_values",
        call,
        params: None,
        bound: vec![place(SOURCE, from), place(DESTINATION, to)],
        workgroups: [tasks.div_ceil(tuning.workgroup_size), 1, 1],
        loops: Loops::NONE,
    });
    program
}

/// The copy of a value for each task, bound to buffers of ours.
pub(super) fn bound(
    gpu: &Gpu,
    loss: &'static str,
    tasks: u32,
    from: Values<'_>,
    to: Values<'_>,
) -> Result<Dispatches, Error> {
    let compiled = Compiled::new(gpu, loss, program(gpu.machine(), tasks, [from.stride, to.stride]))?;
    let bindable = |name, stride, is_written| Bindable { name, size: size(tasks.into(), stride), is_written };
    let tensors = [bindable(SOURCE, from.stride, false), bindable(DESTINATION, to.stride, true)];
    let buffers = Named::<BufferSlice<'_>>::new().with(SOURCE, from.buffer).with(DESTINATION, to.buffer);
    let located = Located::new(gpu, loss, tensors.into_iter(), &buffers)?;
    compiled.bind(gpu, loss, &located, |_| Vec::new())
}
