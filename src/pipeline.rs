//! The compiled kernels of a device.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    Error, Gpu,
    shader::{Assembled, Binding, Entry, Kernel, Pass, Role},
};

/// A compiled entry point and the layout of its bind group.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub pipeline: wgpu::ComputePipeline,
    pub layout: wgpu::BindGroupLayout,
    pub bindings: Vec<Binding>,
}

/// Compiles each kernel once.
#[derive(Default)]
pub(crate) struct PipelineCache(Mutex<HashMap<(Kernel, Entry), Arc<Pipeline>>>);

impl PipelineCache {
    pub fn get(&self, gpu: &Gpu, kernel: &Kernel, entry: Entry) -> Result<Arc<Pipeline>, Error> {
        let mut pipelines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (kernel.clone(), entry);
        if let Some(pipeline) = pipelines.get(&key) {
            return Ok(pipeline.clone());
        }
        let pipeline = Arc::new(compile(gpu, kernel, entry)?);
        pipelines.insert(key, pipeline.clone());
        Ok(pipeline)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

fn compile(gpu: &Gpu, kernel: &Kernel, entry: Entry) -> Result<Pipeline, Error> {
    let name = kernel.name();
    let bindings = kernel.bindings();
    let storage_buffers = bindings.iter().filter(|binding| binding.role != Role::Params).count() as u64;
    let available = u64::from(gpu.limits().max_storage_buffers_per_shader_stage);
    if storage_buffers > available {
        return Err(gpu.limit(name, "max_storage_buffers_per_shader_stage", storage_buffers, available));
    }

    let text = kernel.assemble();
    let module = shader_module(gpu, name, &text)?;
    gpu.catching(name, |device| {
        let entries: Vec<_> = bindings.iter().zip(0..).map(|(binding, number)| layout_entry(binding, number)).collect();
        let layout =
            device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(name), entries: &entries });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(name),
            bind_group_layouts: &[Some(&layout)],
            ..Default::default()
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(name),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some(entry.name()),
            // Reductions write every word of workgroup memory before they read it.
            compilation_options: wgpu::PipelineCompilationOptions {
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: None,
        });
        Pipeline { pipeline, layout, bindings: bindings.clone() }
    })
}

fn shader_module(gpu: &Gpu, name: &'static str, text: &Assembled) -> Result<wgpu::ShaderModule, Error> {
    let descriptor = wgpu::ShaderModuleDescriptor {
        label: Some(name),
        source: wgpu::ShaderSource::Wgsl(text.source.as_str().into()),
    };
    gpu.catching(name, |device| device.create_shader_module(descriptor)).map_err(|error| match error {
        Error::Refused { message, .. } => {
            Error::Shader { loss: name, built_in: true, location: text.locate_in(&message), message }
        }
        other => other,
    })
}

fn layout_entry(binding: &Binding, number: u32) -> wgpu::BindGroupLayoutEntry {
    let ty = match binding.role {
        Role::Params => wgpu::BufferBindingType::Uniform,
        _ => wgpu::BufferBindingType::Storage { read_only: !binding.writable },
    };
    wgpu::BindGroupLayoutEntry {
        binding: number,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
        count: None,
    }
}

impl Kernel {
    /// What messages and labels call the kernel.
    pub fn name(&self) -> &'static str {
        match &self.pass {
            Pass::Loss(variant) | Pass::Scores(variant) => variant.loss.0.name,
            Pass::Batch(kernel) => kernel.name(),
            Pass::Finalize => "finalize",
        }
    }
}
