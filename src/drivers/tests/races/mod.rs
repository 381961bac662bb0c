//! Lanes that are numbered otherwise: CPU adapters run the subgroups of a workgroup one after the other between two
//! barriers, always in the same order, and the lanes of one in step. So where a barrier is missing, lanes may find what
//! they need all the same. With other lanes in its place a kernel must leave the same bits in all of its memory: its
//! sums are of slots that have the lanes' numbers, whoever fills them.

mod barriers;
mod calls;

use std::collections::BTreeSet;

use super::{
    device::{Change, Device},
    is_whole_run,
    kernels::kernels,
    one_of,
};
use crate::{Adapter, Gpu, Reduce, kernel::Kernel, program::Step};
use calls::{Trial, contents, reductions, trials};

/// Which lane of a workgroup has which number.
#[derive(Clone, Copy, Debug)]
enum Order {
    /// That of the device.
    Plain,
    /// The last one is the first. Of two subgroups the later one's lanes now come before the others: a barrier that is
    /// missing between two subgroups shows in this order or in the plain one.
    Reversed,
    /// Through workgroup memory, lanes with numbers next to each other are of different subgroups: what these leave for
    /// each other needs a barrier too, where an adapter's subgroups have one lane or run out of step. By subgroup
    /// operations, whole subgroups in an order that neither rises nor falls.
    Apart,
}

/// Lanes of a subgroup where an adapter has no subgroup operations to tell: 4 or 8 on CPU adapters.
const SUBGROUP: u32 = 8;

impl Order {
    /// What makes a lane's number, in WGSL. Where subgroup operations add up, lanes of a subgroup keep their order, and
    /// subgroups have their numbers in that of their lanes: those are the order of the sums.
    fn numbering(self, reduce: Reduce) -> &'static str {
        match (self, reduce) {
            (Order::Plain, _) | (_, Reduce::SingleSubgroup) => "",
            (Order::Reversed, Reduce::Workgroup) => "thread.lane = WORKGROUP_SIZE - 1u - thread.lane;",
            (Order::Apart, Reduce::Workgroup) => {
                "thread.lane = thread.lane % SUBGROUP * (WORKGROUP_SIZE / SUBGROUP) + thread.lane / SUBGROUP;"
            }
            (Order::Reversed, Reduce::Subgroup) => {
                "thread.subgroup = thread.subgroups - 1u - thread.subgroup;
                thread.lane = thread.subgroup * (WORKGROUP_SIZE / thread.subgroups) + thread.subgroup_lane;"
            }
            // There are as many as a power of two.
            (Order::Apart, Reduce::Subgroup) => {
                "thread.subgroup = (5u * thread.subgroup + 3u) % thread.subgroups;
                thread.lane = thread.subgroup * (WORKGROUP_SIZE / thread.subgroups) + thread.subgroup_lane;"
            }
        }
    }

    /// A text with a line in front of all that an entry point does.
    fn numbered(self, text: String, reduce: Reduce) -> String {
        let numbering = self.numbering(reduce);
        if numbering.is_empty() {
            return text;
        }
        let mut numbered = format!("const SUBGROUP: u32 = {SUBGROUP}u;\n");
        let mut is_entry = false;
        for line in text.lines() {
            match line.strip_suffix("thread: Thread) {") {
                Some(start) if is_entry => {
                    let first = format!("{start}by_device: Thread) {{ var thread = by_device; {numbering}");
                    numbered.push_str(&first);
                }
                _ => numbered.push_str(line),
            }
            numbered.push('\n');
            is_entry = line.starts_with("@compute");
        }
        numbered
    }
}

impl Change for Order {
    fn text(&self, step: &Step) -> String {
        self.numbered(step.kernel.assemble().source, step.kernel.reduce)
    }
}

/// Lanes of GPUs' workgroups, and few, for which some drivers have files of their own.
const LANES: [u32; 3] = [64, 256, 16];

/// Of how many combinations one is taken; each runs on one of the adapters, in one order besides the plain one.
fn turns() -> usize {
    one_of(97, 11)
}

