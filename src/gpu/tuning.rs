//! Which workgroup size, how many workgroups, which reduction and which row kernels an adapter gets, and why.

use std::fmt;

use wgpu::{AdapterInfo, Backend, DeviceType, Features, Limits};

use crate::{Error, kernel::Reduce};

/// How kernels are laid out on an adapter. Apart from `max_loop_iterations`, which the driver imposes, every choice is
/// a matter of speed alone: results agree to rounding.
///
/// How many elements a lane takes at once is no choice: four, as many as one load moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "bench", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Tuning {
    /// Lanes of a workgroup; a power of two, four at least.
    pub workgroup_size: u32,
    /// How many workgroups a large call is split into; each owns one contiguous span.
    pub workgroups: u32,
    /// How the lanes of a workgroup add up what they have.
    pub reduce: Reduce,
    /// How many iterations one lane may run in all its loops together.
    pub max_loop_iterations: u32,
    /// How rows are shared out.
    pub rows: RowKernel,
    /// Rows of up to so many classes take a lane each.
    pub lane_classes: u32,
    /// So many rows or fewer, where they are long, take several workgroups each.
    pub few_rows: u32,
    /// Rows of up to so many classes are kept in workgroup memory between the walks over them.
    pub cached_classes: u32,
    /// Lanes of a workgroup at least, where a short row or a pair of short embeddings needs fewer than all.
    pub least_lanes: u32,
}

/// How rows of classes are shared out; each is a file `shaders/drivers/rows/by_….wgsl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "bench", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum RowKernel {
    /// As the number of rows and classes asks for.
    BySize,
    /// A lane takes a row, where its loops may run that long and its sums stay exact: of 4,096 classes at most.
    Lane,
    /// A workgroup takes a row, where its classes lie side by side and its loops may run that long.
    Workgroup,
    /// Several workgroups take a row.
    Parts,
}

impl fmt::Display for RowKernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RowKernel::BySize => "by size",
            RowKernel::Lane => "a lane a row",
            RowKernel::Workgroup => "a workgroup a row",
            RowKernel::Parts => "several workgroups a row",
        })
    }
}

