//! Does a kernel compute what the reference says? One harness for the tests, the command line and losses of one's own.
//!
//! Every case draws inputs of the kind the spec names, runs the kernel over dtype × reduction × weights × subgroup
//! operations × size × parameters, and compares loss, count and gradients with the f64 reference. Outputs start as
//! garbage, so that what a kernel leaves out shows.
//!
//! ```
//! use wgloss::{Gpu, losses, parity};
//! let gpu = Gpu::new_blocking()?;
//! let report = parity::check(&gpu, &losses::HUBER, parity::Effort::Quick, &mut |_done, _total| {})?;
//! assert!(report.passed(), "{:?}", report.failures);
//! # Ok::<(), wgloss::Error>(())
//! ```

use std::fmt;

use crate::{
    AnyLoss, DType, Error, Evaluation, Gpu, Gradients, HostTensor, Named, Options, Plan, Reduction, evaluation,
    reference,
    spec::{Domain, Driver, Input, Kind, LossSpec, Rule, Shape},
    tuning::Reduce,
};

/// How far a kernel may be from the reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Of the loss, relative to the largest item (`none`) or to the reduced magnitudes of the items.
    pub loss: f64,
    /// Of a gradient, relative to the largest gradient of the tensor, besides the rounding to its storage type: half a
    /// unit in the last place.
    pub gradient: f64,
}

/// The same for all storage types: arithmetic is f32 for each, and rounding to storage is allowed for separately.
pub const TOLERANCE: Tolerance = Tolerance { loss: 1e-6, gradient: 2e-6 };

/// How many cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Every dtype, reduction, parameter and kind of size, in few combinations.
    Quick,
    /// Many combinations and larger sizes.
    Full,
}

/// The largest error seen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Worst {
    /// Relative to the largest magnitude; see [`Tolerance`].
    pub relative: f64,
    /// In units in the last place of an f32 of the largest magnitude.
    pub ulps: f64,
}

impl Worst {
    fn include(&mut self, error: f64, largest: f64) {
        let relative = if error == 0.0 { 0.0 } else { error / largest };
        // A NaN must not pass for a small error.
        let relative = if relative.is_nan() { f64::INFINITY } else { relative };
        if relative > self.relative {
            let ulp = 2f64.powi((largest.log2().floor() as i32).saturating_sub(23));
            *self = Worst { relative, ulps: error / ulp };
        }
    }

    fn include_all(&mut self, expected: &[f64], found: &HostTensor<'_>, largest: f64) {
        let values = found.to_f64();
        if values.len() != expected.len() {
            self.include(f64::INFINITY, largest);
        }
        for (&expected, value) in expected.iter().zip(values) {
            self.include(distance(expected, value, found.dtype()), largest);
        }
    }

    fn or_larger(self, other: Worst) -> Worst {
        if other.relative > self.relative { other } else { self }
    }
}

/// What came out for one loss on one adapter.
#[derive(Clone, Debug)]
pub struct Report {
    /// The loss.
    pub loss: &'static str,
    /// Cases that ran.
    pub cases: u64,
    /// The largest error of a loss.
    pub loss_error: Worst,
    /// The largest error of a gradient.
    pub gradient_error: Worst,
    /// What failed: the case, and how.
    pub failures: Vec<String>,
    /// What the adapter cannot run: the cases, and why.
    pub skipped: Vec<(String, String)>,
}

impl Report {
    /// Whether every case that ran is within [`TOLERANCE`], and any ran.
    pub fn passed(&self) -> bool {
        self.cases > 0 && self.failures.is_empty()
    }
}

/// How one evaluation differs from the reference.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The largest error of the loss.
    pub loss_error: Worst,
    /// The largest error of a gradient.
    pub gradient_error: Worst,
    /// What is not as it should be: the count, or an error beyond [`TOLERANCE`].
    pub failures: Vec<String>,
}

/// Compares an evaluation with the reference's of the same inputs and options.
pub fn compare(expected: &reference::Evaluation, found: &Evaluation) -> Comparison {
    let (mut loss_error, mut gradient_error, mut failures) = (Worst::default(), Worst::default(), Vec::new());
    let largest = if expected.shape.is_empty() { expected.magnitude } else { largest_of(&expected.loss) };
    loss_error.include_all(&expected.loss, &found.loss, largest);
    for (name, expected) in &expected.gradients {
        match found.gradients.get(name) {
            Some(found) => gradient_error.include_all(expected, found, largest_of(expected)),
            None => failures.push(format!("no gradient of `{name}`")),
        }
    }
    if found.items != expected.items {
        failures.push(format!("{} items counted, expected {}", found.items, expected.items));
    }
    for (what, error, tolerance) in
        [("loss", loss_error, TOLERANCE.loss), ("gradient", gradient_error, TOLERANCE.gradient)]
    {
        if error.relative > tolerance {
            let Worst { relative, ulps } = error;
            failures.push(format!("{what} off by {relative:.2e}, {ulps:.1} ulps (allowed {tolerance:.0e})"));
        }
    }
    Comparison { loss_error, gradient_error, failures }
}

