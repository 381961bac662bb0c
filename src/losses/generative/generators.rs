//! Losses of generators, by the scores of what they have made.

use crate::{
    loss, reference,
    spec::{Domain, Driver, Family, Input, Reference, Shape, WEIGHT, shader_file},
};

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
