//! What is particular to elementwise losses, on every adapter.

use wgloss::{
    AnyLoss, BceWithLogits, BufferSlice, DType, Evaluation, Gradients, HostTensor, Huber, LogCosh, Mse, Named, Options,
    Plan, Reduction, SigmoidFocal, SoftMargin, Tensor, reference,
};

use crate::common::{
    adapters,
    agreement::{assert_agree, evaluated},
    bound::{Buffers, evaluated_in_the_callers_buffers},
    device::{submit, uploaded},
    inputs::{Inputs, sample, tensor},
};

fn pair(prediction: &[f64], target: &[f64]) -> Inputs {
    let tensor = |values: &[f64]| tensor(values, DType::F32, &[values.len()]);
    Named::new().with("prediction", tensor(prediction)).with("target", tensor(target))
}

#[test]
fn worked_values() {
    let target = [3.0, -0.5, 2.0, 8.0];
    for gpu in adapters::all() {
        let check = |loss: &AnyLoss, last: f64, expected: f64| {
            let found = evaluated(gpu, loss, &pair(&[2.5, 0.0, 2.1, last], &target), Reduction::Mean).loss.item();
            assert!((found - expected).abs() < 1e-6, "{loss:?}: {found}");
        };
        let loss = |name| AnyLoss::new(name, &[]).unwrap();
        check(&loss("mse"), 7.8, 0.1375);
        check(&loss("mae"), 7.8, 0.325);
        check(&loss("huber"), 10.0, 0.43875);
    }
}

#[test]
fn huge_inputs_stay_finite_and_exact() {
    let finite = |found: Evaluation| {
        let gradients = found.gradients.iter().flat_map(|(_, gradient)| gradient.to_f64());
        assert!(found.loss.to_f64().into_iter().chain(gradients).all(f64::is_finite), "{found:?}");
    };
    let against = |x: f64, targets: &[f64]| {
        let (logits, targets): (Vec<_>, Vec<_>) = targets.iter().flat_map(|&t| [(x, t), (-x, t)]).unzip();
        let tensor = |values: &[f64]| tensor(values, DType::F32, &[values.len()]);
        Named::new().with("logits", tensor(&logits)).with("target", tensor(&targets))
    };
    for gpu in adapters::all() {
        finite(evaluated(gpu, &LogCosh, &pair(&[1e30, -1e30, 0.0], &[0.0, 0.0, 1e30]), Reduction::None));
        for x in [100.0, 1e4] {
            let soft = against(x, &[0.0, 0.25, 1.0]);
            finite(evaluated(gpu, &BceWithLogits::default(), &soft, Reduction::None));
            finite(evaluated(gpu, &SoftMargin, &against(x, &[-1.0, 1.0]), Reduction::None));
            for gamma in [0.0, 0.5, 2.0] {
                let focal = SigmoidFocal { gamma, ..SigmoidFocal::default() };
                finite(evaluated(gpu, &focal, &soft, Reduction::None));
            }
        }
    }
}

#[test]
fn losses_add_their_gradients_into_one_buffer() {
    let inputs = sample(&Mse, &[1001], DType::F32, false);
    let add = Options { gradients: Gradients::Add { weight: 0.5 }, ..Options::new(Reduction::Sum) };
    let first = reference::evaluate(&Mse, &inputs, &Reduction::Sum.into()).unwrap();
    let mut expected = reference::evaluate(&Huber::default(), &inputs, &add).unwrap();
    for (sum, first) in expected.gradients[0].1.iter_mut().zip(&first.gradients[0].1) {
        *sum += first;
    }
    for gpu in adapters::all() {
        let tensors = uploaded(gpu, &inputs);
        let types = inputs.map(|host| host.ty().clone());
        let gradient = Tensor::zeros(gpu, types.get("prediction").unwrap().clone()).unwrap();
        let loss = Tensor::from_host(gpu, &[0.0_f32]).unwrap();
        let places: Named<BufferSlice> = tensors
            .iter()
            .chain([("grad.prediction", &gradient), ("loss", &loss)])
            .map(|(name, tensor)| (name.to_string(), tensor.slice()))
            .collect();
        let mse = Plan::new(gpu, &Mse, &types, Reduction::Sum).unwrap().bind(&places).unwrap();
        let huber = Plan::new(gpu, &Huber::default(), &types, add).unwrap().bind(&places).unwrap();
        submit(gpu, |encoder| {
            mse.record(encoder);
            huber.record(encoder);
        });
        let loss = HostTensor::rounded(&loss.read_blocking().unwrap().to_f64(), DType::F32, []).unwrap();
        let mut found = Evaluation::new(loss, huber.read_status_blocking().unwrap().items);
        found.gradients = Named::new().with("prediction", gradient.read_blocking().unwrap());
        assert_agree(&expected, &found, &gpu.adapter_id());
    }
}

#[test]
fn room_behind_the_tensors_needs_no_kernel_of_its_own() {
    for gpu in adapters::all() {
        let gpu = gpu.with_tuning(gpu.tuning()).unwrap();
        let evaluated = |items: usize, buffers: Buffers| {
            let inputs = sample(&Mse, &[items], DType::F32, false);
            let mse = AnyLoss::new("mse", &[]).unwrap();
            evaluated_in_the_callers_buffers(&gpu, &mse, &inputs, Reduction::Mean.into(), buffers, 0);
            gpu.compiled_kernels()
        };
        let roomy = evaluated(37, Buffers::Roomy);
        // A multiple of four needs no room.
        assert_eq!(evaluated(40, Buffers::Tight), roomy);
        assert!(evaluated(37, Buffers::Tight) > roomy);
    }
}
