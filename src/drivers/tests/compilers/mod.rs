//! What compilers for GPUs say of the kernels that GPUs get, without a GPU.

mod gpu_kernels;
#[cfg(target_os = "linux")]
mod multiply_adds;
#[cfg(target_os = "linux")]
mod null_device;
#[cfg(target_os = "linux")]
mod radv;
#[cfg(target_os = "linux")]
mod spirv;
#[cfg(target_os = "linux")]
mod table;
mod translations;

use naga::{Module, valid::ModuleInfo};

use crate::kernel::Kernel;

/// A kernel as naga's back ends take it.
fn module_of(kernel: &Kernel) -> (Module, ModuleInfo) {
    kernel.assemble().validated().unwrap_or_else(|fault| panic!("{}: {}", fault.place, fault.message))
}