impl Tuning {
    /// The table's choice for an adapter with these properties.
    pub fn for_adapter(info: &AdapterInfo, features: Features, limits: &Limits) -> Self {
        let has_subgroups = has_subgroups(info, features);
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
                reduce: match (lockstep_size(info, features), has_subgroups) {
                    (Some(_), _) => Reduce::SingleSubgroup,
                    (None, true) => Reduce::Subgroup,
                    (None, false) => Reduce::Workgroup,
                },
                // llvmpipe (of Mesa 22.3, and lavapipe with it) leaves every loop once a lane has run 65,535
                // iterations, and says nothing.
                max_loop_iterations: if info.name.contains("llvmpipe") { 60_000 } else { u32::MAX },
                rows: RowKernel::BySize,
                // On lavapipe rows of 21 classes take half as long with a lane each as with a workgroup each, those of
                // 64 as long, of 128 1.4 times; SwiftShader is like it. Where lanes meet through barriers (GL) it pays
                // further up: 1001 classes take half as long; only 1000, read four at a time, 1.2 times.
                lane_classes: if has_subgroups { 64 } else { 2048 },
                few_rows: 2 * cores,
                // Its caches keep a row anyway: through workgroup memory rows of 256 to 7168 classes take 1.8 to 4
                // times as long on lavapipe, 1.8 times on llvmpipe's GL, 1.1 to 1.9 times on SwiftShader.
                cached_classes: 0,
                least_lanes: 32,
            }
        } else {
            // Not measured on a GPU yet: by what compilers for AMD's say (`benches/compilers`), and by arithmetic. A
            // large GPU moves 3 TB/s with 0.6 µs of latency, so it wants 2 MB in flight.
            Tuning {
                // Of nearly all kernels a unit holds 8 subgroups and more, whole workgroups of this size: with a quad
                // a lane that is 8 KiB in flight, and 2 MB are so on a fraction of a large GPU.
                workgroup_size: 256,
                // Enough for the largest GPUs (a few hundred compute units, several workgroups each), yet few enough
                // that one workgroup adds up their partials at once.
                workgroups: 2048,
                reduce: if has_subgroups { Reduce::Subgroup } else { Reduce::Workgroup },
                max_loop_iterations: u32::MAX,
                rows: RowKernel::BySize,
                // 128 bytes, a line of the cache, of which a lane reads one class after the other. Of a shorter row a
                // workgroup would leave most of a subgroup idle.
                lane_classes: 32,
                // A workgroup that has a row to itself has 4 KiB of it in flight with each load: fewer rows than this
                // do not have 2 MB with two loads each.
                few_rows: 256,
                cached_classes: cached_classes(info, limits),
                // A smaller workgroup leaves lanes of its subgroup idle. AMD's compilers choose 64 where they may.
                least_lanes: if has_subgroups { info.subgroup_max_size.next_power_of_two().max(32) } else { 32 },
            }
        };
        Tuning {
            workgroup_size: tuning.workgroup_size.min(largest_workgroup(limits)),
            workgroups: tuning.workgroups.min(limits.max_compute_workgroups_per_dimension),
            ..tuning
        }
    }

    /// Whether an adapter with these properties can run this layout, rightly and without meeting a limit that the
    /// table's choice would not.
    ///
    /// # Errors
    /// [`Error::Tuning`] with the first field that is wrong.
    pub fn check(self, info: &AdapterInfo, features: Features, limits: &Limits) -> Result<(), Error> {
        let wrong =
            |field, rule, found: &dyn fmt::Display| Err(Error::Tuning { field, rule, found: found.to_string() });
        let table = Tuning::for_adapter(info, features, limits);
        let largest = largest_workgroup(limits);
        if !self.workgroup_size.is_power_of_two()
            || !(LEAST_LANES.min(largest)..=largest).contains(&self.workgroup_size)
        {
            let rule = format!("a power of two from {LEAST_LANES} to {largest}");
            return wrong("workgroup_size", rule, &self.workgroup_size);
        }
        let most = most_workgroups(limits);
        if !(1..=most).contains(&self.workgroups) {
            return wrong("workgroups", format!("from 1 to {most}"), &self.workgroups);
        }
        let one_subgroup = lockstep_size(info, features).is_some_and(|size| self.workgroup_size <= size);
        let can_reduce = match self.reduce {
            Reduce::Workgroup => true,
            Reduce::Subgroup => has_subgroups(info, features),
            Reduce::SingleSubgroup => one_subgroup,
        };
        if !can_reduce {
            let rule = match has_subgroups(info, features) {
                true => format!("workgroup or subgroup for workgroups of {}", self.workgroup_size),
                false => "workgroup, without subgroup operations".to_string(),
            };
            return wrong("reduce", rule, &self.reduce);
        }
        if self.max_loop_iterations != table.max_loop_iterations {
            let rule = format!("{}, as the driver has it", table.max_loop_iterations);
            return wrong("max_loop_iterations", rule, &self.max_loop_iterations);
        }
        // A reduction has a word for each lane.
        let words = (limits.max_compute_workgroup_storage_size / 4).saturating_sub(self.workgroup_size);
        if self.cached_classes > words {
            return wrong("cached_classes", format!("at most {words}"), &self.cached_classes);
        }
        if !self.least_lanes.is_power_of_two() || self.least_lanes < LEAST_LANES {
            return wrong("least_lanes", format!("a power of two from {LEAST_LANES}"), &self.least_lanes);
        }
        Ok(())
    }

    /// The reductions that this layout could use, its own included.
    pub fn reductions(self) -> Vec<Reduce> {
        match self.reduce {
            Reduce::Workgroup => vec![Reduce::Workgroup],
            Reduce::Subgroup => vec![Reduce::Workgroup, Reduce::Subgroup],
            Reduce::SingleSubgroup => vec![Reduce::Workgroup, Reduce::Subgroup, Reduce::SingleSubgroup],
        }
    }

    /// The least classes for which a row is long enough for several workgroups.
    pub fn long_row(self) -> u64 {
        64 * u64::from(self.workgroup_size)
    }

    /// The tuning with no more lanes than a row of so many classes keeps busy.
    pub(crate) fn for_classes(self, classes: u64) -> Self {
        let most = self.workgroup_size;
        let lanes = u32::try_from(classes.div_ceil(8)).map_or(most, u32::next_power_of_two);
        Tuning { workgroup_size: lanes.max(self.least_lanes).min(most), ..self }
    }
}

