//! A variational autoencoder.

use fastrand::Rng;

use crate::common::{
    digits::PIXELS,
    network::{Network, Pass},
    random::normal,
};

/// An encoder of images into normal distributions of latent variables, and a decoder of their values into the logits of
/// pixels.
pub struct Autoencoder {
    encoder: Network,
    decoder: Network,
    latent: usize,
}

/// A way of images through both networks.
pub struct Way {
    encoded: Pass,
    decoded: Pass,
    noise: Vec<f32>,
    latent: Latent,
}

/// Means and logarithms of variances of the latent variables, a row for each image.
pub struct Latent {
    mu: Vec<f32>,
    logvar: Vec<f32>,
}

impl Autoencoder {
    pub fn new(hidden: usize, latent: usize, rng: &mut Rng) -> Self {
        // For each latent variable the encoder gives a mean and the logarithm of a variance.
        let encoder = Network::new([PIXELS, hidden, 2 * latent], rng);
        Autoencoder { encoder, decoder: Network::new([latent, hidden, PIXELS], rng), latent }
    }

    /// Images on their way, each with latent values drawn from its distribution.
    pub fn forward(&self, images: &[f32], rng: &mut Rng) -> Way {
        let encoded = self.encoder.forward(images);
        let latent = Latent::from_rows(encoded.outputs(), self.latent);
        let noise: Vec<f32> = latent.mu.iter().map(|_| normal(rng)).collect();
        let values = latent.mu.iter().zip(latent.deviations()).zip(&noise);
        let values: Vec<f32> = values.map(|((mu, deviation), noise)| mu + deviation * noise).collect();
        Way { encoded, decoded: self.decoder.forward(&values), noise, latent }
    }

    /// Takes one step down the gradient of the loss by [`Way::predictions`].
    pub fn learn(&mut self, way: &Way, gradient: &[f32], learning_rate: f32) {
        let [encoder, decoder] = self.weight_gradients(way, gradient);
        self.encoder.step(&encoder, learning_rate);
        self.decoder.step(&decoder, learning_rate);
    }

    /// The gradients by the weights of the encoder and of the decoder.
    fn weight_gradients(&self, way: &Way, gradient: &[f32]) -> [Vec<f32>; 2] {
        let (reconstruction, latent) = gradient.split_at(way.decoded.outputs().len());
        let (mu, logvar) = latent.split_at(way.latent.mu.len());
        let decoder = self.decoder.backward(&way.decoded, reconstruction);
        let values = self.decoder.input_gradient(&decoder);

        // A value is mu + exp(logvar/2)·noise, so the loss depends on both by the decoder too.
        let by_deviation = values.iter().zip(way.latent.deviations()).zip(&way.noise);
        let by_logvar = by_deviation.map(|((value, deviation), noise)| 0.5 * value * deviation * noise);
        let latent = Latent {
            mu: mu.iter().zip(&values).map(|(mu, value)| mu + value).collect(),
            logvar: logvar.iter().zip(by_logvar).map(|(logvar, value)| logvar + value).collect(),
        };
        let encoder = self.encoder.backward(&way.encoded, &latent.to_rows(self.latent));
        [self.encoder.weight_gradient(&way.encoded, &encoder), self.decoder.weight_gradient(&way.decoded, &decoder)]
    }

    /// The pixels of latent values.
    pub fn decode(&self, values: &[f32]) -> Vec<f32> {
        self.decoder.forward(values).outputs().iter().map(|logit| 1.0 / (1.0 + (-logit).exp())).collect()
    }

    /// Images through the means of their distributions.
    pub fn reconstruct(&self, images: &[f32]) -> Vec<f32> {
        self.decode(&Latent::from_rows(self.encoder.forward(images).outputs(), self.latent).mu)
    }
}

impl Way {
    /// What the loss takes: the reconstruction's logits, the means and the logarithms of the variances.
    pub fn predictions(&self) -> Vec<f32> {
        [self.decoded.outputs(), &self.latent.mu, &self.latent.logvar].concat()
    }
}

impl Latent {
    /// From rows with all means, then all variances.
    fn from_rows(rows: &[f32], count: usize) -> Self {
        let half =
            |start: usize| rows.chunks_exact(2 * count).flat_map(|row| &row[start..][..count]).copied().collect();
        Latent { mu: half(0), logvar: half(count) }
    }

    fn to_rows(&self, count: usize) -> Vec<f32> {
        let rows = self.mu.chunks_exact(count).zip(self.logvar.chunks_exact(count));
        rows.flat_map(|(mu, logvar)| [mu, logvar].concat()).collect()
    }

    fn deviations(&self) -> impl Iterator<Item = f32> {
        self.logvar.iter().map(|logvar| (0.5 * logvar).exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::network::tests::assert_gradient;

    #[test]
    fn gradients_by_the_weights_are_the_limits_of_difference_quotients() {
        let mut rng = Rng::with_seed(0);
        let autoencoder = Autoencoder::new(6, 3, &mut rng);
        let images: Vec<f32> = (0..2 * PIXELS).map(|_| rng.f32()).collect();
        let way = |autoencoder: &Autoencoder| autoencoder.forward(&images, &mut Rng::with_seed(1));
        let predictions = way(&autoencoder).predictions();
        let factors: Vec<f32> = predictions.iter().map(|_| rng.f32() - 0.5).collect();
        let sum = |autoencoder: &Autoencoder| {
            let predictions = way(autoencoder).predictions();
            predictions.iter().zip(&factors).map(|(&x, &factor)| f64::from(x) * f64::from(factor)).sum()
        };

        let Autoencoder { encoder, decoder, latent } = &autoencoder;
        let [by_encoder, by_decoder] = autoencoder.weight_gradients(&way(&autoencoder), &factors);
        assert_gradient(&by_encoder, &encoder.weights(), |weights| {
            sum(&Autoencoder { encoder: encoder.with_weights(weights), decoder: decoder.clone(), latent: *latent })
        });
        assert_gradient(&by_decoder, &decoder.weights(), |weights| {
            sum(&Autoencoder { encoder: encoder.clone(), decoder: decoder.with_weights(weights), latent: *latent })
        });
    }
}
