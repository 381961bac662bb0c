//! Outputs in tensors that the caller brings: gradients of several losses that are added up, and what does not fit.

use wgloss::{
    DType, Error, Gradients, HostTensor, Loss, Mae, Mse, Named, Options, Reduction, Statistics, Tensor, TensorType,
    losses::CrossEntropy,
};

use crate::common::{
    adapters,
    device::uploaded,
    inputs::{Inputs, tensor},
};

const ADD: Options = Options { gradients: Gradients::Add { weight: 0.5 }, ..Options::new(Reduction::Sum) };

fn inputs(dtype: DType) -> Inputs {
    let prediction = tensor(&[1.0, -3.0, 2.0], dtype, &[3]);
    Named::new().with("prediction", prediction).with("target", tensor(&[0.0; 3], dtype, &[3]))
}

#[test]
fn gradients_of_several_losses_are_added_up() {
    for gpu in adapters::all() {
        for dtype in DType::FLOATS {
            let inputs = uploaded(gpu, &inputs(dtype));
            let squares = Mse.run_with(gpu, &inputs, Reduction::Sum).unwrap();
            let gradient = squares.gradients.get("prediction").unwrap();
            let both = inputs.with("grad.prediction", gradient.clone());
            let sum = Mae.run_with(gpu, &both, ADD).unwrap();
            assert_eq!(sum.read_blocking().unwrap().gradients.get("prediction").unwrap().to_f64(), [2.5, -6.5, 4.5]);
            // They are in the very tensor.
            assert_eq!(gradient.read_blocking().unwrap().to_f64(), [2.5, -6.5, 4.5]);
        }
    }
}

#[test]
fn host_tensors_are_added_to_as_well() {
    for gpu in adapters::all() {
        let given = inputs(DType::F32).with("grad.prediction", tensor(&[10.0, 20.0, 30.0], DType::F32, &[3]));
        let found = Mae.eval_with(gpu, &given, ADD).unwrap();
        assert_eq!(found.gradients.get("prediction").unwrap().to_f64(), [10.5, 19.5, 30.5]);
    }
}

#[test]
fn gradients_are_not_added_to_nothing() {
    let missing = Error::MissingTensor { loss: "mae", tensor: "grad.prediction".to_string() };
    for gpu in adapters::all() {
        assert_eq!(Mae.eval_with(gpu, &inputs(DType::F32), ADD).unwrap_err(), missing);
        let prediction = Tensor::zeros(gpu, TensorType::new(DType::F32, [3])).unwrap();
        assert_eq!(Mae.run(gpu, &prediction, &prediction, ADD).unwrap_err(), missing);
        assert_eq!(Mae.eval(gpu, &[1.0_f32], &[0.0_f32], ADD).unwrap_err(), missing);
    }
}

#[test]
fn losses_and_statistics_may_have_tensors_of_the_callers() {
    for gpu in adapters::all() {
        let of = |dtype, shape: &[usize]| Tensor::zeros(gpu, TensorType::new(dtype, shape)).unwrap();
        let given = uploaded(
            gpu,
            &Named::new()
                .with("logits", tensor(&[0.0, 1.0, 3.0, 0.0], DType::F32, &[2, 2]))
                .with("target", tensor(&[0.0, 0.0], DType::I32, &[2])),
        );
        let (loss, argmax) = (of(DType::F32, &[2]), of(DType::I32, &[2]));
        let given = given.with("loss", loss.clone()).with("argmax", argmax.clone());
        let statistics = Statistics { argmax: true, ..Statistics::default() };
        let options = Options { statistics, ..Options::new(Reduction::None) };
        CrossEntropy::default().run_with(gpu, &given, options).unwrap();
        assert_eq!(argmax.read_blocking().unwrap().to_f64(), [1.0, 0.0]);
        assert!(loss.read_blocking().unwrap().to_f64().iter().all(|&x| x > 0.0));
    }
}

#[test]
fn outputs_that_do_not_fit_are_refused() {
    for gpu in adapters::all() {
        let with = |name: &str, host: HostTensor<'static>| {
            Mae.eval_with(gpu, &inputs(DType::F32).with(name, host), ADD).unwrap_err()
        };
        let shape = with("grad.prediction", tensor(&[0.0; 4], DType::F32, &[4]));
        assert_eq!(shape.to_string(), "mae: `prediction` must have shape [3] in `grad.prediction`, found [4]");
        let dtype = with("grad.prediction", tensor(&[0.0; 3], DType::F16, &[3]));
        assert!(matches!(&dtype, Error::DType { tensor, .. } if tensor == "mae: `grad.prediction`"), "{dtype}");
        let other = with("grad.target", tensor(&[0.0; 3], DType::F32, &[3]));
        assert!(matches!(&other, Error::UnexpectedTensor { tensor, .. } if tensor == "grad.target"), "{other}");
    }
}
