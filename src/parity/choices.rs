//! What the cases of a loss choose: everything that makes another kernel of it, and the shapes.

use super::{Effort, covering};
use crate::{
    DType, Gradients, Reduce, Reduction, RowKernel, Tuning,
    drivers::{Arrangement, Trials, room},
    spec::{Input, Kind, LossSpec, Param, Rule, WEIGHT},
};

/// A parameter and the text of its value.
pub(super) type Setting = (&'static str, String);

/// What makes the kernels of two calls of a loss differ.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    /// The place in [`choices`].
    pub number: usize,
    pub dtype: DType,
    pub gradients: Gradients,
    pub results: Results,
    pub weighted: bool,
    /// Whether some items are left out.
    pub masked: bool,
    /// Whether the optional inputs of the loss itself are given.
    pub optional: bool,
    /// Whether class indices are given where a value for each class may be too, and i32 where labels may be floats.
    pub indices: bool,
    /// The statistics that are asked for.
    pub statistics: Vec<&'static str>,
    pub reduce: Reduce,
    /// How rows are shared out; nothing to other losses.
    pub rows: Rows,
    /// The place in [`arrangements`].
    pub arrangement: usize,
    /// Values of the parameters that kernels are compiled for: those that make this very kernel.
    pub compiled: Vec<(&'static str, Vec<String>)>,
}

/// What a call gives of the items' losses, and whether it has an upstream as an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Results {
    Each,
    EachWithUpstream,
    /// One value of them all.
    Reduced,
    ReducedWithUpstream,
}

impl Results {
    pub fn is_reduced(self) -> bool {
        matches!(self, Results::Reduced | Results::ReducedWithUpstream)
    }

    pub fn has_upstream(self) -> bool {
        matches!(self, Results::EachWithUpstream | Results::ReducedWithUpstream)
    }
}

/// How rows are shared out, and whether workgroup memory keeps them, as on GPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rows {
    pub kernel: RowKernel,
    pub cached: bool,
}

impl Choice {
    /// The layout of kernels.
    pub fn tuning(&self, tuning: Tuning) -> Tuning {
        let cached_classes = if self.rows.cached { 1024 } else { tuning.cached_classes };
        Tuning { reduce: self.reduce, rows: self.rows.kernel, cached_classes, ..tuning }
    }

    /// Whether it gives gradients into tensors of their own, or in place.
    pub fn has_gradients_alone(&self) -> bool {
        matches!(self.gradients, Gradients::Write | Gradients::InPlace)
    }

    /// Whether the defaults make this kernel.
    pub fn is_of_defaults(&self, spec: &LossSpec) -> bool {
        let is_default = |(name, values): &(&str, Vec<String>)| {
            let default = spec.params.iter().find(|param| param.name == *name).map(|param| param.default.to_string());
            default.is_some_and(|default| values.contains(&default))
        };
        self.compiled.iter().all(is_default)
    }

    /// One value of each parameter that kernels are compiled for.
    pub fn settings(&self, round: usize) -> impl Iterator<Item = Setting> + '_ {
        self.compiled.iter().map(move |(name, values)| (*name, values[round % values.len()].clone()))
    }
}

/// The choices in which those meet that may disturb each other: any two, or with more effort any three. What the driver
/// and not the loss knows of, as how rows are shared out, meets any other choice; and how tensors lie, which makes the
/// most kernels, every storage type, or with more effort any other choice.
pub(super) fn choices(spec: &'static LossSpec, tuning: Tuning, effort: Effort) -> Vec<Choice> {
    let reductions = tuning.reductions();
    let results = results(spec);
    let rows = row_kernels(spec, effort);
    let compiled = spec.params.iter().filter(|param| param.compiled);
    let compiled: Vec<_> = compiled.map(|param| (param.name, compiled_values(spec, param))).collect();
    // Two at once: beside all optional inputs, adapters may not have the bindings for more.
    let known = room(&spec.driver).statistics(spec);
    let statistics = known.chunks(2).map(|asked| asked.iter().map(|statistic| statistic.name).collect());
    let statistics: Vec<Vec<&str>> = std::iter::once(Vec::new()).chain(statistics).collect();
    let has = [
        spec.input(spec.item_weight()).is_some(),
        spec.input("mask").is_some(),
        spec.inputs.iter().any(|input| is_own_optional(spec, input)),
        spec.inputs.iter().any(may_be_indices),
    ];
    let of_driver = [arrangements(spec, tuning, effort).len(), reductions.len(), rows.len()];
    let mut levels = of_driver.to_vec();
    levels.extend([DType::FLOATS.len(), GRADIENTS.len(), results.len()]);
    levels.extend(has.map(|has| 1 + usize::from(has)));
    levels.push(statistics.len());
    levels.extend(compiled.iter().map(|(_, values)| values.len()));

    let factors: Vec<usize> = (0..levels.len()).collect();
    let (arrangement, dtype) = (0, of_driver.len());
    let sets = match effort {
        Effort::Quick | Effort::Part { .. } => {
            [covering::subsets(&factors[1..], 2), vec![vec![arrangement, dtype]]].concat()
        }
        Effort::Full => [covering::subsets(&factors, 2), covering::subsets(&factors[dtype..], 3)].concat(),
    };
    let choice = |(number, levels): (usize, Vec<usize>)| {
        let compiled =
            compiled.iter().zip(&levels[11..]).map(|((name, values), &level)| (*name, values[level].clone()));
        Choice {
            number,
            arrangement: levels[0],
            reduce: reductions[levels[1]],
            rows: rows[levels[2]],
            dtype: DType::FLOATS[levels[3]],
            gradients: GRADIENTS[levels[4]],
            results: results[levels[5]],
            weighted: levels[6] == 1,
            masked: levels[7] == 1,
            optional: levels[8] == 1,
            indices: levels[9] == 1,
            statistics: statistics[levels[10]].clone(),
            compiled: compiled.collect(),
        }
    };
    covering::rows(&levels, &sets).into_iter().enumerate().map(choice).collect()
}

