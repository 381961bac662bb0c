//! Losses of generative models, which Burn does not have, by its tensor operations.

use burn::tensor::{Tensor, activation::softplus};

use super::{
    case::Checked,
    inputs::{BurnInputs, ByBurn, mean},
};

/// The losses by the names and the parameters of wgloss's.
pub const LOSSES: &[(&str, ByBurn)] = &[
    ("gan_discriminator", |inputs| {
        inputs.step(["real", "fake"], |[real, fake]: [Tensor<2>; 2]| {
            mean(softplus(real.neg(), 1.0)) + mean(softplus(fake, 1.0))
        })
    }),
    ("gan_generator", |inputs| inputs.step(["fake"], |[fake]: [Tensor<2>; 1]| mean(softplus(fake.neg(), 1.0)))),
    ("gaussian_kl", |inputs| {
        inputs.step(["mu", "logvar"], |[mu, logvar]: [Tensor<2>; 2]| mean(divergence(mu, logvar)))
    }),
    ("vae likelihood=bce_with_logits", |inputs| {
        let target = inputs.tensor::<2>("target");
        inputs.step(["reconstruction", "mu", "logvar"], move |[logits, mu, logvar]: [Tensor<2>; 3]| {
            let samples = mu.dims()[0] as f64;
            let fit = softplus(logits.clone(), 1.0) - target.clone() * logits;
            (fit.sum() + divergence(mu, logvar).sum()) / samples
        })
    }),
    ("perceptual", |inputs| of_features(inputs, |features| features)),
    ("style", |inputs| of_features(inputs, gram)),
];

/// Of each latent variable.
fn divergence(mu: Tensor<2>, logvar: Tensor<2>) -> Tensor<2> {
    (mu.powi_scalar(2) + logvar.clone().exp() - logvar - 1.0) * 0.5
}

/// The mean square of what something of the features differs in from the same of the target, which is no part of the
/// step where it needs computing.
fn of_features(inputs: &BurnInputs, something: fn(Tensor<3>) -> Tensor<3>) -> Box<dyn Checked> {
    let target = something(inputs.tensor("target_features.0"));
    inputs.step(["features.0"], move |[features]: [Tensor<3>; 1]| {
        let difference = something(features) - target.clone();
        mean(difference.powi_scalar(2))
    })
}

fn gram(features: Tensor<3>) -> Tensor<3> {
    let [_, channels, positions] = features.dims();
    features.clone().matmul(features.transpose()) / (channels * positions) as f64
}
