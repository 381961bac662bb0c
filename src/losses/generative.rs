//! Generative models: losses of the scores that a discriminator or critic gives, and of latent variables.

use crate::{
    Bce, BceWithLogits, Loss, Mse, Reduction, loss, reference,
    spec::{
        Domain, Driver, Family, Game, Input, Part, Reference, Rule, ShaderFile, Shape, Sum, Values, WEIGHT, shader_file,
    },
};

#[doc(inline)]
pub use crate::spec::Likelihood;

/// The scores that a discriminator or critic gives: to what is real, and to what the generator has made.
const REAL_FAKE: &[Input] =
    &[Input::differentiable("real", Shape::Own, Domain::Real), Input::differentiable("fake", Shape::Own, Domain::Real)];

/// The sum of two means, one over the real and one over the fake scores.
const fn of_both(parts: &'static [Part]) -> Driver {
    Driver::Sum(Sum { parts, reductions: &[Reduction::Mean, Reduction::Sum] })
}

/// The part of the loss that is of the real scores, or of the fake ones.
const fn part(name: &'static str, loss: fn(&Values) -> Box<dyn Loss>, inputs: &'static [&'static str]) -> Part {
    Part { name, loss, inputs, weight: None }
}

/// What a sum has for a kernel of its own: none, but what adds up its parts.
const NO_HOOK: ShaderFile = shader_file!("drivers/sum/combine.wgsl");

/// A discriminator's or critic's loss of a score: a part of its loss.
mod score {
    use super::*;

    loss! {
        /// A discriminator's or critic's loss of a score.
        pub struct ScoreTerm {
            /// What it plays for.
            pub game: Game = Game::Logistic, compiled;
            /// Whether the score is of something real.
            pub real: bool = false;
        }

        pub static SCORE_TERM: LossSpec = {
            name: "score_term",
            family: Family::Generative,
            formula: "",
            notes: "",
            source: "",
            driver: Driver::Elementwise,
            inputs: &[Input::differentiable("score", Shape::Items, Domain::Real)],
            shader: shader_file!("losses/generative/score_term.wgsl"),
            reference: Reference::Elementwise(reference::score_term),
        };
    }
}

use score::ScoreTerm;

fn term(game: Game, real: bool) -> Box<dyn Loss> {
    Box::new(ScoreTerm { game, real })
}

/// The scores that a discriminator or critic gives to what the generator has made.
const FAKE: &[Input] = &[Input::differentiable("fake", Shape::Items, Domain::Real), WEIGHT];

loss! {
    /// Loss of a GAN's generator.
    ///
    /// `softplus(−x)` of the discriminator's logit x of what the generator has made: it wants that taken for real. With
    /// `saturating` the minimax form, `−softplus(x)`, whose gradient vanishes where the discriminator is sure that it
    /// is fake: as at the start of training.
    ///
    /// Inputs `fake` x ∂ `[*]`, optional `weight` `[*]`. Source: Goodfellow et al. 2014, arXiv 1406.2661; PyTorch
    /// BCEWithLogitsLoss with a target of 1.
    ///
    /// ```
    /// # use wgloss::{GanGenerator, Gpu, HostTensor, Loss, Named, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let fake = Named::<HostTensor>::new().with("fake", &[0.0_f32, 0.0]);
    /// let result = GanGenerator::default().eval_with(&gpu, &fake, Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 2.0_f64.ln(), epsilon = 1e-6);
    /// assert_eq!(result.gradients.get("fake").unwrap().to_f64(), [-0.25, -0.25]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct GanGenerator {
        /// Whether the loss is that of the minimax game.
        pub saturating: bool = false;
    }

    pub static GAN_GENERATOR: LossSpec = {
        name: "gan_generator",
        aliases: &["GANGenerator", "NonSaturatingLoss"],
        family: Family::Generative,
        formula: "softplus(−x); saturating: −softplus(x)",
        notes: "",
        source: "Goodfellow et al. 2014, arXiv 1406.2661",
        driver: Driver::Elementwise,
        inputs: FAKE,
        shader: shader_file!("losses/generative/gan_generator.wgsl"),
        reference: Reference::Elementwise(reference::gan_generator),
    };
}

