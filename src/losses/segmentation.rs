//! Segmentation: how far predicted regions overlap their targets.

use std::fmt;

use crate::{
    Loss,
    losses::Focal,
    reference::{self, Reference, RegionReference},
    spec::{
        CLASS_WEIGHT, Domain, Driver, Family, Input, LossSpec, MeanOver, Param, Regions, Rule, Shape, Terms, Value,
        shader_file,
    },
};

/// What makes probabilities of the predictions of a loss of regions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Activation {
    /// Nothing: they are probabilities.
    #[default]
    None,
    /// The logistic function of each.
    Sigmoid,
    /// The softmax over the classes.
    Softmax,
}

impl Activation {
    pub(crate) const ALL: [Self; 3] = [Activation::None, Activation::Sigmoid, Activation::Softmax];
    pub(crate) const NAMES: &[&str] = &["none", "sigmoid", "softmax"];

    /// The name used on the command line.
    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What one score of a loss of regions is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everything: one score.
    #[default]
    All,
    /// A class, over the whole batch: `[C]` scores.
    Class,
    /// A class of a sample: `[N, C]` scores.
    SampleClass,
    /// A sample, over its classes: `[N]` scores.
    Sample,
}

impl Scope {
    pub(crate) const ALL: [Self; 4] = [Scope::All, Scope::Class, Scope::SampleClass, Scope::Sample];
    pub(crate) const NAMES: &[&str] = &["all", "class", "sample_class", "sample"];

    /// The name used on the command line.
    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// Whether each class has scores of its own.
    pub const fn is_per_class(self) -> bool {
        matches!(self, Scope::Class | Scope::SampleClass)
    }

    /// Whether each sample has scores of its own.
    pub const fn is_per_sample(self) -> bool {
        matches!(self, Scope::Sample | Scope::SampleClass)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The inputs of all of them. The target is a class index a pixel, or a value for each class of it.
const REGIONS: &[Input] = &[Input::differentiable("prediction", Shape::Rows, Domain::Activated), TARGET, CLASS_WEIGHT];
/// The same with logits.
const LOGITS: &[Input] = &[Input::differentiable("prediction", Shape::Rows, Domain::Real), TARGET, CLASS_WEIGHT];
const TARGET: Input =
    Input { as_indices: Some(&CLASSES), ..Input::constant("target", Shape::Rows, Domain::Probability) };
static CLASSES: Input = Input::classes("target", Shape::Items);

const ACTIVATION: Param = Param::word("activation", Activation::None.name(), Activation::NAMES).compiled();
const SMOOTH: Param = Param::number("smooth", 1.0, Rule::NonNegative);
const SCOPE: Param = Param::word("scope", Scope::All.name(), Scope::NAMES);
const INCLUDE_BACKGROUND: Param = Param::flag("include_background", true);
const SQUARED: Param = Param::flag("squared", false).compiled();
const IGNORE_INDEX: i32 = -100;
const IGNORE: Param = Param::integer("ignore_index", IGNORE_INDEX, Rule::Integer);

/// Dice loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dice {
    /// What makes probabilities of the predictions.
    pub activation: Activation,
    /// s, added to both sides of the ratio: at least 0.
    pub smooth: f32,
    /// What one score is of.
    pub scope: Scope,
    /// Whether class 0 is scored too.
    pub include_background: bool,
    /// Whether the sums of the predictions and of the targets are of squares.
    pub squared: bool,
    /// Pixels with this class index are left out.
    pub ignore_index: i32,
}

impl Dice {
    const DEFAULT: Self = Dice {
        activation: Activation::None,
        smooth: 1.0,
        scope: Scope::All,
        include_background: true,
        squared: false,
        ignore_index: IGNORE_INDEX,
    };
}

impl Default for Dice {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The entry of [`Dice`] in the catalogue.
pub static DICE: LossSpec = LossSpec {
    name: "dice",
    family: Family::Segmentation,
    formula: "1 − (2I + s)/(P + T + s)",
    notes: "I = Σ p·t, P = Σ p, T = Σ t over the scope; s is smooth",
    source: "Milletari et al. 2016, arXiv 1606.04797; MONAI DiceLoss",
    driver: Driver::Regions(Regions { pixels_of: None, terms: None }),
    inputs: REGIONS,
    params: &[ACTIVATION, SMOOTH, SCOPE, INCLUDE_BACKGROUND, SQUARED, IGNORE],
    shader: shader_file!("losses/segmentation/dice.wgsl"),
    reference: Reference::Regions(RegionReference { score: reference::dice, pixel: None }),
};

impl Loss for Dice {
    fn spec(&self) -> &'static LossSpec {
        &DICE
    }

