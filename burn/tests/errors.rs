//! Whatever cannot be computed says why.

mod common;

use burn::tensor::{Device, Int, Tensor};
use wgloss::Mse;
use wgloss_burn::{
    CrossEntropyLossConfig, Error, HuberLossConfig, Inputs, MseLossConfig, Reduction, Statistics,
    TripletBatchHardLossConfig, check, share, try_check, try_evaluate,
};

use common::{device, floats};

#[test]
fn what_a_loss_refuses_is_its_own_error() {
    let device = device();
    let (two, three) = (Tensor::<1>::zeros([2], &device), Tensor::<1>::zeros([3], &device));
    let mse = MseLossConfig::new().init();
    let error = mse.try_forward(two.clone(), three, Reduction::Mean).unwrap_err();
    assert!(matches!(&error, Error::Loss(wgloss::Error::Shape { tensor: "target" | "prediction", .. })), "{error}");
    let huber = HuberLossConfig::new().with_delta(-1.0).init();
    let error = huber.try_forward(two.clone(), two.clone(), Reduction::Mean).unwrap_err();
    assert!(matches!(&error, Error::Loss(wgloss::Error::Parameter { parameter: "delta", .. })), "{error}");
    let indices = Tensor::<1, Int>::zeros([2], &device);
    let error = mse.try_forward(two.clone(), indices, Reduction::Mean).unwrap_err();
    assert!(matches!(&error, Error::Loss(wgloss::Error::DType { .. })), "{error}");
    let missing = Inputs::new().with("prediction", two.clone());
    let error = try_evaluate(&Mse, missing, Reduction::Mean, Statistics::default()).unwrap_err();
    assert!(matches!(&error, Error::Loss(wgloss::Error::MissingTensor { .. })), "{error}");
    let error = try_evaluate(&Mse, Inputs::new(), Reduction::Mean, Statistics::default()).unwrap_err();
    assert!(matches!(&error, Error::Loss(wgloss::Error::MissingTensor { .. })), "{error}");
    let twice = Inputs::new().with("prediction", two.clone()).with("prediction", two.clone());
    let error = try_evaluate(&Mse, twice, Reduction::Mean, Statistics::default()).unwrap_err();
    assert_eq!(error.to_string(), "mse: `prediction` was given twice");
    let unknown = Inputs::new().with("prediction", two.clone()).with("targte", two.clone());
    let error = try_evaluate(&Mse, unknown, Reduction::Mean, Statistics::default()).unwrap_err();
    assert!(error.to_string().contains("did you mean"), "{error}");
    let upstream =
        Inputs::new().with("prediction", two.clone()).with("target", two.clone()).with("upstream", two.clone());
    let error = try_evaluate(&Mse, upstream, Reduction::None, Statistics::default()).unwrap_err();
    assert!(
        matches!(&error, Error::Loss(wgloss::Error::UnexpectedTensor { tensor, .. }) if tensor == "upstream"),
        "{error}"
    );
    let labels = Tensor::<1, Int>::zeros([2], &device);
    let triplets = TripletBatchHardLossConfig::new().init();
    let error = triplets.try_forward(two, labels, Reduction::Mean).unwrap_err();
    assert!(matches!(&error, Error::Loss(_)), "{error}");
}

#[test]
#[should_panic(expected = "huber: parameter `delta` must be a finite number above 0")]
fn where_there_is_no_result_the_error_is_the_panic() {
    let x = Tensor::<1>::zeros([2], &device());
    HuberLossConfig::new().with_delta(0.0).init().forward(x.clone(), x, Reduction::Mean);
}

#[test]
fn a_result_has_the_rank_it_has() {
    let x = Tensor::<2>::zeros([2, 3], &device());
    let mse = MseLossConfig::new().init();
    assert_eq!(mse.forward_no_reduction::<2>(x.clone(), x.clone()).dims(), [2, 3]);
    let error = mse.try_forward_no_reduction::<1>(x.clone(), x.clone()).unwrap_err();
    assert!(matches!(&error, Error::Rank { shape, rank: 1, .. } if shape[..] == [2, 3]), "{error}");
    assert!(matches!(mse.try_forward(x.clone(), x, Reduction::None), Err(Error::Rank { .. })));
}

