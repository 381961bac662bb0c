//! The calls that kernels are checked with.

use std::fmt;

use super::{Effort, Report, compare};
use crate::{
    AnyLoss, DType, Error, Evaluation, Gpu, Gradients, HostTensor, Named, Options, Plan, Reduction, Signature,
    Statistics, Tensor, TensorType,
    draw::{Regime, draw, draw_batch, draw_boxes, draw_labels, draw_pairs},
    reference,
    spec::{Anchors, Domain, Driver, Input, Kind, LossSpec, Rows, Rule, Shape},
};

/// The shape of a call, and of rows what lies between them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Layout {
    shape: Vec<usize>,
    /// Elements between one row and the next.
    gap: usize,
}

impl From<&[usize]> for Layout {
    fn from(shape: &[usize]) -> Self {
        Layout { shape: shape.to_vec(), gap: 0 }
    }
}

/// The regimes that a driver's losses meet.
fn regimes(driver: Driver) -> &'static [Regime] {
    match driver {
        Driver::Elementwise | Driver::Boxes | Driver::Pairs | Driver::AllPairs(_) => {
            &[Regime::Small, Regime::Medium, Regime::Large]
        }
        Driver::Rows(_) | Driver::Regions(_) => &[Regime::Small, Regime::Medium, Regime::Large, Regime::Shifted],
    }
}

