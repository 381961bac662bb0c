//! Losses of regions, which Burn does not have, as a program writes them with its tensor operations: the fastest
//! way that we found on lavapipe whose result is right there.

use burn::tensor::{
    Tensor,
    activation::{log_softmax, softmax},
};

use super::inputs::{ByBurn, RegionTarget, mean};

/// By the names and the parameters of wgloss's.
pub const LOSSES: &[(&str, ByBurn)] = &[
    ("dice activation=softmax scope=class", |inputs| {
        inputs.of_regions(|logits, target| Overlap::new(softmax(logits, 1), target).dice())
    }),
    ("jaccard activation=softmax scope=class", |inputs| {
        inputs.of_regions(|logits, target| Overlap::new(softmax(logits, 1), target).jaccard())
    }),
    ("tversky activation=softmax scope=class alpha=0.3 beta=0.7", |inputs| {
        inputs.of_regions(|logits, target| Overlap::new(softmax(logits, 1), target).tversky(0.3, 0.7).mean())
    }),
    ("focal_tversky activation=softmax scope=class alpha=0.3 beta=0.7", |inputs| {
        inputs.of_regions(|logits, target| {
            Overlap::new(softmax(logits, 1), target).tversky(0.3, 0.7).powf_scalar(0.75).mean()
        })
    }),
    ("ce_dice", |inputs| {
        inputs.of_regions(|logits, target| {
            let log_probabilities = log_softmax(logits, 1);
            let cross_entropy = -mean(log_probabilities.clone().gather(1, target.classes.clone()));
            let dice = Overlap::new(log_probabilities.exp(), target).dice();
            cross_entropy * 0.5 + dice * 0.5
        })
    }),
    ("focal_dice", |inputs| {
        inputs.of_regions(|logits, target| {
            let log_probabilities = log_softmax(logits, 1);
            let log_likelihood = log_probabilities.clone().gather(1, target.classes.clone());
            let miss = -log_likelihood.clone().exp() + 1.0;
            let focal = mean(miss.square() * log_likelihood) * -0.25;
            let dice = Overlap::new(log_probabilities.exp(), target).dice();
            focal * 0.5 + dice * 0.5
        })
    }),
];

/// Sums of each class over the batch, `[C]`.
struct Overlap {
    intersection: Tensor<1>,
    prediction: Tensor<1>,
    target: Tensor<1>,
}

impl Overlap {
    fn new(probabilities: Tensor<4>, target: &RegionTarget) -> Self {
        let of_class = |tensor: Tensor<4>| tensor.sum_dims_squeeze(&[3, 2, 0]);
        Overlap {
            intersection: of_class(probabilities.clone() * target.one_hot.clone()),
            prediction: of_class(probabilities),
            target: of_class(target.one_hot.clone()),
        }
    }

    fn dice(self) -> Tensor<1> {
        let ratio = (self.intersection * 2.0 + 1.0) / (self.prediction + self.target + 1.0);
        -ratio.mean() + 1.0
    }

    fn jaccard(self) -> Tensor<1> {
        let union = self.prediction + self.target - self.intersection.clone();
        let ratio = (self.intersection + 1.0) / (union + 1.0);
        -ratio.mean() + 1.0
    }

    /// The loss of each class.
    fn tversky(self, alpha: f64, beta: f64) -> Tensor<1> {
        let Overlap { intersection, prediction, target } = self;
        let false_positives = prediction - intersection.clone();
        let false_negatives = target - intersection.clone();
        let whole = intersection.clone() + false_positives * alpha + false_negatives * beta;
        -(intersection + 1.0) / (whole + 1.0) + 1.0
    }
}
