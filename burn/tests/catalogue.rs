//! Every loss through Burn, beside the same loss of host tensors on the same device: the same bits.

mod common;

use burn::tensor::Device;
use wgloss::{AnyLoss, DType, Gradients, HostTensor, Loss, Named, Options, Reduction, losses, spec::LossSpec};
use wgloss_burn::{Inputs, Statistics, check, evaluate, gpu};

use common::{
    any::{Any, loss_and_sum},
    device, draw,
};

/// The loss of host tensors with its gradients, and the weights of its values that these are of.
fn on_host(
    spec: &'static LossSpec,
    inputs: &Named<HostTensor<'static>>,
    reduction: Reduction,
) -> (wgloss::Evaluation, HostTensor<'static>) {
    let gpu = gpu(&device()).unwrap();
    let loss = AnyLoss::of(spec, &[]).unwrap();
    let eval = |inputs: &Named<HostTensor<'static>>, gradients| {
        let options = Options { gradients, ..Options::new(reduction) };
        loss.eval_with(&gpu, inputs, options).unwrap_or_else(|error| panic!("{error}"))
    };
    let one = HostTensor::rounded(&[1.0], DType::F32, [1]).unwrap();
    let is_f16 = inputs.iter().any(|(_, tensor)| tensor.dtype() == DType::F16);
    if reduction != Reduction::None && !is_f16 {
        return (eval(inputs, Gradients::Write), one);
    }
    // The forward pass computes no gradients, and compilers may round what is left in another way.
    let value = eval(inputs, Gradients::Skip).loss;
    let weights = if reduction == Reduction::None {
        let weights: Vec<f64> = (0..value.to_f64().len()).map(|i| 0.5 + (i % 7) as f64).collect();
        HostTensor::rounded(&weights, DType::F32, value.shape()).unwrap()
    } else {
        one
    };
    let mut evaluation = eval(&inputs.clone().with("upstream", weights.clone()), Gradients::Write);
    evaluation.loss = value;
    (evaluation, weights)
}

fn reductions(spec: &'static LossSpec, inputs: &Named<HostTensor<'static>>) -> Vec<Reduction> {
    let gpu = gpu(&device()).unwrap();
    let loss = AnyLoss::of(spec, &[]).unwrap();
    let is_there = |reduction: &Reduction| {
        let options = Options { gradients: Gradients::Skip, ..Options::new(*reduction) };
        let types = inputs.map(|tensor| tensor.ty().clone());
        wgloss::Plan::new(&gpu, &loss, &types, options).is_ok()
    };
    Reduction::ALL.into_iter().filter(is_there).collect()
}

fn same_bits(spec: &'static LossSpec, dtype: DType, reduction: Reduction, device: &Device) {
    let host = draw::inputs(spec, dtype, 7);
    let (expected, weights) = on_host(spec, &host, reduction);
    let what = format!("{} {dtype} {reduction}", spec.name);

    let tensors: Vec<(String, Any)> = host
        .iter()
        .map(|(name, host)| {
            let tensor = Any::new(host, device);
            let is_differentiable = spec.input(name).is_some_and(|input| input.differentiable);
            (name.to_string(), if is_differentiable { tensor.require_grad() } else { tensor })
        })
        .collect();
    let mut inputs = Inputs::new();
    for (name, tensor) in &tensors {
        inputs = inputs.with(name.clone(), tensor.input());
    }
    let loss = AnyLoss::of(spec, &[]).unwrap();
    let evaluated = evaluate(&loss, inputs, reduction, Statistics::default());
    let (bytes, sum) = loss_and_sum(&evaluated, &Any::new(&weights, device));
    assert_eq!(bytes, expected.loss.bytes(), "the loss of {what}");
    let gradients = sum.backward();
    let mut some = false;
    for (name, tensor) in tensors.iter().filter(|(name, _)| expected.gradients.get(name).is_some()) {
        let found = tensor.gradient(&gradients).unwrap_or_else(|| panic!("{what}: no gradient of {name}"));
        let expected = expected.gradients.get(name).expect("filtered");
        assert_eq!(found, expected.bytes(), "the gradient of {name} of {what}");
        some |= expected.to_f64().iter().any(|x| *x != 0.0);
    }
    assert!(some, "{what}: gradients are not all 0");
}

#[test]
fn every_loss_has_the_bits_of_the_host_path() {
    let device = device();
    for (turn, spec) in losses::ALL.iter().enumerate() {
        let reductions = reductions(spec, &draw::inputs(spec, DType::F32, 7));
        assert!(!reductions.is_empty(), "{}", spec.name);
        // Reductions are the library's: that each arrives shows in some loss.
        same_bits(spec, DType::F32, reductions[turn % reductions.len()], &device.clone().autodiff());
    }
    assert!(!check(&device).runs.is_empty());
}

#[test]
fn every_loss_takes_halves() {
    let device = device();
    for (spec, dtype) in losses::ALL.iter().zip([DType::F16, DType::BF16].into_iter().cycle()) {
        let reduction = reductions(spec, &draw::inputs(spec, dtype, 7)).pop().expect("there is one");
        same_bits(spec, dtype, reduction, &device.clone().autodiff());
    }
}