/// Everything that a program leaves, with lanes in an order.
fn left(gpu: &Gpu, trial: &Trial, change: &impl Change) -> Vec<(String, Vec<u8>)> {
    let mut device = Device::new(gpu);
    let memory = device.memory(&trial.program, trial.tensors.iter().cloned(), |name, ty| contents(trial, name, ty));
    let params = |kernel: &Kernel| trial.values.as_ref().map_or_else(Vec::new, |values| kernel.bytes_of_params(values));
    device.run(&trial.program, &memory, params, change);
    device.read(&trial.program, &memory)
}

/// The first memory in which two runs differ, and where.
fn difference(one: &[(String, Vec<u8>)], other: &[(String, Vec<u8>)]) -> Option<String> {
    one.iter().zip(other).find_map(|((name, one), (_, other))| {
        let words = |bytes: &[u8]| bytes.chunks(4).map(<[u8]>::to_vec).collect::<Vec<_>>();
        let place = words(one).iter().zip(&words(other)).position(|(one, other)| one != other);
        place.map(|place| format!("{name} in word {place}"))
    })
}

#[test]
fn lanes_in_any_order_leave_the_same() {
    let orders = [Order::Reversed, Order::Apart];
    let gpus: Vec<Gpu> =
        Adapter::all_blocking().iter().map(|adapter| adapter.open_blocking().expect("the adapter opens")).collect();
    let layouts = LANES.into_iter().flat_map(|lanes| [(lanes, Reduce::Workgroup), (lanes, Reduce::Subgroup)]);
    let (mut tried, mut number) = (0, 0);
    for (lanes, reduce) in layouts {
        let able: Vec<&Gpu> = gpus.iter().filter(|gpu| reductions(gpu, lanes).contains(&reduce)).collect();
        for (place, gpu) in able.iter().enumerate() {
            for (turn, trial) in trials(gpu, lanes, reduce).into_iter().enumerate() {
                // The next that binds so many tensors takes it.
                let takers = (0..able.len()).map(|more| (turn + more) % able.len());
                if takers.into_iter().find(|taker| trial.is_bound_by(able[*taker])) != Some(place) {
                    continue;
                }
                number += 1;
                if number % turns() != 0 {
                    continue;
                }
                let plain = left(gpu, &trial, &Order::Plain);
                let turn = number / turns();
                let order = orders[turn % orders.len()];
                let found = difference(&plain, &left(gpu, &trial, &order));
                let what = format!("{order:?}, {lanes} lanes by {reduce}, {}: {}", gpu.adapter_id(), trial.what);
                assert_eq!(found, None, "{what}");
                tried += 1;
            }
        }
    }
    assert!(tried >= number / turns() && tried > 4, "{tried} of {number}");
}

/// Entry points and the files that stand with them in a kernel, of drivers and operations.
fn parts<'a>(kernels: impl Iterator<Item = (&'a Kernel, &'static str)>) -> BTreeSet<(&'static str, &'static str)> {
    let files = |(kernel, entry): (&'a Kernel, &'static str)| {
        let files = kernel.lib().chain(kernel.files.iter().copied()).map(|file| file.path);
        files
            .filter(|path| ["drivers/", "ops/"].iter().any(|folder| path.starts_with(folder)))
            .map(move |path| (entry, path))
            .collect::<Vec<_>>()
    };
    kernels.flat_map(files).collect()
}

#[test]
fn the_kernels_of_every_driver_and_operation_are_tried_in_other_orders() {
    let gpu = Adapter::all_blocking()[0].open_blocking().expect("the adapter opens");
    let trials: Vec<Trial> = LANES.iter().flat_map(|lanes| trials(&gpu, *lanes, Reduce::Workgroup)).collect();
    let tried = parts(trials.iter().flat_map(|trial| &trial.program.steps).map(|step| (&*step.kernel, step.entry)));
    // A workgroup that is one subgroup has no memory that its lanes share.
    let shared = kernels().iter().filter(|used| used.kernel.reduce != Reduce::SingleSubgroup);
    let all = shared.flat_map(|used| used.entries.iter().map(|entry| (&*used.kernel, *entry)));
    let missing: Vec<_> = parts(all).difference(&tried).copied().collect();
    assert!(missing.is_empty(), "{missing:?}");
}
