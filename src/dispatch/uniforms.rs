//! The uniforms of bound steps.

use std::{collections::HashMap, ops::Range};

use crate::{
    Error, Gpu,
    kernel::{CALL, Kernel},
    program::{Step, uniform_size},
};

/// The uniforms of all steps in one buffer, each block once.
pub(super) struct Uniforms {
    buffer: wgpu::Buffer,
    /// Where `call` and `params` of each step lie.
    blocks: Vec<[Range<u64>; 2]>,
}

impl Uniforms {
    pub fn new(gpu: &Gpu, steps: &[Step], params: impl Fn(&Kernel) -> Vec<u8>) -> Result<Self, Error> {
        let alignment = gpu.limits().min_uniform_buffer_offset_alignment as usize;
        let mut bytes: Vec<u8> = Vec::new();
        let mut known: HashMap<Vec<u8>, Range<u64>> = HashMap::new();
        let mut place = |block: Vec<u8>| {
            known
                .entry(block)
                .or_insert_with_key(|block| {
                    let start = bytes.len().next_multiple_of(alignment);
                    let end = start + uniform_size(block.len());
                    bytes.resize(start, 0);
                    bytes.extend(block);
                    bytes.resize(end, 0);
                    start as u64..end as u64
                })
                .clone()
        };
        let params = |step: &Step| step.params.clone().unwrap_or_else(|| params(&step.kernel));
        let blocks = steps.iter().map(|step| [place(step.call.bytes()), place(params(step))]).collect();
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let buffer = gpu.buffer("the parameters", bytes.len() as u64, usage)?;
        gpu.catching("the parameters", |_| gpu.queue().write_buffer(&buffer, 0, &bytes))?;
        Ok(Uniforms { buffer, blocks })
    }

    pub fn resource(&self, step: usize, binding: u32) -> wgpu::BindingResource<'_> {
        let [call, params] = &self.blocks[step];
        resource(&self.buffer, 0, if binding == CALL { call } else { params })
    }
}

/// Bytes of a buffer from an offset on; all of an empty one, because nothing cannot be bound.
pub(super) fn resource<'a>(buffer: &'a wgpu::Buffer, offset: u64, range: &Range<u64>) -> wgpu::BindingResource<'a> {
    let size = wgpu::BufferSize::new(range.end - range.start);
    wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset: offset + range.start, size })
}
