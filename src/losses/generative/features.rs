//! Losses of features: of what the layers of a network make of an image.

use super::{NO_HOOK, gram_term};
use crate::{
    Mse, loss,
    spec::{Domain, Driver, Family, Input, LAYER_WEIGHTS, Layers, Reference, Shape},
};

loss! {
    /// Perceptual loss: how far the features of two images are apart, at several layers of a network.
    ///
    /// `(1/K)·Σ_k w_k·mean (f_k − g_k)²` over K layers, w_k = 1 without weights. What is learned from it depends on the
    /// layers: early ones see edges and colours, deep ones what is there.
    ///
    /// Inputs for each layer k from 0 on `features.k` ∂ and `target_features.k`, both of a shape of the layer's own;
    /// optional `layer_weights` w ∂ `[K]`, which can be learned: their gradient is what each layer has. `mean` is as
    /// written, each mean over its own layer; `sum` is Σ_k w_k·Σ (f_k − g_k)², without a division by any count. Source:
    /// Johnson et al. 2016, arXiv 1603.08155.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Named, Perceptual, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("features.0", &[1.0_f32, 2.0, 3.0])
    ///     .with("target_features.0", &[1.0_f32, 2.0, 0.0])
    ///     .with("features.1", &[2.0_f32])
    ///     .with("target_features.1", &[0.0_f32])
    ///     .with("layer_weights", &[1.0_f32, 0.5]);
    /// let result = Perceptual.eval_with(&gpu, &inputs, Reduction::Mean)?;
    /// assert_eq!(result.loss.item(), (3.0 + 0.5 * 4.0) / 2.0);
    /// assert_eq!(result.gradients.get("features.1").unwrap().to_f64(), [1.0]);
    /// assert_eq!(result.gradients.get("layer_weights").unwrap().to_f64(), [1.5, 2.0]);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct Perceptual;

    pub static PERCEPTUAL: LossSpec = {
        name: "perceptual",
        aliases: &["PerceptualLoss", "VGGLoss", "ContentLoss", "FeatureLoss"],
        family: Family::Generative,
        formula: "(1/K)·Σ_k w_k·mean (f_k − g_k)²",
        notes: "each mean over its own layer; `sum` is without the divisions",
        source: "Johnson et al. 2016, arXiv 1603.08155",
        driver: Driver::Layers(Layers { loss: |_| Box::new(Mse) }),
        inputs: &[
            Input::differentiable("features.0", Shape::Own, Domain::Real).of_each_layer(),
            Input::constant("target_features.0", Shape::Like("features.0"), Domain::Real).of_each_layer(),
            LAYER_WEIGHTS,
        ],
        shader: NO_HOOK,
        reference: Reference::Layers,
    };
}

loss! {
    /// Style loss: how far the Gram matrices of the features of two images are apart, at several layers of a network.
    ///
    /// `(1/K)·Σ_k w_k·mean (G(f_k) − G(g_k))²` over K layers, w_k = 1 without weights. The Gram matrix G(F) =
    /// F·Fᵀ/(C·P) of a sample with C channels at P positions says which channels go together and not where: the style
    /// of an image. The mean is over the entries of all samples, `[N, C, C]`.
    ///
    /// Inputs for each layer k from 0 on `features.k` ∂ and `target_features.k`, both `[N, C]` or `[N, C, d…]` of the
    /// layer's own; optional `layer_weights` w ∂ `[K]`, which can be learned: their gradient is what each layer has.
    /// `mean` is as written, each mean over its own layer; `sum` is Σ_k w_k·Σ (G(f_k) − G(g_k))². Source: Gatys et al.
    /// 2015, arXiv 1508.06576; scaled as by Johnson et al. 2016, arXiv 1603.08155.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Named, Reduction, Style};
    /// # let gpu = Gpu::new_blocking()?;
    /// // One sample of two channels at one position.
    /// let inputs = Named::<HostTensor>::new()
    ///     .with("features.0", HostTensor::new(&[1.0_f32, 2.0], [1, 2])?)
    ///     .with("target_features.0", HostTensor::new(&[1.0_f32, 0.0], [1, 2])?);
    /// let result = Style.eval_with(&gpu, &inputs, Reduction::Mean)?;
    /// // The products of the channels differ by 0, 2, 2 and 4, halved.
    /// assert_eq!(result.loss.item(), (0.0 + 1.0 + 1.0 + 4.0) / 4.0);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct Style;

    pub static STYLE: LossSpec = {
        name: "style",
        aliases: &["StyleLoss", "GramLoss", "GramMatrixLoss"],
        family: Family::Generative,
        formula: "(1/K)·Σ_k w_k·mean (G(f_k) − G(g_k))²; G(F) = F·Fᵀ/(C·P)",
        notes: "each mean over its own layer's matrices; `sum` is without the divisions",
        source: "Gatys et al. 2015, arXiv 1508.06576",
        driver: Driver::Layers(Layers { loss: |_| Box::new(gram_term::GramTerm) }),
        inputs: &[
            Input::differentiable("features.0", Shape::OwnRows, Domain::Real).of_each_layer(),
            Input::constant("target_features.0", Shape::Like("features.0"), Domain::Real).of_each_layer(),
            LAYER_WEIGHTS,
        ],
        shader: NO_HOOK,
        reference: Reference::Layers,
    };
}
