//! The kernels of GPUs in the languages of Metal, Direct3D and GL, as wgpu asks naga for them.

use naga::{
    Module, ShaderStage,
    back::{glsl, hlsl, msl, pipeline_constants::process_overrides},
    proc::{BoundsCheckPolicies, BoundsCheckPolicy},
    valid::ModuleInfo,
};
use wgpu::{AdapterInfo, Backend, DeviceType, Features, Limits};

use super::{
    super::one_of,
    gpu_kernels::{self, GpuKernel},
    module_of,
};

const CHECKED: BoundsCheckPolicies = BoundsCheckPolicies {
    index: BoundsCheckPolicy::Restrict,
    buffer: BoundsCheckPolicy::Restrict,
    image_load: BoundsCheckPolicy::Restrict,
    binding_array: BoundsCheckPolicy::Unchecked,
};

/// Every kernel that a discrete GPU gets, or every 24th.
fn kernels() -> Vec<GpuKernel> {
    let info = AdapterInfo {
        name: "none".to_string(),
        subgroup_min_size: 32,
        subgroup_max_size: 64,
        ..AdapterInfo::new(DeviceType::DiscreteGpu, Backend::Vulkan)
    };
    // What GPUs have at least, but for buffers as large as those of Metal.
    let (bytes, workgroup_memory) = (1 << 31, 32 << 10);
    let limits = Limits {
        max_buffer_size: bytes,
        max_storage_buffer_binding_size: bytes,
        max_compute_workgroup_storage_size: workgroup_memory,
        ..Limits::defaults()
    };
    let machine = |features| gpu_kernels::machine(&info, features, &limits);
    let kernels = gpu_kernels::kernels(&machine(Features::SUBGROUP), &machine(Features::empty()));
    let turns = one_of(48, 6);
    kernels.into_iter().step_by(turns).collect()
}

/// That a language takes each of these entry points.
fn takes_each<'a>(
    language: &str,
    kernels: impl Iterator<Item = &'a GpuKernel>,
    write: impl Fn(&Module, &ModuleInfo, &str) -> Result<(), String>,
) {
    let (mut count, mut errors) = (0, Vec::new());
    for used in kernels {
        let (module, info) = module_of(&used.kernel);
        for (entry, key) in &used.entries {
            count += 1;
            let chosen = Some((ShaderStage::Compute, *entry));
            let (module, info) =
                process_overrides(&module, &info, chosen, &Default::default()).expect("there are no overrides");
            if let Err(error) = write(&module, &info, entry) {
                errors.push(format!("{}: {error}", key.join(" ")));
            }
        }
    }
    assert!(count > 0);
    assert!(errors.is_empty(), "{language} refuses {} of {count} entry points:\n{}", errors.len(), errors.join("\n"));
}

#[test]
fn every_kernel_of_gpus_can_be_written_for_metal() {
    let options = msl::Options {
        lang_version: (2, 4),
        bounds_check_policies: CHECKED,
        zero_initialize_workgroup_memory: false,
        ..msl::Options::default()
    };
    takes_each("Metal", kernels().iter(), |module, info, entry| {
        let pipeline = msl::PipelineOptions {
            entry_point: Some((ShaderStage::Compute, entry.to_string())),
            ..msl::PipelineOptions::default()
        };
        let (_, told) = msl::write_string(module, info, &options, &pipeline).map_err(|error| error.to_string())?;
        told.entry_point_names.into_iter().try_for_each(|name| name.map(drop)).map_err(|error| error.to_string())
    });
}

#[test]
fn every_kernel_of_gpus_can_be_written_for_direct3d() {
    let options = hlsl::Options {
        shader_model: hlsl::ShaderModel::V6_0,
        zero_initialize_workgroup_memory: false,
        ..hlsl::Options::default()
    };
    takes_each("Direct3D", kernels().iter(), |module, info, entry| {
        let pipeline = hlsl::PipelineOptions { entry_point: Some((ShaderStage::Compute, entry.to_string())) };
        let mut text = String::new();
        let mut writer = hlsl::Writer::new(&mut text, &options, &pipeline);
        let told = writer.write(module, info, None).map_err(|error| error.to_string())?;
        told.entry_point_names.into_iter().try_for_each(|name| name.map(drop)).map_err(|error| error.to_string())
    });
}

/// OpenGL ES 3.1; its extension for subgroups serves where they are.
#[test]
fn every_kernel_of_gpus_can_be_written_for_gl() {
    let options = glsl::Options {
        version: glsl::Version::new_gles(310),
        zero_initialize_workgroup_memory: false,
        ..glsl::Options::default()
    };
    takes_each("GL", kernels().iter(), |module, info, entry| {
        let pipeline = glsl::PipelineOptions {
            shader_stage: ShaderStage::Compute,
            entry_point: entry.to_string(),
            multiview: None,
        };
        let mut text = String::new();
        // GL checks indices itself.
        let policies = BoundsCheckPolicies::default();
        let mut writer = glsl::Writer::new(&mut text, module, info, &options, &pipeline, policies)
            .map_err(|error| error.to_string())?;
        writer.write().map(drop).map_err(|error| error.to_string())
    });
}