/// An empty batch is not a loss of 0 that nobody asked about.
#[test]
fn an_empty_batch_is_an_error() {
    let device = device().autodiff();
    let x = Tensor::<2>::zeros([0, 3], &device).require_grad();
    let mse = MseLossConfig::new().init();
    for result in [
        mse.try_forward(x.clone(), x.clone().detach(), Reduction::Mean).map(drop),
        mse.try_forward_no_reduction::<2>(x.clone(), x.clone().detach()).map(drop),
    ] {
        let error = result.unwrap_err();
        assert!(matches!(&error, Error::Empty { loss: "mse", shape, .. } if shape[..] == [0, 3]), "{error}");
        assert_eq!(error.to_string(), "mse: the batch is empty: `prediction` has shape [0, 3]");
    }
    let labels = Tensor::<1, Int>::zeros([0], &device);
    let error = CrossEntropyLossConfig::new().init().try_forward(x, labels, Reduction::Sum).unwrap_err();
    assert!(matches!(error, Error::Empty { .. }), "{error}");
}

#[test]
#[allow(deprecated, reason = "it is the smallest of Burn's other backends")]
fn tensors_of_another_backend_are_refused_by_name() {
    let other = Device::ndarray();
    let mse = MseLossConfig::new().init();
    let (ours, theirs) = (Tensor::<1>::zeros([2], &device()), Tensor::<1>::zeros([2], &other));
    for (prediction, target, name) in [
        (theirs.clone(), theirs.clone(), "prediction"),
        (theirs.clone(), ours.clone(), "prediction"),
        (ours.clone(), theirs.clone(), "target"),
    ] {
        let error = mse.try_forward(prediction, target, Reduction::Mean).unwrap_err();
        assert!(matches!(&error, Error::Backend { loss: "mse", tensor, .. } if tensor == name), "{error}");
    }
    let tracked = Tensor::<1>::zeros([2], &other.clone().autodiff()).require_grad();
    let error = mse.try_forward(tracked.clone(), tracked.detach(), Reduction::Mean).unwrap_err();
    assert!(error.to_string().starts_with("mse: `prediction` must be on a wgpu device of Burn's, found "), "{error}");
    assert!(matches!(try_check(&other), Err(Error::Backend { .. })));
    assert!(matches!(wgloss_burn::gpu(&other), Err(Error::Backend { .. })));
}

#[test]
fn a_device_is_shared_once_and_others_are_not() {
    let (other, setup) = burn::tensor::Device::wgpu_options()
        .graphics_api(burn::backend::wgpu::WgpuBackend::Vulkan)
        .init_with_setup()
        .unwrap();
    let x = Tensor::<1>::zeros([2], &other);
    let mse = MseLossConfig::new().init();
    let error = mse.try_forward(x.clone(), x.clone(), Reduction::Mean).unwrap_err();
    assert!(matches!(error, Error::NotShared { .. }), "{error}");
    share(&other, &setup).unwrap();
    assert!(matches!(share(&other, &setup), Err(Error::SharedAlready { .. })));
    assert_eq!(floats(mse.forward(x.clone(), x.clone(), Reduction::Mean)), [0.0]);
    let here = Tensor::<1>::zeros([2], &device());
    let error = mse.try_forward(x, here, Reduction::Mean).unwrap_err();
    assert!(matches!(&error, Error::Devices { tensor, .. } if tensor == "target"), "{error}");
}

/// Targets out of range are known where they are asked for, once.
#[test]
fn targets_out_of_range_are_reported_by_the_check() {
    // A device of its own: other tests check theirs.
    let device = own_device();
    let logits = Tensor::<2>::zeros([3, 4], &device);
    let entropy = CrossEntropyLossConfig::new().init();
    let run = |target: [i32; 3]| {
        let target = Tensor::<1, Int>::from_data(target, &device);
        entropy.forward(logits.clone(), target, Reduction::Sum)
    };
    let good = run([0, 1, 2]);
    let bad = run([0, 4, -7]);
    let after = run([3, 3, 3]);
    let one = floats(good)[0] / 3.0;
    assert!((floats(bad)[0] - one).abs() < 1e-6);
    drop(floats(after));
    let error = try_check(&device).unwrap_err();
    let Error::Loss(wgloss::Error::Target { loss: "cross_entropy", count: 2, first: 1, .. }) = &error else {
        panic!("{error}")
    };
    let checked = check(&device);
    assert!(checked.runs.is_empty() && checked.lost == 0);
    drop(run([0, 0, 0]));
    let checked = check(&device);
    assert_eq!(checked.runs.len(), 1);
    assert_eq!((checked.runs[0].0, checked.runs[0].1.items), ("cross_entropy", 3));
    for _ in 0..1500 {
        drop(run([0, 0, 0]));
    }
    let checked = check(&device);
    assert_eq!((checked.runs.len(), checked.lost), (1024, 476));
}

fn own_device() -> Device {
    let (device, setup) = Device::wgpu_options().device_kind(burn::tensor::DeviceKind::Cpu).init_with_setup().unwrap();
    share(&device, &setup).unwrap();
    device
}
