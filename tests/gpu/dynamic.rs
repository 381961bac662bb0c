//! Losses whose type only the running program knows.

use std::iter::zip;

use crate::common::adapters;
use wgloss::{
    AnyLoss, CrossEntropy, Error, Gpu, HostTensor, Huber, Loss, Mse, Named, Reduction, Tensor, TensorType, reference,
};

const PREDICTION: [f32; 3] = [2.5, 0.0, 10.0];
const TARGET: [f32; 3] = [3.0, -0.5, 8.0];

fn losses() -> Vec<Box<dyn Loss>> {
    vec![Box::new(Mse), Box::new(Huber { delta: 1.0 }), Box::new(AnyLoss::new("mae", &[]).unwrap())]
}

/// What the losses give, one after the other.
const LOSSES: [f64; 3] = [4.5, 1.75, 3.0];

fn inputs() -> Named<HostTensor<'static>> {
    Named::new().with("prediction", &PREDICTION).with("target", &TARGET)
}

#[test]
fn a_box_of_a_loss_evaluates_like_the_loss() {
    for gpu in adapters::all() {
        for (loss, expected) in zip(losses(), LOSSES) {
            let result = loss.eval(gpu, &PREDICTION, &TARGET, Reduction::Sum).unwrap();
            assert_eq!(result.loss.item(), expected, "{} on {}", loss.spec().name, gpu.adapter_id());
            assert_eq!(loss.eval_with(gpu, &inputs(), Reduction::Sum), Ok(result.clone()));
            assert_eq!(pollster::block_on(loss.eval_async(gpu, &inputs(), Reduction::Sum)), Ok(result.clone()));
            let [prediction, target] = [PREDICTION, TARGET].map(|values| Tensor::from_host(gpu, &values).unwrap());
            let output = loss.run(gpu, &prediction, &target, Reduction::Sum).unwrap();
            assert_eq!(output.read_blocking(), Ok(result));
        }
    }
}

#[test]
fn a_reference_to_a_loss_evaluates_like_the_loss() {
    fn summed(gpu: &Gpu, loss: &dyn Loss) -> Result<f64, Error> {
        Ok((&loss).eval(gpu, &PREDICTION, &TARGET, Reduction::Sum)?.loss.item())
    }
    fn summed_by_any(gpu: &Gpu, loss: impl Loss) -> Result<f64, Error> {
        Ok(loss.eval(gpu, &PREDICTION, &TARGET, Reduction::Sum)?.loss.item())
    }
    for gpu in adapters::all() {
        for (loss, expected) in zip(losses(), LOSSES) {
            assert_eq!(summed(gpu, &*loss), Ok(expected));
            assert_eq!(summed(gpu, &loss), Ok(expected));
            assert_eq!(summed_by_any(gpu, &*loss), Ok(expected));
            assert_eq!(summed_by_any(gpu, loss), Ok(expected));
        }
    }
}

#[test]
fn a_boxed_loss_keeps_its_parameters_and_its_errors() {
    let boxed: Box<dyn Loss> = Box::new(Huber { delta: -1.0 });
    assert_eq!(boxed.values(), Huber { delta: -1.0 }.values());
    let refused = reference::evaluate(&boxed, &inputs(), &Reduction::Sum.into()).unwrap_err();
    assert!(matches!(refused, Error::Parameter { loss: "huber", parameter: "delta", .. }), "{refused}");
    let boxed: Box<dyn Loss> = Box::new(CrossEntropy::default());
    for gpu in adapters::all() {
        let ty = TensorType::new(wgloss::DType::F32, [3]);
        let tensor = Tensor::zeros(gpu, ty).unwrap();
        let refused = boxed.run(gpu, &tensor, &tensor, Reduction::Sum).unwrap_err();
        assert!(matches!(refused, Error::Shape { loss: "cross_entropy", tensor: "target", .. }), "{refused}");
    }
}