/// The smallest workgroups: as many lanes as the smallest subgroups have. Smaller ones would need more workgroups for a
/// large call than there may be.
pub(super) const LEAST_LANES: u32 = 4;

/// Classes of the longest row that a GPU keeps in workgroup memory. Two workgroups should fit into a compute unit, so
/// that one reads while the other waits for its lanes; a longer row is read twice, the second time much of it from
/// caches. Compute units have 64 KiB or more (AMD, Apple, Intel), NVIDIA's since 2020 at least 100.
fn cached_classes(info: &AdapterInfo, limits: &Limits) -> u32 {
    let of_unit = if info.vendor == NVIDIA { 96 << 10 } else { 64 << 10 };
    let of_workgroup = limits.max_compute_workgroup_storage_size.min(of_unit / 2);
    // A reduction has a word for each lane.
    (of_workgroup / 4).saturating_sub(largest_workgroup(limits).min(256))
}

/// NVIDIA's number among the vendors of PCI devices.
const NVIDIA: u32 = 0x10de;

/// The largest workgroup, as a power of two.
fn largest_workgroup(limits: &Limits) -> u32 {
    1 << limits.max_compute_invocations_per_workgroup.min(limits.max_compute_workgroup_size_x).max(1).ilog2()
}

/// More would not all fit into one dispatch, as spans are rounded down to powers of two and rows have whole parts.
pub(crate) fn most_workgroups(limits: &Limits) -> u32 {
    (limits.max_compute_workgroups_per_dimension / 4).max(1)
}

fn has_subgroups(info: &AdapterInfo, features: Features) -> bool {
    // Browsers want a directive in front of subgroup operations that naga does not parse, so the kernels have none.
    features.contains(Features::SUBGROUP) && info.backend != Backend::BrowserWebGpu
}

