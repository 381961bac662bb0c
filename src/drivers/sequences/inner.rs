//! A loss that a loss of sequences is made of.

use super::super::{Call, room};
use crate::{
    DType, Error, Gradients, Loss, Named, Options, Signature, TensorType,
    program::Program,
    spec::{MASK, UPSTREAM, Values},
};

/// A loss that a loss of sequences is made of, as it is called there.
pub(super) struct Inner {
    pub values: Values,
    types: Named<TensorType>,
    options: Options,
}

impl Inner {
    pub fn new(loss: &dyn Loss, types: Named<TensorType>, options: Options) -> Result<Self, Error> {
        Ok(Inner { values: Values::new(loss.spec(), loss.values())?, types, options })
    }

    /// Its program in a call.
    pub fn run(&self, call: &Call<'_>) -> Result<Program, Error> {
        let spec = self.values.spec();
        let signature = Signature::new(spec, &self.values, &self.types, &self.options)?;
        let call = Call { values: &self.values, signature: &signature, options: &self.options, ..*call };
        room(&spec.driver).program(&call)
    }

    /// The same with these gradients, multiplied with an upstream for each token that a mask keeps, or not.
    pub fn program(&self, call: &Call<'_>, gradients: Gradients, has_upstream: bool) -> Result<Program, Error> {
        let tokens = self.types.iter().next().map_or(0, |(_, ty)| ty.shape[0]);
        let types = self.types.clone();
        let types = match has_upstream {
            true => types
                .with(UPSTREAM.name, TensorType::new(DType::F32, [tokens]))
                .with(MASK.name, TensorType::new(DType::I32, [tokens])),
            false => types,
        };
        let options = Options { gradients, ..self.options };
        Inner { values: self.values.clone(), types, options }.run(call)
    }
}
