//! Barriers that are missing: for each of all kernels a call that shows it.

use std::collections::{BTreeSet, HashMap};

use super::{
    super::{device::Change, kernels::kernels},
    Order,
    calls::{HUGE, Tried, of, of_loss, reductions},
    difference, is_whole_run, left, one_of,
};
use crate::{Adapter, DType, Reduce, RowKernel::Workgroup, kernel::Kernel, program::Step, spec::ShaderFile};

/// An order of lanes in a text without one of its barriers.
#[derive(Clone, Copy, Debug)]
struct Without {
    barrier: Barrier,
    order: Order,
}

/// A line with a barrier: its file, and its place among the lines with one there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Barrier {
    file: &'static str,
    number: usize,
}

impl Barrier {
    /// What each of them stands for in a line.
    const CALLS: [&str; 3] = ["workgroupBarrier();", "storageBarrier();", "workgroupUniformLoad(&shared_flag)"];

    fn is_in(line: &str) -> bool {
        Barrier::CALLS.iter().any(|call| line.contains(call))
    }

    /// All of a kernel.
    fn all(kernel: &Kernel) -> BTreeSet<Barrier> {
        let files = kernel.lib().chain(kernel.files.iter().copied());
        let of_file = |file: ShaderFile| {
            let count = file.source.lines().filter(|line| Barrier::is_in(line)).count();
            (0..count).map(move |number| Barrier { file: file.path, number })
        };
        files.flat_map(of_file).collect()
    }

    /// A kernel's text without it.
    fn removed(self, kernel: &Kernel) -> String {
        let text = kernel.assemble();
        let without = |(name, part): (&str, &str)| {
            let mut before = 0;
            let line = |line: &str| {
                let is_it = name == self.file && Barrier::is_in(line) && before == self.number;
                before += usize::from(Barrier::is_in(line));
                let [workgroup, storage, load] = Barrier::CALLS;
                let bare = line.replace(workgroup, "").replace(storage, "").replace(load, "shared_flag");
                (if is_it { bare } else { line.to_string() }) + "\n"
            };
            part.lines().map(line).collect::<String>()
        };
        text.parts().map(without).collect()
    }
}

impl Change for Without {
    fn text(&self, step: &Step) -> String {
        self.order.numbered(self.barrier.removed(&step.kernel), step.kernel.reduce)
    }
}

/// A barrier without which a call leaves something else in some order of the lanes.
struct Needed {
    barrier: Barrier,
    lanes: u32,
    by: Reduce,
    call: Tried,
}

const fn needed(file: &'static str, number: usize, by: Reduce, call: Tried) -> Needed {
    Needed { barrier: Barrier { file, number }, lanes: 64, by, call }
}

/// By so few lanes that a driver has another file.
const fn by_few(needed: Needed) -> Needed {
    Needed { lanes: 16, ..needed }
}

const ROWS: Tried = of("cross_entropy", &[25, 1_101]).by(Workgroup, 1_101).cached().in_place(DType::F16);
const SORTED: Tried = Tried { labels: 7, ..of("triplet_batch_all", &[70, 33]).with(&[("triplets", "semi_hard")]) };
const TILES: Tried = of("nt_xent", &[70, 37]);
const HEAD: Tried = Tried { labels: 37, ..of("linear_cross_entropy", &[70, 37]) };
const COSINES: Tried = Tried { labels: 7, ..of("triplet_batch_all", &[70, 33]).with(&[("distance", "cosine")]) };

const BY_WORKGROUP: &str = "lib/reduce_workgroup.wgsl";
const BY_SUBGROUP: &str = "lib/reduce_subgroup.wgsl";
const ROW_CACHE: &str = "drivers/rows/row_cache.wgsl";
const TILE: &str = "lib/tile.wgsl";
const RADIALS: &str = "drivers/all_pairs/gather_tiles.wgsl";
const STRIP: &str = "lib/strip_workgroup.wgsl";
const SHARED_ROWS: &str = "drivers/all_pairs/tile_workgroup.wgsl";

const NEEDED: &[Needed] = &[
    needed(BY_WORKGROUP, 0, Reduce::Workgroup, ROWS),
    needed(BY_WORKGROUP, 1, Reduce::Workgroup, ROWS),
    needed(BY_WORKGROUP, 2, Reduce::Workgroup, ROWS),
    needed(BY_WORKGROUP, 3, Reduce::Workgroup, ROWS),
    needed(BY_WORKGROUP, 4, Reduce::Workgroup, SORTED),
    needed(BY_WORKGROUP, 5, Reduce::Workgroup, ROWS),
    needed(BY_WORKGROUP, 6, Reduce::Workgroup, HUGE),
    needed(BY_WORKGROUP, 7, Reduce::Workgroup, SORTED),
    needed(BY_SUBGROUP, 0, Reduce::Subgroup, ROWS),
    needed(BY_SUBGROUP, 1, Reduce::Subgroup, ROWS),
    needed(BY_SUBGROUP, 2, Reduce::Subgroup, HUGE),
    needed(BY_SUBGROUP, 3, Reduce::Subgroup, SORTED),
    needed(ROW_CACHE, 0, Reduce::Workgroup, ROWS),
    needed(TILE, 0, Reduce::Workgroup, TILES),
    needed(TILE, 1, Reduce::Workgroup, TILES),
    needed(RADIALS, 1, Reduce::Workgroup, COSINES),
    by_few(needed(SHARED_ROWS, 0, Reduce::Workgroup, TILES)),
    by_few(needed(SHARED_ROWS, 1, Reduce::Workgroup, TILES)),
    by_few(needed(STRIP, 0, Reduce::Workgroup, HEAD)),
    by_few(needed(STRIP, 1, Reduce::Workgroup, HEAD)),
];

/// A barrier that is there for who reads the file alone: what is kept of a row is read behind reductions, which have
/// barriers of their own.
const SPARE: Barrier = Barrier { file: ROW_CACHE, number: 1 };

/// A barrier that only GPUs need: it stands behind a loop that has barriers, whose end no subgroup passes on lavapipe
/// before all have come to it.
const BEHIND_A_LOOP: Barrier = Barrier { file: RADIALS, number: 0 };

#[test]
fn a_barrier_that_is_missing_shows() {
    for adapter in Adapter::all_blocking().iter().take(if is_whole_run() { usize::MAX } else { 1 }) {
        let gpu = adapter.open_blocking().expect("the adapter opens");
        let mut plain: HashMap<String, Vec<(String, Vec<u8>)>> = HashMap::new();
        for needed in NEEDED.iter().step_by(one_of(6, 1)) {
            let Needed { barrier, lanes, by, call } = needed;
            if !reductions(&gpu, *lanes).contains(by) {
                continue;
            }
            let trial = of_loss(&gpu, *lanes, *by, call);
            let whole =
                plain.entry(format!("{lanes} {by} {call:?}")).or_insert_with(|| left(&gpu, &trial, &Order::Plain));
            let shows = |order| difference(whole, &left(&gpu, &trial, &Without { barrier: *barrier, order })).is_some();
            let is_found = [Order::Plain, Order::Reversed, Order::Apart].into_iter().any(shows);
            assert!(is_found, "{}: no order shows {barrier:?}", gpu.adapter_id());
        }
    }
}

#[test]
fn every_barrier_is_known() {
    let known: BTreeSet<Barrier> = NEEDED.iter().map(|needed| needed.barrier).chain([SPARE, BEHIND_A_LOOP]).collect();
    let all: BTreeSet<Barrier> = kernels().iter().flat_map(|used| Barrier::all(&used.kernel)).collect();
    assert_eq!(known, all);
}
