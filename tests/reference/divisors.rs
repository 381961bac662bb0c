//! What sums are divided by: numbers of the caller's, and weights of either sign.

use wgloss::{
    Error, HostTensor, Named, Options, Reduction, losses,
    reference::{self, Evaluation},
};

use super::{assert_close, evaluate, inputs_for, layouts, loss, tensor};

fn errors(prediction: &[f64]) -> Named<HostTensor<'static>> {
    let shape = [prediction.len()];
    let zeros = vec![0.0; prediction.len()];
    Named::new().with("prediction", tensor(prediction, &shape)).with("target", tensor(&zeros, &shape))
}

fn weighted(prediction: &[f64], weights: &[f64]) -> Named<HostTensor<'static>> {
    errors(prediction).with("weight", tensor(weights, &[weights.len()]))
}

const SUM: Options = Options::new(Reduction::Sum);

#[test]
fn a_sum_divided_by_the_items_is_their_mean() {
    for spec in losses::ALL {
        // What is a mean of several is divided by the items of each; weights of classes are what others divide by.
        let name = spec.name;
        let has = |reduction| spec.reductions().any(|known| known == reduction);
        let is_of_items = spec.input("mask").is_some() && spec.regions().is_none_or(|regions| regions.terms.is_none());
        if !has(Reduction::Sum) || !has(Reduction::Mean) || !is_of_items {
            continue;
        }
        let loss = loss(name, &[]);
        for layout in layouts(spec) {
            let inputs = inputs_for(&loss, layout, Reduction::Mean, false, 3);
            let mean = evaluate(&loss, &inputs, Reduction::Mean);
            if mean.items == 0 {
                continue;
            }
            let divided = evaluate(&loss, &inputs, Options { divisor: Some(mean.items as f32), ..SUM });
            let given = inputs.with("divisor", tensor(&[2.0 * mean.items as f64], &[1]));
            let given = evaluate(&loss, &given, Options { divisor: Some(0.5), ..SUM });
            for found in [divided, given] {
                assert_eq!(found.items, mean.items, "{name}");
                assert_close(found.loss[0], mean.loss[0], 1e-12, name);
                for ((_, found), (_, expected)) in found.gradients.iter().zip(&mean.gradients) {
                    let pairs = found.iter().zip(expected);
                    pairs.for_each(|(found, expected)| assert_close(*found, *expected, 1e-12, name));
                }
            }
        }
    }
}

#[test]
fn terms_and_layers_are_divided_alike() {
    for name in ["vae", "gan_discriminator", "perceptual", "style", "ce_dice"] {
        let loss = loss(name, &[]);
        let layout = layouts(losses::find(name).unwrap())[0];
        let inputs = inputs_for(&loss, layout, Reduction::Mean, false, 3);
        let sum = evaluate(&loss, &inputs, SUM);
        let divided = evaluate(&loss, &inputs.with("divisor", tensor(&[8.0], &[1])), SUM);
        let times = |values: &[f64]| values.iter().map(|x| 8.0 * x).collect::<Vec<_>>();
        assert_eq!((times(&divided.loss), times(&divided.terms)), (sum.loss, sum.terms), "{name}");
        let gradients = divided.gradients.iter().map(|(name, gradient)| (*name, times(gradient)));
        assert_eq!(gradients.collect::<Vec<_>>(), sum.gradients, "{name}");
    }
}

#[test]
fn what_is_no_divisor_is_refused() {
    let mse = loss("mse", &[]);
    let inputs = errors(&[1.0, 2.0]);
    let refusal = |inputs: &Named<HostTensor<'_>>, options| reference::evaluate(&mse, inputs, &options).unwrap_err();
    for wrong in [0.0, -1.0, f32::NAN, f32::INFINITY, 1e-40] {
        let given = inputs.clone().with("divisor", tensor(&[wrong.into()], &[1]));
        for error in [refusal(&inputs, Options { divisor: Some(wrong), ..SUM }), refusal(&given, SUM)] {
            let Error::Divisor { loss: "mse", found } = error else { panic!("{error}") };
            assert_eq!(found.to_bits(), wrong.to_bits());
        }
    }
    let expected = Error::DivisorReduction { loss: "mse", reduction: Reduction::Mean };
    assert_eq!(refusal(&inputs, Options { divisor: Some(1.0), ..Options::new(Reduction::Mean) }), expected);
    let given = inputs.with("divisor", tensor(&[1.0], &[1]));
    assert_eq!(refusal(&given, Options::new(Reduction::Mean)), expected);
}

fn loss_and_gradient(found: &Evaluation) -> (f64, &[f64]) {
    (found.loss[0], &found.gradients[0].1)
}

#[test]
fn weights_below_0_count_and_turn_signs() {
    let mse = loss("mse", &[]);
    let inputs = weighted(&[1.0, 2.0, 3.0], &[2.0, -0.5, 0.5]);
    let of = |reduction| evaluate(&mse, &inputs, Options::new(reduction));
    assert_eq!(of(Reduction::None).loss, [2.0, -2.0, 4.5]);
    assert_eq!(loss_and_gradient(&of(Reduction::Sum)), (4.5, &[4.0, -2.0, 3.0][..]));
    assert_eq!(loss_and_gradient(&of(Reduction::Mean)).0, 1.5);
    let mean = of(Reduction::WeightedMean);
    assert_eq!(loss_and_gradient(&mean), (2.25, &[2.0, -1.0, 1.5][..]));
    assert_eq!((mean.items, mean.weight_sum, mean.weight_magnitude), (3, Some(2.0), 3.0));
    assert_eq!(of(Reduction::Mean).weight_sum, None);
}

#[test]
fn a_sum_of_weights_that_is_not_above_0_has_no_mean() {
    let mse = loss("mse", &[]);
    for weights in [[-1.0, 0.5], [1.0, -1.0], [0.0, 0.0], [-0.25, -0.5]] {
        let found = evaluate(&mse, &weighted(&[1.0, 2.0], &weights), Options::new(Reduction::WeightedMean));
        assert_eq!(loss_and_gradient(&found), (0.0, &[0.0, 0.0][..]), "{weights:?}");
        assert_eq!((found.weight_sum, found.items), (Some(weights.iter().sum()), 2));
    }
}
