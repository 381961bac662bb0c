//! Whole models: their gradients beside those of Burn's own losses, and clipped.

mod common;

use burn::{
    module::{Module, ModuleVisitor, Param},
    nn::loss,
    tensor::{Gradients, Tensor},
};
use wgloss_burn::{
    BceWithLogitsLossConfig, CrossEntropyLossConfig, HuberLossConfig, MseLossConfig, PoissonNllLossConfig, Reduction,
    clip_grad_norm, try_clip_grad_norm,
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
