//! Losses of regions, which Burn does not have, as a program writes them with its tensor operations.

use burn::tensor::{
    Tensor,
    activation::{log_softmax, softmax},
};

use crate::burn_inputs::ByBurn;

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
            let cross_entropy = -log_likelihood(logits.clone(), target.clone()).mean();
            let dice = Overlap::new(softmax(logits, 1), target).dice();
            cross_entropy * 0.5 + dice * 0.5
        })
    }),
    ("focal_dice", |inputs| {
        inputs.of_regions(|logits, target| {
            let log_likelihood = log_likelihood(logits.clone(), target.clone());
            let miss = -log_likelihood.clone().exp() + 1.0;
            let focal = (miss.powi_scalar(2) * log_likelihood).mean() * -0.25;
            let dice = Overlap::new(softmax(logits, 1), target).dice();
            focal * 0.5 + dice * 0.5
        })
    }),
];

/// The logarithm of the probability of each pixel's class, by targets that are one-hot.
fn log_likelihood(logits: Tensor<3>, target: Tensor<3>) -> Tensor<3> {
    (log_softmax(logits, 1) * target).sum_dim(1)
}

/// Sums of each class over the batch.
struct Overlap {
    intersection: Tensor<3>,
    prediction: Tensor<3>,
    target: Tensor<3>,
}

impl Overlap {
    /// Of probabilities and targets `[N, C, pixels]`.
    fn new(prediction: Tensor<3>, target: Tensor<3>) -> Self {
        let of_class = |tensor: Tensor<3>| tensor.sum_dim(2).sum_dim(0);
        Overlap {
            intersection: of_class(prediction.clone() * target.clone()),
            prediction: of_class(prediction),
            target: of_class(target),
        }
    }

    fn dice(self) -> Tensor<1> {
        let ratio = (self.intersection * 2.0 + 1.0) / (self.prediction + self.target + 1.0);
        -ratio.mean() + 1.0
    }

    fn jaccard(self) -> Tensor<1> {
        let ratio = (self.intersection.clone() + 1.0) / (self.prediction + self.target - self.intersection + 1.0);
        -ratio.mean() + 1.0
    }

    /// The loss of each class.
    fn tversky(self, alpha: f64, beta: f64) -> Tensor<3> {
        let Overlap { intersection, prediction, target } = self;
        let false_positives = prediction - intersection.clone();
        let false_negatives = target - intersection.clone();
        let whole = intersection.clone() + false_positives * alpha + false_negatives * beta;
        -(intersection + 1.0) / (whole + 1.0) + 1.0
    }
}