/// The size of every subgroup, where the lanes of one also run in step without barriers: on CPU adapters, whose
/// subgroup is a SIMD register.
fn lockstep_size(info: &AdapterInfo, features: Features) -> Option<u32> {
    let one_size = has_subgroups(info, features) && info.subgroup_min_size == info.subgroup_max_size;
    (one_size && info.device_type == DeviceType::Cpu).then_some(info.subgroup_max_size)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An adapter with subgroups of one size, as lavapipe is one.
    pub(crate) fn cpu_adapter() -> AdapterInfo {
        AdapterInfo {
            name: "llvmpipe (LLVM 15.0.6, 256 bits)".to_string(),
            vendor: 0x10005,
            driver: "llvmpipe".to_string(),
            driver_info: "Mesa 22.3.6".to_string(),
            subgroup_min_size: 8,
            subgroup_max_size: 8,
            ..AdapterInfo::new(DeviceType::Cpu, Backend::Vulkan)
        }
    }

    #[test]
    fn every_choice_of_the_table_can_run() {
        for device_type in [DeviceType::Cpu, DeviceType::DiscreteGpu] {
            for backend in [Backend::Vulkan, Backend::BrowserWebGpu] {
                for (subgroup_min_size, subgroup_max_size) in [(4, 4), (8, 8), (32, 32), (4, 128)] {
                    for limits in [Limits::defaults(), Limits::downlevel_defaults()] {
                        for features in [Features::empty(), Features::SUBGROUP] {
                            let info = AdapterInfo::new(device_type, backend);
                            let info = AdapterInfo { subgroup_min_size, subgroup_max_size, ..info };
                            let tuning = Tuning::for_adapter(&info, features, &limits);
                            assert_eq!(tuning.check(&info, features, &limits), Ok(()), "{info:?} {tuning:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn rows_of_gpus_fit_twice_into_a_compute_unit() {
        let tuning = |vendor, subgroups: (u32, u32), storage| {
            let (subgroup_min_size, subgroup_max_size) = subgroups;
            let info = AdapterInfo::new(DeviceType::DiscreteGpu, Backend::Vulkan);
            let info = AdapterInfo { vendor, subgroup_min_size, subgroup_max_size, ..info };
            let limits = Limits { max_compute_workgroup_storage_size: storage, ..Limits::defaults() };
            let tuning = Tuning::for_adapter(&info, Features::SUBGROUP, &limits);
            (tuning.cached_classes, tuning.for_classes(100).workgroup_size)
        };
        let (amd, apple) = (0x1002, 0x106b);
        assert_eq!(tuning(amd, (32, 64), 64 << 10), (7936, 64));
        assert_eq!(tuning(NVIDIA, (32, 32), 48 << 10), (12_032, 32));
        assert_eq!(tuning(apple, (32, 32), 32 << 10), (7936, 32));
        assert_eq!(tuning(0, (4, 32), 16 << 10), (3840, 32));
    }

    #[test]
    fn what_an_adapter_cannot_run_is_named() {
        let (info, limits) = (cpu_adapter(), Limits::defaults());
        let table = Tuning::for_adapter(&info, Features::SUBGROUP, &limits);
        let refused = |tuning: Tuning, features, info: &AdapterInfo| match tuning.check(info, features, &limits) {
            Err(Error::Tuning { field, .. }) => field,
            other => panic!("{tuning:?}: {other:?}"),
        };
        for workgroup_size in [0, 1, 12, 512, 1 << 31, u32::MAX] {
            let tuning = Tuning { workgroup_size, reduce: Reduce::Workgroup, ..table };
            assert_eq!(refused(tuning, Features::SUBGROUP, &info), "workgroup_size");
        }
        for workgroups in [0, 16_384, u32::MAX] {
            assert_eq!(refused(Tuning { workgroups, ..table }, Features::SUBGROUP, &info), "workgroups");
        }
        // Two subgroups, none at all, and lanes that need not run in step.
        assert_eq!(refused(Tuning { workgroup_size: 16, ..table }, Features::SUBGROUP, &info), "reduce");
        assert_eq!(refused(Tuning { reduce: Reduce::Subgroup, ..table }, Features::empty(), &info), "reduce");
        let gpu = AdapterInfo { device_type: DeviceType::DiscreteGpu, ..cpu_adapter() };
        assert_eq!(refused(table, Features::SUBGROUP, &gpu), "reduce");
        let endless = Tuning { max_loop_iterations: u32::MAX, ..table };
        assert_eq!(refused(endless, Features::SUBGROUP, &info), "max_loop_iterations");
        let words = limits.max_compute_workgroup_storage_size / 4;
        let cached = Tuning { cached_classes: words - 8, ..table };
        assert_eq!(cached.check(&info, Features::SUBGROUP, &limits), Ok(()));
        let cached = Tuning { cached_classes: words - 7, ..table };
        assert_eq!(refused(cached, Features::SUBGROUP, &info), "cached_classes");
        for least_lanes in [0, 2, 48] {
            assert_eq!(refused(Tuning { least_lanes, ..table }, Features::SUBGROUP, &info), "least_lanes");
        }
    }
}