/// One call.
#[derive(Clone, Debug)]
pub(super) struct Case {
    settings: Vec<(&'static str, String)>,
    dtype: DType,
    layout: Layout,
    reduction: Reduction,
    weighted: bool,
    /// Whether the optional inputs of the loss itself are given.
    optional: bool,
    /// Whether class indices are given where a value for each class may be too, and i32 where labels may be floats.
    indices: bool,
    upstream: Upstream,
    gradients: Gradients,
    statistics: Statistics,
    regime: Regime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Upstream {
    One,
    Scalar,
    PerItem,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Case { dtype, layout, reduction, regime, .. } = self;
        write!(f, "{dtype} {:?} {reduction}", layout.shape)?;
        for (name, value) in &self.settings {
            write!(f, " {name}={value}")?;
        }
        for (text, given) in [
            (" with gaps", layout.gap > 0),
            (" weighted", self.weighted),
            (" with optional inputs", self.optional),
            (" of indices", self.indices),
            (" added", matches!(self.gradients, Gradients::Add { .. })),
            (" in place", self.gradients == Gradients::InPlace),
            (" without gradients", self.gradients == Gradients::Skip),
            (" with statistics", self.statistics != Statistics::default()),
        ] {
            f.write_str(if given { text } else { "" })?;
        }
        write!(f, " upstream {:?}, {regime:?} values", self.upstream)
    }
}

/// What a case is run with, and what it should give.
pub(super) struct Drawn {
    pub inputs: Named<HostTensor<'static>>,
    pub expected: reference::Evaluation,
}

/// How often inputs are drawn before a case is given up.
const DRAWS: u64 = 20;

/// How clear choices have to be; see [`reference::Evaluation::clearance`]. The distances that they compare are off by
/// some 1e-7 in f32.
const LEAST_CLEARANCE: f64 = 1e-5;

type Setting = (&'static str, String);

/// Which inputs, gradients and statistics a case has. Few, because each is a kernel to compile.
struct Profile {
    weighted: bool,
    /// Whether the optional inputs of the loss itself are given.
    optional: bool,
    gradients: Gradients,
    statistics: bool,
}

const PROFILES: [Profile; 7] = {
    const fn profile(weighted: bool, optional: bool, gradients: Gradients, statistics: bool) -> Profile {
        Profile { weighted, optional, gradients, statistics }
    }
    const ADD: Gradients = Gradients::Add { weight: 0.25 };
    [
        profile(false, false, Gradients::Write, false),
        profile(true, true, Gradients::InPlace, false),
        profile(false, true, ADD, true),
        profile(true, false, Gradients::Write, true),
        profile(false, true, Gradients::Skip, false),
        profile(true, true, ADD, false),
        profile(false, false, Gradients::InPlace, true),
    ]
};

/// The cases of a loss: every dtype with every size, every reduction in every profile, every parameter alone and several
/// together. Values go round.
pub(super) fn cases(spec: &'static LossSpec, workgroup: usize, effort: Effort) -> Vec<Case> {
    let mut rng = fastrand::Rng::with_seed(1);
    let (settings, layouts, middle) = (settings(spec), layouts(spec, workgroup, effort), middle(spec.driver));
    let mut cases: Vec<Case> = Vec::new();
    for (turn, dtype) in DType::FLOATS.into_iter().enumerate() {
        let mut add = |layout: &Layout, reduction, settings: &[Setting]| {
            let round = cases.len();
            // Other profiles meet the layouts of kernels, which go round too, in each dtype.
            let profile = &PROFILES[(round + 2 * turn) % PROFILES.len()];
            cases.push(Case::new(spec, round, dtype, layout, reduction, profile, settings));
        };
        for (round, layout) in layouts.iter().enumerate() {
            add(layout, Reduction::ALL[round % Reduction::ALL.len()], &[]);
            if effort == Effort::Full {
                Reduction::ALL.into_iter().for_each(|reduction| add(layout, reduction, &[]));
            }
        }
        // Arithmetic is the same for all storage types: where time is short, one of them meets every combination.
        // Losses of regions that take another's kernels of pixels have little of their own.
        let has_own_kernels = spec.regions().is_none_or(|regions| regions.terms.is_some()) || spec.name == "dice";
        let thorough = effort == Effort::Full || dtype == DType::F32 && has_own_kernels;
        for round in 0..PROFILES.len() * if thorough { Reduction::ALL.len() } else { 1 } {
            add(&middle, Reduction::ALL[round % Reduction::ALL.len()], &[]);
        }
        for setting in every_choice_of_words(spec) {
            for round in 0..if thorough { 2 } else { 1 } {
                add(&middle, [Reduction::None, Reduction::Mean][round], &setting);
            }
        }
        for setting in &settings {
            for round in 0..if thorough { 4 } else { 1 } {
                add(&middle, [Reduction::None, Reduction::Mean][round % 2], std::slice::from_ref(setting));
            }
        }
        if spec.params.len() > 1 {
            for round in 0..if thorough { 21 } else { 4 } {
                let mut choose = |name| {
                    let choices: Vec<&Setting> = settings.iter().filter(|(param, _)| *param == name).collect();
                    choices.get(rng.usize(..=choices.len())).copied().cloned()
                };
                let together: Vec<Setting> = spec.params.iter().filter_map(|param| choose(param.name)).collect();
                add(&middle, Reduction::ALL[round % Reduction::ALL.len()], &together);
            }
        }
    }
    cases
}

/// Each parameter at values of its rule other than the default.
fn settings(spec: &'static LossSpec) -> Vec<(&'static str, String)> {
    let mut settings = Vec::new();
    for param in spec.params {
        let values: &[&str] = match param.rule {
            Rule::Flag => &["false", "true"],
            Rule::Integer => &["-1", "1"],
            Rule::OneOf(_) => &["1", "2"],
            Rule::Word(words) => words,
            Rule::Finite => &["-1", "0", "0.75"],
            Rule::Positive => &["0.01", "3.5"],
            Rule::NonNegative => &["0", "0.5", "1", "3"],
            Rule::OpenUnit => &["0.1", "0.9"],
            Rule::HalfOpenUnit => &["0", "0.1", "0.9"],
        };
        let others = values.iter().filter(|value| **value != param.default.to_string());
        settings.extend(others.map(|value| (param.name, (*value).to_string())));
    }
    settings
}

/// Of losses of regions, every activation with every scope.
fn every_choice_of_words(spec: &'static LossSpec) -> Vec<Vec<Setting>> {
    if spec.regions().is_none() {
        return Vec::new();
    }
    spec.params.iter().fold(vec![Vec::new()], |choices, param| match param.rule {
        Rule::Word(words) => {
            let with = |choice: &Vec<Setting>, word: &&str| [&choice[..], &[(param.name, word.to_string())]].concat();
            choices.iter().flat_map(|choice| words.iter().map(move |word| with(choice, word))).collect()
        }
        _ => choices,
    })
}

/// The size for all reductions and parameters.
fn middle(driver: Driver) -> Layout {
    match driver {
        Driver::Elementwise => Layout::from(&[131, 7][..]),
        Driver::Rows(_) => Layout::from(&[17, 9][..]),
        Driver::Regions(_) => Layout::from(&[2, 3, 7, 5][..]),
        Driver::Boxes => Layout::from(&[131, 4][..]),
        Driver::Pairs => Layout::from(&[33, 10][..]),
        Driver::AllPairs(_) => Layout::from(&[23, 10][..]),
    }
}

/// Sizes around the workgroup and the span of one workgroup, odd ones, and some that fill many workgroups.
fn layouts(spec: &LossSpec, workgroup: usize, effort: Effort) -> Vec<Layout> {
    let w = workgroup;
    let mut layouts: Vec<Layout> = Vec::new();
    let mut add = |shape: &[usize]| layouts.push(Layout::from(shape));
    match spec.driver {
        Driver::Elementwise => {
            for n in [1, 2, 3, w - 1, w] {
                add(&[n]);
            }
            add(&[7, 3, 5]);
            for n in [w + 1, 2 * w + 1, 8 * w - 1, 8 * w, 8 * w + 1] {
                add(&[n]);
            }
            add(&[131, 77]);
            if effort == Effort::Full {
                add(&[2 * 64 * w + 1]);
                add(&[100_003]);
                add(&[4, 64, 1031]);
            }
        }
        Driver::Boxes => {
            for n in [1, 2, 3, w - 1, w, w + 1, 2 * w - 1, 2 * w, 2 * w + 1, 101 * w + 3] {
                add(&[n, 4]);
            }
            add(&[7, 3, 4]);
            if effort == Effort::Full {
                // In a call of few boxes each one's error shows.
                for n in [1, 1, 2, 2, 3, 3, 128 * w + 1, 100_003] {
                    add(&[n, 4]);
                }
                add(&[4, 1031, 4]);
            }
        }
        Driver::Pairs | Driver::AllPairs(_) => {
            for (n, d) in [(1, 1), (2, 3), (3, 2), (17, 48), (64, 128), (65, 3), (257, 2), (5, 513), (64, 1)] {
                add(&[n, d]);
            }
            if effort == Effort::Full {
                for n in [1, 2, 3, 17, 64, 65, 257, 1000] {
                    for d in [1, 2, 3, 48, 128, 513] {
                        add(&[n, d]);
                    }
                }
            }
        }
        Driver::Rows(_) => {
            for (n, c) in [(1, 1), (1, 2), (2, 1), (3, 3), (65, 2), (17, w), (5, 10), (33, w.max(2) - 1)] {
                add(&[n, c]);
            }
            // Classes apart, with odd and even distances.
            for shape in [&[2, 3, 5][..], &[1, 4, 2], &[2, 5, 1], &[3, 7, 4, 4], &[2, 21, 9, 7]] {
                add(shape);
            }
            for (n, c) in [(16, w + 1), (2, 257), (257, 3), (3, 20 * w + 1), (5, 68), (7, 16 * w + 4)] {
                add(&[n, c]);
            }
            if effort == Effort::Full {
                for (n, c) in [(64, 1000), (3, 4099), (4099, 7), (7, 64 * w + 1), (2, 32_000), (3, 50_257)] {
                    add(&[n, c]);
                }
                for shape in [&[2, 10, 33, 31][..], &[2, 257, 6, 5], &[1, 4099, 3]] {
                    add(shape);
                }
                add(&[2, 128_256]);
                add(&[1, 262_144]);
            }
            // Rows with gaps, of either parity.
            for (shape, gap) in [([5, 10], 6), ([6, 7], 4), ([6, 7], 1), ([9, 64], 3), ([3, 300], 1), ([4, 301], 7)] {
                layouts.push(Layout { shape: shape.to_vec(), gap });
            }
        }
        Driver::Regions(_) => {
            // Without axes behind the classes, single pixels, planes and volumes, of odd and even sizes.
            for shape in [&[1, 1][..], &[5, 3], &[2, 3, 1], &[2, 3, 4], &[1, 2, 8 * w], &[3, 3, 2, 2, 3]] {
                add(shape);
            }
            // Around the part of a workgroup, and with many of them.
            for shape in [&[2, 3, 8 * w + 1][..], &[2, 3, 64 * w + 2], &[1, 2, 131, 77], &[33, 3, 2], &[67, 2, 3]] {
                add(shape);
            }
            // More classes than fit into registers.
            for shape in [&[2, 40, 3][..], &[3, 40, 9 * w + 2]] {
                add(shape);
            }
            if effort == Effort::Full {
                for shape in
                    [&[2, 20, 33, 31][..], &[4, 8, 64, 64], &[1, 21, 17, 16], &[2, 25, 9, 7], &[1, 150, 40, 10]]
                {
                    add(shape);
                }
                for shape in [&[2, 4, 20, 21, 22][..], &[1030, 5], &[16, 1, 128, 128]] {
                    add(shape);
                }
            }
        }
    }
    layouts
}

/// Optional inputs apart from `weight`, which every loss has.
fn is_own_optional(input: &Input) -> bool {
    input.optional && input.name != "weight"
}

fn may_be_indices(input: &Input) -> bool {
    input.as_indices.is_some() || input.kind == Kind::Label
}

impl Case {
    /// The case of that number: what is not given goes round with it.
    fn new(
        spec: &'static LossSpec,
        round: usize,
        dtype: DType,
        layout: &Layout,
        reduction: Reduction,
        profile: &Profile,
        settings: &[Setting],
    ) -> Self {
        let rows = spec.rows();
        let per_class = rows.is_some_and(|rows| rows.per_class);
        let has_terms = spec.regions().is_some_and(|regions| regions.terms.is_some());
        let anchors = spec.all_pairs().map(|batch| batch.anchors);
        let reduction = match reduction {
            _ if per_class => Reduction::None,
            _ if has_terms => Reduction::Mean,
            Reduction::None if anchors == Some(Anchors::Sorted) => Reduction::Sum,
            reduction => reduction,
        };
        let upstream = match reduction {
            // Without one per class, the gradient of a softmax is 0.
            _ if per_class => Upstream::PerItem,
            Reduction::None => [Upstream::PerItem, Upstream::Scalar][round % 2],
            _ => [Upstream::One, Upstream::Scalar][round % 2],
        };
        let statistics = match profile.statistics {
            true => Statistics {
                log_sum_exp: rows.is_some_and(Rows::has_log_sum_exp),
                argmax: rows.is_some(),
                hardest: anchors == Some(Anchors::Hardest),
            },
            false => Statistics::default(),
        };
        Case {
            settings: settings.to_vec(),
            dtype,
            layout: layout.clone(),
            reduction,
            weighted: profile.weighted && spec.input("weight").is_some(),
            optional: profile.optional && spec.inputs.iter().any(is_own_optional),
            indices: !(round / 2).is_multiple_of(3) && spec.inputs.iter().any(may_be_indices),
            upstream,
            gradients: profile.gradients,
            statistics,
            regime: regimes(spec.driver)[(round / 2) % regimes(spec.driver).len()],
        }
    }

    fn loss(&self, spec: &'static LossSpec) -> Result<AnyLoss, Error> {
        let settings: Vec<(&str, &str)> = self.settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        AnyLoss::of(spec, &settings)
    }

    fn options(&self) -> Options {
        let upstream = if self.upstream == Upstream::One { 1.0 } else { -0.5 };
        let Case { gradients, statistics, .. } = *self;
        Options { upstream, gradients, statistics, ..Options::new(self.reduction) }
    }

    /// Inputs of this case with the reference's evaluation of them. `None` if several draws have each led to a choice
    /// so close that rounding decides it: a kernel that chooses otherwise is as right.
    pub fn drawn(&self, spec: &'static LossSpec, seed: u64) -> Result<Option<Drawn>, Error> {
        for draw in 0..DRAWS {
            let inputs = self.inputs(spec, seed + (draw << 32))?;
            let expected = self.expected(spec, &inputs)?;
            if expected.clearance > LEAST_CLEARANCE {
                return Ok(Some(Drawn { inputs, expected }));
            }
        }
        Ok(None)
    }

    /// Inputs drawn from their domains, and rounded to storage.
    fn inputs(&self, spec: &'static LossSpec, seed: u64) -> Result<Named<HostTensor<'static>>, Error> {
        let values = spec.values(&self.settings.iter().map(|(n, v)| (*n, v.as_str())).collect::<Vec<_>>())?;
        let mut rng = fastrand::Rng::with_seed(seed);
        let signature = Signature::of_shape(&values, &self.layout.shape)?;
        let classes = signature.row as usize;
        let mut inputs = Named::<HostTensor<'static>>::new();
        let mut first: Vec<f64> = Vec::new();
        for input in spec.all_inputs() {
            let given = match input.name {
                "weight" => self.weighted,
                "upstream" => self.upstream == Upstream::PerItem,
                _ => !input.optional || self.optional,
            };
            if !given {
                continue;
            }
            let input = input.as_indices.filter(|_| self.indices).unwrap_or(input);
            let shape = signature.shape_of(input);
            let length: usize = shape.iter().product();
            let host = if input.kind == Kind::Index {
                let ignored = values.iter().find(|(param, _)| param.name == "ignore_index").map(|(_, value)| value);
                let class = |rng: &mut fastrand::Rng| match ignored {
                    Some(crate::spec::Value::Integer(index)) if rng.u8(..8) == 0 => index,
                    _ => rng.i32(0..classes as i32),
                };
                let labels: Vec<i32> = if input.domain == Domain::Label {
                    let labels = rng.usize(2 + length / 16..=2 + length / 4);
                    draw_labels(length, labels, &mut rng)
                } else {
                    (0..length).map(|_| class(&mut rng)).collect()
                };
                HostTensor::from_bytes(DType::I32, shape, bytemuck::pod_collect_to_vec::<i32, u8>(&labels))?
            } else {
                let domain = input.domain.resolve(&values);
                // Only logits are shifted: what comes after them knows nothing of it.
                let regime = match self.regime {
                    Regime::Shifted if input.shape != Shape::Rows => Regime::Small,
                    regime => regime,
                };
                let drawn: Vec<f64> = match input.shape {
                    Shape::Boxes => draw_boxes(regime, length / 4, &first, &mut rng),
                    Shape::Embeddings if spec.all_pairs().is_some() => {
                        draw_batch(regime, &values, [shape[0], shape[1]], &first, &mut rng)
                    }
                    Shape::Embeddings => draw_pairs(domain, regime, (length, classes), &first, &mut rng),
                    // The logarithm of what similarities are multiplied with.
                    Shape::Scalar => vec![draw(domain, Regime::Small, None, &mut rng)],
                    _ => (0..length).map(|i| draw(domain, regime, first.get(i).copied(), &mut rng)).collect(),
                };
                match input.kind {
                    Kind::Label if self.indices => {
                        let labels: Vec<i32> = drawn.iter().map(|&label| label as i32).collect();
                        HostTensor::from_bytes(DType::I32, shape, bytemuck::pod_collect_to_vec::<i32, u8>(&labels))?
                    }
                    _ => HostTensor::rounded(&drawn, self.dtype, shape)?,
                }
            };
            if first.is_empty() {
                first = host.to_f64();
            }
            inputs = inputs.with(input.name, host);
        }
        Ok(inputs)
    }

    fn expected(
        &self,
        spec: &'static LossSpec,
        inputs: &Named<HostTensor<'_>>,
    ) -> Result<reference::Evaluation, Error> {
        let mut expected = reference::evaluate(&self.loss(spec)?, inputs, &self.options())?;
        if let Gradients::Add { .. } = self.gradients {
            for (_, gradients) in &mut expected.gradients {
                gradients.iter_mut().for_each(|gradient| *gradient += GARBAGE);
            }
        }
        Ok(expected)
    }

    /// Loss, gradients and count of the kernel, over buffers that held garbage; and whether the gaps between rows are
    /// as they were.
    pub fn run(
        &self,
        gpu: &Gpu,
        spec: &'static LossSpec,
        inputs: &Named<HostTensor<'_>>,
    ) -> Result<(Evaluation, bool), Error> {
        let uploaded = inputs.iter().map(|(name, host)| {
            let has_gaps = self.layout.gap > 0 && spec.input(name).is_some_and(|input| input.shape == Shape::Rows);
            let tensor = if has_gaps { self.with_gaps(gpu, host) } else { Tensor::from_host(gpu, host) };
            Ok((name.to_string(), tensor?))
        });
        let uploaded = uploaded.collect::<Result<Named<Tensor>, Error>>()?;
        let plan = Plan::new(gpu, &self.loss(spec)?, &uploaded.map(|tensor| tensor.ty().clone()), self.options())?;
        let output = plan.bind_tensors(&uploaded)?;
        let gradients: Vec<&Tensor> = output.gradients.iter().map(|(_, gradient)| gradient).collect();
        let in_place = self.gradients == Gradients::InPlace;
        for tensor in std::iter::once(&output.loss).chain(gradients.iter().copied().filter(|_| !in_place)) {
            let flat = flat(gpu, tensor);
            let garbage = vec![GARBAGE; flat.ty().elements() as usize];
            flat.write(HostTensor::rounded(&garbage, flat.dtype(), flat.shape())?)?;
        }
        let mut encoder = gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        output.record(&mut encoder);
        gpu.queue().submit([encoder.finish()]);
        let evaluation = output.read_blocking()?;

        let mut gaps_stay = true;
        for gradient in gradients {
            let Some(stride) = gradient.ty().row_stride else { continue };
            let columns = gradient.shape()[1];
            let left = if in_place { f64::NAN } else { GARBAGE };
            for row in flat(gpu, gradient).read_blocking()?.to_f64().chunks(stride) {
                let gap = row.get(columns..).unwrap_or_default();
                gaps_stay &= gap.iter().all(|&x| x == left || x.is_nan() && left.is_nan());
            }
        }
        Ok((evaluation, gaps_stay))
    }

    /// A tensor in a buffer with NaNs between its rows.
    fn with_gaps(&self, gpu: &Gpu, host: &HostTensor<'_>) -> Result<Tensor, Error> {
        let stride = self.layout.shape[1] + self.layout.gap;
        let ty = host.ty().clone().with_row_stride(stride);
        let mut values = Vec::new();
        for row in host.to_f64().chunks(self.layout.shape[1]) {
            values.extend_from_slice(row);
            values.resize(values.len() + self.layout.gap, f64::NAN);
        }
        values.truncate(ty.extent() as usize);
        let dense = Tensor::from_host(gpu, HostTensor::rounded(&values, host.dtype(), [values.len()])?)?;
        Ok(Tensor::from_buffer(gpu, dense.buffer().clone(), 0, ty))
    }

    pub fn compare(
        &self,
        gpu: &Gpu,
        expected: &reference::Evaluation,
        (found, gaps_stay): &(Evaluation, bool),
        report: &mut Report,
    ) {
        let mut comparison = compare(expected, found);
        if !gaps_stay {
            comparison.failures.push("a gap between rows was written to".to_string());
        }
        let (reduce, rows) = (gpu.tuning().reduce, gpu.tuning().rows);
        report.cases += 1;
        report.loss_error = report.loss_error.or_larger(comparison.loss_error);
        report.gradient_error = report.gradient_error.or_larger(comparison.gradient_error);
        let failures = comparison.failures.iter();
        report.failures.extend(failures.map(|what| format!("{self}, {reduce} reduction, rows {rows}: {what}")));
    }
}

/// All elements of a tensor, those in gaps included.
fn flat(gpu: &Gpu, tensor: &Tensor) -> Tensor {
    let ty = TensorType::new(tensor.dtype(), [tensor.ty().extent() as usize]);
    Tensor::from_buffer(gpu, tensor.buffer().clone(), tensor.offset(), ty)
}

/// What outputs hold before a run; exact in every storage type.
const GARBAGE: f64 = 0.375;
