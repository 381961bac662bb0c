//! Losses that are made of others: sums, and another loss at each of several layers.

use super::{Call, Evaluation, evaluate as evaluate_part, weighed};
use crate::{
    Error, Gradients, HostTensor, Named, Options,
    drivers::{layers, parts::Part, sum},
    out_of_range,
    spec::{Driver, LAYER_WEIGHTS},
};

/// Loss and gradients of the parts of a sum, each by itself.
pub(super) fn evaluate(call: &Call, given: &Named<HostTensor<'_>>, options: &Options) -> Result<Evaluation, Error> {
    let Driver::Sum(sum) = call.values.spec().driver else {
        unreachable!("the reference of a sum belongs to its driver")
    };
    let mut whole = Evaluation::nothing();
    for (part, own) in sum.parts.iter().zip(sum::parts(&sum, &call.values, options)?) {
        let found = evaluated(call, &own, given)?;
        add(&mut whole, &own, found, part.weight(&call.values), 1.0);
    }
    Ok(whole)
}

/// Loss and gradients of each layer, and the gradients of the layers' weights.
pub(super) fn evaluate_layers(
    call: &Call,
    given: &Named<HostTensor<'_>>,
    options: &Options,
) -> Result<Evaluation, Error> {
    let Driver::Layers(layers) = call.values.spec().driver else {
        unreachable!("the reference of layers belongs to their driver")
    };
    let weights = given.get(LAYER_WEIGHTS.name).map(HostTensor::to_f64);
    // Shares such as ⅓ are exact as they can be here, and not options of a kernel.
    let parts = layers::parts(&layers, &call.values, &call.signature, options, |_, _| 1.0)?;
    let share = layers::share(parts.len(), options.reduction);
    let (mut whole, mut slopes, mut sizes) = (Evaluation::nothing(), Vec::new(), Vec::new());
    let slope = share * call.upstream.at(0) * options.gradient_scale();
    for (layer, own) in parts.iter().enumerate() {
        let weight = weights.as_ref().map_or(1.0, |weights| weights[layer]);
        let found = evaluated(call, own, given)?;
        slopes.push(slope * found.loss[0]);
        sizes.push((slope * found.magnitude).abs());
        add(&mut whole, own, found, share * weight, share * weight);
    }
    whole.terms.clear();
    whole.term_magnitudes.clear();
    if weights.is_some() && options.gradients != Gradients::Skip {
        whole.gradients.push((LAYER_WEIGHTS.name, slopes));
        whole.gradient_magnitudes.push(sizes);
    }
    Ok(whole)
}

/// Loss and gradients of a part.
fn evaluated(call: &Call, part: &Part, given: &Named<HostTensor<'_>>) -> Result<Evaluation, Error> {
    let inputs = part.given(|name| given.get(name).map(HostTensor::view));
    evaluate_part(&*part.loss, &inputs, &part.options).map_err(|error| {
        let Error::Target { count, first, .. } = error else { return error };
        out_of_range::error(&call.values, &call.signature, count, first)
    })
}

/// Adds a part: its loss with this weight, its gradients with that.
fn add(whole: &mut Evaluation, part: &Part, found: Evaluation, weight: f64, gradient_weight: f64) {
    // A weight of 0 leaves nothing of a part but a NaN.
    whole.loss[0] += if found.loss[0].is_nan() { f64::NAN } else { weighed(weight, found.loss[0]) };
    whole.magnitude += weighed(weight.abs(), found.magnitude);
    whole.terms.extend(&found.loss);
    whole.term_magnitudes.push(found.magnitude);
    whole.items += found.items;
    let times = |values: Vec<f64>, factor: f64| values.into_iter().map(|x| factor * x).collect::<Vec<_>>();
    let gradients = part.differentiable().zip(found.gradients);
    whole.gradients.extend(gradients.map(|(name, (_, gradient))| (name, times(gradient, gradient_weight))));
    let sizes = found.gradient_magnitudes.into_iter().map(|sizes| times(sizes, gradient_weight.abs()));
    whole.gradient_magnitudes.extend(sizes);
}
