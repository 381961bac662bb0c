//! What inputs may be: parts of other tensors, masks, whole numbers of any width, of any rank.

mod common;

use burn::tensor::{Bool, DType, Int, Tensor, TensorData};
use wgloss::{CrossEntropy, Gradients, HostTensor, Loss, Mae, Mse, Named, Options};
use wgloss_burn::{
    CrossEntropyLossConfig, Error, Inputs, MseLossConfig, PerceptualLossConfig, PolicyClipLossConfig, Reduction,
    Statistics, TripletBatchHardLossConfig, check, evaluate, gpu, try_check,
};

use common::{device, floats};

fn ramp<const D: usize>(shape: [usize; D], device: &burn::tensor::Device) -> Tensor<D> {
    let elements: usize = shape.iter().product();
    let values: Vec<f32> = (0..elements).map(|i| ((i * 37 % 101) as f32) / 25.0 - 2.0).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// The columns of a wider matrix, as a row stride, and a transposed matrix, which Burn copies.
#[test]
fn parts_and_transposes_of_other_tensors() {
    let device = device().autodiff();
    let target = Tensor::<1, Int>::from_data([1, 0, 3, 2], &device);
    let entropy = CrossEntropyLossConfig::new().init();
    let whole = ramp([4, 9], &device).require_grad();
    let transposed = ramp([5, 4], &device).require_grad();
    let dense = |tensor: Tensor<2>| {
        let shape = tensor.dims();
        Tensor::<2>::from_data(TensorData::new(floats(tensor), shape), &device).require_grad()
    };
    let part = |tensor: Tensor<2>| tensor.slice([0..4, 2..7]);
    let cases: [(Tensor<2>, Tensor<2>); 2] =
        [(whole.clone(), part(whole.clone())), (transposed.clone(), transposed.clone().transpose())];
    for (leaf, logits) in cases {
        let copy = dense(logits.clone().inner());
        let (ours, of_copy) = (
            entropy.forward(logits, target.clone(), Reduction::Mean),
            entropy.forward(copy.clone(), target.clone(), Reduction::Mean),
        );
        assert_eq!(floats(ours.clone()), floats(of_copy.clone()));
        let gradient = leaf.grad(&ours.backward()).unwrap();
        let of_copy = copy.grad(&of_copy.backward()).unwrap();
        let gradient = if leaf.dims() == [4, 9] { part(gradient) } else { gradient.transpose() };
        assert_eq!(floats(gradient), floats(of_copy));
    }
}

/// Columns where Burn makes a view and not a copy: their gradients lie dense, and nothing beside them changes.
#[test]
fn gradients_of_columns_are_those_of_a_copy() {
    let device = device().autodiff();
    let entropy = CrossEntropyLossConfig::new().init();
    for (shape, columns) in [([64, 1024], 0..512), ([8, 256], 64..128), ([256, 2048], 1024..2048)] {
        let neighbours: Vec<Tensor<1>> = (0..6).map(|_| Tensor::ones([shape[0] * shape[1]], &device)).collect();
        let targets = Tensor::<1, Int>::zeros([shape[0]], &device);
        let part = |whole: Tensor<2>| whole.slice([0..shape[0], columns.clone()]);
        let whole = ramp(shape, &device).require_grad();
        let dense = part(whole.clone()).inner();
        let dense =
            Tensor::<2>::from_data(TensorData::new(floats(dense.clone()), dense.dims()), &device).require_grad();
        let weights = Tensor::<1>::from_data(TensorData::new(vec![0.5_f32; shape[0]], [shape[0]]), &device);
        for is_reduced in [true, false] {
            let loss = |logits: Tensor<2>| match is_reduced {
                true => entropy.forward(logits, targets.clone(), Reduction::Sum),
                false => (entropy.forward_no_reduction::<1>(logits, targets.clone()) * weights.clone()).sum(),
            };
            let of_whole = loss(part(whole.clone()));
            let of_dense = loss(dense.clone());
            assert_eq!(floats(of_whole.clone()), floats(of_dense.clone()));
            let gradient = whole.grad(&of_whole.backward()).unwrap();
            let expected = dense.grad(&of_dense.backward()).unwrap();
            assert_eq!(floats(part(gradient)), floats(expected), "{shape:?} {columns:?}");
        }
        // Without gradients they are taken where they are.
        let value = |logits: Tensor<2>| floats(entropy.forward(logits, targets.clone(), Reduction::Sum));
        assert_eq!(value(part(whole.clone().inner())), value(dense.inner()));
        for neighbour in neighbours {
            assert!(floats(neighbour).iter().all(|x| *x == 1.0), "{shape:?} {columns:?}");
        }
    }
}

#[test]
fn ranks_from_one_to_four() {
    let device = device();
    let mse = MseLossConfig::new().init();
    let expected = |values: Vec<f32>| {
        let host = HostTensor::new(&values, [values.len()]).unwrap();
        let zeros = vec![0.0_f32; values.len()];
        let options = Options { gradients: Gradients::Skip, ..Options::new(Reduction::Sum) };
        let inputs = Named::<HostTensor>::new().with("prediction", host).with("target", &zeros[..]);
        Mse.eval_with(&gpu(&device).unwrap(), &inputs, options).unwrap().loss.item() as f32
    };
    macro_rules! of {
        ($($shape:expr),+) => {$(
            let x = ramp($shape, &device);
            let ours = floats(mse.forward(x.clone(), x.zeros_like(), Reduction::Sum));
            assert_eq!(ours, [expected(floats(x))]);
        )+};
    }
    of!([24], [4, 6], [2, 3, 4], [2, 3, 2, 2]);
}

#[test]
fn weights_and_masks_by_name() {
    let device = device();
    let (x, zeros) = (ramp([2, 3], &device), Tensor::<2>::zeros([2, 3], &device));
    let weight = Tensor::<2>::from_floats([[1.0, 2.0, 0.5], [3.0, 0.0, 1.0]], &device);
    let mask = Tensor::<2, Bool>::from_data([[true, false, true], [true, true, false]], &device);
    let inputs = Inputs::new().with("prediction", x.clone()).with("target", zeros);
    let inputs = inputs.with("weight", weight.clone()).with("mask", mask.clone());
    let ours = evaluate(&Mae, inputs, Reduction::Sum, Statistics::default()).loss::<1>();
    let theirs = (x.abs() * weight * mask.float()).sum();
    let (ours, theirs) = (floats(ours)[0], floats(theirs)[0]);
    assert!((ours - theirs).abs() <= 1e-6 * theirs.abs() && theirs > 0.0, "{ours} for {theirs}");
}

/// Indices of other widths, and what of them i32 does not hold.
#[test]
fn whole_numbers_of_any_width() {
    let device = device();
    let logits = ramp([3, 4], &device);
    let loss = |dtype: DType, values: Vec<i64>| {
        let target = Tensor::<1, Int>::from_data(TensorData::from(&values[..]), (&device, dtype));
        assert_eq!(target.dtype(), dtype);
        let inputs = Inputs::new().with("logits", logits.clone()).with("target", target);
        evaluate(&CrossEntropy::default(), inputs, Reduction::Sum, Statistics::default()).loss::<1>()
    };
    let expected = floats(loss(DType::I32, vec![1, 3, 0]));
    for dtype in [DType::U32, DType::I64, DType::U64] {
        if device.supports_dtype(dtype) {
            assert_eq!(floats(loss(dtype, vec![1, 3, 0])), expected, "{dtype:?}");
        }
    }
    check(&device);
    if device.supports_dtype(DType::I64) {
        // Its lower half is 1, a class like any other.
        drop(floats(loss(DType::I64, vec![1, (1 << 32) + 1, 0])));
        let error = try_check(&device).unwrap_err().to_string();
        assert!(error.contains("cross_entropy") && error.contains("the first at index 1"), "{error}");
    }
}

#[test]
fn extras_are_tensors() {
    let device = device().autodiff();
    let logits = Tensor::<2>::from_floats([[2.0, 0.0], [0.0, 1.0], [3.0, 1.0]], &device).require_grad();
    let target = Tensor::<1, Int>::from_data([0, 1, 1], &device);
    let inputs = Inputs::new().with("logits", logits.clone()).with("target", target);
    let statistics = Statistics { log_sum_exp: true, argmax: true, ..Statistics::default() };
    let entropy = CrossEntropyLossConfig::new().init();
    let evaluated = entropy.forward_with(inputs, Reduction::Mean, statistics);
    assert_eq!(evaluated.try_correct().unwrap().into_data().try_to_vec::<i32>().unwrap(), [2]);
    assert_eq!(evaluated.try_argmax::<1>().unwrap().into_data().try_to_vec::<i32>().unwrap(), [0, 1, 0]);
    let expected = floats(logits.exp().sum_dim(1).log().squeeze_dim::<1>(1));
    for (found, expected) in floats(evaluated.try_log_sum_exp::<1>().unwrap()).iter().zip(expected) {
        assert!((found - expected).abs() <= 1e-6 * expected, "{found} for {expected}");
    }
    assert!(evaluated.try_hardest().is_err());
}

#[test]
fn what_policies_tell_are_tensors() {
    let device = device();
    let row = |values: [f32; 3]| Tensor::<1>::from_floats(values, &device);
    let inputs = Inputs::new()
        .with("log_prob", row([-1.0, -1.0, -1.0]))
        .with("advantage", row([1.0, -1.0, -1.0]))
        .with("old_log_prob", row([-1.5, -1.5, -0.5]))
        .with("ref_log_prob", row([-1.0, -1.5, -1.0]));
    let statistics = Statistics { clipped: true, kl: true, ..Statistics::default() };
    let evaluated = PolicyClipLossConfig::new().init().forward_with(inputs, Reduction::Mean, statistics);
    assert_eq!(floats(evaluated.try_clipped::<1>().unwrap()), [1.0, 0.0, 1.0]);
    for (found, expected) in floats(evaluated.try_kl::<1>().unwrap()).iter().zip([0.0, 0.106_530_66, 0.0]) {
        assert!((found - expected).abs() <= 1e-6, "{found} for {expected}");
    }
}

#[test]
fn rows_mined_are_tensors() {
    let device = device();
    // On a line: the farthest of the same class, and the nearest of the other.
    let embeddings = Tensor::<2>::from_floats([[0.0], [1.0], [3.0], [4.0], [9.0]], &device);
    let labels = Tensor::<1, Int>::from_data([0, 0, 1, 0, 1], &device);
    let inputs = Inputs::new().with("embeddings", embeddings).with("labels", labels);
    let statistics = Statistics { hardest: true, ..Statistics::default() };
    let triplets = TripletBatchHardLossConfig::new().init();
    let evaluated = triplets.forward_with(inputs.clone(), Reduction::Mean, statistics);
    let [positive, negative] =
        evaluated.try_hardest().unwrap().map(|rows| rows.into_data().try_to_vec::<i32>().unwrap());
    assert_eq!(positive, [3, 3, 4, 0, 2]);
    assert_eq!(negative, [2, 2, 3, 2, 3]);
    let without = triplets.forward_with(inputs, Reduction::Mean, Statistics::default());
    assert!(matches!(without.try_hardest(), Err(Error::NoResult { .. })));
}

#[test]
fn losses_of_layers_take_as_many_as_there_are() {
    let device = device().autodiff();
    let features: Vec<Tensor<2>> =
        [[2, 3], [4, 5], [1, 7]].map(|shape| ramp(shape, &device).require_grad()).into_iter().collect();
    let targets: Vec<Tensor<2>> = features.iter().map(|features| features.clone().detach() + 1.0).collect();
    let loss = PerceptualLossConfig::new().init().forward(features.clone(), targets, Reduction::Sum);
    assert_eq!(floats(loss.clone()).len(), 1);
    let gradients = loss.backward();
    for features in features {
        let gradient = floats(features.grad(&gradients).unwrap());
        assert!(gradient.iter().all(|x| *x != 0.0), "{gradient:?}");
    }
}
