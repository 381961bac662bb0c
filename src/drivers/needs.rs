//! What a driver needs of a loss besides its hooks.

use super::room;
use crate::{
    Error,
    spec::{Domain, Driver, Input, LossSpec, Param, Reference, Rows, Rule, Value},
};

/// Something that a driver reads by its name, and what messages call it.
pub(crate) struct Need {
    pub what: &'static str,
    pub is_met: fn(&LossSpec) -> bool,
}

/// That a loss has what its driver and its reference read, and that the two belong together.
pub(crate) fn check(spec: &LossSpec) -> Result<(), Error> {
    let refused = |rule: &str| Err(Error::Spec { loss: spec.name, rule: rule.to_string() });
    let agrees = match (&spec.driver, &spec.reference) {
        (Driver::Elementwise, Reference::Elementwise(_))
        | (Driver::Rows(_), Reference::Rows(_))
        | (Driver::Boxes, Reference::Boxes(_))
        | (Driver::Pairs, Reference::Pairs(_))
        | (
            Driver::Elementwise | Driver::Rows(Rows { per_class: false, .. }),
            Reference::Closure(_) | Reference::None,
        )
        | (Driver::AllPairs(_), Reference::AllPairs(_))
        | (Driver::Sum(_), Reference::Sum)
        | (Driver::Layers(_), Reference::Layers)
        | (Driver::Gram, Reference::Gram)
        | (Driver::Linear(_), Reference::Linear)
        | (Driver::Sequences(_), Reference::Sequences)
        | (Driver::TopK(_), Reference::Rows(_)) => true,
        (Driver::Regions(regions), Reference::Regions(reference)) => {
            regions.terms.is_some() == reference.pixel.is_some()
        }
        _ => false,
    };
    if !agrees {
        return refused(
            "`driver` and `reference` are of the same kind, of regions both with a pixel's term or without",
        );
    }
    if !spec.inputs.iter().any(|input| input.differentiable) {
        return refused("`inputs` has one that is differentiable, which comes first");
    }
    let ignores = |param: &&Param| param.name == "ignore_index";
    if spec.params.iter().find(ignores).is_some_and(|param| !matches!(param.default, Value::Integer(_))) {
        return refused("`ignore_index` is a whole number");
    }
    let is_told = |input: &Input| match input.domain {
        Domain::Where(flag, ..) => spec.has_flag(flag, false),
        _ => true,
    };
    if !spec.inputs.iter().all(is_told) {
        return refused("a domain `Where` names a true-or-false parameter of the loss");
    }
    let unmet = room(&spec.driver).needs().into_iter().find(|need| !(need.is_met)(spec));
    unmet.map_or(Ok(()), |need| refused(need.what))
}

impl LossSpec {
    fn param(&self, name: &str) -> Option<&'static Param> {
        self.params.iter().find(|param| param.name == name)
    }

    /// Whether it has a number of that name.
    pub(crate) fn has_number(&self, name: &str) -> bool {
        self.param(name).is_some_and(|param| matches!(param.default, Value::Number(_)))
    }

    /// Whether it has a true-or-false parameter of that name, compiled or not.
    pub(crate) fn has_flag(&self, name: &str, compiled: bool) -> bool {
        self.param(name).is_some_and(|param| param.rule == Rule::Flag && (param.compiled || !compiled))
    }

    /// Whether it has a compiled parameter of that name that is one of these words.
    pub(crate) fn has_compiled_word(&self, name: &str, words: &[&str]) -> bool {
        let is = |param: &Param| matches!(param.rule, Rule::Word(own) if own == words);
        self.param(name).is_some_and(|param| param.compiled && is(param))
    }
}