loss! {
    /// Loss of a least-squares GAN's generator.
    ///
    /// `½(x − 1)²` of the discriminator's score x of what the generator has made.
    ///
    /// Inputs `fake` x ∂ `[*]`, optional `weight` `[*]`. Source: Mao et al. 2017, arXiv 1611.04076, with a = 0 and
    /// b = c = 1.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, LsganGenerator, Named, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let fake = Named::<HostTensor>::new().with("fake", &[0.0_f32, 2.0]);
    /// let result = LsganGenerator.eval_with(&gpu, &fake, Reduction::Mean)?;
    /// assert_eq!(result.loss.item(), 0.5);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct LsganGenerator;

    pub static LSGAN_GENERATOR: LossSpec = {
        name: "lsgan_generator",
        aliases: &["LSGANGenerator", "LeastSquaresGenerator"],
        family: Family::Generative,
        formula: "½(x − 1)²",
        notes: "",
        source: "Mao et al. 2017, arXiv 1611.04076",
        driver: Driver::Elementwise,
        inputs: FAKE,
        shader: shader_file!("losses/generative/lsgan_generator.wgsl"),
        reference: Reference::Elementwise(reference::lsgan_generator),
    };
}

loss! {
    /// Loss of the generator beside a discriminator with a hinge loss.
    ///
    /// `−x` of the discriminator's score x of what the generator has made.
    ///
    /// Inputs `fake` x ∂ `[*]`, optional `weight` `[*]`. Source: Lim and Ye 2017, arXiv 1705.02894; Miyato et al. 2018,
    /// arXiv 1802.05957.
    ///
    /// ```
    /// # use wgloss::{Gpu, HingeGanGenerator, HostTensor, Loss, Named, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let fake = Named::<HostTensor>::new().with("fake", &[0.5_f32, 2.5]);
    /// assert_eq!(HingeGanGenerator.eval_with(&gpu, &fake, Reduction::Mean)?.loss.item(), -1.5);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct HingeGanGenerator;

    pub static HINGE_GAN_GENERATOR: LossSpec = {
        name: "hinge_gan_generator",
        aliases: &["HingeGANGenerator"],
        family: Family::Generative,
        formula: "−x",
        notes: "",
        source: "Lim and Ye 2017, arXiv 1705.02894",
        driver: Driver::Elementwise,
        inputs: FAKE,
        shader: shader_file!("losses/generative/wgan_generator.wgsl"),
        reference: Reference::Elementwise(reference::wgan_generator),
    };
}

