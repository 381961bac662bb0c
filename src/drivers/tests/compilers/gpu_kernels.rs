//! The kernels that GPUs get of the tuning table.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use wgpu::{AdapterInfo, Features, Limits};

use super::super::{
    super::room,
    asked::Plain,
    calls::{OwnedCall, choices},
    ops,
};
use crate::{
    DType, Gradients, Options, Reduction, Statistics, Tuning,
    gpu::Machine,
    joint,
    kernel::Kernel,
    losses::ALL,
    program::Program,
    spec::{Driver, LossSpec, Value, Values},
};

/// What tables call an entry point: the loss or operation, the call, the entry point and the lanes of its workgroup.
pub(super) type Key = [String; 4];

/// A kernel, and the names that tables have for the entry points that steps use.
pub(super) struct GpuKernel {
    pub kernel: Arc<Kernel>,
    pub entries: Vec<(&'static str, Key)>,
}

/// A shape of the first input that leads a driver to one of its layouts.
#[derive(Clone, Copy)]
struct Shape {
    shape: &'static [usize],
    broadcast: &'static [&'static [usize]],
    wanted: Wanted,
}

/// Of which losses a layout is compiled.
#[derive(Clone, Copy, PartialEq)]
enum Wanted {
    /// Of all, and here with all that a call may ask for besides.
    Thoroughly,
    /// Of all, of f32 and of halves.
    OfAll,
    /// Of all, of f32.
    OfAllInF32,
    /// Of [`REPRESENTATIVES`], whose hooks are like those of others.
    OfSome,
}

impl Wanted {
    const fn shape(self, shape: &'static [usize]) -> Shape {
        Shape { shape, broadcast: &[], wanted: self }
    }
}

/// Losses that are compiled in more layouts than others.
const REPRESENTATIVES: [&str; 10] = [
    "mse",
    "bce",
    "ciou",
    "triplet_margin",
    "cosine_embedding",
    "cross_entropy",
    "distillation",
    "dice",
    "ce_dice",
    "clip",
];

