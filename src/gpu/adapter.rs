//! The adapters of a machine, and how one is chosen and opened.

use std::sync::Arc;

use wgpu::{AdapterInfo, Backends, DeviceType, Features, Limits};

use super::{Gpu, Tuning, error_of, record_fault};
use crate::Error;

/// What kernels profit from; none is required.
const WANTED_FEATURES: Features = Features::SUBGROUP.union(Features::TIMESTAMP_QUERY);

/// A GPU (or a CPU that acts as one) that wgpu found, not opened yet.
#[derive(Clone, Debug)]
pub struct Adapter {
    adapter: wgpu::Adapter,
    info: AdapterInfo,
}

impl Adapter {
    /// Every adapter of the machine, the most capable first.
    pub async fn all() -> Vec<Adapter> {
        Adapter::of_backends(Backends::all()).await
    }

    /// [`Adapter::all`], waiting for it.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn all_blocking() -> Vec<Adapter> {
        pollster::block_on(Adapter::all())
    }

    /// The most capable adapter that matches `selector`: a case-insensitive part of the name, optionally with the
    /// backend in front (`llvmpipe`, `vulkan:llvmpipe`, `gl:`); empty for any.
    ///
    /// # Errors
    /// [`Error::NoAdapter`] with the adapters there are.
    pub async fn find(selector: &str) -> Result<Adapter, Error> {
        // GL comes second: starting it takes long and it serves only machines without anything better, or those who ask
        // for it. Who names a backend asks for no other.
        let named = |(backend, _): (&str, &str)| backend_called(backend).map(Backends::from);
        let asked = selector.split_once(':').and_then(named).unwrap_or(Backends::all());
        for backends in [Backends::PRIMARY & asked, Backends::SECONDARY & asked] {
            if backends.is_empty() {
                continue;
            }
            if let Some(adapter) =
                Adapter::of_backends(backends).await.into_iter().find(|found| found.matches(selector))
            {
                return Ok(adapter);
            }
        }
        let found = Adapter::all().await.iter().map(Adapter::id).collect();
        Err(Error::NoAdapter { asked: selector.to_string(), found })
    }

    async fn of_backends(backends: Backends) -> Vec<Adapter> {
        let descriptor =
            wgpu::InstanceDescriptor { backends, ..wgpu::InstanceDescriptor::new_without_display_handle() };
        let found = wgpu::Instance::new(descriptor).enumerate_adapters(backends).await;
        let mut adapters: Vec<Adapter> =
            found.into_iter().map(|adapter| Adapter { info: adapter.get_info(), adapter }).collect();
        // The order in which drivers enumerate is not fixed.
        adapters.sort_by_key(|adapter| (adapter.rank(), adapter.id()));
        adapters
    }

    /// Lower is more capable.
    fn rank(&self) -> impl Ord + use<> {
        let kind = match self.info.device_type {
            DeviceType::DiscreteGpu => 0,
            DeviceType::IntegratedGpu => 1,
            DeviceType::VirtualGpu => 2,
            DeviceType::Other => 3,
            DeviceType::Cpu => 4,
        };
        let gl = self.info.backend == wgpu::Backend::Gl;
        // Among CPU adapters, the wider SIMD register is the faster.
        (kind, gl, u32::MAX - self.info.subgroup_max_size)
    }

    /// Whether `selector` means this adapter; see [`Adapter::find`].
    pub fn matches(&self, selector: &str) -> bool {
        let (id, name, selector) = (self.id().to_lowercase(), self.info.name.to_lowercase(), selector.to_lowercase());
        match selector.split_once(':') {
            Some((backend, part)) => self.info.backend.to_str() == backend && name.contains(part),
            None => id.contains(&selector),
        }
    }

    /// Backend and name, as `vulkan:llvmpipe (LLVM 15.0.6, 256 bits)`.
    pub fn id(&self) -> String {
        adapter_id(&self.info)
    }

    /// Name, backend, driver and kind.
    pub fn info(&self) -> &AdapterInfo {
        &self.info
    }

    /// `discrete GPU`, `integrated GPU`, `virtual GPU`, `CPU` or `other`.
    pub fn kind(&self) -> &'static str {
        kind(&self.info)
    }

    /// The features of the adapter.
    pub fn features(&self) -> Features {
        self.adapter.features()
    }

    /// The limits of the adapter.
    pub fn limits(&self) -> Limits {
        self.adapter.limits()
    }

    /// How kernels are laid out on it.
    pub fn tuning(&self) -> Tuning {
        Tuning::for_adapter(&self.info, self.features(), &self.limits())
    }

    /// Opens the adapter with all its limits.
    ///
    /// # Errors
    /// [`Error::NoDevice`] if the driver refuses.
    pub async fn open(&self) -> Result<Gpu, Error> {
        self.open_with_limits(self.limits()).await
    }

    /// [`Adapter::open`], waiting for it.
    ///
    /// # Errors
    /// As [`Adapter::open`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn open_blocking(&self) -> Result<Gpu, Error> {
        pollster::block_on(self.open())
    }

    /// Opens the adapter with lower limits than it has.
    ///
    /// # Errors
    /// [`Error::NoDevice`] if the driver refuses, or a limit is beyond the adapter's.
    pub async fn open_with_limits(&self, limits: Limits) -> Result<Gpu, Error> {
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("wgloss"),
            required_features: self.features() & WANTED_FEATURES,
            required_limits: limits,
            ..Default::default()
        };
        let refused =
            |error: wgpu::RequestDeviceError| Error::NoDevice { adapter: self.id(), reason: error.to_string() };
        let (device, queue) = self.adapter.request_device(&descriptor).await.map_err(refused)?;

        // The device is ours alone, so its errors are ours to keep from panicking.
        let gpu = Gpu::from_device(device, queue);
        let fault = gpu.0.fault.clone();
        gpu.device().set_device_lost_callback(move |_, reason| record_fault(&fault, Error::DeviceLost { reason }));
        let fault = gpu.0.fault.clone();
        gpu.device().on_uncaptured_error(Arc::new(move |error| record_fault(&fault, error_of("an operation", error))));
        Ok(gpu)
    }
}

/// The backend of that name, in lower case or not.
fn backend_called(name: &str) -> Option<wgpu::Backend> {
    wgpu::Backend::ALL.into_iter().find(|backend| backend.to_str().eq_ignore_ascii_case(name))
}

pub(super) fn kind(info: &AdapterInfo) -> &'static str {
    match info.device_type {
        DeviceType::DiscreteGpu => "discrete GPU",
        DeviceType::IntegratedGpu => "integrated GPU",
        DeviceType::VirtualGpu => "virtual GPU",
        DeviceType::Cpu => "CPU",
        DeviceType::Other => "other",
    }
}

pub(crate) fn adapter_id(info: &AdapterInfo) -> String {
    format!("{}:{}", info.backend.to_str(), info.name)
}
