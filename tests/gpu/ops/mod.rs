//! Operations around a loss, on every adapter.

mod clip_grad_norm;
mod clip_grad_value;
mod curriculum;
mod diagnose;
mod errors;
mod golden;
mod grad_norm;
mod scale_gradients;

use fastrand::Rng;
use wgloss::{DType, Gpu, HostTensor, Named, Tensor, TensorType, ops::Operation};

use crate::common::{adapters, caller::buffer, device::submit};

pub type Tensors = Named<HostTensor<'static>>;

/// A tensor of any storage type with these values.
pub fn tensor(values: &[f64], dtype: DType) -> HostTensor<'static> {
    HostTensor::rounded(values, dtype, [values.len()]).unwrap()
}

/// Fifty tensors of mixed sizes and types, some of several workgroups, whose values are about as large as the scale.
pub fn fifty(scale: f64) -> Tensors {
    const SIZES: [usize; 10] = [1, 2, 3, 5, 8, 31, 0, 257, 1000, 4099];
    let mut rng = Rng::with_seed(3);
    let one = |number: usize| {
        let size = if number == 24 { 100_001 } else { SIZES[number % SIZES.len()] };
        let dtype = DType::FLOATS[number % 3];
        // An f16 holds no more.
        let scale = if dtype == DType::F16 { scale.clamp(1e-2, 1e2) } else { scale };
        let values: Vec<f64> = (0..size).map(|_| scale * (2.0 * rng.f64() - 1.0)).collect();
        (format!("layer.{number}"), tensor(&values, dtype))
    };
    (0..50).map(one).collect()
}

pub fn doubles(tensors: &Tensors) -> Vec<Vec<f64>> {
    tensors.iter().map(|(_, tensor)| tensor.to_f64()).collect()
}

/// By how much a value of a storage type may differ from what it should be: by a rounding to f32 and a few more, and of
/// halves by one place.
pub fn slack(expected: f64, dtype: DType) -> f64 {
    let places = match dtype {
        DType::F16 => 2_f64.powi(-10),
        DType::BF16 => 2_f64.powi(-7),
        _ => 0.0,
    };
    expected.abs() * (1e-6 + places) + if dtype == DType::F16 { 2_f64.powi(-24) } else { 1e-38 }
}

/// How tensors lie in the caller's buffers.
#[derive(Clone, Copy, Debug)]
pub enum Lie {
    /// All in one, with room behind each.
    InOne,
    /// Each in a buffer that ends where it ends.
    Tight,
}

/// What an operation makes of tensors in the caller's buffers, and what it tells. What is behind each must stay as it
/// was.
pub fn in_the_callers_buffers<O: Operation>(gpu: &Gpu, op: &O, tensors: &Tensors, lie: Lie) -> (Tensors, O::Report) {
    const FILLING: u8 = 0x5a;
    let usages = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
    let filled = |size: u64| {
        let buffer = buffer(gpu, size, usages);
        gpu.queue().write_buffer(&buffer, 0, &vec![FILLING; size as usize]);
        buffer
    };
    // Behind each more than any adapter's alignment.
    let slot = |host: &HostTensor<'_>| (host.ty().buffer_size() + 64).next_multiple_of(512);
    let shared = filled(tensors.iter().map(|(_, host)| slot(host)).sum());
    let mut offset = 0;
    let mut bound: Vec<(String, Tensor)> = Vec::new();
    for (name, host) in tensors.iter() {
        let (own, start) = match lie {
            Lie::InOne => (shared.clone(), offset),
            Lie::Tight => (filled(host.ty().buffer_size().max(4)), 0),
        };
        offset += slot(host);
        let placed = Tensor::from_buffer(gpu, own, start, host.ty().clone());
        placed.write(host).unwrap();
        bound.push((name.to_string(), placed));
    }
    let behind = |tensor: &Tensor| {
        let end = match lie {
            Lie::InOne => tensor.ty().buffer_size() + 64,
            Lie::Tight => tensor.buffer().size(),
        };
        let whole = TensorType::new(DType::I32, [end as usize / 4]);
        let whole = Tensor::from_buffer(gpu, tensor.buffer().clone(), tensor.offset(), whole);
        whole.read_blocking().unwrap().bytes()[tensor.ty().elements() as usize * tensor.dtype().size()..].to_vec()
    };
    let before: Vec<Vec<u8>> = bound.iter().map(|(_, tensor)| behind(tensor)).collect();
    let plan = op.plan(gpu, &tensors.map(|host| host.ty().clone())).unwrap();
    let places = bound.iter().map(|(name, tensor)| (name.clone(), tensor.slice())).collect();
    let op = plan.bind(&places).unwrap();
    submit(gpu, |encoder| op.record(encoder));
    for ((name, tensor), before) in bound.iter().zip(before) {
        assert!(behind(tensor) == before, "{name} has changed behind its end, {lie:?} on {}", gpu.adapter_id());
    }
    let now = bound.iter().map(|(name, tensor)| (name.clone(), tensor.read_blocking().unwrap())).collect();
    (now, op.read_blocking().unwrap())
}
