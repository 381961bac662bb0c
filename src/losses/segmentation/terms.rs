//! Losses of segmentation that are sums of two terms, one of the pixels and one of the scores.

use super::TARGET;
use crate::{
    loss,
    losses::Focal,
    reference,
    spec::{
        CLASS_WEIGHT, Domain, Driver, Family, Input, MeanOver, Reference, RegionReference, Regions, Rule, Scope, Shape,
        Terms, shader_file,
    },
};

#[doc(inline)]
pub use crate::spec::{FocalForm, LogitActivation};

/// The inputs of losses with a term for each pixel, whose predictions are logits.
const LOGITS: &[Input] = &[Input::differentiable("prediction", Shape::Rows, Domain::Real), TARGET, CLASS_WEIGHT];

/// A loss of pixels and scores: its own parameters, then what it has in common with losses of scores.
macro_rules! term_loss {
    ($(#[$attribute:meta])* pub struct $loss:ident { $($own:tt)* } $($entry:tt)*) => {
        region_loss! {
            $(#[$attribute])*
            pub struct $loss
            [$($own)*] [
                /// What makes probabilities of the logits.
                pub activation: LogitActivation = LogitActivation::Softmax, compiled;
            ] [
                /// What one score is of.
                pub scope: Scope = Scope::Class;
            ] []
            $($entry)*
        }
    };
}

term_loss! {
    /// Cross-entropy and Dice loss.
    ///
    /// `ce_weight·cross_entropy + dice_weight·dice`: the mean of [`CrossEntropy`](crate::CrossEntropy) over the pixels
    /// and the mean of [`Dice`](super::Dice) over the scores of a [`Scope`]. The cross-entropy steers each pixel, from
    /// the first step on; Dice keeps small regions from being outvoted.
    ///
    /// - `sum` adds up pixels and scores, without either mean, and `batch_mean` divides both sums by N; `none` and
    ///   `weighted_mean` do not exist. [`Evaluation::terms`](crate::Evaluation::terms) has both terms, reduced but
    ///   without their weights.
    /// - With class indices, the loss of a pixel is `w_y·(−ln p_y)` and its mean divides by Σ w_y over the pixels that
    ///   count. With a value for each class it is `Σ_c w_c·t_c·(−ln p_c)`, and its mean divides by the number of
    ///   pixels: PyTorch's conventions. A mean over nothing is 0.
    /// - With [`LogitActivation::Sigmoid`], for regions that may overlap or a single class, the first term is
    ///   [`BceWithLogits`](crate::BceWithLogits) of each class of each pixel, times w of the class; its mean divides by
    ///   the number of pixels and classes.
    /// - Class weights apply to both terms. With `include_background` = false, the cross-entropy is over all classes
    ///   nevertheless.
    /// - A pixel whose class is masked by a logit of −∞ has the loss +∞, unless its class or the term weighs 0.
    /// - `items` counts the scores; see the [module](super) for what all losses of regions share.
    ///
    /// Inputs `prediction`, logits, ∂ `[N, C, d…]`; `target` t, class indices or of the shape of the prediction,
    /// checked; optional `class_weight` w `[C]`, checked to be at least 0. Source: MONAI DiceCELoss, with `batch=True`
    /// for [`Scope::Class`], and its `sigmoid` of one class; nnU-Net (Isensee et al. 2018, arXiv 1809.10486).
    ///
    /// ```
    /// # use wgloss::{CeDice, Gpu, HostTensor, Loss, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let logits = HostTensor::new(&[0.0_f32; 4], [2, 2])?;
    /// let loss = CeDice { ce_weight: 0.25, dice_weight: 1.0, ..CeDice::default() };
    /// let result = loss.eval(&gpu, &logits, &[0, 1], Reduction::Mean)?;
    /// let (ce, dice) = (2_f64.ln(), 1.0 / 3.0);
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.25 * ce + dice, epsilon = 1e-6);
    /// approx::assert_abs_diff_eq!(*result.terms().get("cross_entropy").unwrap(), ce as f32, epsilon = 1e-6);
    /// approx::assert_abs_diff_eq!(*result.terms().get("dice").unwrap(), dice as f32, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct CeDice {
        /// The weight of the cross-entropy: at least 0.
        pub ce_weight: f32 = 0.5 => Rule::NonNegative;
        /// The weight of the Dice loss: at least 0.
        pub dice_weight: f32 = 0.5 => Rule::NonNegative;
    }

    pub static CE_DICE: LossSpec = {
        name: "ce_dice",
        aliases: &["DiceCELoss"],
        family: Family::Segmentation,
        formula: "ce_weight·cross_entropy + dice_weight·dice",
        notes: "the mean of cross_entropy over the pixels, which divides by Σ w_y, or where targets are values by the \
                pixels; with the activation sigmoid that of bce_with_logits over pixels and classes; the mean of dice \
                over the scores",
        source: "MONAI DiceCELoss; nnU-Net 2018, arXiv 1809.10486",
        driver: Driver::Regions(Regions {
            terms: Some(Terms {
                names: ["cross_entropy", "dice"],
                weights: ["ce_weight", "dice_weight"],
                mean_over: MeanOver::ClassWeights,
            }),
        }),
        inputs: LOGITS,
        shader: shader_file!("losses/segmentation/ce_dice.wgsl"),
        reference: Reference::Regions(RegionReference {
            score: reference::dice,
            pixel: Some(reference::pixel_cross_entropy),
        }),
    };
}

