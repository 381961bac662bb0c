//! Calls of a loss in which every two things that a call may ask for meet.

use super::super::{Call, CallTensor, program, room};
use crate::{
    DType, Error, Gradients, Named, Options, Reduce, Reduction, RowKernel, Signature, Statistics, TensorType, Tuning,
    gpu::Machine,
    parity::covering,
    program::Program,
    spec::{DIVISOR, Driver, Input, Kind, LossSpec, Param, Rule, Shape, UPSTREAM, Value, Values, WEIGHT},
};

/// A call with all that it refers to.
pub(super) struct OwnedCall {
    machine: Machine,
    pub values: Values,
    signature: Signature,
    options: Options,
    roomy: bool,
    /// Whether inputs lie in buffers that outputs lie in too.
    shares_buffers: bool,
}

impl OwnedCall {
    pub fn new(machine: Machine, values: Values, signature: Signature, options: Options, roomy: bool) -> Self {
        OwnedCall { machine, values, signature, options, roomy, shares_buffers: false }
    }

    pub fn program(&self) -> Program {
        self.try_program().unwrap_or_else(|error| panic!("{}: {error}", self.values.spec().name))
    }

    pub fn try_program(&self) -> Result<Program, Error> {
        let program = program(&self.call())?;
        Ok(if self.shares_buffers { program.with_shared_buffers() } else { program })
    }

    pub fn tensors(&self) -> Vec<CallTensor> {
        self.call().tensors()
    }

    fn call(&self) -> Call<'_> {
        let OwnedCall { machine, values, signature, options, roomy, .. } = self;
        Call { machine, values, signature, options, roomy: *roomy, panels: None }
    }
}

/// The type of an input where inputs have these shapes in turn, if any; but of one that has no items it stays.
pub(super) fn broadcast_to(ty: TensorType, input: &Input, shapes: &[&[usize]], number: usize) -> TensorType {
    if shapes.is_empty() || input.shape == Shape::LastAxis || ty.elements() == 1 {
        return ty;
    }
    TensorType::new(ty.dtype, shapes[number % shapes.len()])
}

/// A shape of the first input, and what else leads a driver to one of its layouts.
#[derive(Clone, Copy, Debug)]
struct Layout {
    shape: &'static [usize],
    /// Where inputs are broadcast, the shapes that they have in turn.
    broadcast: &'static [&'static [usize]],
    /// Whether each row has weights of its own for the classes.
    weights_by_row: bool,
    /// Elements between one row and the next.
    gap: usize,
    rows: RowKernel,
    cached_classes: u32,
}

impl Layout {
    const fn of(shape: &'static [usize]) -> Self {
        Layout { shape, broadcast: &[], weights_by_row: false, gap: 0, rows: RowKernel::BySize, cached_classes: 0 }
    }

    const fn of_rows(rows: RowKernel, shape: &'static [usize]) -> Self {
        Layout { rows, ..Layout::of(shape) }
    }

    const fn broadcasting(self, broadcast: &'static [&'static [usize]]) -> Self {
        Layout { broadcast, ..self }
    }

    const fn with_weights_by_row(self) -> Self {
        Layout { weights_by_row: true, ..self }
    }

    const fn with_gap(self, gap: usize) -> Self {
        Layout { gap, ..self }
    }

    const fn cached(self) -> Self {
        Layout { cached_classes: 1024, ..self }
    }
}

