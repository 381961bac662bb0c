//! Gradients through Burn's autodiff, beside those of Burn's own operations.

mod common;

use burn::tensor::{DType, Tensor, TensorData};
use wgloss::{Huber, Mse};
use wgloss_burn::{Inputs, Reduction, Statistics, evaluate};

use common::{device, floats};

fn mse(prediction: Tensor<2>, target: Tensor<2>) -> Tensor<1> {
    let inputs = Inputs::new().with("prediction", prediction).with("target", target);
    evaluate(&Mse, inputs, Reduction::Mean, Statistics::default()).loss()
}

fn burns_mse(prediction: Tensor<2>, target: Tensor<2>) -> Tensor<1> {
    (prediction - target).square().mean()
}

/// The gradient of x in a graph of one loss or more.
fn gradient(graph: impl Fn(Tensor<2>, &dyn Fn(Tensor<2>) -> Tensor<1>) -> Tensor<1>, ours: bool) -> Vec<f32> {
    let device = device().autodiff();
    let x = Tensor::<2>::from_floats([[1.0, 2.0, 3.0], [0.5, -1.0, 4.0]], &device).require_grad();
    let target = Tensor::<2>::from_floats([[0.0, 2.5, 1.0], [0.25, -3.0, 2.0]], &device);
    let loss = |prediction: Tensor<2>| match ours {
        true => mse(prediction, target.clone()),
        false => burns_mse(prediction, target.clone()),
    };
    let gradients = graph(x.clone(), &loss).backward();
    floats(x.grad(&gradients).expect("x is in the graph"))
}

#[track_caller]
fn assert_as_burns(graph: impl Fn(Tensor<2>, &dyn Fn(Tensor<2>) -> Tensor<1>) -> Tensor<1>) {
    let (ours, burns) = (gradient(&graph, true), gradient(&graph, false));
    assert!(burns.iter().any(|x| *x != 0.0), "the gradient is not that of nothing");
    for (ours, burns) in ours.iter().zip(&burns) {
        assert!((ours - burns).abs() <= 1e-5 * burns.abs(), "{ours} for {burns}");
    }
}

#[test]
fn through_lazy_inputs() {
    assert_as_burns(|x, loss| loss(x * 2.0 + 1.0));
}

#[test]
fn with_more_behind_the_loss() {
    assert_as_burns(|x, loss| (loss(x.tanh()) * 3.0).exp());
}

#[test]
fn of_a_loss_used_twice() {
    assert_as_burns(|x, loss| {
        let loss = loss(x);
        loss.clone() * loss.clone() + loss * 0.5
    });
}

#[test]
fn of_two_losses_of_one_tensor() {
    assert_as_burns(|x, loss| loss(x.clone()) * 0.25 + loss(x.clone() * x));
}

#[test]
fn behind_detach() {
    assert_as_burns(|x, loss| loss(x.clone()) + loss(x.detach() * 2.0));
}

/// As a layer behind `no_grad`: what is frozen has no gradient, and what is before it has.
#[test]
fn through_what_is_frozen() {
    let device = device().autodiff();
    for loss in [burns_mse, mse] {
        let x = Tensor::<2>::from_floats([[1.0, -2.0]], &device).require_grad();
        let frozen = Tensor::<2>::from_floats([[3.0, 0.5]], &device).require_grad().set_require_grad(false);
        let target = Tensor::<2>::from_floats([[0.0, 1.0]], &device);
        let gradients = loss(x.clone() * frozen.clone(), target).backward();
        assert!(frozen.grad(&gradients).is_none());
        // (y − t)·w, over two items and times 2.
        assert_eq!(floats(x.grad(&gradients).expect("x is in the graph")), [9.0, -1.0]);
    }
}

