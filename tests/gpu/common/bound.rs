//! Plans bound to the caller's buffers.

use wgloss::{DType, Evaluation, Gpu, Gradients, Loss, Named, Options, Plan, Tensor, TensorType};

use super::{caller::buffer, device::submit, inputs::Inputs};

/// How the tensors of a call lie in the caller's buffers.
#[derive(Clone, Copy, Debug)]
pub enum Buffers {
    /// All in one, with room behind each.
    One,
    /// One for each, with room behind it.
    Roomy,
    /// One for each, which ends where the tensor ends.
    Tight,
}

/// The evaluation by a plan bound to the caller's buffers, full of one byte beforehand. What is behind each tensor that
/// is written must stay as it was.
pub fn evaluated_in_the_callers_buffers(
    gpu: &Gpu,
    loss: &(impl Loss + std::fmt::Debug),
    inputs: &Inputs,
    options: Options,
    buffers: Buffers,
    filling: u8,
) -> Evaluation {
    // More than the alignment of any adapter, and than any tensor here needs.
    const SLOT: u64 = 512;
    let filled = |size: u64| {
        let usages = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let buffer = buffer(gpu, size, usages);
        gpu.queue().write_buffer(&buffer, 0, &vec![filling; buffer.size() as usize]);
        buffer
    };
    let types = inputs.map(|host| host.ty().clone());
    let plan = Plan::new(gpu, loss, &types, options).unwrap();
    let outputs = plan.outputs();
    let types: Vec<_> = types.iter().chain(outputs.iter()).collect();
    let shared = filled(SLOT * types.len() as u64);
    let place = |(slot, (name, ty)): (usize, &(&str, &TensorType))| {
        let (buffer, offset) = match buffers {
            Buffers::One => (shared.clone(), SLOT * slot as u64),
            Buffers::Roomy => (filled(SLOT), 0),
            Buffers::Tight => (filled(ty.buffer_size()), 0),
        };
        (name.to_string(), Tensor::from_buffer(gpu, buffer, offset, (*ty).clone()))
    };
    let tensors: Named<Tensor> = types.iter().enumerate().map(place).collect();
    for (name, host) in inputs.iter() {
        tensors.get(name).unwrap().write(host).unwrap();
    }
    let whole_slot = |tensor: &Tensor| {
        let size = SLOT.min(tensor.buffer().size());
        let whole = TensorType::new(DType::I32, [size as usize / 4]);
        Tensor::from_buffer(gpu, tensor.buffer().clone(), tensor.offset(), whole).read_blocking().unwrap()
    };
    // In place, gradients are where their inputs were. What is behind these was written with them.
    let in_place: Vec<&str> = match options.gradients {
        Gradients::InPlace => loss.spec().differentiable().map(|input| input.name).collect(),
        _ => Vec::new(),
    };
    let written = outputs.iter().map(|(name, _)| name).chain(in_place.iter().copied());
    let behind = |name: &str| {
        let tensor = tensors.get(name).unwrap();
        whole_slot(tensor).bytes()[tensor.ty().elements() as usize * tensor.dtype().size()..].to_vec()
    };
    let before: Vec<_> = written.map(|name| (name, behind(name))).collect();
    let bound = plan.bind(&tensors.iter().map(|(name, tensor)| (name.to_string(), tensor.slice())).collect()).unwrap();
    submit(gpu, |encoder| bound.record(encoder));
    for (name, before) in before {
        assert!(behind(name) == before, "{loss:?} wrote behind {name}");
    }

    let read = |name: &str| tensors.get(name).unwrap().read_blocking().unwrap();
    let elsewhere = outputs.iter().filter_map(|(name, _)| Some((name.strip_prefix("grad.")?.to_string(), read(name))));
    let gradients = elsewhere.chain(in_place.iter().map(|name| (name.to_string(), read(name)))).collect();
    let status = bound.read_status_blocking().unwrap();
    let mut evaluation = Evaluation::new(read("loss"), status.items);
    evaluation.gradients = gradients;
    evaluation.extras = status.extras().to_vec();
    evaluation
}
