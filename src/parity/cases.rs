//! The calls that kernels are checked with.

use std::fmt;

use super::{
    Effort,
    choices::{Choice, Setting, arrangements, choices, has_reduction, other_values},
    compare::Scale,
    situations::Situation,
};
use crate::{
    AnyLoss, DType, Error, Gradients, Options, Reduction, Signature, Statistics, Tuning,
    draw::Regime,
    drivers::TrialShape,
    spec::{Driver, LossSpec, Param, Reference, Rule, Shape, Values},
};

/// The regimes that a loss meets in all its choices; the last is one of logits.
fn regimes(spec: &LossSpec) -> &'static [Regime] {
    const REGIMES: &[Regime] = &[Regime::Small, Regime::Medium, Regime::Large, Regime::Shifted];
    if matches!(spec.reference, Reference::None) {
        // Large ones test digits, and what a loss does where f32 ends, which only a reference tells.
        return &REGIMES[..2];
    }
    let has_rows = spec.inputs.iter().any(|input| input.shape == Shape::Rows);
    &REGIMES[..if has_rows { 4 } else { 3 }]
}

/// One call.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub choice: Choice,
    settings: Vec<Setting>,
    pub layout: TrialShape,
    reduction: Reduction,
    /// The number that is an option; it multiplies the input.
    upstream: f32,
    /// The divisor of a sum that is an option, and whether there is an input `divisor`.
    divisor: Option<f32>,
    pub has_divisor: bool,
    /// Whether the input `upstream` is one value for all items.
    pub shares_upstream: bool,
    statistics: Statistics,
    /// What the logits of a panel may take, of losses that have them in panels.
    panel_bytes: u64,
    pub regime: Regime,
    /// What the values are brought into, if so.
    pub situation: Option<Situation>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Case { choice, layout, reduction, .. } = self;
        let Choice { dtype, gradients, reduce, rows, .. } = choice;
        write!(f, "{dtype} {:?} {reduction}", layout.shape)?;
        for (name, value) in &self.settings {
            write!(f, " {name}={value}")?;
        }
        for (text, given) in [
            (" with gaps", layout.gap > 0),
            (" broadcast", !layout.broadcast.is_empty()),
            (" weighted", choice.weighted),
            (" masked", choice.masked),
            (" with an input upstream", choice.results.has_upstream()),
            (" divided", self.divisor.is_some()),
            (" with an input divisor", self.has_divisor),
            (" with optional inputs", choice.optional),
            (" of indices", choice.indices),
            (" of two layers", layout.layers == 2),
            (" of three layers", layout.layers == 3),
            (" added", matches!(gradients, Gradients::Add { .. })),
            (" in place", *gradients == Gradients::InPlace),
            (" without gradients", *gradients == Gradients::Skip),
            (" with statistics", self.statistics != Statistics::default()),
            (" in panels", self.panel_bytes > 1),
            (" row by row", self.panel_bytes == 1),
        ] {
            f.write_str(if given { text } else { "" })?;
        }
        let kept = if rows.cached { ", kept in workgroup memory" } else { "" };
        let values = self.situation.map_or(self.regime.name(), Situation::name);
        write!(f, " upstream {}, {values} values, {reduce} reduction, rows {}{kept}", self.upstream, rows.kernel)
    }
}

