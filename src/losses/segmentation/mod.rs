//! Segmentation: how far predicted regions overlap their targets.
//!
//! A score compares what is predicted and what is wanted by three sums over the pixels and classes of its [`Scope`]:
//! `I = Σ p·t`, `P = Σ p` and `T = Σ t`, where p is the prediction after its [`Activation`] and t the target. With
//! `squared`, `P = Σ p²` and `T = Σ t²`. What holds for all of these losses:
//!
//! - **Items** are the scores, and all of them count. `mean` divides by their number, `batch_mean` by N, and `none`
//!   returns them; `upstream` is one value, or with `none` one per score.
//! - **Targets** are class indices, i32 `[N, d…]`, or a value of each class in [0, 1], `[N, C, d…]` in any floating
//!   type. Of indices, p is compared with 1 for the class that is named and with 0 for the others.
//! - **`class_weight`** w multiplies the loss of a class's scores; `mean` still divides by the number of scores,
//!   `weighted_mean` by the sum of their weights. Where a score is over several classes, it multiplies what each of
//!   them adds to I, P and T, as in the generalised Dice loss (Sudre et al. 2017, arXiv 1707.03237), and
//!   `weighted_mean` is `mean`.
//! - **`include_background`** = false leaves class 0 out of the scores. A softmax is still over all classes, so that
//!   its gradient reaches class 0. A single class is scored all the same: it is not the background of others.
//! - **A softmax needs two classes**: that of one is 1, whatever the logits. For one class take
//!   [`Activation::Sigmoid`].
//! - **`ignore_index`**: a pixel with this index adds nothing to any sum and has the gradient 0.
//! - **Empty regions.** What is neither wanted nor predicted has the loss 0; with `smooth` = 0, where nothing is left
//!   to divide by, it has the gradient 0 too.
//! - **Out of range** are a target, or a prediction without activation, outside [0, 1], an index that names no class,
//!   and a class weight below 0. Each takes its class of a pixel out, an index the whole pixel: that adds nothing to
//!   any sum and has no gradient of its own. [`Error::Target`](crate::Error::Target) counts them and names the first
//!   pixel.
//! - **NaN** in a pixel is in the scores of its classes and in all gradients behind them. A logit of −∞ is a
//!   probability of 0; in a softmax it masks its class. +∞, and a pixel with every class masked, are NaN.
//! - **Rounding.** Targets and probabilities up to 1e-6 outside [0, 1] count as its ends.

use crate::{
    loss, reference,
    spec::{
        CLASS_WEIGHT, Domain, Driver, Family, Input, Reference, RegionReference, Regions, Rule, Shape, shader_file,
    },
};

#[doc(inline)]
pub use crate::spec::{Activation, Scope};

/// The inputs of all of them. The target is a class index a pixel, or a value for each class of it.
const REGIONS: &[Input] = &[Input::differentiable("prediction", Shape::Rows, Domain::Activated), TARGET, CLASS_WEIGHT];
const TARGET: Input =
    Input { as_indices: Some(&CLASSES), ..Input::constant("target", Shape::Rows, Domain::Probability) };
static CLASSES: Input = Input::classes("target", Shape::Items);