    fn values(&self) -> Vec<Value> {
        vec![
            self.activation.name().into(),
            self.smooth.into(),
            self.scope.name().into(),
            self.include_background.into(),
            self.squared.into(),
            self.ignore_index.into(),
        ]
    }
}

/// Tversky loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tversky {
    /// α, the weight of false positives: at least 0.
    pub alpha: f32,
    /// β, the weight of false negatives: at least 0.
    pub beta: f32,
    /// What makes probabilities of the predictions.
    pub activation: Activation,
    /// s, added to both sides of the ratio: at least 0.
    pub smooth: f32,
    /// What one score is of.
    pub scope: Scope,
    /// Whether class 0 is scored too.
    pub include_background: bool,
    /// Whether the sums of the predictions and of the targets are of squares.
    pub squared: bool,
    /// Pixels with this class index are left out.
    pub ignore_index: i32,
}

impl Tversky {
    const DEFAULT: Self = Tversky {
        alpha: 0.5,
        beta: 0.5,
        activation: Activation::None,
        smooth: 1.0,
        scope: Scope::All,
        include_background: true,
        squared: false,
        ignore_index: IGNORE_INDEX,
    };
}

impl Default for Tversky {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The entry of [`Tversky`] in the catalogue.
pub static TVERSKY: LossSpec = LossSpec {
    name: "tversky",
    family: Family::Segmentation,
    formula: "1 − (I + s)/(I + α(P − I) + β(T − I) + s)",
    notes: "α = β = ½ is dice with twice the smooth",
    source: "Salehi et al. 2017, arXiv 1706.05721; MONAI TverskyLoss",
    driver: Driver::Regions(Regions { pixels_of: Some(&DICE), terms: None }),
    inputs: REGIONS,
    params: &[
        ACTIVATION,
        SMOOTH,
        SCOPE,
        INCLUDE_BACKGROUND,
        SQUARED,
        IGNORE,
        Param::number("alpha", Tversky::DEFAULT.alpha, Rule::NonNegative),
        Param::number("beta", Tversky::DEFAULT.beta, Rule::NonNegative),
    ],
    shader: shader_file!("losses/segmentation/tversky.wgsl"),
    reference: Reference::Regions(RegionReference { score: reference::tversky, pixel: None }),
};

impl Loss for Tversky {
    fn spec(&self) -> &'static LossSpec {
        &TVERSKY
    }

    fn values(&self) -> Vec<Value> {
        vec![
            self.activation.name().into(),
            self.smooth.into(),
            self.scope.name().into(),
            self.include_background.into(),
            self.squared.into(),
            self.ignore_index.into(),
            self.alpha.into(),
            self.beta.into(),
        ]
    }
}

/// Focal Tversky loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FocalTversky {
    /// α, the weight of false positives: at least 0.
    pub alpha: f32,
    /// β, the weight of false negatives: at least 0.
    pub beta: f32,
    /// The power: above 0.
    pub exponent: f32,
    /// What makes probabilities of the predictions.
    pub activation: Activation,
    /// s, added to both sides of the ratio: at least 0.
    pub smooth: f32,
    /// What one score is of.
    pub scope: Scope,
    /// Whether class 0 is scored too.
    pub include_background: bool,
    /// Whether the sums of the predictions and of the targets are of squares.
    pub squared: bool,
    /// Pixels with this class index are left out.
    pub ignore_index: i32,
}

impl FocalTversky {
    const DEFAULT: Self = FocalTversky {
        alpha: 0.5,
        beta: 0.5,
        exponent: 0.75,
        activation: Activation::None,
        smooth: 1.0,
        scope: Scope::All,
        include_background: true,
        squared: false,
        ignore_index: IGNORE_INDEX,
    };
}

