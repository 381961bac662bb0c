//! Whole models: their gradients and how they learn, beside Burn's own losses, and gradients clipped.

mod common;

use burn::{
    module::{Module, ModuleVisitor, Param},
    nn::loss,
    tensor::{Device, DeviceKind, Gradients, Int, Tensor},
};
use wgloss_burn::{
    BceWithLogitsLossConfig, CrossEntropyLossConfig, Error, HuberLossConfig, Inputs, MseLossConfig,
    PoissonNllLossConfig, Reduction, Statistics, clip_grad_norm, share, try_clip_grad_norm,
};

use common::{
    device, floats,
    model::{Model, batch},
};

/// The gradients of a module's parameters, in its order.
struct Taken<'a>(&'a Gradients, Vec<Vec<f32>>);

impl ModuleVisitor for Taken<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.1.extend(param.val().grad(self.0).map(floats));
    }
}

fn gradients(model: &Model, gradients: &Gradients) -> Vec<Vec<f32>> {
    let mut taken = Taken(gradients, Vec::new());
    model.visit(&mut taken);
    assert_eq!(taken.1.len(), 4);
    taken.1
}

/// The norm of the difference over that of what it should be.
fn assert_close(found: &[Vec<f32>], expected: &[Vec<f32>], what: &str) {
    for (found, expected) in found.iter().zip(expected) {
        let norm = |x: &mut dyn Iterator<Item = f32>| x.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        let difference = norm(&mut found.iter().zip(expected).map(|(found, expected)| found - expected));
        let size = norm(&mut expected.iter().copied());
        assert!(size > 0.0 && difference <= 1e-5 * size, "{what}: {difference} of {size}");
    }
}

#[test]
fn gradients_of_a_model_agree_with_burns_own_losses() {
    let device = device().autodiff();
    let model = Model::new(&device);
    let (x, classes, values) = batch(32, &device);
    let of = |loss: Tensor<1>| gradients(&model, &loss.backward());
    let output = || model.forward(x.clone());
    let mean = Reduction::Mean;

    let ours = CrossEntropyLossConfig::new().init().forward(output(), classes.clone(), mean);
    let burns = loss::CrossEntropyLossConfig::new().init(&device).forward(output(), classes.clone());
    assert_close(&of(ours), &of(burns), "cross_entropy");

    let ours = MseLossConfig::new().init().forward(output(), values.clone(), loss::Reduction::Auto);
    let burns = loss::MseLoss::new().forward(output(), values.clone(), loss::Reduction::Auto);
    assert_close(&of(ours), &of(burns), "mse");

    let ours = HuberLossConfig::new().with_delta(0.25).init().forward(output(), values.clone(), loss::Reduction::Sum);
    let burns = loss::HuberLossConfig::new(0.25).init().forward(output(), values.clone(), loss::Reduction::Sum);
    assert_close(&of(ours), &of(burns), "huber");

    let ours = PoissonNllLossConfig::new().init().forward(output(), values.clone(), mean);
    let burns = loss::PoissonNllLossConfig::new().init().forward(output(), values.clone(), loss::Reduction::Mean);
    assert_close(&of(ours), &of(burns), "poisson_nll");

    let signs = values.greater_elem(0.5).int();
    let ours = BceWithLogitsLossConfig::new().init().forward(output(), signs.clone().float(), mean);
    let burns = loss::BinaryCrossEntropyLossConfig::new().with_logits(true).init(&device).forward(output(), signs);
    assert_close(&of(ours), &of(burns), "bce_with_logits");
}

/// The losses of the steps of training, from a model that is the same for all.
fn curve(model: &Model, loss: impl Fn(Tensor<2>) -> Tensor<1>, x: &Tensor<2>) -> Vec<f32> {
    let mut model = model.clone();
    let mut losses = Vec::new();
    for _ in 0..60 {
        let loss = loss(model.forward(x.clone()));
        losses.extend(floats(loss.clone()));
        model = model.descended(&loss.backward());
    }
    losses
}

/// Training with a loss of wgloss and with Burn's own goes the same way.
fn assert_curves_coincide(what: &str, ours: &[f32], burns: &[f32]) {
    let (first, last) = (burns[0], burns[burns.len() - 1]);
    assert!(last < 0.9 * first, "{what}: it learns, {first} to {last}");
    for (step, (ours, burns)) in ours.iter().zip(burns).enumerate() {
        assert!((ours - burns).abs() <= 2e-5 * first, "{what}, step {step}: {ours} for {burns}");
    }
}

