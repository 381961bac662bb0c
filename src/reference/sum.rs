//! Losses that are sums of others.

use super::{Call, Doubts, Evaluation, evaluate as evaluate_part, weighed};
use crate::{
    Error, HostTensor, Named, Options,
    drivers::sum::{of_part, options_of},
    out_of_range,
    spec::{Driver, Sum, Values},
};

/// Loss and gradients of the parts, each by itself.
pub(super) fn evaluate(call: &Call, given: &Named<HostTensor<'_>>, options: &Options) -> Result<Evaluation, Error> {
    let Driver::Sum(Sum { parts, .. }) = call.values.spec().driver else {
        unreachable!("the reference of a sum belongs to its driver")
    };
    let mut sum = Evaluation {
        loss: vec![0.0],
        terms: Vec::new(),
        term_magnitudes: Vec::new(),
        shape: Vec::new(),
        items: 0,
        gradients: Vec::new(),
        gradient_magnitudes: Vec::new(),
        magnitude: 0.0,
        loss_magnitudes: Vec::new(),
        log_sum_exp: Vec::new(),
        argmax: Vec::new(),
        correct: None,
        mining: None,
        hardest: None,
        condition: 0.0,
        doubts: Doubts::default(),
    };
    for part in parts {
        let loss = (part.loss)(&call.values);
        let values = Values::new(loss.spec(), loss.values())?;
        let inputs = of_part(part, &values, |name| given.get(name).map(HostTensor::view));
        let found = evaluate_part(&loss, &inputs, &options_of(part, &call.values, options)).map_err(|error| {
            let Error::Target { count, first, .. } = error else { return error };
            out_of_range::error(&call.values, &call.signature, count, first)
        })?;
        let weight = part.weight(&call.values);
        // A weight of 0 leaves nothing of a part but a NaN.
        sum.loss[0] += if found.loss[0].is_nan() { f64::NAN } else { weighed(weight, found.loss[0]) };
        sum.magnitude += weighed(weight.abs(), found.magnitude);
        sum.terms.extend(&found.loss);
        sum.term_magnitudes.push(found.magnitude);
        sum.items += found.items;
        let names = values.spec().inputs.iter().zip(part.inputs).filter(|(input, _)| input.differentiable);
        let gradients = names.zip(found.gradients).map(|((_, name), (_, gradient))| (*name, gradient));
        sum.gradients.extend(gradients);
        sum.gradient_magnitudes.extend(found.gradient_magnitudes);
    }
    Ok(sum)
}
