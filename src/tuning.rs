//! Which workgroup size, how many workgroups and which reduction an adapter gets, and why.

use wgpu::{AdapterInfo, DeviceType, Features, Limits};

/// How kernels are laid out on an adapter. Every choice is a matter of speed alone; results agree to rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Tuning {
    /// Lanes of a workgroup; a power of two.
    pub workgroup_size: u32,
    /// How many workgroups a large call is split into; each owns one contiguous span.
    pub workgroups: u32,
    /// Whether reductions use subgroup operations instead of workgroup memory.
    pub subgroups: bool,
}

impl Tuning {
    /// The table's choice for an adapter with these properties.
    pub fn for_adapter(info: &AdapterInfo, features: Features, limits: &Limits) -> Self {
        let subgroups = features.contains(Features::SUBGROUP);
        let (workgroup_size, workgroups) = if info.device_type == DeviceType::Cpu {
            // One SIMD register is one workgroup: a CPU runs wider workgroups as loops around every barrier. Cross-entropy 4096×1000 took
            // 7 ms at 8 lanes and 37 ms at 256 on lavapipe, 30 ms at 4 and 1766 ms at 256 on SwiftShader. Where the driver does not
            // tell the width (GL), 8 is that of AVX. A few spans a core even out the cores' speeds; more only add partials.
            let cores = std::thread::available_parallelism().map_or(4, |cores| cores.get() as u32);
            let width = if subgroups { info.subgroup_max_size.next_power_of_two() } else { 8 };
            (width, 8 * cores)
        } else {
            // Enough lanes to hide memory latency on every GPU generation, and enough workgroups for the largest ones (a few hundred
            // compute units, several workgroups each), yet few enough that one workgroup adds up their partials at once.
            (256, 2048)
        };
        let largest = limits.max_compute_invocations_per_workgroup.min(limits.max_compute_workgroup_size_x).max(1);
        Tuning {
            workgroup_size: workgroup_size.min(1 << largest.ilog2()),
            workgroups: workgroups.min(limits.max_compute_workgroups_per_dimension),
            subgroups,
        }
    }

    /// The same without subgroup operations.
    #[must_use]
    pub fn without_subgroups(self) -> Self {
        Tuning { subgroups: false, ..self }
    }
}
