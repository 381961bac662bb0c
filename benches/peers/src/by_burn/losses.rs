//! The losses of Burn that wgloss has too.

use burn::{
    nn::loss::{
        BinaryCrossEntropyLossConfig, CrossEntropyLossConfig, GaussianNLLLossConfig, HuberLossConfig, KLDivLossConfig,
        LpLossConfig, MseLoss, MultiMarginLossConfig, PoissonNllLossConfig, Reduction::Mean, SmoothL1LossConfig,
        SoftMarginLoss,
    },
    tensor::{
        Tensor,
        activation::{log_softmax, softmax},
        loss::cross_entropy_with_logits,
    },
};

use super::inputs::ByBurn;

/// Burn's losses by the names and the parameters of wgloss's.
pub const LOSSES: &[(&str, ByBurn)] = &[
    ("mse", |inputs| inputs.with_target(|prediction, target| MseLoss::new().forward(prediction, target, Mean))),
    ("mae", |inputs| inputs.with_target(|prediction, target| LpLossConfig::l1().forward(prediction, target, Mean))),
    ("huber", |inputs| {
        let loss = HuberLossConfig::new(1.0).init();
        inputs.with_target(move |prediction, target| loss.forward(prediction, target, Mean))
    }),
    ("smooth_l1", |inputs| {
        let loss = SmoothL1LossConfig::new().init();
        inputs.with_target(move |prediction, target| loss.forward_with_reduction(prediction, target, Mean))
    }),
    ("poisson_nll", |inputs| {
        let loss = PoissonNllLossConfig::new().init();
        inputs.with_target(move |prediction, target| loss.forward(prediction, target, Mean))
    }),
    ("gaussian_nll", |inputs| {
        let (loss, target) = (GaussianNLLLossConfig::new().init(), inputs.tensor::<2>("target"));
        inputs.step(["prediction", "variance"], move |[prediction, variance]: [Tensor<2>; 2]| {
            loss.forward(prediction, target.clone(), variance, Mean)
        })
    }),
    ("bce", |inputs| {
        let (loss, labels) = (BinaryCrossEntropyLossConfig::new().init(inputs.device), inputs.labels());
        inputs.step(["prediction"], move |[prediction]| loss.forward(prediction, labels.clone()))
    }),
    ("bce_with_logits", |inputs| {
        let loss = BinaryCrossEntropyLossConfig::new().with_logits(true).init(inputs.device);
        let labels = inputs.labels();
        inputs.step(["logits"], move |[logits]| loss.forward(logits, labels.clone()))
    }),
    ("soft_margin", |inputs| inputs.with_target(|logits, target| SoftMarginLoss::new().forward(logits, target, Mean))),
    ("kl_div", |inputs| {
        let loss = KLDivLossConfig::new().init();
        inputs.with_target(move |prediction, target| loss.forward(prediction, target, Mean))
    }),
    ("cross_entropy", |inputs| {
        let (loss, classes) = (CrossEntropyLossConfig::new().init(inputs.device), inputs.classes());
        inputs.of_rows(move |logits| loss.forward(logits, classes.clone()))
    }),
    ("cross_entropy label_smoothing=0.1", |inputs| {
        let loss = CrossEntropyLossConfig::new().with_smoothing(Some(0.1)).init(inputs.device);
        let classes = inputs.classes();
        inputs.of_rows(move |logits| loss.forward(logits, classes.clone()))
    }),
    ("linear_cross_entropy", |inputs| {
        let (loss, classes) = (CrossEntropyLossConfig::new().init(inputs.device), inputs.classes());
        inputs.step(["hidden", "weight"], move |[hidden, weight]: [Tensor<2>; 2]| {
            loss.forward(hidden.matmul(weight.transpose()), classes.clone())
        })
    }),
    ("cross_entropy_soft", |inputs| {
        let target = inputs.rows("target_probabilities");
        inputs.of_rows(move |logits| cross_entropy_with_logits(logits, target.clone()))
    }),
    ("multi_margin", |inputs| {
        let (loss, classes) = (MultiMarginLossConfig::new().init(), inputs.classes());
        inputs.of_rows(move |logits| loss.forward(logits, classes.clone(), Mean))
    }),
    ("softmax", |inputs| inputs.per_class(softmax, softmax)),
    ("log_softmax", |inputs| inputs.per_class(log_softmax, log_softmax)),
];
