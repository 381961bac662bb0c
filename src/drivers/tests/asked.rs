//! Calls of losses that are asked for one by one.

use super::calls::{OwnedCall, broadcast_to, type_of};
use crate::{
    DType, Options, Reduction, Signature,
    gpu::Machine,
    losses::ALL,
    spec::{Input, Values},
};

/// A call of a loss of the catalogue in f32, every input given, with gradients.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    loss: &'static str,
    settings: &'static [(&'static str, &'static str)],
    shape: &'static [usize],
    reduction: Reduction,
}

impl Asked {
    pub const fn of(
        loss: &'static str,
        settings: &'static [(&'static str, &'static str)],
        shape: &'static [usize],
        reduction: Reduction,
    ) -> Self {
        Asked { loss, settings, shape, reduction }
    }

    pub fn call(&self, machine: Machine) -> OwnedCall {
        let spec = ALL.iter().find(|spec| spec.name == self.loss).expect("the catalogue has it");
        let plain = Plain {
            shape: self.shape,
            broadcast: &[],
            dtype: DType::F32,
            has_all_inputs: true,
            options: Options::new(self.reduction),
            roomy: false,
        };
        plain.call(machine, spec.values(self.settings).expect("it has such parameters"))
    }
}

/// A call of a loss with floats of one storage type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plain<'a> {
    pub shape: &'a [usize],
    /// Where inputs are broadcast, the shapes that they have in turn.
    pub broadcast: &'a [&'a [usize]],
    pub dtype: DType,
    /// Whether optional inputs are given.
    pub has_all_inputs: bool,
    pub options: Options,
    pub roomy: bool,
}

impl Plain<'_> {
    pub fn call(self, machine: Machine, values: Values) -> OwnedCall {
        let Plain { shape, broadcast, dtype, has_all_inputs, options, roomy } = self;
        let spec = values.spec();
        let shaped = Signature::of_shape(&values, shape).expect("the driver takes its shape");
        let is_given = |input: &&Input| !input.optional || has_all_inputs && input.goes_with(options.reduction);
        let given = spec.all_inputs().filter(is_given).enumerate();
        let inputs = given.map(|(number, input)| {
            let ty = type_of(&shaped, input, dtype, false, options.reduction);
            (input.name.to_string(), broadcast_to(ty, input, broadcast, number))
        });
        let signature = Signature::new(spec, &values, &inputs.collect(), &options).expect("its inputs fit");
        OwnedCall::new(machine, values, signature, options, roomy)
    }
}