/// Shapes that lead to every layout of a driver.
fn layouts(driver: &Driver) -> Vec<Layout> {
    use RowKernel::{Lane, Parts, Workgroup};
    match driver {
        // Of inputs the axes at both ends, all, the last ones, none; the first ones, and those in the middle.
        Driver::Elementwise => vec![
            Layout::of(&[3, 5]),
            Layout::of(&[3, 70, 5]).broadcasting(&[&[3, 1, 5], &[3, 70, 5], &[1, 1, 5], &[]]),
            Layout::of(&[3, 70, 5]).broadcasting(&[&[3, 70, 5], &[1], &[3, 1, 1], &[70, 1], &[70, 5]]),
        ],
        Driver::Boxes => vec![Layout::of(&[5, 4])],
        // Rows of whole quads or not, for few lanes and for many.
        Driver::Pairs => {
            vec![Layout::of(&[5, 7]), Layout::of(&[5, 8]), Layout::of(&[2, 4097]), Layout::of(&[2, 4096])]
        }
        Driver::Rows(_) => vec![
            // Halves of two rows that make whole words, or not; classes side by side, or apart.
            Layout::of_rows(Lane, &[6, 5]),
            Layout::of_rows(Lane, &[6, 5]).with_gap(2),
            Layout::of_rows(Lane, &[3, 5, 4]),
            Layout::of_rows(Lane, &[3, 5, 3]),
            // Rows of whole quads or not, for few lanes and for many, kept in workgroup memory or not.
            Layout::of_rows(Workgroup, &[6, 7]),
            Layout::of_rows(Workgroup, &[6, 8]),
            Layout::of_rows(Workgroup, &[6, 7]).cached(),
            Layout::of_rows(Workgroup, &[6, 1024]).cached(),
            Layout::of_rows(Workgroup, &[2, 4097]),
            Layout::of_rows(Parts, &[2, 4097]),
            Layout::of_rows(Parts, &[2, 4096]),
            Layout::of_rows(Parts, &[2, 4097, 3]),
            Layout::of_rows(Lane, &[3, 5, 4]).with_weights_by_row(),
            Layout::of_rows(Workgroup, &[6, 7]).with_weights_by_row(),
        ],
        Driver::Regions(_) => vec![
            // One strip of classes with pairs of pixels or without, and several strips.
            Layout::of(&[2, 3, 5]),
            Layout::of(&[2, 3, 4]),
            Layout::of(&[6, 2]),
            Layout::of(&[2, 21, 5]),
            Layout::of(&[2, 21, 4]),
        ],
        // Of each part its own.
        Driver::Sum(_) => vec![Layout::of(&[3, 5])],
        // Rows of whole quads, of whole pairs and others.
        Driver::Sequences(sequences) if sequences.takes_logits => vec![Layout::of(&[37, 5]), Layout::of(&[40, 8])],
        Driver::Sequences(_) => vec![Layout::of(&[37]), Layout::of(&[4096])],
        // Rows of whole quads and others, by lane, by workgroup and by several of them.
        Driver::TopK(_) => vec![
            Layout::of_rows(Workgroup, &[6, 7]),
            Layout::of_rows(Workgroup, &[6, 8]),
            Layout::of_rows(Lane, &[6, 5]),
            Layout::of_rows(Parts, &[2, 4097]),
        ],
        Driver::Layers(_) | Driver::Gram => {
            vec![Layout::of(&[3, 5, 8]), Layout::of(&[3, 5, 6]), Layout::of(&[3, 9, 3])]
        }
        // Rows of whole quads, of whole pairs and others; one panel and several.
        Driver::Linear(_) => vec![Layout::of(&[6, 8]), Layout::of(&[6, 6]), Layout::of(&[2, 3, 5])],
        Driver::AllPairs(_) => vec![
            // Tiles of one quad, of two and of four; several panels, and of each the parts of what gives to its rows.
            Layout::of(&[6, 3]),
            Layout::of(&[6, 5]),
            Layout::of(&[6, 64]),
            Layout::of(&[5000, 3]),
            Layout::of(&[5000, 64]),
        ],
    }
}

/// Workgroup sizes and reductions as [`Tuning::for_adapter`] pairs them, and as a caller may.
const WORKGROUPS: [(u32, Reduce); 6] = [
    (64, Reduce::Workgroup),
    (8, Reduce::SingleSubgroup),
    (8, Reduce::Workgroup),
    (16, Reduce::Subgroup),
    (256, Reduce::Subgroup),
    (256, Reduce::Workgroup),
];

fn machine((workgroup_size, reduce): (u32, Reduce), layout: Layout) -> Machine {
    let tuning = Tuning {
        workgroup_size,
        workgroups: 2048,
        reduce,
        max_loop_iterations: u32::MAX,
        rows: layout.rows,
        lane_classes: 64,
        few_rows: 16,
        cached_classes: layout.cached_classes,
        least_lanes: 32,
    };
    let (adapter, limits) = ("none".to_string(), wgpu::Limits::defaults());
    Machine { adapter, limits, tuning, table: tuning, stores_components: false }
}