/// Shapes that lead to the layouts of a driver, as calls of GPUs have them.
fn shapes(driver: &Driver) -> Vec<Shape> {
    use Wanted::{OfAll, OfAllInF32, OfSome, Thoroughly};
    match driver {
        Driver::Elementwise => vec![
            Thoroughly.shape(&[1 << 20]),
            Shape { broadcast: &[&[64, 1, 512], &[64, 256, 512], &[256, 1], &[]], ..OfSome.shape(&[64, 256, 512]) },
            Shape { broadcast: &[&[64, 256, 512], &[1, 256, 512]], ..OfSome.shape(&[64, 256, 512]) },
        ],
        Driver::Boxes => vec![Thoroughly.shape(&[65_536, 4])],
        // A row keeps 64 lanes busy, or all.
        Driver::Pairs => vec![
            Thoroughly.shape(&[65_536, 128]),
            OfAll.shape(&[4096, 4096]),
            OfAllInF32.shape(&[65_536, 127]),
            OfSome.shape(&[4096, 1024]),
        ],
        Driver::Rows(_) => vec![
            // A lane a row: classes side by side, or apart in two layouts.
            OfAll.shape(&[65_536, 10]),
            OfAll.shape(&[8, 19, 65_536]),
            OfSome.shape(&[8, 19, 65_535]),
            // A workgroup a row of 64 lanes, 128 and 256, by quads or not, with caches of several sizes and none.
            OfAllInF32.shape(&[65_536, 100]),
            OfSome.shape(&[65_536, 101]),
            Thoroughly.shape(&[8192, 1000]),
            OfSome.shape(&[8192, 2000]),
            OfSome.shape(&[8192, 3000]),
            OfAll.shape(&[8192, 4096]),
            OfAllInF32.shape(&[8192, 7_936]),
            OfSome.shape(&[8192, 8192]),
            OfAll.shape(&[4096, 32_000]),
            OfSome.shape(&[4096, 50_257]),
            // Several workgroups a row.
            OfAll.shape(&[8, 131_072]),
            OfSome.shape(&[8, 131_071]),
            OfAllInF32.shape(&[2, 4096, 3]),
        ],
        Driver::Regions(_) => vec![
            OfAllInF32.shape(&[8, 2, 65_536]),
            OfAll.shape(&[8, 3, 65_536]),
            OfSome.shape(&[8, 3, 65_535]),
            OfAllInF32.shape(&[8, 8, 65_536]),
            OfAllInF32.shape(&[8, 12, 65_536]),
            OfAllInF32.shape(&[8, 16, 65_536]),
            Thoroughly.shape(&[8, 19, 65_536]),
            OfAllInF32.shape(&[8, 20, 65_536]),
            Thoroughly.shape(&[8, 21, 65_536]),
            OfSome.shape(&[8, 21, 65_535]),
            OfAllInF32.shape(&[8, 40, 65_536]),
            OfAllInF32.shape(&[8, 150, 65_536]),
        ],
        Driver::Sum(_) => vec![OfAll.shape(&[64, 1024])],
        Driver::Sequences(sequences) if sequences.takes_hidden => vec![OfAllInF32.shape(&[1024, 256])],
        Driver::Sequences(sequences) if sequences.takes_logits => vec![OfAllInF32.shape(&[4096, 32_000])],
        Driver::Sequences(_) => vec![Thoroughly.shape(&[65_536])],
        Driver::TopK(_) => vec![OfAllInF32.shape(&[4096, 32_000])],
        Driver::Layers(_) | Driver::Gram => {
            vec![Thoroughly.shape(&[8, 64, 4096]), OfSome.shape(&[8, 64, 4094]), OfSome.shape(&[8, 63, 4095])]
        }
        Driver::Linear(_) => vec![Thoroughly.shape(&[1024, 256]), OfSome.shape(&[1024, 255])],
        // Tiles of one quad, of two and of four; one panel and several.
        Driver::AllPairs(_) => vec![
            OfAllInF32.shape(&[1024, 3]),
            OfAllInF32.shape(&[1024, 8]),
            Thoroughly.shape(&[1024, 128]),
            OfAllInF32.shape(&[16_384, 512]),
        ],
    }
}

/// A call of a loss with what tables call it.
type Named = (String, OwnedCall);

/// The calls of a loss on a device: all, or in each layout the simplest.
fn calls(spec: &'static LossSpec, machine: &Machine, is_simple: bool) -> Vec<Named> {
    let is_representative = REPRESENTATIVES.contains(&spec.name);
    let mean = spec.reductions().find(|reduction| *reduction == Reduction::Mean);
    let options = Options::new(mean.or_else(|| spec.reductions().next()).expect("a loss has a reduction"));
    let default: Vec<Value> = spec.params.iter().map(|param| param.default).collect();
    let mut calls = Vec::new();
    for Shape { shape, broadcast, wanted } in shapes(&spec.driver) {
        // An input alone has nothing to be broadcast to.
        let is_left_out = wanted == Wanted::OfSome && (!is_representative || is_simple);
        let is_alone = spec.inputs.iter().filter(|input| input.name != crate::spec::WEIGHT.name).count() == 1;
        if is_left_out || (is_alone && !broadcast.is_empty()) {
            continue;
        }
        let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
        let sizes = format!("{}{}", sizes.join("x"), if broadcast.is_empty() { "" } else { " broadcast" });
        let plain = Plain { shape, broadcast, dtype: DType::F32, has_all_inputs: true, options, roomy: true };
        let mut add = |plain: Plain<'_>, values: &[Value], what: &str| {
            let values = Values::new(spec, values.to_vec()).expect("choices keep their rules");
            calls.push((format!("{sizes} {}{what}", plain.dtype), plain.call(machine.clone(), values)));
        };
        let dtypes: &[DType] = match wanted {
            _ if is_simple => &[DType::F32],
            _ if is_representative => &DType::FLOATS,
            Wanted::Thoroughly | Wanted::OfAll => &[DType::F32, DType::BF16],
            Wanted::OfAllInF32 | Wanted::OfSome => &[DType::F32],
        };
        dtypes.iter().for_each(|&dtype| add(Plain { dtype, ..plain }, &default, ""));
        if wanted != Wanted::Thoroughly || is_simple {
            continue;
        }
        add(Plain { has_all_inputs: false, ..plain }, &default, " required inputs");
        add(Plain { roomy: false, ..plain }, &default, " element by element");
        for (gradients, what) in [
            (Gradients::InPlace, " in place"),
            (Gradients::Add { weight: 0.5 }, " added"),
            (Gradients::Skip, " loss only"),
        ] {
            add(Plain { options: Options { gradients, ..options }, ..plain }, &default, what);
        }
        for reduction in spec.reductions().filter(|reduction| *reduction != options.reduction) {
            add(Plain { options: Options { reduction, ..options }, ..plain }, &default, &format!(" {reduction}"));
        }
        let known: Vec<&str> = room(&spec.driver).statistics(spec).iter().map(|statistic| statistic.name).collect();
        let statistics = Statistics::of(|name| known.contains(&name));
        if !known.is_empty() {
            add(Plain { options: Options { statistics, ..options }, ..plain }, &default, " statistics");
        }
        for (place, param) in spec.params.iter().enumerate() {
            for choice in choices(param).into_iter().filter(|choice| *choice != param.default) {
                let mut values = default.clone();
                values[place] = choice;
                add(plain, &values, &format!(" {}={choice}", param.name));
            }
        }
    }
    calls
}

