//! Adapters and the device that kernels run on.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use wgpu::{AdapterInfo, Limits};

mod adapter;
mod loops;
mod machine;
pub(crate) mod pipeline;
pub(crate) mod readback;
mod tuning;

pub use adapter::Adapter;
pub(crate) use adapter::adapter_id;
pub(crate) use loops::Loops;
pub(crate) use machine::Machine;

use crate::Error;
use adapter::kind;
use pipeline::PipelineCache;
#[cfg(feature = "bench")]
pub(crate) use tuning::most_workgroups;
#[cfg(all(test, feature = "bench"))]
pub(crate) use tuning::tests::cpu_adapter;
pub use tuning::{RowKernel, Tuning};

type Fault = Arc<Mutex<Option<Error>>>;

/// Keeps an error that no call of ours caused for the next one to report. The first is the cause of the later ones, but
/// for a lost device.
fn record_fault(fault: &Fault, error: Error) {
    let mut fault = fault.lock().unwrap_or_else(PoisonError::into_inner);
    if fault.is_none() || matches!(error, Error::DeviceLost { .. }) {
        *fault = Some(error);
    }
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
    machine: Machine,
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
        let stores_components = !matches!(info.backend, wgpu::Backend::Metal | wgpu::Backend::BrowserWebGpu);
        let machine = Machine { adapter: adapter_id(&info), limits, tuning, table: tuning, stores_components };
        Gpu(Arc::new(Inner { device, queue, info, machine, pipelines: Arc::default(), fault: Fault::default() }))
    }

    /// The same device with another layout of kernels, and a cache of its own.
    ///
    /// # Errors
    /// [`Error::Tuning`] for a layout that the device cannot run; see [`Tuning::check`].
    pub fn with_tuning(&self, tuning: Tuning) -> Result<Gpu, Error> {
        tuning.check(self.info(), self.0.device.features(), self.limits())?;
        Ok(self.laid_out(tuning, Arc::default()))
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
            machine: Machine { tuning, ..self.0.machine.clone() },
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
        &self.0.machine.limits
    }

    /// How kernels are laid out on this device.
    pub fn tuning(&self) -> Tuning {
        self.0.machine.tuning
    }

    /// How many kernels are compiled so far. Losses with other parameters, reductions or lengths share them.
    pub fn compiled_kernels(&self) -> usize {
        self.0.pipelines.len()
    }

    /// What programs depend on of the device.
    pub(crate) fn machine(&self) -> &Machine {
        &self.0.machine
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
        let available = self.0.machine.limits.max_buffer_size;
        if size > available {
            return Err(self.limit(what, "max_buffer_size", size, available));
        }
        let descriptor =
            wgpu::BufferDescriptor { label: Some(what), size: size.max(4), usage, mapped_at_creation: false };
        self.catching(what, |device| device.create_buffer(&descriptor))
    }

    pub(crate) fn limit(&self, what: &str, limit: &'static str, needed: u64, available: u64) -> Error {
        self.0.machine.limit(what, limit, needed, available)
    }
}

impl fmt::Debug for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gpu")
            .field("adapter", &self.adapter_id())
            .field("tuning", &self.0.machine.tuning)
            .finish_non_exhaustive()
    }
}
