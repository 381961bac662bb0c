//! Losses of discriminators and critics: sums over real and fake scores, and what keeps them from growing steep.

use super::{NO_HOOK, score::ScoreTerm};
use crate::{
    Loss, Reduction, loss, reference,
    spec::{Domain, Driver, Family, Game, Input, Part, Reference, Rule, Shape, Sum, Values, WEIGHT, shader_file},
};

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

fn term(game: Game, real: bool) -> Box<dyn Loss> {
    Box::new(ScoreTerm { game, real })
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