/// The kernels of all losses and operations on a device, and the simplest of them on one without subgroups; each text
/// once.
pub(super) fn kernels(machine: &Machine, without_subgroups: &Machine) -> Vec<GpuKernel> {
    let mut list = List::default();
    for (machine, is_simple, word) in [(machine, false, ""), (without_subgroups, true, " without subgroups")] {
        for spec in ALL {
            for (call, owned) in calls(spec, machine, is_simple) {
                list.add(spec.name, &format!("{call}{word}"), owned.program());
            }
        }
        let tensors = ops::tensors([5, 40_001]);
        for roomy in [true, false] {
            let call = format!("{}{word}", if roomy { "by quads" } else { "element by element" });
            for made in ops::programs_of(machine, &tensors, roomy) {
                list.add(made.name, &call, made.program);
            }
        }
        list.add("joint", &format!("3 tasks{word}"), joint::copy::program(machine, 3, [4, 256]));
    }
    list.kernels
}

/// A device of these properties by the table.
pub(super) fn machine(info: &AdapterInfo, features: Features, limits: &Limits) -> Machine {
    let tuning = Tuning::for_adapter(info, features, limits);
    let (adapter, limits) = (info.name.clone(), limits.clone());
    Machine { adapter, limits, tuning, table: tuning, stores_components: true }
}

/// Kernels found so far.
#[derive(Default)]
struct List {
    kernels: Vec<GpuKernel>,
    /// Where each recipe, and each text, stands.
    recipes: HashMap<Arc<Kernel>, usize>,
    texts: HashMap<String, usize>,
    names: BTreeSet<Key>,
}

impl List {
    fn add(&mut self, loss: &str, call: &str, program: Program) {
        for step in program.steps {
            let place = *self.recipes.entry(step.kernel.clone()).or_insert_with(|| {
                // Recipes may differ where texts do not.
                *self.texts.entry(step.kernel.assemble().source).or_insert_with(|| {
                    self.kernels.push(GpuKernel { kernel: step.kernel.clone(), entries: Vec::new() });
                    self.kernels.len() - 1
                })
            });
            let entries = &mut self.kernels[place].entries;
            if entries.iter().any(|(entry, _)| *entry == step.entry) {
                continue;
            }
            let lanes = step.kernel.workgroup_size.to_string();
            // One call may have an entry point of several kernels, as sums have of their parts.
            let key = |number: usize| {
                let number = if number > 1 { format!(" ({number})") } else { String::new() };
                [loss.to_string(), call.to_string(), format!("{}{number}", step.entry), lanes.clone()]
            };
            let key = (1..).map(key).find(|key| !self.names.contains(key)).expect("numbers do not end");
            self.names.insert(key.clone());
            entries.push((step.entry, key));
        }
    }
}