/// The cases of a loss. Each choice is met with all regimes and all words that a kernel takes as they come; and in each
/// storage type, every size, every parameter's every value and every situation has some of the choices that it fits.
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
    let mut add_in = |choice: &Choice, layout: &TrialShape, settings: &[Setting], situation: Option<Situation>| {
        if fits(choice, layout, settings) {
            let is_alike = |case: &&Case| (case.choice.dtype, case.choice.results) == (choice.dtype, choice.results);
            let turn = cases.iter().filter(is_alike).count();
            let is_sum = |case: &&Case| case.choice.dtype == choice.dtype && case.reduction == Reduction::Sum;
            let turns = [cases.len(), turn, cases.iter().filter(is_sum).count()];
            cases.push(Case { situation, ..Case::new(spec, turns, choice, layout, settings) });
        }
    };
    let mut add = |choice: &Choice, layout: &TrialShape, settings: &[Setting]| add_in(choice, layout, settings, None);
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
    for situation in Situation::of(spec) {
        for dtype in DType::FLOATS {
            let fits =
                |choice: &&Choice| choice.dtype == dtype && (!situation.is_subtle() || choice.has_gradients_alone());
            let taken =
                choices.iter().filter(fits).cycle().skip(situation as usize).take(times(dtype, 2, 6)).enumerate();
            for (round, choice) in taken.collect::<Vec<_>>() {
                // What is broadcast is related to nothing.
                let own = Some(middle(choice)).filter(|layout| layout.broadcast.is_empty());
                let layout = own.unwrap_or_else(|| arrangements[0].middle.clone());
                add_in(choice, &layout, &words[round % words.len()], Some(situation));
            }
        }
    }
    if let Effort::Part { number, of } = effort {
        cases.retain(|case| case.choice.number % of == number % of);
    }
    cases
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
    /// The case of that number, of that number among those of the same storage type and form of the result, and with so
    /// many sums of that type before it: what costs no kernel goes round with these.
    fn new(
        spec: &'static LossSpec,
        [round, turn, sums]: [usize; 3],
        choice: &Choice,
        layout: &TrialShape,
        settings: &[Setting],
    ) -> Self {
        let is_asked = |reduction: &Reduction| (*reduction != Reduction::None) == choice.results.is_reduced();
        let reductions: Vec<Reduction> =
            Reduction::ALL.into_iter().filter(is_asked).filter(|&reduction| has_reduction(spec, reduction)).collect();
        let regimes = regimes(spec);
        // One further each time round, so that none of them always has the same regime.
        let reduction = reductions[(turn + turn / reductions.len()) % reductions.len()];
        let divisors = [(None, true), (Some(7.5), false), (None, false), (Some(0.375), true)];
        let (divisor, has_divisor) = match reduction {
            Reduction::Sum => divisors[sums % divisors.len()],
            _ => (None, false),
        };
        Case {
            settings: choice.settings(round).chain(settings.iter().cloned()).collect(),
            layout: layout.clone(),
            reduction,
            divisor,
            has_divisor,
            upstream: [1.0, -0.5][(turn / reductions.len()) % 2],
            // Without one per class, the gradient of a softmax is 0.
            shares_upstream: choice.results.is_reduced() || (!spec.is_per_class() && turn % 3 == 1),
            statistics: Statistics::of(|name| choice.statistics.contains(&name)),
            // All rows at a time, some, and one by one if there are not many.
            panel_bytes: match (spec.driver, turn % 3) {
                (Driver::Linear(_) | Driver::Sequences(_), 1) => 3000,
                (Driver::Linear(_), 2) if layout.shape[0] < 40 => 1,
                _ => 0,
            },
            regime: regimes[round % regimes.len()],
            situation: None,
            choice: choice.clone(),
        }
    }

    /// What errors are relative to.
    pub fn scale(&self, spec: &LossSpec) -> Scale {
        match (self.situation, spec.driver) {
            (Some(Situation::Sure), Driver::Rows(_) | Driver::Elementwise) => Scale::Item,
            _ => Scale::Tensor,
        }
    }

    pub fn loss(&self, spec: &'static LossSpec) -> Result<AnyLoss, Error> {
        AnyLoss::of(spec, &as_texts(&self.settings))
    }

    pub fn values(&self, spec: &'static LossSpec) -> Result<Values, Error> {
        spec.values(&as_texts(&self.settings))
    }

    pub fn options(&self) -> Options {
        let Case { upstream, divisor, statistics, panel_bytes, reduction, .. } = *self;
        let gradients = self.choice.gradients;
        Options { upstream, divisor, gradients, statistics, panel_bytes, ..Options::new(reduction) }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, num::NonZero};

    use super::{Case, Situation, arrangements, cases, choices, has_reduction, other_values, regimes};
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
        least_lanes: 32,
    };

    /// What makes a kernel, as texts: first how tensors lie, then the storage type, then all else.
    fn factors(choice: &Choice) -> Vec<String> {
        let Choice { arrangement, dtype, gradients, results, weighted, masked, .. } = choice;
        let Choice { optional, indices, .. } = choice;
        let mut factors = vec![arrangement.to_string(), dtype.to_string()];
        factors.extend([format!("{gradients:?}"), format!("{results:?}")]);
        factors.extend([weighted, masked, optional, indices].map(ToString::to_string));
        factors.push(choice.statistics.join(","));
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
            assert!((12..=22).contains(&found), "{} has {found}", spec.name);
        }
    }

    #[test]
    fn parts_are_the_whole_together_and_none_is_next_to_empty() {
        let of = NonZero::new(9).unwrap();
        for spec in ALL {
            let parts: Vec<usize> =
                (9..18).map(|number| cases(spec, TUNING, Effort::Part { number, of }).len()).collect();
            assert!(parts.iter().all(|&cases| cases > 3), "{}: {parts:?}", spec.name);
            assert_eq!(parts.iter().sum::<usize>(), cases(spec, TUNING, Effort::Quick).len(), "{}", spec.name);
        }
    }

    #[test]
    fn every_storage_type_meets_every_size_parameter_reduction_and_regime() {
        for spec in ALL.iter().copied() {
            for effort in [Effort::Quick, Effort::Full] {
                let cases = cases(spec, TUNING, effort);
                let divisors: BTreeSet<_> =
                    cases.iter().map(|case| (case.divisor.is_some(), case.has_divisor)).collect();
                let expected = if has_reduction(spec, Reduction::Sum) { 4 } else { 1 };
                assert_eq!(divisors.len(), expected, "{} {effort:?}", spec.name);
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
        for situation in Situation::of(spec) {
            assert!(cases.iter().any(|case| case.situation == Some(situation)), "{what}: {situation:?}");
        }
        let has_divisor = |case: &&Case| case.has_divisor;
        assert_eq!(cases.iter().any(has_divisor), has_reduction(spec, Reduction::Sum), "{what}");
        let reductions: BTreeSet<_> = cases.iter().map(|case| case.reduction.name()).collect();
        let known = Reduction::ALL.into_iter().filter(|&reduction| has_reduction(spec, reduction));
        assert_eq!(reductions, known.map(Reduction::name).collect(), "{what}");
    }
}
