//! Adapters and the device that kernels run on.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use wgpu::{AdapterInfo, Backends, DeviceType, Features, Limits};

use crate::{Error, pipeline::PipelineCache, tuning::Tuning};

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
        // for it.
        for backends in [Backends::PRIMARY, Backends::SECONDARY] {
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

type Fault = Arc<Mutex<Option<Error>>>;

/// Keeps an error that no call of ours caused for the next one to report. The first is the cause of the later ones, but
/// for a lost device.
fn record_fault(fault: &Fault, error: Error) {
    let mut fault = fault.lock().unwrap_or_else(PoisonError::into_inner);
    if fault.is_none() || matches!(error, Error::DeviceLost { .. }) {
        *fault = Some(error);
    }
}

fn kind(info: &AdapterInfo) -> &'static str {
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

fn error_of(what: &str, error: wgpu::Error) -> Error {
    match error {
        wgpu::Error::OutOfMemory { .. } => Error::OutOfMemory { what: what.to_string() },
        wgpu::Error::Validation { description, .. } | wgpu::Error::Internal { description, .. } => {
            Error::Refused { what: what.to_string(), message: description }
        }
    }
}

/// A device, its queue and the kernels compiled for it. Cheap to clone.
#[derive(Clone)]
pub struct Gpu(Arc<Inner>);

struct Inner {
    device: wgpu::Device,
    queue: wgpu::Queue,
    info: AdapterInfo,
    limits: Limits,
    tuning: Tuning,
    pipelines: Arc<PipelineCache>,
    fault: Fault,
}

impl Gpu {
    /// The most capable adapter's device.
    ///
    /// # Errors
    /// [`Error::NoAdapter`], [`Error::NoDevice`].
    pub async fn new() -> Result<Gpu, Error> {
        Adapter::find("").await?.open().await
    }

    /// [`Gpu::new`], waiting for it.
    ///
    /// ```
    /// let gpu = wgloss::Gpu::new_blocking()?;
    /// println!("{}", gpu.adapter_id());
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Gpu::new`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn new_blocking() -> Result<Gpu, Error> {
        pollster::block_on(Gpu::new())
    }

    /// The device of the adapter that `selector` means; see [`Adapter::find`].
    ///
    /// # Errors
    /// [`Error::NoAdapter`], [`Error::NoDevice`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn find_blocking(selector: &str) -> Result<Gpu, Error> {
        pollster::block_on(async { Adapter::find(selector).await?.open().await })
    }

    /// The caller's own device and queue. Its error and device-lost handlers stay the caller's.
    ///
    /// Call it once and clone the result: tensors of two calls cannot be used together, even where the device is the
    /// same.
    pub fn from_device(device: wgpu::Device, queue: wgpu::Queue) -> Gpu {
        let (info, limits) = (device.adapter_info(), device.limits());
        let tuning = Tuning::for_adapter(&info, device.features(), &limits);
        Gpu(Arc::new(Inner { device, queue, info, limits, tuning, pipelines: Arc::default(), fault: Fault::default() }))
    }

    /// The same device with another layout of kernels, and a cache of its own.
    #[must_use]
    pub fn with_tuning(&self, tuning: Tuning) -> Gpu {
        self.laid_out(tuning, Arc::default())
    }

    /// The same device with another layout of kernels, and the same cache.
    #[cfg(feature = "parity")]
    pub(crate) fn sharing_kernels(&self, tuning: Tuning) -> Gpu {
        self.laid_out(tuning, self.0.pipelines.clone())
    }

    fn laid_out(&self, tuning: Tuning, pipelines: Arc<PipelineCache>) -> Gpu {
        Gpu(Arc::new(Inner {
            device: self.0.device.clone(),
            queue: self.0.queue.clone(),
            info: self.0.info.clone(),
            limits: self.0.limits.clone(),
            tuning,
            pipelines,
            fault: self.0.fault.clone(),
        }))
    }

    /// The device.
    pub fn device(&self) -> &wgpu::Device {
        &self.0.device
    }

    /// The queue.
    pub fn queue(&self) -> &wgpu::Queue {
        &self.0.queue
    }

    /// Name, backend, driver and kind of the adapter.
    pub fn info(&self) -> &AdapterInfo {
        &self.0.info
    }

    /// Backend and name of the adapter, as `vulkan:llvmpipe (LLVM 15.0.6, 256 bits)`.
    pub fn adapter_id(&self) -> String {
        adapter_id(&self.0.info)
    }

    /// The kind of the adapter: see [`Adapter::kind`].
    pub fn kind(&self) -> &'static str {
        kind(&self.0.info)
    }

    /// The limits of the device.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// How kernels are laid out on this device.
    pub fn tuning(&self) -> Tuning {
        self.0.tuning
    }

    /// How many kernels are compiled so far. Losses with other parameters, reductions or lengths share them.
    pub fn compiled_kernels(&self) -> usize {
        self.0.pipelines.len()
    }

    pub(crate) fn pipelines(&self) -> &PipelineCache {
        &self.0.pipelines
    }

    /// Whether both are the same device. wgpu's own comparison takes devices of two instances for one.
    pub(crate) fn is_same_device(&self, other: &Gpu) -> bool {
        Arc::ptr_eq(&self.0.fault, &other.0.fault)
    }

    /// What went wrong on the device outside our calls: a loss each time, anything else once.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let mut fault = self.0.fault.lock().unwrap_or_else(PoisonError::into_inner);
        let error = match &*fault {
            Some(Error::DeviceLost { .. }) => fault.clone(),
            _ => fault.take(),
        };
        drop(fault);
        match error {
            Some(error) => Err(error),
            None if self.is_lost() => Err(Error::DeviceLost { reason: "it no longer answers".to_string() }),
            None => Ok(()),
        }
    }

    /// Whether the device was lost or destroyed. wgpu tells only a handler, which may be the caller's, and that one
    /// late; but a lost device complains of nothing, not even of a buffer without a use.
    fn is_lost(&self) -> bool {
        // In a browser the answer would come later.
        if cfg!(target_arch = "wasm32") {
            return false;
        }
        let scope = self.0.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let usage = wgpu::BufferUsages::empty();
        drop(self.0.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: 0,
            usage,
            mapped_at_creation: false,
        }));
        pollster::block_on(scope.pop()).is_none()
    }

    /// Runs `operation` and gives the errors that wgpu reports during it as a value.
    pub(crate) fn catching<T>(&self, what: &str, operation: impl FnOnce(&wgpu::Device) -> T) -> Result<T, Error> {
        self.check()?;
        let device = &self.0.device;
        // In a browser the scopes report later, when nothing of ours runs: there the device's own handler keeps the
        // error.
        if cfg!(target_arch = "wasm32") {
            return Ok(operation(device));
        }
        let filters = [wgpu::ErrorFilter::Internal, wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Validation];
        let scopes = filters.map(|filter| device.push_error_scope(filter));
        let value = operation(device);
        // Scopes are a stack.
        let errors: Vec<wgpu::Error> =
            scopes.into_iter().rev().filter_map(|scope| pollster::block_on(scope.pop())).collect();
        self.check()?;
        match errors.into_iter().next() {
            Some(error) => Err(error_of(what, error)),
            None => Ok(value),
        }
    }

    /// A buffer; [`Error::OutOfMemory`] or [`Error::Limit`] if there can be none.
    pub(crate) fn buffer(&self, what: &str, size: u64, usage: wgpu::BufferUsages) -> Result<wgpu::Buffer, Error> {
        let available = self.0.limits.max_buffer_size;
        if size > available {
            return Err(self.limit(what, "max_buffer_size", size, available));
        }
        let descriptor =
            wgpu::BufferDescriptor { label: Some(what), size: size.max(4), usage, mapped_at_creation: false };
        self.catching(what, |device| device.create_buffer(&descriptor))
    }

    pub(crate) fn limit(&self, what: &str, limit: &'static str, needed: u64, available: u64) -> Error {
        Error::Limit { what: what.to_string(), limit, needed, available, adapter: self.adapter_id() }
    }
}

impl fmt::Debug for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gpu")
            .field("adapter", &self.adapter_id())
            .field("tuning", &self.0.tuning)
            .finish_non_exhaustive()
    }
}