/// Compares a loss's kernel with its reference. `progress` is told the cases done and the cases there are.
///
/// # Errors
/// A failing device; what a case finds is in the report.
pub fn check(
    gpu: &Gpu,
    spec: &'static LossSpec,
    effort: Effort,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Report, Error> {
    let mut report = Report {
        loss: spec.name,
        cases: 0,
        loss_error: Worst::default(),
        gradient_error: Worst::default(),
        failures: Vec::new(),
        skipped: Vec::new(),
    };
    let tuning = gpu.tuning();
    let layouts: Vec<Gpu> =
        tuning.reductions().into_iter().map(|reduce| gpu.with_tuning(tuning.with_reduce(reduce))).collect();
    if tuning.reduce == Reduce::Workgroup {
        report.skipped.push(("subgroup operations".to_string(), "the adapter has none".to_string()));
    }
    let cases = cases(spec, tuning.workgroup_size as usize, effort);
    // The quick cases take turns in the layouts.
    let turns = if effort == Effort::Quick { layouts.len() } else { 1 };
    let total = (cases.len() * layouts.len() / turns) as u64;
    for (index, case) in cases.iter().enumerate() {
        let inputs = case.inputs(spec, index as u64)?;
        let expected = case.expected(spec, &inputs)?;
        for layout in layouts.iter().skip(index % turns).step_by(turns) {
            match case.run(layout, spec, &inputs) {
                Ok(found) => case.compare(layout, &expected, &found, &mut report),
                Err(Error::Limit { what, limit, .. }) => {
                    report.skipped.push((case.to_string(), format!("{what} is beyond {limit}")));
                }
                Err(error) => return Err(error),
            }
            progress(report.cases + report.skipped.len() as u64, total);
        }
    }
    Ok(report)
}

/// How large the values are. Errors are measured against the largest, so small ones need cases of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Regime {
    Small,
    Medium,
    /// Up to ±1e4.
    Large,
}

impl Regime {
    const ALL: [Regime; 3] = [Regime::Small, Regime::Medium, Regime::Large];

    fn pick(self, [small, medium, large]: [f64; 3]) -> f64 {
        match self {
            Regime::Small => small,
            Regime::Medium => medium,
            Regime::Large => large,
        }
    }
}

/// One call.
#[derive(Clone, Debug)]
struct Case {
    settings: Vec<(&'static str, String)>,
    dtype: DType,
    shape: Vec<usize>,
    reduction: Reduction,
    weighted: bool,
    /// Whether the optional inputs of the loss itself are given.
    optional: bool,
    upstream: Upstream,
    add: bool,
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
        let Case { dtype, shape, reduction, regime, .. } = self;
        write!(f, "{dtype} {shape:?} {reduction}")?;
        for (name, value) in &self.settings {
            write!(f, " {name}={value}")?;
        }
        for (text, given) in
            [(" weighted", self.weighted), (" with optional inputs", self.optional), (" added", self.add)]
        {
            f.write_str(if given { text } else { "" })?;
        }
        write!(f, " upstream {:?}, {regime:?} values", self.upstream)
    }
}