term_loss! {
    /// Focal and Dice loss.
    ///
    /// `focal_weight·focal + dice_weight·dice`: the mean of [`Focal`] over the pixels and the mean of
    /// [`Dice`](super::Dice) over the scores of a [`Scope`]. As [`CeDice`], with well-predicted pixels faded out of the
    /// first term.
    ///
    /// - `sum` adds up pixels and scores, without either mean, and `batch_mean` divides both sums by N; `none` and
    ///   `weighted_mean` do not exist. [`Evaluation::terms`](crate::Evaluation::terms) has both terms, reduced but
    ///   without their weights.
    /// - With class indices, the loss of a pixel is `α·w_y·(1 − p_y)^γ·(−ln p_y)`, with a value for each class
    ///   `Σ_c α·w_c·t_c·(1 − p_c)^γ·(−ln p_c)`. Its mean divides by the number of pixels that count.
    /// - With [`FocalForm::Sigmoid`], MONAI's form, the first term is [`SigmoidFocal`](crate::SigmoidFocal) of each
    ///   class of each pixel, times w of the class: α weighs what is wanted and 1 − α what is not. Its mean divides by
    ///   the number of pixels and classes. With [`LogitActivation::Sigmoid`] it has that form in any case.
    /// - Class weights, the background, masked classes and items are as in [`CeDice`].
    ///
    /// Inputs `prediction`, logits, ∂ `[N, C, d…]`; `target` t, class indices or of the shape of the prediction,
    /// checked; optional `class_weight` w `[C]`, checked to be at least 0. Source: MONAI DiceFocalLoss with
    /// [`FocalForm::Sigmoid`]; with the softmax form, Zhu et al. 2018, arXiv 1808.05238.
    ///
    /// ```
    /// # use wgloss::{FocalDice, Gpu, HostTensor, Loss, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let logits = HostTensor::new(&[0.0_f32; 4], [2, 2])?;
    /// let result = FocalDice::default().eval(&gpu, &logits, &[0, 1], Reduction::Mean)?;
    /// let (focal, dice) = (0.25 * 0.5_f64.powi(2) * 2_f64.ln(), 1.0 / 3.0);
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.5 * focal + 0.5 * dice, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct FocalDice {
        /// The weight of the focal loss: at least 0.
        pub focal_weight: f32 = 0.5 => Rule::NonNegative;
        /// The weight of the Dice loss: at least 0.
        pub dice_weight: f32 = 0.5 => Rule::NonNegative;
        /// α, a factor of all pixels; in the sigmoid form that of what is wanted, beside 1 − α: at least 0.
        pub alpha: f32 = Focal::DEFAULT.alpha => Rule::NonNegative;
        /// γ, how fast well-predicted pixels fade: at least 0.
        pub gamma: f32 = Focal::DEFAULT.gamma => Rule::NonNegative;
        /// Which focal loss a pixel has, where the activation is a softmax.
        pub focal_form: FocalForm = FocalForm::Softmax, compiled;
    }

    pub static FOCAL_DICE: LossSpec = {
        name: "focal_dice",
        aliases: &["DiceFocalLoss"],
        family: Family::Segmentation,
        formula: "focal_weight·focal + dice_weight·dice",
        notes: "the mean of focal over the pixels; with the form or the activation sigmoid that of sigmoid_focal over \
                pixels and classes; the mean of dice over the scores",
        source: "MONAI DiceFocalLoss (focal_form=sigmoid); Zhu et al. 2018, arXiv 1808.05238 (softmax)",
        driver: Driver::Regions(Regions {
            terms: Some(Terms {
                names: ["focal", "dice"],
                weights: ["focal_weight", "dice_weight"],
                mean_over: MeanOver::Rows,
            }),
        }),
        inputs: LOGITS,
        shader: shader_file!("losses/segmentation/focal_dice.wgsl"),
        reference: Reference::Regions(RegionReference { score: reference::dice, pixel: Some(reference::pixel_focal) }),
    };
}
