//! The losses of Burn that wgloss has too.

use burn::{
    nn::loss::{
        BinaryCrossEntropyLossConfig, CrossEntropyLossConfig, GaussianNLLLossConfig, HuberLossConfig, KLDivLossConfig,
        LpLossConfig, MseLoss, MultiMarginLossConfig, PoissonNllLossConfig, Reduction::Mean, SmoothL1LossConfig,
        SoftMarginLoss,
    },
    tensor::{
        Device, Int, Tensor, TensorData,
        activation::{log_softmax, softmax},
        loss::cross_entropy_with_logits,
    },
};

use crate::{
    burn_step::{BurnStep, Forward},
    inputs::Inputs,
    step::Step,
};

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

/// Makes the step of a loss.
pub type ByBurn = fn(&BurnInputs) -> Box<dyn Step>;

/// The inputs of a loss, on their way to Burn.
pub struct BurnInputs<'a> {
    pub device: &'a Device,
    pub inputs: &'a Inputs,
    /// The name of the first one.
    pub first: &'static str,
}

impl BurnInputs<'_> {
    /// The input of that name, or one of N, C and the product of the other axes where it has more axes than asked for.
    fn tensor<const D: usize>(&self, name: &str) -> Tensor<D> {
        let input = self.inputs.get(name).expect("the loss has this input");
        let values: Vec<f32> = input.to_vec().expect("all floats are f32");
        let mut shape = input.shape().to_vec();
        let inner = shape.drain((D - 1).min(shape.len())..).product();
        shape.push(inner);
        Tensor::from_data(TensorData::new(values, shape), self.device)
    }

    /// Whether there are axes after the classes.
    fn has_inner_axes(&self) -> bool {
        self.inputs.get(self.first).is_some_and(|input| input.shape().len() > 2)
    }

    /// An input of classes as `[rows, C]`.
    fn rows(&self, name: &str) -> Tensor<2> {
        if self.has_inner_axes() { rows(self.tensor(name)) } else { self.tensor(name) }
    }

    /// Targets that are class indices.
    fn classes(&self) -> Tensor<1, Int> {
        let input = self.inputs.get("target").expect("the loss has a target");
        let classes: Vec<i32> = input.to_vec().expect("classes are i32");
        let rows = classes.len();
        Tensor::from_data(TensorData::new(classes, [rows]), self.device)
    }

    /// Targets that are 0 or 1, which Burn takes as integers.
    fn labels(&self) -> Tensor<2, Int> {
        self.tensor("target").int()
    }

    /// A step with gradients for these inputs.
    fn step<const D: usize, const K: usize, R: Into<Forward> + 'static>(
        &self,
        names: [&str; K],
        forward: impl Fn([Tensor<D>; K]) -> R + 'static,
    ) -> Box<dyn Step> {
        Box::new(BurnStep::new(names.map(|name| self.tensor(name)), forward))
    }

    /// An elementwise loss of the first input and the target.
    fn with_target(&self, forward: impl Fn(Tensor<2>, Tensor<2>) -> Tensor<1> + 'static) -> Box<dyn Step> {
        let target = self.tensor("target");
        self.step([self.first], move |[first]| forward(first, target.clone()))
    }

    /// A loss of rows. Burn's take `[N, C]` only: of other shapes the classes go last first, and the gradient comes
    /// back the same way, which a program with such logits has to do as well.
    fn of_rows(&self, forward: impl Fn(Tensor<2>) -> Tensor<1> + 'static) -> Box<dyn Step> {
        if self.has_inner_axes() {
            self.step(["logits"], move |[logits]: [Tensor<3>; 1]| forward(rows(logits)))
        } else {
            self.step(["logits"], move |[logits]: [Tensor<2>; 1]| forward(logits))
        }
    }

    /// A function of a value per class along axis 1, for tensors without and with more axes.
    fn per_class(
        &self,
        of_matrix: impl Fn(Tensor<2>, usize) -> Tensor<2> + 'static,
        of_volume: impl Fn(Tensor<3>, usize) -> Tensor<3> + 'static,
    ) -> Box<dyn Step> {
        if self.has_inner_axes() {
            self.with_upstream(move |logits| of_volume(logits, 1))
        } else {
            self.with_upstream(move |logits| of_matrix(logits, 1))
        }
    }

    fn with_upstream<const D: usize>(&self, function: impl Fn(Tensor<D>) -> Tensor<D> + 'static) -> Box<dyn Step> {
        let upstream = self.tensor("upstream");
        self.step(["logits"], move |[logits]| Forward::with_upstream(function(logits), upstream.clone()))
    }
}

/// `[N, C, d]` as `[N·d, C]`.
fn rows(tensor: Tensor<3>) -> Tensor<2> {
    let [batch, classes, inner] = tensor.dims();
    tensor.swap_dims(1, 2).reshape([batch * inner, classes])
}