loss! {
    /// Loss of a Wasserstein GAN's generator.
    ///
    /// `−x` of the critic's score x of what the generator has made.
    ///
    /// Inputs `fake` x ∂ `[*]`, optional `weight` `[*]`. Source: Arjovsky et al. 2017, arXiv 1701.07875.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Named, Reduction, WganGenerator};
    /// # let gpu = Gpu::new_blocking()?;
    /// let fake = Named::<HostTensor>::new().with("fake", &[0.5_f32, 2.5]);
    /// assert_eq!(WganGenerator.eval_with(&gpu, &fake, Reduction::Mean)?.loss.item(), -1.5);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct WganGenerator;

    pub static WGAN_GENERATOR: LossSpec = {
        name: "wgan_generator",
        aliases: &["WGANGenerator", "WassersteinGenerator"],
        family: Family::Generative,
        formula: "−x",
        notes: "",
        source: "Arjovsky et al. 2017, arXiv 1701.07875",
        driver: Driver::Elementwise,
        inputs: FAKE,
        shader: shader_file!("losses/generative/wgan_generator.wgsl"),
        reference: Reference::Elementwise(reference::wgan_generator),
    };
}

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
    /// Loss of a GAN's discriminator.
    ///
    /// `mean softplus(−real) + mean softplus(fake)` of its logits.
    ///
    /// Inputs `real` and `fake` x ∂, each `[*]` of its own shape. `mean` is the sum of two means, `sum` of two sums.
    /// [`Evaluation::terms`](crate::Evaluation::terms) has both. Source: Goodfellow et al. 2014, arXiv 1406.2661.
    ///
    /// ```
    /// # use wgloss::{Gpu, Loss, GanDiscriminator, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let result = GanDiscriminator.eval(&gpu, &[0.0_f32], &[0.0_f32, 0.0], Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 2.0 * 2.0_f64.ln(), epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct GanDiscriminator;

    pub static GAN_DISCRIMINATOR: LossSpec = {
        name: "gan_discriminator",
        aliases: &["GANDiscriminator"],
        family: Family::Generative,
        formula: "mean softplus(−real) + mean softplus(fake)",
        notes: "",
        source: "Goodfellow et al. 2014, arXiv 1406.2661",
        driver: of_both(&[
            part("real", |_| term(Game::Logistic, true), &["real"]),
            part("fake", |_| term(Game::Logistic, false), &["fake"]),
        ]),
        inputs: REAL_FAKE,
        shader: NO_HOOK,
        reference: Reference::Sum,
    };
}

loss! {
    /// Loss of a least-squares GAN's discriminator.
    ///
    /// `½·mean (real − 1)² + ½·mean fake²` of its scores.
    ///
    /// Inputs `real` and `fake` x ∂, each `[*]` of its own shape. `mean` is the sum of two means, `sum` of two sums.
    /// [`Evaluation::terms`](crate::Evaluation::terms) has both. Source: Mao et al. 2017, arXiv 1611.04076.
    ///
    /// ```
    /// # use wgloss::{Gpu, Loss, LsganDiscriminator, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let result = LsganDiscriminator.eval(&gpu, &[0.0_f32], &[1.0_f32, 3.0], Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 3.0, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct LsganDiscriminator;

    pub static LSGAN_DISCRIMINATOR: LossSpec = {
        name: "lsgan_discriminator",
        aliases: &["LSGANDiscriminator", "LeastSquaresDiscriminator"],
        family: Family::Generative,
        formula: "½·mean (real − 1)² + ½·mean fake²",
        notes: "",
        source: "Mao et al. 2017, arXiv 1611.04076",
        driver: of_both(&[
            part("real", |_| term(Game::Squared, true), &["real"]),
            part("fake", |_| term(Game::Squared, false), &["fake"]),
        ]),
        inputs: REAL_FAKE,
        shader: NO_HOOK,
        reference: Reference::Sum,
    };
}

loss! {
    /// Hinge loss of a GAN's discriminator.
    ///
    /// `mean max(0, 1 − real) + mean max(0, 1 + fake)` of its scores; gradient 0 at the hinge.
    ///
    /// Inputs `real` and `fake` x ∂, each `[*]` of its own shape. `mean` is the sum of two means, `sum` of two sums.
    /// [`Evaluation::terms`](crate::Evaluation::terms) has both. Source: Lim and Ye 2017, arXiv 1705.02894.
    ///
    /// ```
    /// # use wgloss::{Gpu, Loss, HingeGanDiscriminator, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let result = HingeGanDiscriminator.eval(&gpu, &[0.25_f32], &[-2.0_f32, 1.0], Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 1.75, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct HingeGanDiscriminator;

    pub static HINGE_GAN_DISCRIMINATOR: LossSpec = {
        name: "hinge_gan_discriminator",
        aliases: &["HingeGANDiscriminator"],
        family: Family::Generative,
        formula: "mean max(0, 1 − real) + mean max(0, 1 + fake)",
        notes: "",
        source: "Lim and Ye 2017, arXiv 1705.02894",
        driver: of_both(&[
            part("real", |_| term(Game::Hinge, true), &["real"]),
            part("fake", |_| term(Game::Hinge, false), &["fake"]),
        ]),
        inputs: REAL_FAKE,
        shader: NO_HOOK,
        reference: Reference::Sum,
    };
}

