//! The loss of features as wgloss has it, and as a sum of Burn's.

use burn::{
    nn::loss::{MseLoss, Reduction as BurnReduction},
    tensor::Tensor,
};
use wgloss_burn::{Inputs, PerceptualLoss, PerceptualLossConfig, Reduction, Statistics};

/// A loss of the features of each layer, with weights `[K]` of the layers.
pub enum Loss {
    Wgloss(PerceptualLoss),
    Burn(MseLoss),
}

impl Loss {
    pub fn wgloss() -> Self {
        Loss::Wgloss(PerceptualLossConfig::new().init())
    }

    pub fn burn() -> Self {
        Loss::Burn(MseLoss::new())
    }

    /// Whose it is.
    pub fn by(&self) -> &'static str {
        match self {
            Loss::Wgloss(_) => "wgloss",
            Loss::Burn(_) => "Burn",
        }
    }

    /// The mean over the layers.
    pub fn of(&self, features: Vec<Tensor<4>>, targets: Vec<Tensor<4>>, weights: Tensor<1>) -> Tensor<1> {
        match self {
            Loss::Wgloss(perceptual) => {
                let inputs = Inputs::new().with_layers("features", features).with_layers("target_features", targets);
                let inputs = inputs.with("layer_weights", weights);
                perceptual.forward_with(inputs, Reduction::Mean, Statistics::default()).loss()
            }
            Loss::Burn(mse) => {
                let layers = features.into_iter().zip(targets);
                let losses = layers.map(|(features, target)| mse.forward(features, target, BurnReduction::Mean));
                (Tensor::cat(losses.collect(), 0) * weights).mean()
            }
        }
    }
}
