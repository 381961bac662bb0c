//! SPIR-V as wgpu makes it for Vulkan.

use std::collections::BTreeMap;

use naga::{
    Module, ResourceBinding, ShaderStage,
    back::{
        pipeline_constants::process_overrides,
        spv::{
            BindingInfo, BindingMap, Capability, Options, PipelineOptions, WriterFlags,
            ZeroInitializeWorkgroupMemoryMode, write_vec,
        },
    },
    proc::{BoundsCheckPolicies, BoundsCheckPolicy},
    valid::ModuleInfo,
};

use crate::{gpu::pipeline::layout_entries, kernel::Kernel};

/// What wgpu allows kernels on a device with subgroups and without 16-bit arithmetic, which none asks for.
const CAPABILITIES: [Capability; 16] = [
    Capability::Shader,
    Capability::Matrix,
    Capability::DerivativeControl,
    Capability::GroupNonUniform,
    Capability::GroupNonUniformVote,
    Capability::GroupNonUniformArithmetic,
    Capability::GroupNonUniformBallot,
    Capability::GroupNonUniformShuffle,
    Capability::GroupNonUniformShuffleRelative,
    Capability::GroupNonUniformQuad,
    Capability::ImageQuery,
    Capability::DotProductInputAllKHR,
    Capability::DotProductInput4x8BitKHR,
    Capability::DotProductInput4x8BitPackedKHR,
    Capability::DotProductKHR,
    Capability::Int8,
];

/// The options of wgpu 30 on a device of Vulkan 1.3 whose buffers are robust, for an entry point whose workgroup memory
/// need not be zero.
fn options(kernel: &Kernel) -> Options<'static> {
    Options {
        lang_version: (1, 6),
        flags: WriterFlags::LABEL_VARYINGS | WriterFlags::FORCE_POINT_SIZE,
        fake_missing_bindings: false,
        binding_map: binding_map(kernel),
        capabilities: Some(CAPABILITIES.into_iter().collect()),
        bounds_check_policies: BoundsCheckPolicies {
            index: BoundsCheckPolicy::Restrict,
            // The device checks accesses to buffers.
            buffer: BoundsCheckPolicy::Unchecked,
            image_load: BoundsCheckPolicy::Unchecked,
            binding_array: BoundsCheckPolicy::Unchecked,
        },
        zero_initialize_workgroup_memory: ZeroInitializeWorkgroupMemoryMode::None,
        force_loop_bounding: true,
        emit_int_div_checks: true,
        ..Options::default()
    }
}

/// Bindings one after another, as wgpu numbers them.
fn binding_map(kernel: &Kernel) -> BindingMap {
    let numbered = (0..).zip(layout_entries(kernel));
    let binding = |(number, entry): (u32, wgpu::BindGroupLayoutEntry)| {
        let own = ResourceBinding { group: 0, binding: entry.binding };
        (own, BindingInfo { descriptor_set: 0, binding: number, binding_array_size: None })
    };
    numbered.map(binding).collect::<BTreeMap<_, _>>()
}

/// The words of an entry point.
pub(super) fn words(kernel: &Kernel, module: &Module, info: &ModuleInfo, entry: &str) -> Result<Vec<u32>, String> {
    let chosen = Some((ShaderStage::Compute, entry));
    let (module, info) =
        process_overrides(module, info, chosen, &Default::default()).map_err(|error| error.to_string())?;
    let pipeline = PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: entry.to_string() };
    write_vec(&module, &info, &options(kernel), Some(&pipeline)).map_err(|error| error.to_string())
}
