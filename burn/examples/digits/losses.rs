//! Cross-entropy as wgloss has it and as Burn has it.

use burn::{
    nn::loss,
    tensor::{Device, Int, Tensor},
};
use wgloss_burn::{CrossEntropyLoss, CrossEntropyLossConfig, Inputs, Reduction, Statistics};

pub const WGLOSS: &str = "wgloss";
pub const BURN: &str = "Burn";

const SMOOTHING: f32 = 0.1;

/// What is asked of the loss.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Plain,
    Smoothed,
    Weighted,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Plain, Kind::Smoothed, Kind::Weighted];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Plain => "cross_entropy",
            Kind::Smoothed => "cross_entropy, smoothed",
            Kind::Weighted => "cross_entropy, weighted",
        }
    }
}

/// A cross-entropy of logits and classes.
pub enum Loss {
    Wgloss { entropy: CrossEntropyLoss, class_weights: Option<Tensor<1>> },
    Burn(loss::CrossEntropyLoss),
}

impl Loss {
    pub fn wgloss(kind: Kind, class_weights: &[f32], device: &Device) -> Self {
        let smoothing = if kind == Kind::Smoothed { SMOOTHING } else { 0.0 };
        Loss::Wgloss {
            entropy: CrossEntropyLossConfig::new().with_label_smoothing(smoothing).init(),
            class_weights: (kind == Kind::Weighted).then(|| Tensor::from_floats(class_weights, device)),
        }
    }

    pub fn burn(kind: Kind, class_weights: &[f32], device: &Device) -> Self {
        let config = loss::CrossEntropyLossConfig::new()
            .with_smoothing((kind == Kind::Smoothed).then_some(SMOOTHING))
            .with_weights((kind == Kind::Weighted).then(|| class_weights.to_vec()));
        Loss::Burn(config.init(device))
    }

    /// Whose it is.
    pub fn by(&self) -> &'static str {
        match self {
            Loss::Wgloss { .. } => WGLOSS,
            Loss::Burn(_) => BURN,
        }
    }

    /// The mean over a batch; with class weights over the weights in it.
    pub fn of(&self, logits: Tensor<2>, classes: Tensor<1, Int>) -> Tensor<1> {
        match self {
            Loss::Wgloss { entropy, class_weights: None } => entropy.forward(logits, classes, Reduction::Mean),
            Loss::Wgloss { entropy, class_weights: Some(weights) } => {
                let inputs = Inputs::new().with("logits", logits).with("target", classes);
                let inputs = inputs.with("class_weight", weights.clone());
                entropy.forward_with(inputs, Reduction::WeightedMean, Statistics::default()).loss()
            }
            Loss::Burn(entropy) => entropy.forward(logits, classes),
        }
    }
}