const GRADIENTS: [Gradients; 4] =
    [Gradients::Write, Gradients::InPlace, Gradients::Add { weight: 0.25 }, Gradients::Skip];

/// What calls of a loss may give.
fn results(spec: &LossSpec) -> &'static [Results] {
    match (has_reduction(spec, Reduction::None), has_reduction(spec, Reduction::Sum)) {
        // Such a loss is one per class of a softmax, whose gradient without one per class is 0.
        (true, false) => &[Results::EachWithUpstream],
        (false, true) => &[Results::Reduced, Results::ReducedWithUpstream],
        _ => &[Results::Reduced, Results::EachWithUpstream, Results::Each, Results::ReducedWithUpstream],
    }
}

/// Whether its driver has the reduction for a loss.
pub(super) fn has_reduction(spec: &LossSpec, reduction: Reduction) -> bool {
    spec.reductions().any(|known| known == reduction)
}

/// With more effort also the one that the number of rows and classes asks for, which is one of the others.
fn row_kernels(spec: &LossSpec, effort: Effort) -> Vec<Rows> {
    let apart = |kernel| Rows { kernel, cached: false };
    let mut kernels = Vec::new();
    if spec.rows().is_some() {
        kernels.extend([RowKernel::Lane, RowKernel::Workgroup, RowKernel::Parts].map(apart));
        kernels.push(Rows { kernel: RowKernel::Workgroup, cached: true });
    }
    if spec.rows().is_none() || effort == Effort::Full {
        kernels.push(apart(RowKernel::BySize));
    }
    kernels
}

/// Optional inputs apart from `weight`, which every loss has.
pub(super) fn is_own_optional(spec: &LossSpec, input: &Input) -> bool {
    input.optional && input.name != spec.item_weight()
}

fn may_be_indices(input: &Input) -> bool {
    input.as_indices.is_some() || input.kind == Kind::Label
}

/// Values of a parameter in groups, the default first: those of one group have the same kernel.
fn compiled_values(spec: &'static LossSpec, param: &'static Param) -> Vec<Vec<String>> {
    let mut groups: Vec<(Option<u32>, Vec<String>)> = Vec::new();
    for value in std::iter::once(param.default.to_string()).chain(other_values(param)) {
        let Ok(values) = spec.values(&[(param.name, &value)]) else { continue };
        let kernel = values.get(param.name).map(|value| param.compiled_value(value));
        match groups.iter_mut().find(|(known, _)| *known == kernel) {
            Some((_, group)) => group.push(value),
            None => groups.push((kernel, vec![value])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// Values of a parameter's rule other than the default.
pub(super) fn other_values(param: &'static Param) -> impl Iterator<Item = String> {
    let texts = |values: &[&str]| values.iter().map(ToString::to_string).collect();
    let values: Vec<String> = match param.rule {
        Rule::Flag => texts(&["false", "true"]),
        Rule::Integer => texts(&["-1", "1"]),
        Rule::Natural => texts(&["1", "3"]),
        Rule::OneOf(allowed) => allowed.iter().map(ToString::to_string).collect(),
        Rule::Word(words) => texts(words),
        Rule::Finite => texts(&["-1", "0", "0.75"]),
        Rule::Positive => texts(&["0.01", "3.5"]),
        Rule::NonNegative => texts(&["0", "0.5", "1", "3"]),
        Rule::Unit => texts(&["0", "0.1", "0.9", "1"]),
        Rule::BelowHalf => texts(&["0", "0.1", "0.4"]),
        Rule::Part => texts(&["0.01", "0.5", "1"]),
    };
    let default = param.default.to_string();
    values.into_iter().filter(move |value| *value != default)
}

/// How the tensors of a loss's calls may lie in memory. An input alone has nothing to be broadcast to.
pub(super) fn arrangements(spec: &LossSpec, tuning: Tuning, effort: Effort) -> Vec<Arrangement> {
    let lanes = tuning.workgroup_size as usize;
    let is_alone = spec.inputs.iter().filter(|input| input.name != WEIGHT.name).count() == 1;
    let mut arrangements = room(&spec.driver).trials(&Trials { lanes, full: effort == Effort::Full });
    arrangements.retain(|arrangement| !is_alone || arrangement.middle.broadcast.is_empty());
    arrangements
}
