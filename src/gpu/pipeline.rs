//! The compiled kernels of a device.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    Error, Gpu,
    kernel::{FIRST_TENSOR, Kernel, Text},
    spec::ShaderFile,
};

/// A compiled entry point and the layout of its bind group.
#[derive(Clone, Debug)]
pub(crate) struct Pipeline {
    pub pipeline: wgpu::ComputePipeline,
    pub layout: wgpu::BindGroupLayout,
}

/// Compiles each entry point of each kernel once.
#[derive(Default)]
pub(crate) struct PipelineCache(Mutex<HashMap<Arc<Kernel>, Compiled>>);

/// What there is of a kernel: the layout, once anything is, and the entry points that were asked for.
struct Compiled {
    layout: wgpu::BindGroupLayout,
    pipelines: HashMap<&'static str, wgpu::ComputePipeline>,
}

impl PipelineCache {
    /// The pipelines of a kernel's entry points, in their order. What is not compiled yet is compiled from one module.
    /// `loss` is what messages and labels call it.
    pub fn get(
        &self,
        gpu: &Gpu,
        loss: &'static str,
        kernel: &Arc<Kernel>,
        entries: &[&'static str],
    ) -> Result<Vec<Pipeline>, Error> {
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = cache.get(kernel);
        let is_missing = |entry: &&&str| known.is_none_or(|known| !known.pipelines.contains_key(**entry));
        let missing: Vec<_> = entries.iter().filter(is_missing).copied().collect();
        if !missing.is_empty() {
            let (layout, pipelines) = compile(gpu, loss, kernel, known.map(|known| &known.layout), &missing)?;
            let compiled =
                cache.entry(kernel.clone()).or_insert_with(|| Compiled { layout, pipelines: HashMap::new() });
            compiled.pipelines.extend(missing.into_iter().zip(pipelines));
        }
        let found = cache.get(kernel).into_iter().flat_map(|compiled| {
            let pipeline = |entry: &&'static str| {
                let pipeline = compiled.pipelines.get(*entry)?.clone();
                Some(Pipeline { pipeline, layout: compiled.layout.clone() })
            };
            entries.iter().filter_map(pipeline)
        });
        Ok(found.collect())
    }

    /// How many entry points are compiled.
    pub fn len(&self) -> usize {
        let cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cache.values().map(|compiled| compiled.pipelines.len()).sum()
    }
}

/// The layout, if there is none yet, and the pipelines of these entry points.
fn compile(
    gpu: &Gpu,
    loss: &'static str,
    kernel: &Kernel,
    layout: Option<&wgpu::BindGroupLayout>,
    entries: &[&'static str],
) -> Result<(wgpu::BindGroupLayout, Vec<wgpu::ComputePipeline>), Error> {
    let (needed, available) = (kernel.tensors.len() as u64, gpu.limits().max_storage_buffers_per_shader_stage);
    if needed > available.into() {
        return Err(gpu.limit(loss, "max_storage_buffers_per_shader_stage", needed, available.into()));
    }

    let text = kernel.assemble();
    let module = shader_module(gpu, loss, kernel, &text)?;
    gpu.catching(loss, |device| {
        let entries_of_layout = layout_entries(kernel);
        let layout = layout.cloned().unwrap_or_else(|| {
            let descriptor = wgpu::BindGroupLayoutDescriptor { label: Some(loss), entries: &entries_of_layout };
            device.create_bind_group_layout(&descriptor)
        });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(loss),
            bind_group_layouts: &[Some(&layout)],
            ..Default::default()
        });
        let pipeline = |entry: &&str| {
            device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(&format!("{loss} {entry} ({})", kernel.variant())),
                layout: Some(&pipeline_layout),
                module: &module,
                entry_point: Some(entry),
                // Reductions write every word of workgroup memory before they read it.
                compilation_options: wgpu::PipelineCompilationOptions {
                    zero_initialize_workgroup_memory: false,
                    ..Default::default()
                },
                cache: None,
            })
        };
        let pipelines = entries.iter().map(pipeline).collect();
        (layout, pipelines)
    })
}

fn shader_module(gpu: &Gpu, loss: &'static str, kernel: &Kernel, text: &Text) -> Result<wgpu::ShaderModule, Error> {
    let label = format!("{loss} ({})", kernel.variant());
    let descriptor = wgpu::ShaderModuleDescriptor {
        label: Some(&label),
        source: wgpu::ShaderSource::Wgsl(text.source.as_str().into()),
    };
    gpu.catching(loss, |device| device.create_shader_module(descriptor)).map_err(|error| match error {
        Error::Refused { message, .. } => {
            let built_in = kernel.files.iter().all(ShaderFile::is_built_in);
            let (location, message) = match text.fault() {
                Some(fault) => (fault.place.to_string(), fault.message),
                None => ("?".to_string(), message),
            };
            Error::Shader { loss, built_in, location, message }
        }
        other => other,
    })
}

/// The bindings of group 0: the uniforms that the kernel has, then the tensors.
pub(crate) fn layout_entries(kernel: &Kernel) -> Vec<wgpu::BindGroupLayoutEntry> {
    let entry = |binding, ty| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
        count: None,
    };
    let uniforms = kernel.uniforms().map(|binding| entry(binding, wgpu::BufferBindingType::Uniform));
    let tensors = (FIRST_TENSOR..).zip(&kernel.tensors).map(|(binding, view)| {
        entry(binding, wgpu::BufferBindingType::Storage { read_only: !view.is_bound_for_writing() })
    });
    uniforms.chain(tensors).collect()
}