/// A machine with so many lanes that add up like this, for what is no loss.
pub(super) fn plain_machine(lanes: (u32, Reduce)) -> Machine {
    machine(lanes, Layout::of(&[]))
}

const GRADIENTS: [Gradients; 4] =
    [Gradients::Write, Gradients::InPlace, Gradients::Add { weight: 0.5 }, Gradients::Skip];

/// What a call of a loss may ask for: of each factor its levels.
struct Factors {
    spec: &'static LossSpec,
    layouts: Vec<Layout>,
    reductions: Vec<Reduction>,
    /// Inputs that may be given or not, and statistics that may be asked for: each is a factor.
    optional: Vec<&'static str>,
    statistics: Vec<&'static str>,
    /// Whether an input may be given as indices.
    takes_indices: bool,
    params: Vec<Vec<Value>>,
}

/// The factors besides optional inputs, statistics and parameters, and the places of those that are named.
const FACTORS: usize = 8;
const DTYPE: usize = 0;
const GRADIENT: usize = 2;
const LAYOUT: usize = 5;
const WORKGROUP: usize = 6;
const BUFFERS: usize = 7;

impl Factors {
    fn new(spec: &'static LossSpec) -> Self {
        let room = room(&spec.driver);
        let is_taken = |reduction: &Reduction| room.refuses(spec.name, *reduction).is_none();
        let is_alone = spec.inputs.iter().filter(|input| input.name != WEIGHT.name).count() == 1;
        // A divisor changes no kernel: every sum has it.
        let is_chosen = |input: &&Input| input.optional && input.name != DIVISOR.name;
        Factors {
            spec,
            // An input alone has nothing to be broadcast to.
            layouts: layouts(&spec.driver)
                .into_iter()
                .filter(|layout| !is_alone || layout.broadcast.is_empty())
                .collect(),
            reductions: Reduction::ALL.into_iter().filter(is_taken).collect(),
            optional: spec.all_inputs().filter(is_chosen).map(|input| input.name).collect(),
            statistics: room.statistics(spec).iter().map(|statistic| statistic.name).collect(),
            takes_indices: spec.inputs.iter().any(|input| input.kind == Kind::Label || input.as_indices.is_some()),
            params: spec.params.iter().map(choices).collect(),
        }
    }

    /// How many levels each factor has: those of [`FACTORS`], of optional inputs, of statistics, of the parameters.
    fn levels(&self) -> Vec<usize> {
        let floats = DType::FLOATS.len();
        let own: [usize; FACTORS] = [
            floats,
            floats,
            GRADIENTS.len(),
            self.reductions.len(),
            1 + usize::from(self.takes_indices),
            self.layouts.len(),
            WORKGROUPS.len(),
            // Whether buffers have room for whole quads, and whether inputs share those of outputs.
            4,
        ];
        let chosen = std::iter::repeat_n(2, self.optional.len() + self.statistics.len());
        own.into_iter().chain(chosen).chain(self.params.iter().map(Vec::len)).collect()
    }

    /// The call with these levels.
    fn call(&self, levels: &[usize]) -> OwnedCall {
        let (own, others) = levels.split_at(FACTORS);
        let (given, others) = others.split_at(self.optional.len());
        let (asked, params) = others.split_at(self.statistics.len());
        let &[dtype, shift, gradients, reduction, indices, layout, workgroup, buffers] = own else {
            unreachable!("{FACTORS} factors");
        };
        // The first level of each is that it is there.
        let is_there = |names: &[&str], levels: &[usize], name: &str| {
            names.iter().zip(levels).any(|(known, level)| *known == name && *level == 0)
        };
        let layout = self.layouts[layout];
        let options = Options {
            gradients: GRADIENTS[gradients],
            statistics: Statistics::of(|name| is_there(&self.statistics, asked, name)),
            ..Options::new(self.reductions[reduction])
        };
        let values = params.iter().zip(&self.params).map(|(&level, choices)| choices[level]).collect();
        let values = Values::new(self.spec, values).expect("choices keep their rules");
        let shaped = Signature::of_shape(&values, layout.shape).expect("the driver takes its shapes");
        let mut inputs = Named::new();
        for (number, input) in self.spec.all_inputs().enumerate() {
            let is_given = match input.name == DIVISOR.name {
                true => input.goes_with(options.reduction),
                false => !input.optional || is_there(&self.optional, given, input.name),
            };
            if !is_given {
                continue;
            }
            // Each input has a type of its own.
            let float = DType::FLOATS[(dtype + shift * number) % DType::FLOATS.len()];
            let ty = type_of(&shaped, input, float, indices == 1, options.reduction);
            let ty = match layout.weights_by_row && input.shape == Shape::Classes {
                true => TensorType::new(ty.dtype, layout.shape),
                false => broadcast_to(ty, input, layout.broadcast, number),
            };
            let has_gap = layout.gap > 0 && input.shape == Shape::Rows;
            inputs = inputs
                .with(input.name, if has_gap { ty.clone().with_row_stride(ty.shape[1] + layout.gap) } else { ty });
        }
        let signature = Signature::new(self.spec, &values, &inputs, &options)
            .unwrap_or_else(|error| panic!("{}: {error}", self.spec.name));
        let (roomy, shares_buffers) = (buffers % 2 == 1, buffers / 2 == 1);
        OwnedCall { machine: machine(WORKGROUPS[workgroup], layout), values, signature, options, roomy, shares_buffers }
    }
}

