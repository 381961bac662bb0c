//! What the pitfalls say that the API does, it does, on every adapter.

use wgloss::{
    Activation, AnyLoss, Bce, BceWithLogits, CrossEntropy, CrossEntropySoft, Dice, Error, Evaluation, GaussianNll,
    Giou, Gpu, Hinge, HostTensor, Iou, KlDiv, Loss, MarginRanking, Mse, Named, Nll, PoissonNll, Reduction, SoftMargin,
    Vae,
};

use super::gpus;

type Inputs = Named<HostTensor<'static>>;

fn inputs(list: impl IntoIterator<Item = (&'static str, HostTensor<'static>)>) -> Inputs {
    list.into_iter().map(|(name, tensor)| (name.to_string(), tensor)).collect()
}

fn floats(values: &'static [f32], shape: &[usize]) -> HostTensor<'static> {
    HostTensor::new(values, shape.to_vec()).unwrap()
}

fn indices(values: &'static [i32], shape: &[usize]) -> HostTensor<'static> {
    HostTensor::new(values, shape.to_vec()).unwrap()
}

fn gradient(result: &Evaluation, input: &str) -> Vec<f64> {
    result.gradients.get(input).unwrap().to_f64()
}

/// Checks that reading the result says how many items were out of range, on every adapter.
#[track_caller]
fn out_of_range(loss: &dyn Loss, list: impl IntoIterator<Item = (&'static str, HostTensor<'static>)>) {
    let inputs = inputs(list);
    for gpu in gpus() {
        let result = (&loss).eval_with(gpu, &inputs, Reduction::Mean);
        assert!(matches!(result, Err(Error::Target { count: 1, first: 0, .. })), "{}: {result:?}", loss.spec().name);
    }
}

/// Checks that the call is refused, on every adapter, and gives what it says on one.
#[track_caller]
fn refused(loss: &dyn Loss, list: impl IntoIterator<Item = (&'static str, HostTensor<'static>)>) -> Error {
    let inputs = inputs(list);
    let refusal = |gpu: &Gpu| (&loss).eval_with(gpu, &inputs, Reduction::Mean).unwrap_err();
    gpus().iter().map(refusal).next_back().unwrap()
}

#[test]
fn what_a_loss_does_not_take_is_out_of_range() {
    let one = |first: &'static str, value: &'static [f32], second: &'static str, target: &'static [f32]| {
        [(first, floats(value, &[1])), (second, floats(target, &[1]))]
    };
    out_of_range(&Bce, one("prediction", &[1.5], "target", &[1.0]));
    out_of_range(&KlDiv::default(), one("prediction", &[0.5], "target", &[1.0]));
    out_of_range(&Hinge, one("logits", &[0.5], "target", &[0.0]));
    out_of_range(&SoftMargin, one("logits", &[0.5], "target", &[0.0]));
    let rate = PoissonNll { log_input: false, ..PoissonNll::default() };
    out_of_range(&rate, one("prediction", &[-0.5], "target", &[1.0]));
    let variance = [("variance", floats(&[-1.0], &[1]))];
    out_of_range(&GaussianNll::default(), one("prediction", &[0.5], "target", &[1.0]).into_iter().chain(variance));

    let rows = [("log_probabilities", floats(&[0.5, -2.0], &[1, 2])), ("target", indices(&[0], &[1]))];
    out_of_range(&Nll::default(), rows);
    let classes_from_one = [("logits", floats(&[0.5, -2.0], &[1, 2])), ("target", indices(&[2], &[1]))];
    out_of_range(&CrossEntropy::default(), classes_from_one);
    let logits_for_probabilities = [("prediction", floats(&[2.0, 0.5], &[1, 2])), ("target", indices(&[0], &[1]))];
    out_of_range(&Dice::default(), logits_for_probabilities);
    // A box as centre and size: x 5, y 5, 2 wide, 4 high.
    let size_for_corner =
        [("prediction", floats(&[4.0, 3.0, 6.0, 7.0], &[1, 4])), ("target", floats(&[5.0, 5.0, 2.0, 4.0], &[1, 4]))];
    out_of_range(&Giou::default(), size_for_corner);
}

#[test]
fn other_shapes_and_types_are_refused() {
    let logits = || ("logits", floats(&[0.5, -2.0, 1.0, 0.0], &[2, 2]));
    let one_hot = refused(&CrossEntropy::default(), [logits(), ("target", floats(&[1.0, 0.0, 0.0, 1.0], &[2, 2]))]);
    assert!(one_hot.to_string().contains("cross_entropy_soft"), "{one_hot}");
    let of_indices =
        refused(&CrossEntropySoft::default(), [logits(), ("target_probabilities", indices(&[0, 1], &[2]))]);
    assert!(matches!(of_indices, Error::DType { .. } | Error::Shape { .. }), "{of_indices}");
    let labels = refused(&BceWithLogits::default(), [logits(), ("target", indices(&[0, 1], &[2]))]);
    assert!(matches!(labels, Error::DType { .. }), "{labels}");

    let broadcast =
        refused(&Mse, [("prediction", floats(&[1.0, 2.0], &[2, 1])), ("target", floats(&[1.0, 2.0], &[2]))]);
    assert!(matches!(broadcast, Error::Shape { .. }), "{broadcast}");
    // Two sequences of three steps with two classes, which come last.
    let classes_last = refused(
        &CrossEntropy::default(),
        [("logits", floats(&[0.0; 12], &[2, 3, 2])), ("target", indices(&[0; 6], &[2, 3]))],
    );
    assert!(classes_last.to_string().contains("axis 1"), "{classes_last}");
    let softmax_of_one = refused(
        &Dice { activation: Activation::Softmax, ..Dice::default() },
        [("prediction", floats(&[0.0, 1.0], &[1, 1, 2])), ("target", floats(&[0.0, 1.0], &[1, 1, 2]))],
    );
    assert!(matches!(softmax_of_one, Error::Shape { .. }), "{softmax_of_one}");
}

#[test]
fn a_variational_autoencoder_has_no_mean() {
    let row = |name| (name, floats(&[0.5, 0.25], &[1, 2]));
    let mean = refused(&Vae::default(), ["reconstruction", "target", "mu", "logvar"].map(row));
    assert!(matches!(mean, Error::TermsReduction { .. }), "{mean}");
}

#[test]
fn nothing_counted_is_zero_and_says_so() {
    let ignored = inputs([("logits", floats(&[0.5, -2.0], &[1, 2])), ("target", indices(&[-100], &[1]))]);
    // Every label once.
    let alone = inputs([("embeddings", floats(&[1.0, 0.0, 0.0, 1.0], &[2, 2])), ("labels", indices(&[3, 4], &[2]))]);
    for gpu in gpus() {
        for (loss, inputs) in [("cross_entropy", &ignored), ("sup_con", &alone)] {
            let result = AnyLoss::new(loss, &[]).unwrap().eval_with(gpu, inputs, Reduction::Mean).unwrap();
            assert_eq!((result.items, result.loss.item()), (0, 0.0), "{loss}");
            assert!(result.gradients.iter().all(|(_, gradient)| gradient.to_f64().iter().all(|&slope| slope == 0.0)));
        }
    }
}

#[test]
fn nan_shows_in_its_item_alone_and_a_mask_leaves_it_out() {
    let list = || [("prediction", floats(&[3.0, 1.0], &[2])), ("target", floats(&[1.0, f32::NAN], &[2]))];
    let masked = inputs(list().into_iter().chain([("mask", floats(&[1.0, 0.0], &[2]))]));
    for gpu in gpus() {
        let result = Mse.eval_with(gpu, &inputs(list()), Reduction::Mean).unwrap();
        let slopes = gradient(&result, "prediction");
        assert!(result.loss.item().is_nan() && slopes[0] == 2.0 && slopes[1].is_nan(), "{slopes:?}");
        let result = Mse.eval_with(gpu, &masked, Reduction::Mean).unwrap();
        assert_eq!((result.items, result.loss.item()), (1, 4.0));
        assert_eq!(gradient(&result, "prediction"), [4.0, 0.0]);
    }
}

#[test]
fn weights_are_in_the_divisor_where_the_reduction_says_so() {
    let inputs = inputs([
        ("prediction", floats(&[3.0, 1.0], &[2])),
        ("target", floats(&[1.0, 1.0], &[2])),
        ("weight", floats(&[0.25, 0.25], &[2])),
    ]);
    for gpu in gpus() {
        let loss = |reduction| Mse.eval_with(gpu, &inputs, reduction).unwrap().loss.item();
        assert_eq!([Reduction::Mean, Reduction::WeightedMean].map(loss), [0.5, 2.0]);
    }
}

#[test]
fn boxes_apart_and_equal_scores_stand_still_where_the_text_says_so() {
    let apart = inputs([
        ("prediction", floats(&[0.0, 0.0, 1.0, 1.0], &[1, 4])),
        ("target", floats(&[2.0, 0.0, 3.0, 1.0], &[1, 4])),
    ]);
    let equal = inputs([("x1", floats(&[1.0], &[1])), ("x2", floats(&[1.0], &[1])), ("label", indices(&[1], &[1]))]);
    let moves = |gpu: &Gpu, loss: &dyn Loss, inputs: &Inputs| {
        let result = (&loss).eval_with(gpu, inputs, Reduction::Mean).unwrap();
        result.gradients.iter().any(|(_, gradient)| gradient.to_f64().iter().any(|&slope| slope != 0.0))
    };
    for gpu in gpus() {
        assert!(!moves(gpu, &Iou::default(), &apart));
        for loss in ["giou", "diou", "ciou"] {
            assert!(moves(gpu, &AnyLoss::new(loss, &[]).unwrap(), &apart), "{loss}");
        }
        assert!(!moves(gpu, &MarginRanking { margin: 0.0 }, &equal));
        assert!(moves(gpu, &MarginRanking { margin: 1.0 }, &equal));
    }
}
