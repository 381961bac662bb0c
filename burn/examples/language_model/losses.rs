//! The cross-entropy of the next character as wgloss has it and as Burn has it.

use burn::{
    nn::loss,
    tensor::{Device, Int, Tensor, activation::log_softmax},
};
use wgloss_burn::{CrossEntropyLoss, CrossEntropyLossConfig, Reduction};

/// What the squared log-sum-exp costs, and what no logit goes beyond.
const Z_LOSS: f32 = 1e-3;
const SOFTCAP: f32 = 15.0;

/// What is asked of the loss.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Plain,
    /// With z-loss and softcap, by which logits stay where they are exact.
    Tamed,
}

impl Kind {
    pub const ALL: [Kind; 2] = [Kind::Plain, Kind::Tamed];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Plain => "cross_entropy",
            Kind::Tamed => "cross_entropy, z-loss, softcap",
        }
    }
}

/// A cross-entropy of logits and classes.
pub enum Loss {
    Wgloss(CrossEntropyLoss),
    Burn(Box<loss::CrossEntropyLoss>, Kind),
}

impl Loss {
    pub fn wgloss(kind: Kind, _: &Device) -> Self {
        let config = CrossEntropyLossConfig::new();
        Loss::Wgloss(match kind {
            Kind::Plain => config.init(),
            Kind::Tamed => config.with_z_loss(Z_LOSS).with_softcap(SOFTCAP).init(),
        })
    }

    pub fn burn(kind: Kind, device: &Device) -> Self {
        Loss::Burn(Box::new(loss::CrossEntropyLossConfig::new().init(device)), kind)
    }

    /// Whose it is.
    pub fn by(&self) -> &'static str {
        match self {
            Loss::Wgloss(_) => "wgloss",
            Loss::Burn(..) => "Burn",
        }
    }

    /// The mean over a batch.
    pub fn of(&self, logits: Tensor<2>, classes: Tensor<1, Int>) -> Tensor<1> {
        match self {
            Loss::Wgloss(entropy) => entropy.forward(logits, classes, Reduction::Mean),
            Loss::Burn(entropy, Kind::Plain) => entropy.forward(logits, classes),
            Loss::Burn(_, Kind::Tamed) => {
                let capped = (logits / SOFTCAP).tanh() * SOFTCAP;
                let log_probabilities = log_softmax(capped.clone(), 1);
                let classes = classes.unsqueeze_dim::<2>(1);
                let right = log_probabilities.gather(1, classes.clone());
                let log_sum_exp = capped.gather(1, classes) - right.clone();
                (log_sum_exp.square() * Z_LOSS - right).mean()
            }
        }
    }
}
