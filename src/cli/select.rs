//! Which adapters a command runs on, and how kernels are laid out on them.

use wgloss::{Adapter, Error, Gpu, bench::SavedTuning};

use crate::output;

/// The selector that means every adapter.
const ALL: &str = "all";

/// The adapters that `selector` means; without one, the most capable.
pub fn adapters(selector: Option<&str>) -> Result<Vec<Adapter>, Error> {
    if selector != Some(ALL) {
        return Ok(vec![adapter(selector.unwrap_or_default())?]);
    }
    match Adapter::all_blocking() {
        adapters if adapters.is_empty() => Err(Error::NoAdapter { asked: String::new(), found: Vec::new() }),
        adapters => Ok(adapters),
    }
}

/// The most capable adapter that `selector` means; empty for any.
pub fn adapter(selector: &str) -> Result<Adapter, Error> {
    pollster::block_on(Adapter::find(selector))
}

/// The adapter's device, with the tuning saved for it.
pub fn open(adapter: &Adapter) -> Result<Gpu, Error> {
    let gpu = adapter.open_blocking()?;
    saved_tuning(adapter).map_or_else(|| Ok(gpu.clone()), |saved| gpu.with_tuning(saved.tuning))
}

/// The tuning saved for the adapter, if it can be used. What is wrong with one that cannot is told.
pub fn saved_tuning(adapter: &Adapter) -> Option<SavedTuning> {
    adapter.saved_tuning().unwrap_or_else(|error| {
        let id = adapter.id();
        output::notice(format_args!(
            "the saved tuning of {id} is ignored: {error}; `wgloss tune --adapter '{id}'` measures it anew"
        ));
        None
    })
}
