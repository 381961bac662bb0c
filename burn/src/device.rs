//! Burn's devices that wgloss records on.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, RwLock},
};

use burn::{
    backend::{
        DispatchDevice,
        wgpu::{WgpuSetup, wgpu},
    },
    tensor::{Device, DeviceKind},
};
use burn_cubecl::CubeDevice;
use wgloss::{
    BoundPlan, Gpu, Plan,
    ops::{BoundOp, Operation},
};

use crate::{Error, cache::Cache, status::Statuses};

/// What is kept for a device: the same device and queue for wgloss, and what was made on them.
#[derive(Debug)]
pub struct Shared {
    pub gpu: Gpu,
    /// Plans by loss, types and options.
    pub plans: Mutex<Cache<String, Plan>>,
    /// Bound plans by what they bind.
    pub bound: Mutex<Cache<BoundKey, BoundPlan>>,
    /// Bound operations by what they bind.
    pub operations: Mutex<Cache<BoundKey, Arc<dyn Recorded>>>,
    pub statuses: Mutex<Statuses>,
}

/// A plan's key and the places of its tensors.
pub type BoundKey = (String, Vec<(wgpu::Buffer, u64)>);

/// What is bound and ready to be recorded.
pub trait Recorded: fmt::Debug + Send + Sync {
    fn record(&self, encoder: &mut wgpu::CommandEncoder);
}

impl<O: Operation + Send + Sync> Recorded for BoundOp<O> {
    fn record(&self, encoder: &mut wgpu::CommandEncoder) {
        BoundOp::record(self, encoder);
    }
}

/// The most plans kept of a device, and the most of them bound to buffers.
const MOST_PLANS: usize = 256;
const MOST_BOUND: usize = 128;
/// How many others may be bound before one that is not used lets go of its buffers, which Burn could not give back to
/// the device as long.
const IDLE: u64 = 64;

static SHARED: RwLock<Vec<(CubeDevice, Arc<Shared>)>> = RwLock::new(Vec::new());

/// Burn's default wgpu device, shared with wgloss: opened by the first call, unless the program has opened and shared
/// it already, and the same for later ones.
///
/// # Errors
/// [`Error::NoDevice`], also where the program has used Burn's default wgpu device before and not shared it: then
/// nothing can share it any more.
pub fn device() -> Result<Device, Error> {
    static DEFAULT: Mutex<Option<Device>> = Mutex::new(None);
    let mut default = locked(&DEFAULT);
    if let Some(device) = &*default {
        return Ok(device.clone());
    }
    let known = Device::wgpu(DeviceKind::DefaultDevice);
    let device = if gpu(&known).is_ok() {
        known
    } else {
        let opened = Device::wgpu_options().init_with_setup();
        let (device, setup) = opened.map_err(|error| Error::NoDevice { reason: error.to_string() })?;
        share(&device, &setup)?;
        device
    };
    Ok(default.insert(device).clone())
}

/// Shares a device of Burn's with wgloss: `setup` is what it runs on, from `init_with_setup` of
/// [`Device::wgpu_options`] or what was given to its `setup`.
///
/// # Errors
/// [`Error::Backend`] for a device that is not wgpu, [`Error::SharedAlready`].
pub fn share(device: &Device, setup: &WgpuSetup) -> Result<(), Error> {
    let device = wgpu_device(device)?;
    let mut shared = SHARED.write().unwrap_or_else(|poisoned| poisoned.into_inner());
    if shared.iter().any(|(known, _)| *known == device) {
        return Err(Error::SharedAlready { found: format!("{device:?}") });
    }
    let gpu = Gpu::from_device(setup.device.clone(), setup.queue.clone());
    let statuses = Mutex::new(Statuses::new(&gpu));
    let plans = Mutex::new(Cache::new(MOST_PLANS, u64::MAX));
    let (bound, operations) = (Mutex::new(Cache::new(MOST_BOUND, IDLE)), Mutex::new(Cache::new(MOST_BOUND, IDLE)));
    shared.push((device, Arc::new(Shared { gpu, plans, bound, operations, statuses })));
    Ok(())
}

/// wgloss's view of a device that was shared: for what else wgloss has, such as its [plans](wgloss::Plan).
///
/// # Errors
/// [`Error::Backend`] for a device that is not wgpu, [`Error::NotShared`].
pub fn gpu(device: &Device) -> Result<Gpu, Error> {
    Ok(shared(&wgpu_device(device)?)?.gpu.clone())
}

/// Gives memory that nothing uses back to the device: what wgloss keeps hold of, and by [`Device::memory_cleanup`] what
/// Burn does.
///
/// # Errors
/// [`Error::Backend`] for a device that is not wgpu, [`Error::NotShared`].
pub fn memory_cleanup(device: &Device) -> Result<(), Error> {
    let shared = shared(&wgpu_device(device)?)?;
    // What is queued takes what it needs before.
    device.sync().map_err(|error| Error::Burn { reason: error.to_string() })?;
    locked(&shared.bound).clear();
    locked(&shared.operations).clear();
    device.memory_cleanup();
    Ok(())
}

/// The wgpu device of Burn's, without autodiff.
pub fn wgpu_device(device: &Device) -> Result<CubeDevice, Error> {
    cube_device(device.as_dispatch())
        .filter(|device| matches!(device, CubeDevice::Wgpu(_)))
        .ok_or_else(|| Error::Backend { loss: "wgloss", tensor: "device".to_string(), found: format!("{device:?}") })
}

fn cube_device(device: &DispatchDevice) -> Option<CubeDevice> {
    #[allow(unreachable_patterns, reason = "the program may have other backends")]
    match device {
        DispatchDevice::Cube(device) => Some(device.clone()),
        DispatchDevice::Autodiff(device) => cube_device(&device.clone().inner()),
        _ => None,
    }
}

/// What is kept for a device.
pub fn shared(device: &CubeDevice) -> Result<Arc<Shared>, Error> {
    let known = SHARED.read().unwrap_or_else(|poisoned| poisoned.into_inner());
    let found = known.iter().find(|(known, _)| known == device).map(|(_, shared)| shared.clone());
    found.ok_or_else(|| Error::NotShared { found: format!("{device:?}") })
}

/// The value, also behind a panic elsewhere: what is kept is whole between calls.
pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
