//! Mesa's driver for AMD's GPUs on its null device, which compiles for a GPU that is not there.

use std::{
    ffi::{CStr, CString, c_char},
    slice,
};

use ash::{khr, vk};

/// A device that compiles and runs nothing.
pub(super) struct NullDevice {
    instance: ash::Instance,
    device: ash::Device,
    executables: khr::pipeline_executable_properties::Device,
    /// The driver and its version.
    pub driver: String,
    _entry: ash::Entry,
}

/// What a compiler tells of an entry point: names and values.
pub(super) type Statistics = Vec<(String, u64)>;

/// The words of a name that Vulkan gives.
fn text(name: &[c_char]) -> String {
    let bytes: Vec<u8> = name.iter().map(|&c| c as u8).collect();
    CStr::from_bytes_until_nul(&bytes).map_or_else(|_| String::new(), |name| name.to_string_lossy().into_owned())
}

fn said(what: &str) -> impl Fn(vk::Result) -> String {
    move |error| format!("{what}: {error}")
}

impl NullDevice {
    /// The first device of the driver that the environment names.
    pub fn open() -> Result<Self, String> {
        // SAFETY: the loader is the system's. All objects are destroyed before what they were made of, and each call
        // has valid handles and structs, which live as long as it takes.
        unsafe {
            let entry = ash::Entry::load().map_err(|error| format!("no Vulkan loader: {error}"))?;
            let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
            let info = vk::InstanceCreateInfo::default().application_info(&application);
            let instance = entry.create_instance(&info, None).map_err(said("no instance"))?;
            let found = instance.enumerate_physical_devices().map_err(said("no devices"))?;
            let physical = *found.first().ok_or("the driver has no device")?;

            let mut driver = vk::PhysicalDeviceDriverProperties::default();
            let mut properties = vk::PhysicalDeviceProperties2::default().push_next(&mut driver);
            instance.get_physical_device_properties2(physical, &mut properties);
            let driver = format!("{} {}", text(&driver.driver_name), text(&driver.driver_info));

            // What wgpu asks for, as far as compilers mind it: robust buffers, subgroups of any size.
            let queues = [vk::DeviceQueueCreateInfo::default().queue_priorities(&[1.0])];
            let extensions = [khr::pipeline_executable_properties::NAME, ash::ext::robustness2::NAME].map(CStr::as_ptr);
            let features = vk::PhysicalDeviceFeatures::default().robust_buffer_access(true);
            let mut robustness = vk::PhysicalDeviceRobustness2FeaturesEXT::default().robust_buffer_access2(true);
            let mut executables =
                vk::PhysicalDevicePipelineExecutablePropertiesFeaturesKHR::default().pipeline_executable_info(true);
            let mut vulkan_1_3 = vk::PhysicalDeviceVulkan13Features::default()
                .subgroup_size_control(true)
                .shader_integer_dot_product(true);
            let mut vulkan_1_2 = vk::PhysicalDeviceVulkan12Features::default().shader_int8(true);
            let info = vk::DeviceCreateInfo::default()
                .queue_create_infos(&queues)
                .enabled_extension_names(&extensions)
                .enabled_features(&features)
                .push_next(&mut robustness)
                .push_next(&mut executables)
                .push_next(&mut vulkan_1_3)
                .push_next(&mut vulkan_1_2);
            let device = instance.create_device(physical, &info, None).map_err(said("the device does not open"))?;
            let executables = khr::pipeline_executable_properties::Device::new(&instance, &device);
            Ok(NullDevice { instance, device, executables, driver, _entry: entry })
        }
    }

    /// What the compiler tells of an entry point whose bindings are these, one after another.
    pub fn compile(&self, words: &[u32], entry: &str, bindings: &[vk::DescriptorType]) -> Result<Statistics, String> {
        self.compiled(words, entry, bindings, |pipeline| self.statistics(pipeline))
    }

    /// The instructions that the compiler makes of an entry point, a line each.
    pub fn assembly(&self, words: &[u32], entry: &str, bindings: &[vk::DescriptorType]) -> Result<String, String> {
        self.compiled(words, entry, bindings, |pipeline| self.representation(pipeline, "Assembly"))
    }