#[test]
fn training_curves_coincide_with_those_of_burns_own_losses() {
    let device = device().autodiff();
    let model = Model::new(&device);
    let (x, classes, values) = batch(64, &device);
    let mean = Reduction::Mean;
    let entropy = |name: &str, ours: &dyn Fn(Tensor<2>, Tensor<1, Int>) -> Tensor<1>, burns: loss::CrossEntropyLoss| {
        let ours = curve(&model, |output| ours(output, classes.clone()), &x);
        let burns = curve(&model, |output| burns.forward(output, classes.clone()), &x);
        assert_curves_coincide(name, &ours, &burns);
    };
    let plain = CrossEntropyLossConfig::new().init();
    let burns = loss::CrossEntropyLossConfig::new();
    entropy("plain", &|output, classes| plain.forward(output, classes, mean), burns.init(&device));
    let smoothed = CrossEntropyLossConfig::new().with_label_smoothing(0.1).init();
    let burns = loss::CrossEntropyLossConfig::new().with_smoothing(Some(0.1));
    entropy("smoothed", &|output, classes| smoothed.forward(output, classes, mean), burns.init(&device));
    let weights = [0.5, 2.0, 1.0, 3.0, 0.25];
    let burns = loss::CrossEntropyLossConfig::new().with_weights(Some(weights.to_vec()));
    let weights = Tensor::<1>::from_floats(weights, &device);
    let weighted = |output, classes| {
        let inputs = Inputs::new().with("logits", output).with("target", classes);
        let inputs = inputs.with("class_weight", weights.clone());
        plain.forward_with(inputs, Reduction::WeightedMean, Statistics::default()).loss()
    };
    entropy("weighted", &weighted, burns.init(&device));

    let (mse, burns) = (MseLossConfig::new().init(), loss::MseLoss::new());
    let ours = curve(&model, |output| mse.forward(output, values.clone(), mean), &x);
    let burns = curve(&model, |output| burns.forward(output, values.clone(), loss::Reduction::Mean), &x);
    assert_curves_coincide("mse", &ours, &burns);
}

#[test]
fn gradients_of_a_model_are_clipped_together() {
    let device = device().autodiff();
    let model = Model::new(&device);
    let (x, classes, _) = batch(32, &device);
    let backward = || {
        let loss =
            CrossEntropyLossConfig::new().init().forward(model.forward(x.clone()), classes.clone(), Reduction::Sum);
        loss.backward()
    };
    let before = gradients(&model, &backward());
    let norm = before.iter().flatten().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    for max_norm in [norm as f32 / 4.0, norm as f32 * 4.0] {
        let mut clipped = backward();
        let told = floats(clip_grad_norm(&model, &mut clipped, max_norm))[0];
        assert!((f64::from(told) - norm).abs() <= 1e-5 * norm, "{told} for {norm}");
        let factor = (max_norm / told).min(1.0);
        let expected: Vec<Vec<f32>> =
            before.iter().map(|gradient| gradient.iter().map(|x| x * factor).collect()).collect();
        assert_close(&gradients(&model, &clipped), &expected, "clipped");
    }
    let mut untouched = backward();
    assert!(try_clip_grad_norm(&model, &mut untouched, -1.0).is_err());
    assert_eq!(gradients(&model, &untouched), before);
    let other = Model::new(&device);
    assert!(try_clip_grad_norm(&other, &mut untouched, 1.0).is_err());
}

#[derive(Module, Debug)]
struct OnTwo {
    here: Param<Tensor<1>>,
    there: Param<Tensor<1>>,
}

#[test]
fn gradients_on_two_devices_are_not_clipped_together() {
    let (other, setup) = Device::wgpu_options().device_kind(DeviceKind::Cpu).init_with_setup().unwrap();
    share(&other, &setup).unwrap();
    let param = |device: &Device| Param::from_tensor(Tensor::<1>::ones([3], &device.clone().autodiff()));
    let module = OnTwo { here: param(&device()), there: param(&other) };
    let mut gradients = module.here.val().sum().backward();
    let there = Tensor::<1>::ones([3], &other);
    module.there.val().grad_replace(&mut gradients, there);
    let error = try_clip_grad_norm(&module, &mut gradients, 1.0).unwrap_err();
    assert!(matches!(&error, Error::Devices { tensor, .. } if tensor == "gradient 1"), "{error}");
    assert_eq!(floats(module.here.val().grad(&gradients).unwrap()), [1.0; 3]);
}