/// Nothing of a graph that was not asked for is computed, and the value is the same.
#[test]
fn without_autodiff() {
    let device = device();
    let x = Tensor::<1>::from_floats([1.0, 2.0, 3.0], &device);
    let inputs = Inputs::new().with("prediction", x.clone() * 2.0).with("target", x);
    let value = evaluate(&Huber { delta: 1.0 }, inputs, Reduction::Sum, Statistics::default());
    assert_eq!(floats(value.loss::<1>()), [0.5 + 1.5 + 2.5]);
}

#[test]
fn a_loss_per_item_passes_on_the_gradient_per_item() {
    let run = |ours: bool| {
        let device = device().autodiff();
        let x = Tensor::<2>::from_floats([[1.0, 2.0], [0.5, -1.0]], &device).require_grad();
        let target = Tensor::<2>::from_floats([[0.0, 2.5], [0.25, -3.0]], &device);
        let weight = Tensor::<2>::from_floats([[1.0, 0.5], [-2.0, 3.0]], &device);
        let per_item = if ours {
            let inputs = Inputs::new().with("prediction", x.clone()).with("target", target);
            evaluate(&Mse, inputs, Reduction::None, Statistics::default()).loss::<2>()
        } else {
            (x.clone() - target).square()
        };
        let gradients = (per_item * weight).sum().backward();
        floats(x.grad(&gradients).expect("x is in the graph"))
    };
    assert_eq!(run(true), run(false));
}

/// What a loss is scaled by comes before its gradients are rounded to f16, in which the smallest would be gone.
#[test]
fn a_scaled_loss_of_f16_keeps_small_gradients() {
    let device = device().autodiff();
    let count = 1 << 16;
    let tensor =
        |value: f32| Tensor::<1>::from_data(TensorData::new(vec![value; count], [count]), (&device, DType::F16));
    let difference = 2.0_f32.powi(-11);
    let (x, target) = (tensor(0.5).require_grad(), tensor(0.5 - difference));
    // By f16 nothing below 2⁻²⁵ is told from 0.
    for (scale, expected) in [(1.0, 0.0), (65536.0, 2.0 * difference)] {
        let inputs = Inputs::new().with("prediction", x.clone()).with("target", target.clone());
        let loss: Tensor<1> = evaluate(&Mse, inputs, Reduction::Mean, Statistics::default()).loss();
        let gradient = x.grad(&(loss * scale).backward()).expect("x is in the graph");
        assert_eq!(gradient.dtype(), DType::F16);
        assert!(floats(gradient).iter().all(|found| *found == expected), "times {scale}");
    }
}

/// The gradient of a graph is there to be used again.
#[test]
fn gradients_are_tensors_of_their_own() {
    let device = device().autodiff();
    let x = Tensor::<2>::from_floats([[1.0, 2.0]], &device).require_grad();
    let target = Tensor::<2>::from_floats([[0.0, 0.0]], &device);
    let gradients = mse(x.clone(), target).backward();
    let first = x.grad(&gradients).expect("x is in the graph");
    let doubled = first.clone() * 2.0;
    assert_eq!(floats(first), [1.0, 2.0]);
    assert_eq!(floats(doubled), [2.0, 4.0]);
    assert_eq!(floats(x.grad(&gradients).expect("x is in the graph")), [1.0, 2.0]);
}

/// Tensors may be made, used and differentiated on different threads.
#[test]
fn across_threads() {
    // The first time finds kernels, others find them made.
    for _ in 0..5 {
        let device = device().autodiff();
        let x = Tensor::<2>::from_floats([[1.0, -2.0]], &device).require_grad();
        let prediction = x.clone() * 3.0;
        let target = Tensor::<2>::from_floats([[0.0, 1.0]], &device);
        let loss = std::thread::spawn(move || mse(prediction, target)).join().expect("the thread ends");
        let gradients = std::thread::spawn(move || (loss * 2.0).backward()).join().expect("the thread ends");
        // 2·3·(3x − t), over two items and times 2.
        assert_eq!(floats(x.grad(&gradients).expect("x is in the graph")), [18.0, -42.0]);
    }
}
