//! What programs depend on of a device: no program needs the device itself.

use wgpu::Limits;

use super::{Loops, Tuning, tuning::LEAST_LANES};
use crate::{Error, kernel::Reduce};

/// What programs depend on of a device.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    /// Backend and name of the adapter.
    pub adapter: String,
    pub limits: Limits,
    pub tuning: Tuning,
    /// The table's choice, which serves where `tuning` cannot run a step.
    pub table: Tuning,
    /// Whether a store of one component of a vector leaves the others alone. WGSL does not say so, and Metal's
    /// compilers store the whole vector; the other languages that shaders are translated to say it.
    pub stores_components: bool,
}

impl Machine {
    /// The error for what is beyond a limit.
    pub fn limit(&self, what: &str, limit: &'static str, needed: u64, available: u64) -> Error {
        Error::Limit { what: what.to_string(), limit, needed, available, adapter: self.adapter.clone(), advice: None }
    }

    /// So many elements of any storage type are whole quads, and end where a binding may start.
    pub fn aligned_elements(&self) -> u64 {
        u64::from(self.limits.min_storage_buffer_offset_alignment).max(4)
    }

    /// What `needed` is of a limit, unless that is enough.
    pub fn expect(&self, what: &str, limit: &'static str, needed: u64, available: u64) -> Result<(), Error> {
        if needed > available { Err(self.limit(what, limit, needed, available)) } else { Ok(()) }
    }

    /// Whether the device runs any compute kernel of ours.
    pub fn check(&self, loss: &str) -> Result<(), Error> {
        let limits = &self.limits;
        let lanes = u64::from(LEAST_LANES);
        for (limit, needed, available) in [
            ("max_compute_workgroups_per_dimension", 1, limits.max_compute_workgroups_per_dimension),
            ("max_compute_invocations_per_workgroup", lanes, limits.max_compute_invocations_per_workgroup),
            ("max_compute_workgroup_size_x", lanes, limits.max_compute_workgroup_size_x),
            ("max_compute_workgroup_size_y", 1, limits.max_compute_workgroup_size_y),
            ("max_compute_workgroup_size_z", 1, limits.max_compute_workgroup_size_z),
        ] {
            self.expect(loss, limit, needed, available.into())?;
        }
        Ok(())
    }

    /// Whether a lane may run these loops.
    pub fn runs(&self, loops: Loops) -> bool {
        loops.iterations() <= self.tuning.max_loop_iterations.into()
    }

    /// That a lane may run these loops of `what`.
    pub fn expect_to_run(&self, what: &str, loops: Loops) -> Result<(), Error> {
        self.expect(what, "max_loop_iterations", loops.iterations(), self.tuning.max_loop_iterations.into())
    }

    /// The most of up to `most` items whose loops a lane may run; of `what` one at least.
    pub fn most(&self, what: &str, most: u64, loops: impl Fn(u64) -> Loops) -> Result<u64, Error> {
        self.expect_to_run(what, loops(1))?;
        let (mut runs, mut least_refused) = (1, most.max(1).saturating_add(1));
        while runs + 1 < least_refused {
            let middle = runs + (least_refused - runs) / 2;
            if self.runs(loops(middle)) { runs = middle } else { least_refused = middle }
        }
        Ok(runs)
    }

    /// The tuning itself if a lane may run these loops of `what` with it. Else the nearest with fewer or more lanes
    /// that may, or the table's: so nothing meets a limit that the table's choice would not.
    pub fn fitting(&self, what: &str, tuning: Tuning, loops: impl Fn(Tuning) -> Loops) -> Result<Tuning, Error> {
        let largest = self.largest_workgroup();
        let narrower = |tuning: &Tuning| tuning.with_lanes(tuning.workgroup_size / 2, LEAST_LANES, largest);
        let wider = |tuning: &Tuning| tuning.with_lanes(2 * tuning.workgroup_size, LEAST_LANES, largest);
        let all_wider = |tuning: Tuning| std::iter::successors(Some(tuning), wider);
        std::iter::successors(Some(tuning), narrower)
            .chain(all_wider(tuning))
            .chain(all_wider(self.table))
            .find(|&tuning| self.runs(loops(tuning)))
            .ok_or_else(|| {
                let (needed, available) = (loops(tuning).iterations(), self.tuning.max_loop_iterations.into());
                self.limit(what, "max_loop_iterations", needed, available)
            })
    }

    fn largest_workgroup(&self) -> u32 {
        self.limits.max_compute_invocations_per_workgroup.min(self.limits.max_compute_workgroup_size_x)
    }
}

impl Tuning {
    /// The tuning with so many lanes, if a workgroup may have them.
    fn with_lanes(self, lanes: u32, least: u32, most: u32) -> Option<Tuning> {
        let is_one_subgroup = self.reduce == Reduce::SingleSubgroup && lanes <= self.workgroup_size;
        let reduce = match self.reduce {
            Reduce::SingleSubgroup if !is_one_subgroup => Reduce::Subgroup,
            reduce => reduce,
        };
        (least..=most).contains(&lanes).then_some(Tuning { workgroup_size: lanes, reduce, ..self })
    }
}
