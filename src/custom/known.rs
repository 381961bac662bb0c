//! The losses made so far, which stay until the program ends.

use std::{
    any::TypeId,
    sync::{Mutex, PoisonError},
};

use super::{CustomLossBuilder, check, words::declared};
use crate::{
    Error,
    spec::{Driver, Family, Input, LossSpec, MeanOver, Param, Reference, RowHooks, Rows, ShaderFile, WEIGHT},
};

/// A loss that was made, and what its test found.
struct Known {
    spec: &'static LossSpec,
    /// Of a reference that holds nothing, its type; of no reference, nothing.
    reference: Option<Option<TypeId>>,
    verdict: Result<(), Error>,
}

/// Programs make few losses: a list of them is searched from its start.
static KNOWN: Mutex<Vec<Known>> = Mutex::new(Vec::new());

/// The spec of a loss, tested. Losses made of the same have the same one, so that memory is bounded by what differs.
pub(super) fn known(loss: CustomLossBuilder) -> Result<&'static LossSpec, Error> {
    let mut all = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = all.iter().find(|known| known.is(&loss)) {
        return known.verdict.clone().map(|()| known.spec);
    }
    let reference = loss.reference.as_ref().map(|reference| reference.identity);
    let spec: &'static LossSpec = Box::leak(Box::new(spec(loss)));
    let verdict = check::check(spec);
    all.push(Known { spec, reference, verdict: verdict.clone() });
    verdict.map(|()| spec)
}

impl Known {
    fn is(&self, loss: &CustomLossBuilder) -> bool {
        let spec = self.spec;
        let has_same_reference = match (self.reference, &loss.reference) {
            (None, None) => true,
            (Some(Some(known)), Some(reference)) => reference.identity == Some(known),
            _ => false,
        };
        has_same_reference
            && spec.name == loss.name
            && spec.shader.path == loss.file
            && spec.shader.source == loss.wgsl
            && spec.rows().map(|rows| rows.mean_over) == loss.rows
            && inputs(loss) == spec.inputs
            && spec.params.len() == loss.params.len()
            && loss.params.iter().zip(spec.params).all(|(own, param)| own.is(param))
    }
}

/// The inputs with the weight that every loss takes.
fn inputs(loss: &CustomLossBuilder) -> Vec<Input> {
    let mut inputs = loss.inputs.clone();
    if !inputs.contains(&WEIGHT) {
        inputs.push(WEIGHT);
    }
    inputs
}

fn spec(loss: CustomLossBuilder) -> LossSpec {
    let inputs = inputs(&loss).leak();
    let text = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    let driver = match loss.rows {
        Some(mean_over) => Driver::Rows(rows(mean_over, inputs, &loss.wgsl)),
        None => Driver::Elementwise,
    };
    let param = |param: super::builder::OwnParam| Param {
        name: text(param.name),
        default: param.default,
        rule: param.rule,
        compiled: false,
    };
    let params: Vec<Param> = loss.params.into_iter().map(param).collect();
    LossSpec {
        name: text(loss.name),
        aliases: &[],
        family: if loss.rows.is_some() { Family::Multiclass } else { Family::Regression },
        formula: "",
        notes: "",
        source: "",
        driver,
        inputs,
        params: params.leak(),
        shader: ShaderFile::new(text(loss.file), text(loss.wgsl)),
        reference: loss.reference.map_or(Reference::None, |reference| Reference::Closure((reference.closure)())),
    }
}

/// A loss that needs the softmax of its first input, with the groups of hooks that its text has.
fn rows(mean_over: MeanOver, inputs: &'static [Input], wgsl: &str) -> Rows {
    let declared = declared(wgsl);
    let has = |(_, function): &(RowHooks, &str)| declared.iter().any(|word| word.text == *function);
    let groups = [(RowHooks::Sums, "class_sums"), (RowHooks::Middle, "middle_sums"), (RowHooks::Logits, "distance_of")];
    let hooks: Vec<RowHooks> = groups.into_iter().filter(has).map(|(group, _)| group).collect();
    let softmax_of = vec![inputs[0].name].leak();
    Rows { mean_over, softmax_of, hooks: hooks.leak(), ..Rows::SOFTMAX }
}
