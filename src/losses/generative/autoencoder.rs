//! Losses of variational autoencoders.

use super::{Likelihood, NO_HOOK};
use crate::{
    Bce, BceWithLogits, Loss, Mse, Reduction, loss, reference,
    spec::{Domain, Driver, Family, Input, Part, Reference, Rule, Shape, Sum, Values, WEIGHT, shader_file},
};

loss! {
    /// Kullback–Leibler divergence of normal distributions from the standard normal distribution.
    ///
    /// `−½(1 + s − μ² − exp s)` for the mean μ and the logarithm s of the variance of each latent variable: 0 where
    /// μ = s = 0, and digits are kept next to that. An item is a latent variable: with `batch_mean` the loss is the
    /// divergence of a sample, summed over its variables, as in a variational autoencoder.
    ///
    /// Inputs `mu` μ ∂ and `logvar` s ∂ `[*]`, optional `weight` `[*]`. Source: Kingma and Welling 2014, arXiv
    /// 1312.6114, appendix B.
    ///
    /// ```
    /// # use wgloss::{GaussianKl, Gpu, Loss, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let result = GaussianKl.eval(&gpu, &[1.0_f32, 0.0], &[0.0_f32, 0.0], Reduction::Sum)?;
    /// assert_eq!(result.loss.item(), 0.5);
    /// assert_eq!(result.gradients.get("mu").unwrap().to_f64(), [1.0, 0.0]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct GaussianKl;

    pub static GAUSSIAN_KL: LossSpec = {
        name: "gaussian_kl",
        aliases: &["KLDivergenceToStandardNormal", "kld"],
        family: Family::Generative,
        formula: "−½(1 + logvar − mu² − exp logvar)",
        notes: "",
        source: "Kingma and Welling 2014, arXiv 1312.6114",
        driver: Driver::Elementwise,
        inputs: &[
            Input::differentiable("mu", Shape::Items, Domain::Real),
            Input::differentiable("logvar", Shape::Items, Domain::LogRate),
            WEIGHT,
        ],
        shader: shader_file!("losses/generative/gaussian_kl.wgsl"),
        reference: Reference::Elementwise(reference::gaussian_kl),
    };
}

loss! {
    /// Loss of a variational autoencoder: the negative evidence lower bound.
    ///
    /// `Σ likelihood(reconstruction, target) + β·Σ gaussian_kl(mu, logvar)`: how badly samples are reconstructed, by
    /// [`Bce`], [`BceWithLogits`] or [`Mse`], and how far the latent variables are from a standard normal distribution,
    /// by [`GaussianKl`].
    ///
    /// - `batch_mean` divides both sums by N and is the loss of a sample; `sum` is that of the batch. A mean over
    ///   elements would weigh pixels against latent variables by how many there are of each, and does not exist.
    /// - [`Evaluation::terms`](crate::Evaluation::terms) has both terms, without β.
    ///
    /// Inputs `reconstruction` ∂ and `target` `[N, …]`, both checked to be in [0, 1] where the likelihood is that of
    /// probabilities, of `bce_with_logits` the target alone; `mu` ∂ and `logvar` ∂ `[N, …]`, of a shape of their own.
    /// Source: Kingma and Welling 2014, arXiv 1312.6114; β: Higgins et al. 2017.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Likelihood, Loss, Named, Reduction, Vae};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("reconstruction", HostTensor::new(&[1.0_f32, 0.0, 0.5], [1, 3])?)
    ///     .with("target", HostTensor::new(&[0.0_f32, 0.0, 0.5], [1, 3])?)
    ///     .with("mu", HostTensor::new(&[2.0_f32, 0.0], [1, 2])?)
    ///     .with("logvar", HostTensor::new(&[0.0_f32, 0.0], [1, 2])?);
    /// let loss = Vae { beta: 0.5, likelihood: Likelihood::Mse };
    /// let result = loss.eval_with(&gpu, &inputs, Reduction::BatchMean)?;
    /// assert_eq!(result.loss.item(), 1.0 + 0.5 * 2.0);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct Vae {
        /// β, the weight of the divergence; 0 or above.
        pub beta: f32 = 1.0 => Rule::NonNegative;
        /// How well the reconstruction fits.
        pub likelihood: Likelihood = Likelihood::Bce;
    }

    pub static VAE: LossSpec = {
        name: "vae",
        aliases: &["ELBO", "VAELoss", "BetaVAE"],
        family: Family::Generative,
        formula: "Σ likelihood(reconstruction, target) + beta·Σ gaussian_kl(mu, logvar)",
        notes: "`sum` or `batch_mean`",
        source: "Kingma and Welling 2014, arXiv 1312.6114",
        driver: Driver::Sum(Sum {
            parts: &[
                Part {
                    name: "reconstruction",
                    loss: likelihood,
                    inputs: &["reconstruction", "target"],
                    weight: None,
                },
                Part {
                    name: "gaussian_kl",
                    loss: |_| Box::new(GaussianKl),
                    inputs: &["mu", "logvar"],
                    weight: Some("beta"),
                },
            ],
            reductions: &[Reduction::Sum, Reduction::BatchMean],
        }),
        inputs: &[
            Input::differentiable(
                "reconstruction",
                Shape::Own,
                Domain::WhereIs("likelihood", "bce", &Domain::Probability, &Domain::Real),
            ),
            Input::constant(
                "target",
                Shape::Like("reconstruction"),
                Domain::WhereIs("likelihood", "mse", &Domain::Real, &Domain::Probability),
            ),
            Input::differentiable("mu", Shape::OwnOfBatch, Domain::Real),
            Input::differentiable("logvar", Shape::Like("mu"), Domain::LogRate),
        ],
        shader: NO_HOOK,
        reference: Reference::Sum,
    };
}

fn likelihood(values: &Values) -> Box<dyn Loss> {
    match values.word("likelihood") {
        Likelihood::Bce => Box::new(Bce),
        Likelihood::BceWithLogits => Box::new(BceWithLogits::default()),
        Likelihood::Mse => Box::new(Mse),
    }
}
