//! Losses that are sums of others: each part runs by itself, one after the other, and one more step adds them up. What
//! a mean of a part divides by is known to it alone, and no part waits for another.

use std::{mem::offset_of, sync::Arc};

#[cfg(feature = "parity")]
use super::trials::{Arrangement, Trials};
use super::{Call, Extent, Room, gradient_name, needs::Need, room};
use crate::{
    Error, Named, Options, Reduction, Signature, Statistics,
    extra::Extra,
    gpu::Loops,
    kernel::{Access, Holds, Kernel, TensorView, block},
    program::{Place, Program, Report, Scratch, Step, WORKSPACE, workspace::WorkspaceHeader},
    spec::{Part, Sum, UPSTREAM, Values, shader_file},
};

/// The scratch that holds the results of the parts.
const LOSSES: usize = WORKSPACE + 1;

/// Bytes of a word of a workspace.
const WORD: usize = size_of::<u32>();

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
                crate::spec::Driver::Sum(Sum { parts: parts @ ([first, _] | [first, _, _]), .. }) => {
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
        let alignment = u64::from(call.machine.limits.min_storage_buffer_offset_alignment);
        let parts = self.parts.iter().map(|part| program_of(part, call)).collect::<Result<Vec<_>, _>>()?;
        // The workspaces lie side by side, the sum's own first, so that one step can read them all.
        let largest = parts.iter().map(|program| program.scratch[WORKSPACE].size).max().unwrap_or(0);
        let slot = largest.next_multiple_of(alignment);
        let count = parts.len() as u64;
        let mut program = Program::new(vec![
            Scratch { label: "the workspace", size: slot * (1 + count) },
            Scratch { label: "the losses of the parts", size: alignment * count },
        ]);
        for ((number, part), of_part) in (0..).zip(self.parts).zip(parts) {
            if number == 0 {
                program.report = Report { chunks: of_part.report.chunks };
            }
            let first_scratch = program.scratch.len();
            program.scratch.extend(of_part.scratch.into_iter().skip(1));
            let moved = |place: Place| match place {
                Place::Scratch(WORKSPACE, range) => Place::Scratch(WORKSPACE, shifted(range, slot * (1 + number))),
                Place::Scratch(index, range) => Place::Scratch(first_scratch + index - 1, range),
                Place::Tensor(name, range) if name == "loss" => {
                    Place::Scratch(LOSSES, shifted(range, alignment * number))
                }
                Place::Tensor(name, range) => Place::Tensor(name_in_sum(part, call, &name), range),
            };
            program.steps.extend(of_part.steps.into_iter().map(|step| {
                let bound = step.bound.into_iter().map(moved).collect();
                Step { bound, ..step }
            }));
        }
        program.steps.push(self.combine(call, slot, alignment));
        Ok(program)
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

impl Sum {
    /// The step that adds up the parts.
    fn combine(&self, call: &Call<'_>, slot: u64, alignment: u64) -> Step {
        let tuning = call.machine.tuning;
        let weight = |part: usize| self.parts.get(part).map_or(0.0, |part| part.weight(call.values)) as f32;
        let words = block! {
            parts: self.parts.len() as u32,
            loss_stride: (alignment / WORD as u64) as u32,
            workspace_stride: (slot / WORD as u64) as u32,
            weight_0: weight(0),
            weight_1: weight(1),
            weight_2: weight(2),
        };
        let mut kernel = Kernel::new(tuning.workgroup_size, tuning.reduce).with_call(&words);
        for (name, offset) in [
            ("ITEMS", offset_of!(WorkspaceHeader, items_low)),
            ("INVALID", offset_of!(WorkspaceHeader, invalid_low)),
            ("INVALID_PARTIAL", offset_of!(WorkspaceHeader, invalid_partial)),
            ("INVALID_ITEM", offset_of!(WorkspaceHeader, invalid_item)),
        ] {
            kernel.constant(name, (offset / WORD) as u32);
        }
        kernel.tensors = vec![
            TensorView::new("loss", Holds::Values("f32"), Access::Write),
            TensorView::new("losses", Holds::Values("f32"), Access::Write),
            TensorView::new("workspaces", Holds::Values("u32"), Access::Write),
            TensorView::workspace(Access::Write),
        ];
        kernel.join([shader_file!("drivers/sum/combine.wgsl")]);
        let count = self.parts.len() as u64;
        let loss = call.signature.loss_type(call.options.reduction).buffer_size();
        Step {
            kernel: Arc::new(kernel),
            entry: "combine",
            call: words,
            params: None,
            bound: vec![
                Place::Tensor("loss".to_string(), 0..loss),
                Place::Scratch(LOSSES, 0..alignment * count),
                Place::Scratch(WORKSPACE, slot..slot * (1 + count)),
                Place::Scratch(WORKSPACE, 0..slot),
            ],
            workgroups: [1, 1, 1],
            loops: Loops::walk(count, 1),
        }
    }
}

fn shifted(range: std::ops::Range<u64>, by: u64) -> std::ops::Range<u64> {
    range.start + by..range.end + by
}

/// The program of a part.
fn program_of(part: &Part, call: &Call<'_>) -> Result<Program, Error> {
    let loss = (part.loss)(call.values);
    let values = Values::new(loss.spec(), loss.values())?;
    let options = options_of(part, call.values, call.options);
    let types = of_part(part, &values, |name| call.signature.input(name).cloned());
    let signature = Signature::new(loss.spec(), &values, &types, &options)?;
    let call = Call { values: &values, signature: &signature, options: &options, ..*call };
    let mut program = room(&loss.spec().driver).program(&call)?;
    for step in &mut program.steps {
        step.params.get_or_insert_with(|| step.kernel.bytes_of_params(&values));
    }
    Ok(program)
}

/// The options of a part.
pub(crate) fn options_of(part: &Part, values: &Values, options: &Options) -> Options {
    let upstream = (f64::from(options.upstream) * part.weight(values)) as f32;
    Options { upstream, statistics: Statistics::default(), ..*options }
}

/// What is there of the sum's inputs, under the names that a part's loss has for them.
pub(crate) fn of_part<T>(part: &Part, values: &Values, given: impl Fn(&str) -> Option<T>) -> Named<T> {
    let own = values.spec().inputs.iter().map(|input| input.name).zip(part.inputs.iter().copied());
    let all = own.chain([(UPSTREAM.name, UPSTREAM.name)]);
    all.filter_map(|(own, of_sum)| Some((own.to_string(), given(of_sum)?))).collect()
}

/// The name that a tensor of a part has in the sum.
fn name_in_sum(part: &Part, call: &Call<'_>, name: &str) -> String {
    let loss = (part.loss)(call.values);
    let names = loss.spec().inputs.iter().zip(part.inputs);
    let found = names.map(|(own, of_sum)| (own.name, *of_sum)).find_map(|(own, of_sum)| {
        let is_gradient = name == gradient_name(own);
        if is_gradient { Some(gradient_name(of_sum)) } else { (name == own).then(|| of_sum.to_string()) }
    });
    found.unwrap_or_else(|| name.to_string())
}
