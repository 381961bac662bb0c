//! The calls that kernels are checked with.

use std::fmt;

use super::{
    Effort, Report,
    choices::{Choice, Setting, arrangements, choices, has_reduction, other_values},
    compare,
};
use crate::{
    AnyLoss, DType, Error, Evaluation, Gpu, Gradients, HostTensor, Named, Options, Plan, Reduction, Signature,
    Statistics, Tensor, TensorType, Tuning,
    draw::{Regime, draw, draw_batch, draw_boxes, draw_labels, draw_pairs},
    drivers::{TrialShape, room},
    reference,
    spec::{Domain, Input, Kind, LossSpec, Param, Rule, Shape},
};

/// The regimes that a loss meets; the last is one of logits.
fn regimes(spec: &LossSpec) -> &'static [Regime] {
    const REGIMES: &[Regime] = &[Regime::Small, Regime::Medium, Regime::Large, Regime::Shifted];
    let has_rows = spec.inputs.iter().any(|input| input.shape == Shape::Rows);
    &REGIMES[..if has_rows { 4 } else { 3 }]
}

/// One call.
#[derive(Clone, Debug)]
pub(super) struct Case {
    choice: Choice,
    settings: Vec<Setting>,
    layout: TrialShape,
    reduction: Reduction,
    /// The number that is an option; it multiplies the input.
    upstream: f32,
    /// Whether the input `upstream` is one value for all items.
    shares_upstream: bool,
    statistics: Statistics,
    regime: Regime,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Case { choice, layout, reduction, regime, .. } = self;
        let Choice { dtype, gradients, reduce, rows, .. } = choice;
        write!(f, "{dtype} {:?} {reduction}", layout.shape)?;
        for (name, value) in &self.settings {
            write!(f, " {name}={value}")?;
        }
        for (text, given) in [
            (" with gaps", layout.gap > 0),
            (" weighted", choice.weighted),
            (" with an input upstream", choice.results.has_upstream()),
            (" with optional inputs", choice.optional),
            (" of indices", choice.indices),
            (" added", matches!(gradients, Gradients::Add { .. })),
            (" in place", *gradients == Gradients::InPlace),
            (" without gradients", *gradients == Gradients::Skip),
            (" with statistics", self.statistics != Statistics::default()),
        ] {
            f.write_str(if given { text } else { "" })?;
        }
        let kept = if rows.cached { ", kept in workgroup memory" } else { "" };
        write!(f, " upstream {}, {regime:?} values, {reduce} reduction, rows {}{kept}", self.upstream, rows.kernel)
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

/// So few items that no larger loss is beside one that is left of terms which nearly cancel.
const FEW_ITEMS: u64 = 3;
/// Roundings of the largest loss by which the losses may change if each input is rounded once; the tolerance is some 8.
const MOST_SENSITIVITY: f64 = 3.0;

/// The cases of a loss. Each choice is met with all regimes and all words that a kernel takes as they come; and in each
/// storage type, every size and every parameter's every value has some of the choices that it fits.
pub(super) fn cases(spec: &'static LossSpec, tuning: Tuning, effort: Effort) -> Vec<Case> {
    let choices = choices(spec, tuning, effort);
    let arrangements = arrangements(spec, tuning, effort);
    let is_compiled = |name: &str| spec.params.iter().any(|param| param.compiled && param.name == name);
    let (regimes, words) = (regimes(spec), every_choice_of_words(spec));
    let mut cases = Vec::new();
    // A loss may not have every shape with every value: a single class has no softmax.
    let fits = |choice: &Choice, layout: &TrialShape, settings: &[Setting]| {
        let settings: Vec<Setting> = choice.settings(0).chain(settings.iter().cloned()).collect();
        let values = spec.values(&as_texts(&settings));
        values.is_ok_and(|values| Signature::of_shape(&values, &layout.shape).is_ok())
    };
    let mut add = |choice: &Choice, layout: &TrialShape, settings: &[Setting]| {
        if fits(choice, layout, settings) {
            let is_alike = |case: &&Case| (case.choice.dtype, case.choice.results) == (choice.dtype, choice.results);
            let turn = cases.iter().filter(is_alike).count();
            cases.push(Case::new(spec, [cases.len(), turn], choice, layout, settings));
        }
    };
    let middle = |choice: &Choice| arrangements[choice.arrangement].middle.clone();
    // As many as there are regimes, words and reductions.
    let rounds = regimes.len().max(words.len()).max(Reduction::ALL.len() - 1);
    for (index, choice) in choices.iter().enumerate() {
        for round in 0..rounds {
            add(choice, &middle(choice), &words[(index + round) % words.len()]);
        }
    }
    // Arithmetic is the same for all storage types: where time is short, one of them meets the most choices.
    let times = |dtype, quick, full| if effort == Effort::Full || dtype == DType::F32 { full } else { quick };
    for dtype in DType::FLOATS {
        let of_dtype: Vec<&Choice> = choices.iter().filter(|choice| choice.dtype == dtype).collect();
        for (index, arrangement) in arrangements.iter().enumerate() {
            let mut fitting: Vec<&Choice> = of_dtype.iter().filter(|c| c.arrangement == index).copied().collect();
            // With the defaults, as far as there are choices with them.
            if fitting.iter().any(|choice| choice.is_of_defaults(spec)) {
                fitting.retain(|choice| choice.is_of_defaults(spec));
            }
            let is_met = fitting.iter().any(|choice| fits(choice, &arrangement.middle, &[]));
            let unmet = (!is_met).then_some(&arrangement.middle);
            let mut fitting = fitting.into_iter().cycle();
            for layout in arrangement.others.iter().chain(unmet).flat_map(|layout| vec![layout; times(dtype, 1, 2)]) {
                // Of those that a shape does not fit, any other takes the place.
                let mut choices = fitting.next().into_iter().chain(of_dtype.iter().copied());
                choices
                    .find(|choice| fits(choice, layout, &[]))
                    .into_iter()
                    .for_each(|choice| add(choice, layout, &[]));
            }
        }
        for param in spec.params.iter().filter(|param| !is_compiled(param.name)) {
            for (index, value) in other_values(param).enumerate() {
                let setting = [(param.name, value)];
                let fitting = of_dtype.iter().filter(|choice| fits(choice, &middle(choice), &setting));
                for choice in fitting.cycle().skip(index).take(times(dtype, 2, 4)) {
                    add(choice, &middle(choice), &setting);
                }
            }
        }
        let mut rng = fastrand::Rng::with_seed(1);
        for choice in of_dtype.iter().filter(|_| spec.params.len() > 1).flat_map(|c| vec![c; times(dtype, 1, 2)]) {
            let mut choose = |param: &'static Param| {
                let values: Vec<String> = other_values(param).collect();
                values.get(rng.usize(..=values.len())).map(|value| (param.name, value.clone()))
            };
            let together = spec.params.iter().filter(|param| !is_compiled(param.name));
            let together: Vec<Setting> = together.filter_map(&mut choose).collect();
            add(choice, &middle(choice), &together);
        }
    }
    cases
}