    fn compiled<T>(
        &self,
        words: &[u32],
        entry: &str,
        bindings: &[vk::DescriptorType],
        tell: impl Fn(vk::Pipeline) -> Result<T, String>,
    ) -> Result<T, String> {
        let device = &self.device;
        let name = CString::new(entry).map_err(|error| error.to_string())?;
        let entries: Vec<_> = (0..)
            .zip(bindings)
            .map(|(number, &ty)| {
                vk::DescriptorSetLayoutBinding::default()
                    .binding(number)
                    .descriptor_type(ty)
                    .descriptor_count(1)
                    .stage_flags(vk::ShaderStageFlags::COMPUTE)
            })
            .collect();
        // SAFETY: as in `open`; the SPIR-V is what naga has validated.
        unsafe {
            let info = vk::DescriptorSetLayoutCreateInfo::default().bindings(&entries);
            let set = device.create_descriptor_set_layout(&info, None).map_err(said("bindings"))?;
            let info = vk::PipelineLayoutCreateInfo::default().set_layouts(slice::from_ref(&set));
            let layout = device.create_pipeline_layout(&info, None).map_err(said("layout"))?;
            let info = vk::ShaderModuleCreateInfo::default().code(words);
            let module = device.create_shader_module(&info, None).map_err(said("module"))?;
            let stage = vk::PipelineShaderStageCreateInfo::default()
                .flags(vk::PipelineShaderStageCreateFlags::ALLOW_VARYING_SUBGROUP_SIZE)
                .stage(vk::ShaderStageFlags::COMPUTE)
                .module(module)
                .name(&name);
            let info = vk::ComputePipelineCreateInfo::default()
                .flags(
                    vk::PipelineCreateFlags::CAPTURE_STATISTICS_KHR
                        | vk::PipelineCreateFlags::CAPTURE_INTERNAL_REPRESENTATIONS_KHR,
                )
                .stage(stage)
                .layout(layout);
            let made = device.create_compute_pipelines(vk::PipelineCache::null(), &[info], None);
            let told = match made {
                Ok(pipelines) => {
                    let told = tell(pipelines[0]);
                    device.destroy_pipeline(pipelines[0], None);
                    told
                }
                Err((_, error)) => Err(said("pipeline")(error)),
            };
            device.destroy_shader_module(module, None);
            device.destroy_pipeline_layout(layout, None);
            device.destroy_descriptor_set_layout(set, None);
            told
        }
    }

    fn statistics(&self, pipeline: vk::Pipeline) -> Result<Statistics, String> {
        // SAFETY: as in `open`; a statistic's format says which member of its value is set.
        unsafe {
            let info = vk::PipelineInfoKHR::default().pipeline(pipeline);
            let executables = self.executables.get_pipeline_executable_properties(&info).map_err(said("properties"))?;
            let [executable] = executables[..] else { return Err(format!("{} executables", executables.len())) };
            let info = vk::PipelineExecutableInfoKHR::default().pipeline(pipeline).executable_index(0);
            let found = self.executables.get_pipeline_executable_statistics(&info).map_err(said("statistics"))?;
            let values = found.iter().filter(|found| found.format == vk::PipelineExecutableStatisticFormatKHR::UINT64);
            let mut statistics: Statistics = values.map(|found| (text(&found.name), found.value.u64)).collect();
            statistics.push(("Subgroup size".to_string(), executable.subgroup_size.into()));
            Ok(statistics)
        }
    }
}

impl NullDevice {
    /// One of the texts that the compiler keeps of a pipeline.
    fn representation(&self, pipeline: vk::Pipeline, name: &str) -> Result<String, String> {
        let info = vk::PipelineExecutableInfoKHR::default().pipeline(pipeline).executable_index(0);
        // SAFETY: as in `open`; texts have the sizes that the first call tells.
        unsafe {
            let mut found =
                self.executables.get_pipeline_executable_internal_representations(&info).map_err(said("texts"))?;
            let wanted = found.iter().position(|found| text(&found.name) == name);
            let wanted = wanted.ok_or_else(|| format!("no text `{name}`"))?;
            let mut texts: Vec<Vec<u8>> = found.iter().map(|found| vec![0; found.data_size]).collect();
            for (found, text) in found.iter_mut().zip(&mut texts) {
                found.p_data = text.as_mut_ptr().cast();
            }
            let get = self.executables.fp().get_pipeline_executable_internal_representations_khr;
            let mut count = found.len() as u32;
            get(self.executables.device(), &info, &mut count, found.as_mut_ptr()).result().map_err(said("texts"))?;
            let bytes = texts.swap_remove(wanted);
            Ok(String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_string())
        }
    }
}

impl Drop for NullDevice {
    fn drop(&mut self) {
        // SAFETY: as in `open`.
        unsafe {
            self.device.destroy_device(None);
            self.instance.destroy_instance(None);
        }
    }
}