impl Default for FocalTversky {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The entry of [`FocalTversky`] in the catalogue.
pub static FOCAL_TVERSKY: LossSpec = LossSpec {
    name: "focal_tversky",
    family: Family::Segmentation,
    formula: "(tversky loss)^exponent",
    notes: "gradient 0 where the loss is 0",
    source: "Abraham and Khan 2018, arXiv 1810.07842",
    driver: Driver::Regions(Regions { pixels_of: Some(&DICE), terms: None }),
    inputs: REGIONS,
    params: &[
        ACTIVATION,
        SMOOTH,
        SCOPE,
        INCLUDE_BACKGROUND,
        SQUARED,
        IGNORE,
        Param::number("alpha", FocalTversky::DEFAULT.alpha, Rule::NonNegative),
        Param::number("beta", FocalTversky::DEFAULT.beta, Rule::NonNegative),
        Param::number("exponent", FocalTversky::DEFAULT.exponent, Rule::Positive),
    ],
    shader: shader_file!("losses/segmentation/focal_tversky.wgsl"),
    reference: Reference::Regions(RegionReference { score: reference::focal_tversky, pixel: None }),
};

impl Loss for FocalTversky {
    fn spec(&self) -> &'static LossSpec {
        &FOCAL_TVERSKY
    }

    fn values(&self) -> Vec<Value> {
        vec![
            self.activation.name().into(),
            self.smooth.into(),
            self.scope.name().into(),
            self.include_background.into(),
            self.squared.into(),
            self.ignore_index.into(),
            self.alpha.into(),
            self.beta.into(),
            self.exponent.into(),
        ]
    }
}

/// Jaccard loss, of the intersection over the union.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jaccard {
    /// What makes probabilities of the predictions.
    pub activation: Activation,
    /// s, added to both sides of the ratio: at least 0.
    pub smooth: f32,
    /// What one score is of.
    pub scope: Scope,
    /// Whether class 0 is scored too.
    pub include_background: bool,
    /// Whether the sums of the predictions and of the targets are of squares.
    pub squared: bool,
    /// Pixels with this class index are left out.
    pub ignore_index: i32,
}

impl Jaccard {
    const DEFAULT: Self = Jaccard {
        activation: Activation::None,
        smooth: 1.0,
        scope: Scope::All,
        include_background: true,
        squared: false,
        ignore_index: IGNORE_INDEX,
    };
}

impl Default for Jaccard {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The entry of [`Jaccard`] in the catalogue.
pub static JACCARD: LossSpec = LossSpec {
    name: "jaccard",
    family: Family::Segmentation,
    formula: "1 − (I + s)/(P + T − I + s)",
    notes: "I = Σ p·t, P = Σ p, T = Σ t over the scope; s is smooth",
    source: "Rahman and Wang 2016; MONAI DiceLoss with jaccard",
    driver: Driver::Regions(Regions { pixels_of: Some(&DICE), terms: None }),
    inputs: REGIONS,
    params: &[ACTIVATION, SMOOTH, SCOPE, INCLUDE_BACKGROUND, SQUARED, IGNORE],
    shader: shader_file!("losses/segmentation/jaccard.wgsl"),
    reference: Reference::Regions(RegionReference { score: reference::jaccard, pixel: None }),
};

impl Loss for Jaccard {
    fn spec(&self) -> &'static LossSpec {
        &JACCARD
    }

    fn values(&self) -> Vec<Value> {
        vec![
            self.activation.name().into(),
            self.smooth.into(),
            self.scope.name().into(),
            self.include_background.into(),
            self.squared.into(),
            self.ignore_index.into(),
        ]
    }
}

/// Cross-entropy and Dice loss of one softmax.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CeDice {
    /// The weight of the cross-entropy: at least 0.
    pub ce_weight: f32,
    /// The weight of the Dice loss: at least 0.
    pub dice_weight: f32,
    /// s, added to both sides of the ratio: at least 0.
    pub smooth: f32,
    /// Whether class 0 is scored too.
    pub include_background: bool,
    /// Whether the sums of the predictions and of the targets are of squares.
    pub squared: bool,
    /// Pixels with this class index are left out.
    pub ignore_index: i32,
}

impl CeDice {
    const DEFAULT: Self = CeDice {
        ce_weight: 0.5,
        dice_weight: 0.5,
        smooth: 1.0,
        include_background: true,
        squared: false,
        ignore_index: IGNORE_INDEX,
    };
}