/// A loss of scores: what all of them have in common, then its own parameters.
macro_rules! score_loss {
    ($(#[$attribute:meta])* pub struct $loss:ident { $($own:tt)* } $($entry:tt)*) => {
        region_loss! {
            $(#[$attribute])*
            pub struct $loss
            [] [
                /// What makes probabilities of the predictions.
                pub activation: Activation = Activation::None, compiled;
            ] [
                /// What one score is of.
                pub scope: Scope = Scope::All;
            ] [$($own)*]
            $($entry)*
        }
    };
}

/// A loss of regions, with the parameters that all of them have between others.
macro_rules! region_loss {
    (
        $(#[$attribute:meta])*
        pub struct $loss:ident [$($before:tt)*] [$($activation:tt)*] [$($scope:tt)*] [$($behind:tt)*] $($entry:tt)*
    ) => {
        loss! {
            $(#[$attribute])*
            pub struct $loss {
                $($before)*
                $($activation)*
                /// s, added to both sides of the ratio: at least 0.
                pub smooth: f32 = 1.0 => Rule::NonNegative;
                $($scope)*
                /// Whether class 0 is scored too. Without effect where it is the only one.
                pub include_background: bool = true;
                /// Whether the sums of the predictions and of the targets are of squares.
                pub squared: bool = false, compiled;
                /// Pixels with this class index are left out.
                pub ignore_index: i32 = -100 => Rule::Integer;
                $($behind)*
            }
            $($entry)*
        }
    };
}

mod terms;

pub use terms::*;

score_loss! {
    /// Dice loss: the part of two regions that is not in both.
    ///
    /// `1 − (2I + s)/(P + T + s)` of each score; see the [module](self) for the sums and for what all losses of regions
    /// share. The gradient by a probability is `((2I + s) − 2t·(P + T + s))/(P + T + s)²`. With `squared` it is V-Net's
    /// form.
    ///
    /// Inputs `prediction` ∂ `[N, C, d…]`, checked to be in [0, 1] with [`Activation::None`]; `target` t, class indices
    /// or of the shape of the prediction, checked; optional `class_weight` `[C]`, checked to be at least 0. Source:
    /// Milletari et al. 2016, arXiv 1606.04797; MONAI DiceLoss with `smooth_nr` = `smooth_dr` = s, `batch=True` for
    /// [`Scope::Class`].
    ///
    /// ```
    /// # use wgloss::{Activation, Dice, Gpu, HostTensor, Loss, Reduction, Scope};
    /// # let gpu = Gpu::new_blocking()?;
    /// // One region, as probabilities and as a mask: I = 1.7, P = T = 2.
    /// let prediction = HostTensor::new(&[0.9_f32, 0.8, 0.3, 0.0], [1, 1, 4])?;
    /// let mask = HostTensor::new(&[1.0_f32, 1.0, 0.0, 0.0], [1, 1, 4])?;
    /// let result = Dice::default().eval(&gpu, &prediction, &mask, Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.12, epsilon = 1e-6);
    ///
    /// // Two classes of logits, a score each: I = ½, P = T = 1.
    /// let dice = Dice { activation: Activation::Softmax, scope: Scope::Class, ..Dice::default() };
    /// let result = dice.eval(&gpu, &HostTensor::new(&[0.0_f32; 4], [2, 2])?, &[0, 1], Reduction::None)?;
    /// approx::assert_abs_diff_eq!(&result.loss.to_f64()[..], &[1.0 / 3.0; 2][..], epsilon = 1e-6);
    /// assert_eq!(result.items, 2);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct Dice {}

    pub static DICE: LossSpec = {
        name: "dice",
        aliases: &["DiceLoss", "SoftDiceLoss"],
        family: Family::Segmentation,
        formula: "1 − (2I + s)/(P + T + s)",
        notes: "I = Σ p·t, P = Σ p, T = Σ t over the scope, squares of p and t in P and T with squared; p is the \
                prediction after its activation, s is smooth; an item is a score; 0 where there is nothing to divide \
                by",
        source: "Milletari et al. 2016, arXiv 1606.04797; MONAI DiceLoss",
        driver: Driver::Regions(Regions { terms: None }),
        inputs: REGIONS,
        shader: shader_file!("losses/segmentation/dice.wgsl"),
        reference: Reference::Regions(RegionReference { score: reference::dice, pixel: None }),
    };
}

score_loss! {
    /// Tversky loss: false positives and false negatives each with a weight.
    ///
    /// `1 − (I + s)/(I + α(P − I) + β(T − I) + s)` of each score; see the [module](self) for the sums and for what all
    /// losses of regions share. A β above α punishes what is missed more than what is too much. α = β = ½ is [`Dice`]
    /// with twice the smooth, α = β = 1 is [`Jaccard`].
    ///
    /// Inputs `prediction` ∂ `[N, C, d…]`, checked to be in [0, 1] with [`Activation::None`]; `target` t, class indices
    /// or of the shape of the prediction, checked; optional `class_weight` `[C]`, checked to be at least 0. Source:
    /// Salehi et al. 2017, arXiv 1706.05721; MONAI TverskyLoss.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Loss, Reduction, Tversky};
    /// # let gpu = Gpu::new_blocking()?;
    /// // I = 1, P − I = ½, T − I = 1.
    /// let prediction = HostTensor::new(&[0.75_f32, 0.25, 0.5, 0.0], [1, 1, 4])?;
    /// let mask = HostTensor::new(&[1.0_f32, 1.0, 0.0, 0.0], [1, 1, 4])?;
    /// let tversky = Tversky { alpha: 0.3, beta: 0.7, smooth: 0.0, ..Tversky::default() };
    /// let result = tversky.eval(&gpu, &prediction, &mask, Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.85 / 1.85, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct Tversky {
        /// α, the weight of false positives: at least 0.
        pub alpha: f32 = 0.5 => Rule::NonNegative;
        /// β, the weight of false negatives: at least 0.
        pub beta: f32 = 0.5 => Rule::NonNegative;
    }

    pub static TVERSKY: LossSpec = {
        name: "tversky",
        aliases: &["TverskyLoss"],
        family: Family::Segmentation,
        formula: "1 − (I + s)/(I + α(P − I) + β(T − I) + s)",
        notes: "the sums are those of dice, s is smooth; α = β = ½ is dice with twice the smooth, α = β = 1 is jaccard",
        source: "Salehi et al. 2017, arXiv 1706.05721; MONAI TverskyLoss",
        driver: Driver::Regions(Regions { terms: None }),
        inputs: REGIONS,
        shader: shader_file!("losses/segmentation/tversky.wgsl"),
        reference: Reference::Regions(RegionReference { score: reference::tversky, pixel: None }),
    };
}

score_loss! {
    /// Focal Tversky loss: a power of the Tversky loss, which shifts the weight between scores that are nearly right
    /// and others.
    ///
    /// `L^exponent` of each score, with the loss L of [`Tversky`]; see the [module](self) for the sums and for what all
    /// losses of regions share. An exponent below 1 steepens the loss where it is small, above 1 flattens it. Where L
    /// is 0, or below as squares of soft targets can make it, loss and gradient are 0. The paper's γ is 1/exponent.
    ///
    /// Inputs `prediction` ∂ `[N, C, d…]`, checked to be in [0, 1] with [`Activation::None`]; `target` t, class indices
    /// or of the shape of the prediction, checked; optional `class_weight` `[C]`, checked to be at least 0. Source:
    /// Abraham and Khan 2018, arXiv 1810.07842.
    ///
    /// ```
    /// # use wgloss::{FocalTversky, Gpu, HostTensor, Loss, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// let prediction = HostTensor::new(&[0.75_f32, 0.25, 0.5, 0.0], [1, 1, 4])?;
    /// let mask = HostTensor::new(&[1.0_f32, 1.0, 0.0, 0.0], [1, 1, 4])?;
    /// let loss = FocalTversky { alpha: 0.3, beta: 0.7, exponent: 0.75, smooth: 0.0, ..FocalTversky::default() };
    /// let result = loss.eval(&gpu, &prediction, &mask, Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), (0.85_f64 / 1.85).powf(0.75), epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct FocalTversky {
        /// α, the weight of false positives: at least 0.
        pub alpha: f32 = 0.5 => Rule::NonNegative;
        /// β, the weight of false negatives: at least 0.
        pub beta: f32 = 0.5 => Rule::NonNegative;
        /// The power: above 0.
        pub exponent: f32 = 0.75 => Rule::Positive;
    }

    pub static FOCAL_TVERSKY: LossSpec = {
        name: "focal_tversky",
        aliases: &["FocalTverskyLoss"],
        family: Family::Segmentation,
        formula: "(tversky loss)^exponent",
        notes: "gradient 0 where the loss is 0; the paper's γ is 1/exponent",
        source: "Abraham and Khan 2018, arXiv 1810.07842",
        driver: Driver::Regions(Regions { terms: None }),
        inputs: REGIONS,
        shader: shader_file!("losses/segmentation/focal_tversky.wgsl"),
        reference: Reference::Regions(RegionReference { score: reference::focal_tversky, pixel: None }),
    };
}

score_loss! {
    /// Jaccard loss: one less the intersection over the union.
    ///
    /// `1 − (I + s)/(P + T − I + s)` of each score; see the [module](self) for the sums and for what all losses of
    /// regions share. It is `2D/(1 + D)` of the [`Dice`] loss D with twice the smooth: the same order of scores,
    /// steeper where they are good.
    ///
    /// Inputs `prediction` ∂ `[N, C, d…]`, checked to be in [0, 1] with [`Activation::None`]; `target` t, class indices
    /// or of the shape of the prediction, checked; optional `class_weight` `[C]`, checked to be at least 0. Source:
    /// Rahman and Wang 2016; MONAI DiceLoss with `jaccard=True` and `smooth_nr` = `smooth_dr` = 2s.
    ///
    /// ```
    /// # use wgloss::{Gpu, HostTensor, Jaccard, Loss, Reduction};
    /// # let gpu = Gpu::new_blocking()?;
    /// // I = 1.7, P = T = 2.
    /// let prediction = HostTensor::new(&[0.9_f32, 0.8, 0.3, 0.0], [1, 1, 4])?;
    /// let mask = HostTensor::new(&[1.0_f32, 1.0, 0.0, 0.0], [1, 1, 4])?;
    /// let result = Jaccard::default().eval(&gpu, &prediction, &mask, Reduction::Mean)?;
    /// approx::assert_abs_diff_eq!(result.loss.item(), 0.6 / 3.3, epsilon = 1e-6);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    pub struct Jaccard {}

    pub static JACCARD: LossSpec = {
        name: "jaccard",
        aliases: &["JaccardLoss"],
        family: Family::Segmentation,
        formula: "1 − (I + s)/(P + T − I + s)",
        notes: "the sums are those of dice, s is smooth",
        source: "Rahman and Wang 2016; MONAI DiceLoss with jaccard",
        driver: Driver::Regions(Regions { terms: None }),
        inputs: REGIONS,
        shader: shader_file!("losses/segmentation/jaccard.wgsl"),
        reference: Reference::Regions(RegionReference { score: reference::jaccard, pixel: None }),
    };
}
