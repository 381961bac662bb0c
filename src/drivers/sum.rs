//! Losses that are sums of others.

#[cfg(feature = "parity")]
use super::trials::{Arrangement, Trials};
use super::{
    Call, Extent, Room,
    needs::Need,
    parts::{Joined, Part, Weights},
};
use crate::{
    Error, Options, Reduction,
    extra::Extra,
    kernel::{Glue, block},
    program::{Program, workspace::WorkspaceHeader},
    spec::{Driver, Sum, Values},
};

impl Room for Sum {
    fn extent(&self, _: &Values, shape: &[usize]) -> Result<Extent, String> {
        Ok(Extent { result_shape: Vec::new(), ..Extent::of_items(shape.to_vec(), 1) })
    }

    fn symbols(&self) -> [&'static str; 2] {
        ["[*]", "[1]"]
    }

    fn needs(&self) -> Vec<Need> {
        let what = "`driver` has two or three parts, and of the first alone are values checked";
        vec![Need {
            what,
            is_met: |spec| match spec.driver {
                Driver::Sum(Sum { parts: parts @ ([first, _] | [first, _, _]), .. }) => {
                    let is_checked = |name: &str| spec.input(name).is_some_and(|input| input.domain.is_checked());
                    parts[1..]
                        .iter()
                        .flat_map(|part| part.inputs)
                        .all(|name| !is_checked(name) || first.inputs.contains(name))
                }
                _ => false,
            },
        }]
    }

    fn refuses(&self, loss: &'static str, reduction: Reduction) -> Option<Error> {
        let known = self.reductions;
        (!known.contains(&reduction)).then_some(Error::TermsReduction { loss, reduction, known })
    }

    fn program(&self, call: &Call<'_>) -> Result<Program, Error> {
        let weight = |part: usize| self.parts.get(part).map_or(0.0, |part| part.weight(call.values)) as f32;
        let mut glue = Glue::default();
        let chosen = "select(select(call.weight_2, call.weight_1, part == 1u), call.weight_0, part == 0u)";
        glue.function("weight_of(part: u32) -> f32", chosen);
        glue.procedure("put_slope(part: u32, value: f32)", "");
        let words = block! { weight_0: weight(0), weight_1: weight(1), weight_2: weight(2) };
        let parts = parts(self, call.values, call.options)?;
        Ok(Joined::new(call, &parts, None)?.combined(call, Weights { words, tensors: Vec::new(), glue }))
    }

    fn extras(&self, _: &Call<'_>, found: &WorkspaceHeader) -> Vec<Extra> {
        match self.parts {
            [first, second] => {
                vec![Extra::Term(first.name, found.first_term), Extra::Term(second.name, found.second_term)]
            }
            _ => Vec::new(),
        }
    }

    #[cfg(feature = "parity")]
    fn trials(&self, trials: &Trials) -> Vec<Arrangement> {
        let w = trials.lanes;
        let few: &[&[usize]] = &[&[1, 1], &[1, 3], &[2, 1], &[3, w], &[7, 15], &[2, w + 1]];
        let many: &[&[usize]] = &[&[1, 8 * w + 1], &[131, 77]];
        vec![trials.arrangement(&[33, 7], &[few, many].concat(), &[&[1, 128 * w + 1], &[4, 64, 1031]])]
    }
}

/// The parts of a sum under these parameters and options.
pub(crate) fn parts(sum: &Sum, values: &Values, options: &Options) -> Result<Vec<Part>, Error> {
    let part =
        |part: &crate::spec::Part| Part::new((part.loss)(values), part.inputs.to_vec(), part.weight(values), options);
    sum.parts.iter().map(part).collect()
}