/// The cases of a loss: every dtype with every size, every reduction with and without weights, every parameter; the
/// rest goes round.
fn cases(spec: &'static LossSpec, workgroup: usize, effort: Effort) -> Vec<Case> {
    let settings = settings(spec);
    let shapes = shapes(spec.driver, workgroup, effort);
    let has_optional = spec.inputs.iter().any(is_own_optional);
    let mut cases: Vec<Case> = Vec::new();
    for dtype in DType::FLOATS {
        let mut add = |shape: &[usize], reduction, weighted, settings: &[(&'static str, String)]| {
            let round = cases.len();
            let upstream = match reduction {
                Reduction::None => [Upstream::PerItem, Upstream::One, Upstream::Scalar][round % 3],
                _ => [Upstream::One, Upstream::Scalar][round % 2],
            };
            cases.push(Case {
                settings: settings.to_vec(),
                dtype,
                shape: shape.to_vec(),
                reduction,
                weighted,
                optional: has_optional && round % 2 == 1,
                upstream,
                add: round % 4 == 3,
                regime: Regime::ALL[(round / 2) % 3],
            });
        };
        for (round, shape) in shapes.iter().enumerate() {
            let reduction = Reduction::ALL[round % Reduction::ALL.len()];
            add(shape, reduction, round % 2 == 0, &[]);
            if effort == Effort::Full {
                for reduction in Reduction::ALL {
                    add(shape, reduction, round % 2 == 1, &[]);
                }
            }
        }
        let middle = &shapes[shapes.len() / 2];
        for reduction in Reduction::ALL {
            for weighted in [false, true] {
                for _ in Regime::ALL {
                    add(middle, reduction, weighted, &[]);
                }
            }
        }
        for setting in &settings {
            for reduction in [Reduction::None, Reduction::Mean] {
                for _ in Regime::ALL {
                    add(middle, reduction, false, std::slice::from_ref(setting));
                }
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

/// Sizes around the workgroup and the span of one workgroup, odd ones, and some that fill many workgroups.
fn shapes(driver: Driver, workgroup: usize, effort: Effort) -> Vec<Vec<usize>> {
    let w = workgroup;
    match driver {
        Driver::Elementwise => {
            let mut shapes: Vec<Vec<usize>> =
                [1, 2, 3, w - 1, w, w + 1, 2 * w + 1, 8 * w - 1, 8 * w, 8 * w + 1].map(|n| vec![n]).into();
            shapes.insert(5, vec![7, 3, 5]);
            shapes.push(vec![131, 77]);
            if effort == Effort::Full {
                shapes.extend([vec![2 * 64 * w + 1], vec![100_003], vec![4, 64, 1031]]);
            }
            shapes
        }
        Driver::Rows(_) => {
            let mut shapes: Vec<Vec<usize>> =
                [(1, 1), (1, 2), (2, 1), (3, 3), (17, w), (16, w + 1), (5, 10), (33, w.max(2) - 1), (2, 257), (65, 2)]
                    .map(|(n, c)| vec![n, c])
                    .into();
            shapes.push(vec![257, 3]);
            if effort == Effort::Full {
                shapes.extend([vec![64, 1000], vec![3, 4099], vec![4099, 7], vec![7, 64 * w + 1]]);
            }
            shapes
        }
    }
}

/// Optional inputs apart from `weight`, which every loss has.
fn is_own_optional(input: &Input) -> bool {
    input.optional && input.name != "weight"
}

impl Case {
    fn loss(&self, spec: &'static LossSpec) -> Result<AnyLoss, Error> {
        let settings: Vec<(&str, &str)> = self.settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        AnyLoss::new(spec.name, &settings)
    }

    fn options(&self) -> Options {
        let gradients = if self.add { Gradients::Add { weight: 0.25 } } else { Gradients::Write };
        let upstream = if self.upstream == Upstream::One { 1.0 } else { -0.5 };
        Options { upstream, gradients, ..Options::new(self.reduction) }
    }

    /// Inputs drawn from their domains, and rounded to storage.
    fn inputs(&self, spec: &'static LossSpec, seed: u64) -> Result<Named<HostTensor<'static>>, Error> {
        let values = spec.values(&self.settings.iter().map(|(n, v)| (*n, v.as_str())).collect::<Vec<_>>())?;
        let mut rng = fastrand::Rng::with_seed(seed);
        let items: usize = match spec.driver {
            Driver::Elementwise => self.shape.iter().product(),
            Driver::Rows(_) => self.shape[0],
        };
        let item_shape = match spec.driver {
            Driver::Elementwise => self.shape.clone(),
            Driver::Rows(_) => vec![items],
        };
        let classes = self.shape.last().copied().unwrap_or(1);
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
            let shape = match input.shape {
                Shape::Items | Shape::OneOrItems => item_shape.clone(),
                Shape::Rows => self.shape.clone(),
                Shape::LastAxis | Shape::Classes => vec![classes],
            };
            let length: usize = shape.iter().product();
            let host = if input.kind == Kind::Index {
                let ignored = values.iter().find(|(param, _)| param.name == "ignore_index").map(|(_, value)| value);
                let labels: Vec<i32> = (0..length)
                    .map(|_| match ignored {
                        Some(crate::spec::Value::Integer(index)) if rng.u8(..8) == 0 => index,
                        _ => rng.i32(0..classes as i32),
                    })
                    .collect();
                HostTensor::from_bytes(DType::I32, shape, bytemuck::pod_collect_to_vec::<i32, u8>(&labels))?
            } else {
                let domain = input.domain.resolve(&values);
                let drawn: Vec<f64> =
                    (0..length).map(|i| draw(domain, self.regime, first.get(i).copied(), &mut rng)).collect();
                HostTensor::rounded(&drawn, self.dtype, shape)?
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
        if self.add {
            for (_, gradients) in &mut expected.gradients {
                gradients.iter_mut().for_each(|gradient| *gradient += GARBAGE);
            }
        }
        Ok(expected)
    }

    /// Loss, gradients and count of the kernel, over buffers that held garbage.
    fn run(&self, gpu: &Gpu, spec: &'static LossSpec, inputs: &Named<HostTensor<'_>>) -> Result<Evaluation, Error> {
        let plan = Plan::new(gpu, &self.loss(spec)?, &inputs.map(|host| host.ty().clone()), self.options())?;
        let output = plan.bind_tensors(&evaluation::upload(gpu, inputs)?)?;
        for tensor in std::iter::once(&output.loss).chain(output.gradients.iter().map(|(_, gradient)| gradient)) {
            let garbage = vec![GARBAGE; tensor.ty().elements() as usize];
            tensor.write(HostTensor::rounded(&garbage, tensor.dtype(), tensor.shape())?)?;
        }
        let mut encoder = gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        output.record(&mut encoder);
        gpu.queue().submit([encoder.finish()]);
        output.read_blocking()
    }

    fn compare(&self, gpu: &Gpu, expected: &reference::Evaluation, found: &Evaluation, report: &mut Report) {
        let comparison = compare(expected, found);
        let reduce = gpu.tuning().reduce;
        report.cases += 1;
        report.loss_error = report.loss_error.or_larger(comparison.loss_error);
        report.gradient_error = report.gradient_error.or_larger(comparison.gradient_error);
        report.failures.extend(comparison.failures.iter().map(|what| format!("{self}, {reduce} reduction: {what}")));
    }
}

/// What outputs hold before a run; exact in every storage type.
const GARBAGE: f64 = 0.375;

/// A value of the domain, sometimes at or next to the first input's, where kinks are.
fn draw(domain: Domain, regime: Regime, first: Option<f64>, rng: &mut fastrand::Rng) -> f64 {
    let signed = |rng: &mut fastrand::Rng, scale: f64| (2.0 * rng.f64() - 1.0) * scale;
    match domain {
        Domain::Real => match (first, rng.u8(..8)) {
            (Some(first), 0) => first,
            (Some(first), 1) => first * (1.0 + signed(rng, 1e-2)),
            (None, 0) => 0.0,
            _ => signed(rng, regime.pick([3.0, 100.0, 1e4])),
        },
        Domain::LogRate => signed(rng, regime.pick([2.0, 20.0, 80.0])),
        Domain::Positive => regime.pick([10.0, 1e2, 1e4]).powf(signed(rng, 1.0)),
        Domain::Count => (rng.f64() * regime.pick([4.0, 100.0, 1e4])).floor(),
        Domain::Probability => match (rng.u8(..4), regime) {
            // Certain values: for a prediction their gradient dwarfs all others, hence the regime of their own.
            (0, Regime::Large) => 0.0,
            (1, Regime::Large) => 1.0,
            _ => rng.f64(),
        },
        Domain::LogProbability => -rng.f64() * regime.pick([3.0, 20.0, 80.0]),
        Domain::Sign => f64::from(2 * i8::from(rng.bool()) - 1),
        Domain::Weight | Domain::ClassWeight => {
            if rng.u8(..8) == 0 {
                0.0
            } else {
                2.0 * rng.f64()
            }
        }
        Domain::Class | Domain::Where(..) => unreachable!("labels are drawn apart, and domains are resolved"),
    }
}

/// The largest finite magnitude.
fn largest_of(values: &[f64]) -> f64 {
    values.iter().map(|value| value.abs()).filter(|value| value.is_finite()).fold(0.0, f64::max)
}

/// How far apart two values are, besides rounding to storage: 0 for two NaNs, infinite where only one of both is
/// finite. What overflows the storage type counts as infinite.
fn distance(expected: f64, found: f64, dtype: DType) -> f64 {
    let stored = HostTensor::rounded(&[expected], dtype, []).map_or(f64::NAN, |tensor| tensor.item());
    if stored.is_nan() && found.is_nan() || stored == found {
        // Equal after rounding: as near as storage allows.
        0.0
    } else if expected.is_finite() && found.is_finite() {
        ((expected - found).abs() - half_ulp(expected, dtype)).max(0.0)
    } else {
        f64::INFINITY
    }
}

/// Half a unit in the last place of a value of this storage type; nothing for f32, whose rounding the tolerance covers.
fn half_ulp(value: f64, dtype: DType) -> f64 {
    let (digits, least_exponent) = match dtype {
        DType::F16 => (11, -14),
        DType::BF16 => (8, -126),
        DType::F32 | DType::I32 => return 0.0,
    };
    let exponent = if value == 0.0 { least_exponent } else { (value.abs().log2().floor() as i32).max(least_exponent) };
    2f64.powi(exponent - digits)
}
