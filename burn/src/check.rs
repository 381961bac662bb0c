//! Asking how losses went, targets out of range among it.

use burn::tensor::Device;

use crate::{
    Checked, Error,
    device::{locked, shared, wgpu_device},
    error::granted,
};

/// Waits for the losses that were computed on the device since the last call, and says how they went: how many items
/// counted, right predictions, and whatever else [`wgloss::Status`] has.
///
/// This is where targets out of range are reported: of the first run that had some. Nothing else in this crate waits
/// for the device. The last 1024 runs are known.
///
/// # Errors
/// [`Error::Loss`] with [`wgloss::Error::Target`] for targets out of range; whatever a queued run failed with;
/// [`Error::Backend`], [`Error::NotShared`], [`Error::Burn`].
pub fn try_check(device: &Device) -> Result<Checked, Error> {
    let shared = shared(&wgpu_device(device)?)?;
    let synced = device.sync();
    // What a run of ours failed with says more than Burn's word of it.
    let checked = locked(&shared.statuses).take(&shared.gpu)?;
    synced.map_err(|error| Error::Burn { reason: error.to_string() })?;
    Ok(checked)
}

/// [`try_check`] as Burn's own functions are.
///
/// # Panics
/// With the text of the error that [`try_check`] gives.
#[track_caller]
pub fn check(device: &Device) -> Checked {
    granted(try_check(device))
}