impl Default for CeDice {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The entry of [`CeDice`] in the catalogue.
pub static CE_DICE: LossSpec = LossSpec {
    name: "ce_dice",
    family: Family::Segmentation,
    formula: "ce_weight·cross_entropy + dice_weight·dice",
    notes: "cross_entropy over pixels, reduction mean; dice of the softmax, a score a class",
    source: "MONAI DiceCELoss; nnU-Net 2018, arXiv 1809.10486",
    driver: Driver::Regions(Regions {
        pixels_of: None,
        terms: Some(Terms {
            names: ["cross_entropy", "dice"],
            weights: ["ce_weight", "dice_weight"],
            mean_over: MeanOver::ClassWeights,
        }),
    }),
    inputs: LOGITS,
    params: &[
        Param::number("ce_weight", CeDice::DEFAULT.ce_weight, Rule::NonNegative),
        Param::number("dice_weight", CeDice::DEFAULT.dice_weight, Rule::NonNegative),
        SMOOTH,
        INCLUDE_BACKGROUND,
        SQUARED,
        IGNORE,
    ],
    shader: shader_file!("losses/segmentation/ce_dice.wgsl"),
    reference: Reference::Regions(RegionReference {
        score: reference::dice,
        pixel: Some(reference::pixel_cross_entropy),
    }),
};

impl Loss for CeDice {
    fn spec(&self) -> &'static LossSpec {
        &CE_DICE
    }

    fn values(&self) -> Vec<Value> {
        vec![
            self.ce_weight.into(),
            self.dice_weight.into(),
            self.smooth.into(),
            self.include_background.into(),
            self.squared.into(),
            self.ignore_index.into(),
        ]
    }
}

/// Focal and Dice loss of one softmax.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FocalDice {
    /// The weight of the focal loss: at least 0.
    pub focal_weight: f32,
    /// The weight of the Dice loss: at least 0.
    pub dice_weight: f32,
    /// α, a factor of all pixels: at least 0.
    pub alpha: f32,
    /// γ, how fast well-predicted pixels fade: at least 0.
    pub gamma: f32,
    /// s, added to both sides of the ratio: at least 0.
    pub smooth: f32,
    /// Whether class 0 is scored too.
    pub include_background: bool,
    /// Whether the sums of the predictions and of the targets are of squares.
    pub squared: bool,
    /// Pixels with this class index are left out.
    pub ignore_index: i32,
}

impl FocalDice {
    const DEFAULT: Self = FocalDice {
        focal_weight: 0.5,
        dice_weight: 0.5,
        alpha: Focal::DEFAULT.alpha,
        gamma: Focal::DEFAULT.gamma,
        smooth: 1.0,
        include_background: true,
        squared: false,
        ignore_index: IGNORE_INDEX,
    };
}

impl Default for FocalDice {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The entry of [`FocalDice`] in the catalogue.
pub static FOCAL_DICE: LossSpec = LossSpec {
    name: "focal_dice",
    family: Family::Segmentation,
    formula: "focal_weight·focal + dice_weight·dice",
    notes: "focal over pixels, reduction mean; dice of the softmax, a score a class",
    source: "MONAI DiceFocalLoss",
    driver: Driver::Regions(Regions {
        pixels_of: None,
        terms: Some(Terms {
            names: ["focal", "dice"],
            weights: ["focal_weight", "dice_weight"],
            mean_over: MeanOver::Rows,
        }),
    }),
    inputs: LOGITS,
    params: &[
        Param::number("focal_weight", FocalDice::DEFAULT.focal_weight, Rule::NonNegative),
        Param::number("dice_weight", FocalDice::DEFAULT.dice_weight, Rule::NonNegative),
        Param::number("alpha", FocalDice::DEFAULT.alpha, Rule::NonNegative),
        Param::number("gamma", FocalDice::DEFAULT.gamma, Rule::NonNegative),
        SMOOTH,
        INCLUDE_BACKGROUND,
        SQUARED,
        IGNORE,
    ],
    shader: shader_file!("losses/segmentation/focal_dice.wgsl"),
    reference: Reference::Regions(RegionReference { score: reference::dice, pixel: Some(reference::pixel_focal) }),
};

impl Loss for FocalDice {
    fn spec(&self) -> &'static LossSpec {
        &FOCAL_DICE
    }

    fn values(&self) -> Vec<Value> {
        vec![
            self.focal_weight.into(),
            self.dice_weight.into(),
            self.alpha.into(),
            self.gamma.into(),
            self.smooth.into(),
            self.include_background.into(),
            self.squared.into(),
            self.ignore_index.into(),
        ]
    }
}
