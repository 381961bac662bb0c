//! A loss that another loss is made of.

use super::{Call, room};
use crate::{
    DType, Error, Gradients, Loss, Named, Options, Signature, TensorType,
    program::{Place, Program, Step},
    spec::{MASK, UPSTREAM, Values},
};

/// A loss that another loss is made of, as it is called there.
pub(super) struct Inner {
    values: Values,
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

    /// The same with these gradients, multiplied with an upstream for each item that a mask keeps, or not.
    pub fn program(&self, call: &Call<'_>, gradients: Gradients, has_upstream: bool) -> Result<Program, Error> {
        let items = self.types.iter().next().map_or(0, |(_, ty)| ty.shape[0]);
        let mut types = self.types.clone();
        if has_upstream {
            types = types.with(UPSTREAM.name, TensorType::new(DType::F32, [items]));
        }
        if has_upstream && types.get(MASK.name).is_none() {
            types = types.with(MASK.name, TensorType::new(DType::I32, [items]));
        }
        let options = Options { gradients, ..self.options };
        Inner { values: self.values.clone(), types, options }.run(call)
    }

    /// The steps of its program, with what they bind where it lies in the whole.
    pub fn steps<'a>(
        &'a self,
        steps: Vec<Step>,
        place: impl Fn(Place) -> Place + 'a,
    ) -> impl Iterator<Item = Step> + 'a {
        steps.into_iter().map(move |step| {
            let params = step.params.unwrap_or_else(|| step.kernel.bytes_of_params(&self.values));
            Step { bound: step.bound.into_iter().map(&place).collect(), params: Some(params), ..step }
        })
    }
}
