//! Which workgroup size, how many workgroups and which reduction an adapter gets, and why.

use std::fmt;

use wgpu::{AdapterInfo, Backend, DeviceType, Features, Limits};

/// How kernels are laid out on an adapter. Apart from `max_loop_iterations`, which the driver imposes, every choice is
/// a matter of speed alone: results agree to rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Tuning {
    /// Lanes of a workgroup; a power of two.
    pub workgroup_size: u32,
    /// How many workgroups a large call is split into; each owns one contiguous span.
    pub workgroups: u32,
    /// How the lanes of a workgroup add up what they have.
    pub reduce: Reduce,
    /// How many iterations one lane may run in all its loops together.
    pub max_loop_iterations: u32,
}

/// How the lanes of a workgroup add up what they have; each is a file `shaders/lib/reduce_….wgsl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reduce {
    /// Through workgroup memory; runs everywhere.
    Workgroup,
    /// By subgroup operations, then through workgroup memory.
    Subgroup,
    /// By subgroup operations alone: a workgroup is one subgroup.
    SingleSubgroup,
}

impl fmt::Display for Reduce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reduce::Workgroup => "workgroup",
            Reduce::Subgroup => "subgroup",
            Reduce::SingleSubgroup => "single_subgroup",
        })
    }
}

impl Tuning {
    /// The table's choice for an adapter with these properties.
    pub fn for_adapter(info: &AdapterInfo, features: Features, limits: &Limits) -> Self {
        // Browsers want a directive in front of subgroup operations that naga does not parse, so the kernels have none.
        let has_subgroups = features.contains(Features::SUBGROUP) && info.backend != Backend::BrowserWebGpu;
        let one_size = has_subgroups && info.subgroup_min_size == info.subgroup_max_size;
        let tuning = if info.device_type == DeviceType::Cpu {
            let cores = std::thread::available_parallelism().map_or(4, |cores| cores.get() as u32);
            Tuning {
                // One SIMD register is one workgroup: a CPU runs wider workgroups as loops around every barrier.
                // Cross-entropy 4096×1000 takes 11 times as long with 256 lanes as with this choice on lavapipe (whose
                // width is 8), 14 times on SwiftShader (4), 5 times on llvmpipe's GL. Where the driver does not tell
                // the width (GL), 8 is that of AVX.
                workgroup_size: if has_subgroups { info.subgroup_max_size.next_power_of_two() } else { 8 },
                // A few spans a core even out the cores' speeds. From 2 to 1024 workgroups the times differ by less
                // than 10%.
                workgroups: 8 * cores,
                // Without barriers the driver keeps a shader's variables in registers: on lavapipe cross-entropy takes
                // 1.8 times as long through workgroup memory. Where there is one subgroup size, a workgroup of that
                // size is one subgroup.
                reduce: match (one_size, has_subgroups) {
                    (true, _) => Reduce::SingleSubgroup,
                    (false, true) => Reduce::Subgroup,
                    (false, false) => Reduce::Workgroup,
                },
                // llvmpipe (of Mesa 22.3, and lavapipe with it) leaves every loop once a lane has run 65,535
                // iterations, and says nothing.
                max_loop_iterations: if info.name.contains("llvmpipe") { 60_000 } else { u32::MAX },
            }
        } else {
            Tuning {
                // Not measured on a GPU yet: enough lanes to hide memory latency on every generation.
                workgroup_size: 256,
                // Enough for the largest GPUs (a few hundred compute units, several workgroups each), yet few enough
                // that one workgroup adds up their partials at once.
                workgroups: 2048,
                reduce: if has_subgroups { Reduce::Subgroup } else { Reduce::Workgroup },
                max_loop_iterations: u32::MAX,
            }
        };
        let largest = limits.max_compute_invocations_per_workgroup.min(limits.max_compute_workgroup_size_x).max(1);
        Tuning {
            workgroup_size: tuning.workgroup_size.min(1 << largest.ilog2()),
            workgroups: tuning.workgroups.min(limits.max_compute_workgroups_per_dimension),
            ..tuning
        }
    }

    /// The same layout with another reduction.
    #[must_use]
    pub fn with_reduce(self, reduce: Reduce) -> Self {
        Tuning { reduce, ..self }
    }

    /// The reductions that this layout could use, its own included.
    pub fn reductions(self) -> Vec<Reduce> {
        match self.reduce {
            Reduce::Workgroup => vec![Reduce::Workgroup],
            Reduce::Subgroup => vec![Reduce::Workgroup, Reduce::Subgroup],
            Reduce::SingleSubgroup => vec![Reduce::Workgroup, Reduce::Subgroup, Reduce::SingleSubgroup],
        }
    }

    /// The same layout with twice the lanes; a workgroup is then more than one subgroup.
    pub(crate) fn doubled(self) -> Self {
        let reduce = if self.reduce == Reduce::SingleSubgroup { Reduce::Subgroup } else { self.reduce };
        Tuning { workgroup_size: 2 * self.workgroup_size, reduce, ..self }
    }
}