/// The type that an input is given as, in a call whose first input has a shape.
pub(super) fn type_of(
    shaped: &Signature,
    input: &'static Input,
    float: DType,
    indices: bool,
    reduction: Reduction,
) -> TensorType {
    let may_be_index = input.kind == Kind::Label || input.as_indices.is_some();
    let dtype = if input.kind == Kind::Index || indices && may_be_index { DType::I32 } else { float };
    let is_one = input.name == UPSTREAM.name && reduction != Reduction::None;
    TensorType::new(dtype, if is_one { Vec::new() } else { shaped.shape_of(input.given_as(dtype)) })
}

/// What kernels or programs may take a parameter for.
pub(super) fn choices(param: &Param) -> Vec<Value> {
    match param.rule {
        Rule::Word(words) => words.iter().map(|word| Value::Word(word)).collect(),
        Rule::Flag => vec![Value::Flag(false), Value::Flag(true)],
        rule if param.compiled => {
            [Value::Number(0.0), Value::Number(0.5)].into_iter().filter(|value| rule.allows(*value)).collect()
        }
        _ => vec![param.default],
    }
}

/// Calls of a loss in which every two levels of two factors meet, and of what stores are made of, of three.
pub(super) fn calls(spec: &'static LossSpec) -> Vec<OwnedCall> {
    let factors = Factors::new(spec);
    let levels = factors.levels();
    let all: Vec<usize> = (0..levels.len()).collect();
    let mut sets = covering::subsets(&all, 2);
    sets.push(vec![DTYPE, GRADIENT, LAYOUT]);
    sets.push(vec![DTYPE, LAYOUT, BUFFERS]);
    covering::rows(&levels, &sets).iter().map(|row| factors.call(row)).collect()
}

/// The simplest call of a loss: of f32 in its first layout, everything given and written.
pub(super) fn simplest(spec: &'static LossSpec) -> OwnedCall {
    let factors = Factors::new(spec);
    factors.call(&vec![0; factors.levels().len()])
}

/// The simplest calls of a loss in every layout, of f32 and of halves, with gradients written or in place, with room
/// for quads or without, of workgroups that are one subgroup or not, and for every value of its parameters.
pub(super) fn forms(spec: &'static LossSpec) -> Vec<OwnedCall> {
    let factors = Factors::new(spec);
    let mut levels = factors.levels();
    let of_params = levels.len() - factors.params.len();
    for (factor, levels) in levels[..of_params].iter_mut().enumerate() {
        *levels = match factor {
            DTYPE | GRADIENT | BUFFERS => 2,
            WORKGROUP => 3,
            LAYOUT => *levels,
            _ => 1,
        };
    }
    let all: Vec<usize> = (0..levels.len()).collect();
    let mut sets = covering::subsets(&all, 2);
    // What decides which tensors a kernel has, and how it takes them.
    sets.push(vec![DTYPE, GRADIENT, LAYOUT, BUFFERS]);
    covering::rows(&levels, &sets).iter().map(|row| factors.call(row)).collect()
}