loss! {
    /// Loss of a Wasserstein GAN's critic.
    ///
    /// `mean fake − mean real` of its scores: the negative of its estimate of the distance. It needs a critic that is
    /// kept from growing steep, such as by [`GradientPenalty`].
    ///
    /// Inputs `real` and `fake` x ∂, each `[*]` of its own shape. `mean` is the sum of two means, `sum` of two sums.
    /// [`Evaluation::terms`](crate::Evaluation::terms) has both. Source: Arjovsky et al. 2017, arXiv 1701.07875.
    ///
    /// ```
    /// # use wgloss::{Gpu, Loss, WganCritic, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let result = WganCritic.eval(&gpu, &[3.0_f32], &[1.0_f32, 0.0], Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), -2.5, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct WganCritic;

    pub static WGAN_CRITIC: LossSpec = {
        name: "wgan_critic",
        aliases: &["WGANCritic", "WassersteinCritic"],
        family: Family::Generative,
        formula: "mean fake − mean real",
        notes: "",
        source: "Arjovsky et al. 2017, arXiv 1701.07875",
        driver: of_both(&[
            part("real", |_| term(Game::Linear, true), &["real"]),
            part("fake", |_| term(Game::Linear, false), &["fake"]),
        ]),
        inputs: REAL_FAKE,
        shader: NO_HOOK,
        reference: Reference::Sum,
    };
}

loss! {
    /// Gradient penalty, which keeps a critic from growing steep.
    ///
    /// `λ·(‖g‖₂ − norm_target)²` of the gradient g of the critic's score by its input, a row for each sample. Its own
    /// gradient by g is 0 where g is.
    ///
    /// `norm_target` is 1 for a Wasserstein critic, whose gradient is to have that norm between real and fake samples;
    /// 0 with `lambda` ½γ is the R1 penalty of a GAN at real samples.
    ///
    /// Inputs `gradient` g ∂ `[N, D]`, optional `weight` `[N]`. Source: Gulrajani et al. 2017, arXiv 1704.00028; R1:
    /// Mescheder et al. 2018, arXiv 1801.04406.
    ///
    /// ```
    /// # use wgloss::{GradientPenalty, Gpu, HostTensor, Loss, Named, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let gradient = HostTensor::new(&[3.0_f32, 4.0, 0.0, 0.0], [2, 2])?;
    /// let inputs = Named::<HostTensor>::new().with("gradient", gradient);
    /// let result = GradientPenalty::default().eval_with(&gpu, &inputs, Reduction::None)?;
    /// assert_eq!(result.loss.to_f64(), [160.0, 10.0]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct GradientPenalty {
        /// λ, the weight of the penalty; 0 or above.
        pub lambda: f32 = 10.0 => Rule::NonNegative;
        /// The norm that gradients are to have; 0 or above.
        pub norm_target: f32 = 1.0 => Rule::NonNegative;
    }

    pub static GRADIENT_PENALTY: LossSpec = {
        name: "gradient_penalty",
        aliases: &["WGANGP", "R1"],
        family: Family::Generative,
        formula: "lambda·(‖g‖ − norm_target)²",
        notes: "gradient 0 at g = 0",
        source: "Gulrajani et al. 2017, arXiv 1704.00028",
        driver: Driver::Pairs,
        inputs: &[Input::differentiable("gradient", Shape::Embeddings, Domain::Real), WEIGHT],
        shader: shader_file!("losses/generative/gradient_penalty.wgsl"),
        reference: Reference::Pairs(reference::gradient_penalty),
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