/// Whether a mean distance is but the rounding of the reference, as 1 − cos is of rows that are alike.
fn has_rounding_alone(expected: &reference::Evaluation) -> bool {
    let distances = expected.mining.map(|mining| [mining.positive_distance, mining.negative_distance]);
    distances.into_iter().flatten().any(|distance| distance != 0.0 && distance.abs() < 1e-12)
}

fn as_texts(settings: &[Setting]) -> Vec<(&str, &str)> {
    settings.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

/// Every combination of the words that kernels are not compiled for.
fn every_choice_of_words(spec: &'static LossSpec) -> Vec<Vec<Setting>> {
    let params = spec.params.iter().filter(|param| !param.compiled);
    params.fold(vec![Vec::new()], |choices, param| match param.rule {
        Rule::Word(words) => {
            let with = |choice: &Vec<Setting>, word: &&str| [&choice[..], &[(param.name, word.to_string())]].concat();
            choices.iter().flat_map(|choice| words.iter().map(move |word| with(choice, word))).collect()
        }
        _ => choices,
    })
}

impl Case {
    /// The case of that number, and of that number among those of the same storage type and form of the result: what
    /// costs no kernel goes round with these.
    fn new(
        spec: &'static LossSpec,
        [round, turn]: [usize; 2],
        choice: &Choice,
        layout: &TrialShape,
        settings: &[Setting],
    ) -> Self {
        let is_asked = |reduction: &Reduction| (*reduction != Reduction::None) == choice.results.is_reduced();
        let reductions: Vec<Reduction> =
            Reduction::ALL.into_iter().filter(is_asked).filter(|&reduction| has_reduction(spec, reduction)).collect();
        let known = room(&spec.driver).statistics();
        let is_asked = |name| choice.statistics && known.iter().any(|statistic| statistic.name == name);
        let statistics = Statistics {
            log_sum_exp: is_asked("log_sum_exp"),
            argmax: is_asked("argmax"),
            hardest: is_asked("hardest"),
        };
        let regimes = regimes(spec);
        Case {
            settings: choice.settings(round).chain(settings.iter().cloned()).collect(),
            layout: layout.clone(),
            // One further each time round, so that none of them always has the same regime.
            reduction: reductions[(turn + turn / reductions.len()) % reductions.len()],
            upstream: [1.0, -0.5][(turn / reductions.len()) % 2],
            // Without one per class, the gradient of a softmax is 0.
            shares_upstream: choice.results.is_reduced() || (!spec.is_per_class() && turn % 3 == 1),
            statistics,
            regime: regimes[round % regimes.len()],
            choice: choice.clone(),
        }
    }

    fn loss(&self, spec: &'static LossSpec) -> Result<AnyLoss, Error> {
        AnyLoss::of(spec, &as_texts(&self.settings))
    }

    fn options(&self) -> Options {
        let Case { upstream, statistics, .. } = *self;
        Options { upstream, gradients: self.choice.gradients, statistics, ..Options::new(self.reduction) }
    }

    /// Inputs of this case with the reference's evaluation of them. `None` if several draws have each led to a choice
    /// so close that rounding decides it: a kernel that chooses otherwise is as right.
    pub fn drawn(&self, spec: &'static LossSpec, seed: u64) -> Result<Option<Drawn>, Error> {
        let mut clear = None;
        for draw in 0..DRAWS {
            let inputs = self.inputs(spec, seed + (draw << 32))?;
            let expected = self.expected(spec, &inputs)?;
            if expected.clearance > LEAST_CLEARANCE && !has_rounding_alone(&expected) {
                let sensitivity = self.sensitivity(spec, &inputs, &expected)?;
                let drawn = Drawn { inputs, expected };
                if sensitivity <= MOST_SENSITIVITY {
                    return Ok(Some(drawn));
                }
                clear.get_or_insert(drawn);
            }
        }
        Ok(clear)
    }

    /// Of few items, how much the losses change if predictions and soft targets do by their rounding, in roundings of
    /// the largest. Of many, the largest says what matters.
    fn sensitivity(
        &self,
        spec: &'static LossSpec,
        inputs: &Named<HostTensor<'_>>,
        expected: &reference::Evaluation,
    ) -> Result<f64, Error> {
        let values = spec.values(&as_texts(&self.settings))?;
        if Signature::of_shape(&values, &self.layout.shape)?.items > FEW_ITEMS {
            return Ok(0.0);
        }
        let rounding = f64::from(f32::EPSILON);
        let largest = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0_f64, |largest, x| largest.max(x.abs()));
        let size = largest(&mut expected.loss.iter().copied());
        let mut change = 0.0_f64;
        // All values, and every other one: what is in both halves of a difference cancels.
        for step in [1, 2] {
            let moved = inputs.iter().map(|(name, host)| {
                let moves =
                    |input: &Input| input.differentiable || input.domain.resolve(&values) == Domain::Probability;
                if host.dtype() == DType::I32 || !spec.input(name).is_some_and(moves) {
                    return Ok((name.to_string(), host.clone()));
                }
                let mut values = host.to_f64();
                // Towards 0, which no domain forbids.
                values.iter_mut().step_by(step).for_each(|x| *x *= 1.0 - rounding);
                Ok((name.to_string(), HostTensor::rounded(&values, DType::F32, host.shape())?))
            });
            let moved = moved.collect::<Result<Named<HostTensor>, Error>>()?;
            let moved = self.expected(spec, &moved)?;
            change = change.max(largest(&mut moved.loss.iter().zip(&expected.loss).map(|(moved, x)| moved - x)));
        }
        Ok(if change == 0.0 { 0.0 } else { change / size / rounding })
    }

    /// Inputs drawn from their domains, and rounded to storage.
    fn inputs(&self, spec: &'static LossSpec, seed: u64) -> Result<Named<HostTensor<'static>>, Error> {
        let values = spec.values(&as_texts(&self.settings))?;
        let mut rng = fastrand::Rng::with_seed(seed);
        let signature = Signature::of_shape(&values, &self.layout.shape)?;
        let classes = signature.row as usize;
        let mut inputs = Named::<HostTensor<'static>>::new();
        let mut first: Vec<f64> = Vec::new();
        for input in spec.all_inputs() {
            let given = match input.name {
                "weight" => self.choice.weighted,
                "upstream" => self.choice.results.has_upstream(),
                _ => !input.optional || self.choice.optional,
            };
            if !given {
                continue;
            }
            let input = input.as_indices.filter(|_| self.choice.indices).unwrap_or(input);
            let shape =
                if input.name == "upstream" && self.shares_upstream { vec![1] } else { signature.shape_of(input) };
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
                    Kind::Label if self.choice.indices => {
                        let labels: Vec<i32> = drawn.iter().map(|&label| label as i32).collect();
                        HostTensor::from_bytes(DType::I32, shape, bytemuck::pod_collect_to_vec::<i32, u8>(&labels))?
                    }
                    _ => HostTensor::rounded(&drawn, self.choice.dtype, shape)?,
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
        if let Gradients::Add { .. } = self.choice.gradients {
            for (_, gradients) in &mut expected.gradients {
                gradients.iter_mut().for_each(|gradient| *gradient += GARBAGE);
            }
        }
        Ok(expected)
    }

    /// Loss, gradients and count of the kernel, over buffers that held garbage; and whether the gaps between rows are
    /// as they were. Kernels stay compiled for the cases that follow.
    pub fn run(
        &self,
        gpu: &Gpu,
        spec: &'static LossSpec,
        inputs: &Named<HostTensor<'_>>,
    ) -> Result<(Evaluation, bool), Error> {
        let gpu = &gpu.sharing_kernels(self.choice.tuning(gpu.tuning()));
        let uploaded = inputs.iter().map(|(name, host)| {
            let has_gaps = self.layout.gap > 0 && spec.input(name).is_some_and(|input| input.shape == Shape::Rows);
            let tensor = if has_gaps { self.with_gaps(gpu, host) } else { Tensor::from_host(gpu, host) };
            Ok((name.to_string(), tensor?))
        });
        let uploaded = uploaded.collect::<Result<Named<Tensor>, Error>>()?;
        let plan = Plan::new(gpu, &self.loss(spec)?, &uploaded.map(|tensor| tensor.ty().clone()), self.options())?;
        let output = plan.bind_tensors(&uploaded)?;
        let gradients: Vec<&Tensor> = output.gradients.iter().map(|(_, gradient)| gradient).collect();
        let in_place = self.choice.gradients == Gradients::InPlace;
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
        expected: &reference::Evaluation,
        (found, gaps_stay): &(Evaluation, bool),
        report: &mut Report,
    ) {
        let mut comparison = compare(expected, found);
        if !gaps_stay {
            comparison.failures.push("a gap between rows was written to".to_string());
        }
        report.cases += 1;
        report.loss_error = report.loss_error.or_larger(comparison.loss_error);
        report.gradient_error = report.gradient_error.or_larger(comparison.gradient_error);
        let failures = comparison.failures.iter();
        report.failures.extend(failures.map(|what| format!("{self}: {what}")));
    }
}

/// All elements of a tensor, those in gaps included.
fn flat(gpu: &Gpu, tensor: &Tensor) -> Tensor {
    let ty = TensorType::new(tensor.dtype(), [tensor.ty().extent() as usize]);
    Tensor::from_buffer(gpu, tensor.buffer().clone(), tensor.offset(), ty)
}

/// What outputs hold before a run; exact in every storage type.
const GARBAGE: f64 = 0.375;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Case, arrangements, cases, choices, has_reduction, other_values, regimes};
    use crate::{
        DType, Reduce, Reduction, RowKernel, Tuning,
        losses::ALL,
        parity::{Effort, choices::Choice},
        spec::LossSpec,
    };

    /// That of a CPU adapter with subgroup operations.
    const TUNING: Tuning = Tuning {
        workgroup_size: 8,
        workgroups: 16,
        reduce: Reduce::SingleSubgroup,
        max_loop_iterations: u32::MAX,
        rows: RowKernel::BySize,
        lane_classes: 64,
        few_rows: 4,
        cached_classes: 0,
    };

    /// What makes a kernel, as texts: first how tensors lie, then the storage type, then all else.
    fn factors(choice: &Choice) -> Vec<String> {
        let Choice { arrangement, dtype, gradients, results, weighted, optional, indices, statistics, .. } = choice;
        let mut factors = vec![arrangement.to_string(), dtype.to_string()];
        factors.extend([format!("{gradients:?}"), format!("{results:?}")]);
        factors.extend([weighted, optional, indices, statistics].map(ToString::to_string));
        factors.extend([choice.reduce.to_string(), format!("{:?}", choice.rows)]);
        factors.extend(choice.compiled.iter().map(|(_, values)| values.join(" or ")));
        factors
    }

    #[test]
    fn any_two_choices_meet_in_every_loss() {
        for spec in ALL {
            let rows: Vec<Vec<String>> = choices(spec, TUNING, Effort::Quick).iter().map(factors).collect();
            let levels = |factor: usize| rows.iter().map(|row| row[factor].clone()).collect::<BTreeSet<_>>();
            let pairs = (0..rows[0].len()).flat_map(|b| (0..b).map(move |a| (a, b)));
            // Of what is the driver's matter, only the storage type.
            for (a, b) in pairs.filter(|&(a, b)| a > 0 || b == 1) {
                let met: BTreeSet<_> = rows.iter().map(|row| (&row[a], &row[b])).collect();
                let (of_a, of_b) = (levels(a), levels(b));
                assert_eq!(met.len(), of_a.len() * of_b.len(), "{}: {of_a:?} and {of_b:?}", spec.name);
            }
        }
    }

    /// So that kernels stay few.
    #[test]
    fn choices_are_few() {
        for spec in ALL {
            let found = choices(spec, TUNING, Effort::Quick).len();
            assert!((12..=20).contains(&found), "{} has {found}", spec.name);
        }
    }

    #[test]
    fn every_storage_type_meets_every_size_parameter_reduction_and_regime() {
        for spec in ALL.iter().copied() {
            for effort in [Effort::Quick, Effort::Full] {
                let cases = cases(spec, TUNING, effort);
                for dtype in DType::FLOATS {
                    let of_dtype: Vec<&Case> = cases.iter().filter(|case| case.choice.dtype == dtype).collect();
                    assert_all(spec, effort, dtype, &of_dtype);
                }
            }
        }
    }

    fn assert_all(spec: &'static LossSpec, effort: Effort, dtype: DType, cases: &[&Case]) {
        let what = format!("{} {dtype} {effort:?}", spec.name);
        for arrangement in arrangements(spec, TUNING, effort) {
            for layout in arrangement.others.iter().chain([&arrangement.middle]) {
                assert!(cases.iter().any(|case| case.layout == *layout), "{what}: {layout:?}");
            }
        }
        for (param, value) in spec.params.iter().flat_map(|param| other_values(param).map(move |value| (param, value)))
        {
            let setting = (param.name, value);
            assert!(cases.iter().any(|case| case.settings.contains(&setting)), "{what}: {setting:?}");
        }
        for regime in regimes(spec) {
            assert!(cases.iter().any(|case| case.regime == *regime), "{what}: {regime:?}");
        }
        let reductions: BTreeSet<_> = cases.iter().map(|case| case.reduction.name()).collect();
        let known = Reduction::ALL.into_iter().filter(|&reduction| has_reduction(spec, reduction));
        assert_eq!(reductions, known.map(Reduction::name).collect(), "{what}");
    }
}
