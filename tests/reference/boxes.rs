//! Losses of boxes: worked values, ties, inverted boxes, and boxes that have no area.

use std::f64::consts::PI;

use wgloss::{
    AnyLoss, HostTensor, Loss, Named, Reduction,
    reference::{self, Evaluation},
    spec::{Driver, Input},
};

use super::{assert_close, evaluate, every_setting, inputs_for, loss, moved, out_of_range, shapes, tensor};

const EPS: f64 = 1e-7_f32 as f64;

fn losses() -> impl Iterator<Item = AnyLoss> {
    every_setting().filter(|loss| matches!(loss.spec().driver, Driver::Boxes))
}

/// An element of boxes around the origin, at this distance from it on its axis. Of five predictions one is inverted in
/// x, one in both, and one is far away.
pub(super) fn corner(input: &Input, index: usize, distance: f64) -> f64 {
    let (item, corner) = (index / 4, index % 4);
    let sign = if corner < 2 { -1.0 } else { 1.0 };
    match item % 5 {
        1 if input.differentiable && corner.is_multiple_of(2) => -sign * distance,
        2 if input.differentiable => -sign * distance,
        3 if input.differentiable => 8.0 + sign * distance,
        _ => sign * distance,
    }
}

fn pair(prediction: &[[f64; 4]], target: &[[f64; 4]]) -> Named<HostTensor<'static>> {
    let boxes = |boxes: &[[f64; 4]]| tensor(boxes.as_flattened(), &[boxes.len(), 4]);
    Named::new().with("prediction", boxes(prediction)).with("target", boxes(target))
}

fn one(name: &str, prediction: [f64; 4], target: [f64; 4]) -> (f64, Vec<f64>) {
    let Evaluation { loss, gradients, .. } =
        evaluate(&super::loss(name, &[]), &pair(&[prediction], &[target]), Reduction::None);
    (loss[0], gradients[0].1.clone())
}

#[test]
fn worked_values_of_boxes() {
    let (prediction, target) = ([0.0, 0.0, 2.0, 2.0], [1.0, 1.0, 4.0, 3.0]);
    // An intersection of 1 in a union of 9, a hull of 4 × 3, centres 1.5 and 1 apart.
    let iou = 1.0 - 1.0 / 9.0;
    let diou = iou + (1.5 * 1.5 + 1.0) / 25.0;
    let v = 4.0 / (PI * PI) * (1.5_f64.atan() - 1_f64.atan()).powi(2);
    for (name, expected) in
        [("iou", iou), ("giou", iou + 3.0 / 12.0), ("diou", diou), ("ciou", diou + v * v / (iou + v))]
    {
        assert_close(one(name, prediction, target).0, expected, 1e-7, name);
    }
}

#[test]
fn iou_has_no_gradient_where_boxes_do_not_overlap_and_the_others_have() {
    let (prediction, touching, apart) = ([0.0, 0.0, 1.0, 1.0], [1.0, 0.0, 2.0, 1.0], [3.0, 2.0, 4.0, 4.0]);
    for target in [touching, apart] {
        assert_eq!(one("iou", prediction, target), (1.0, vec![0.0; 4]));
        for name in ["giou", "diou", "ciou"] {
            let (loss, gradient) = one(name, prediction, target);
            assert!(loss >= 1.0 && gradient[2] < 0.0, "{name}: {loss} {gradient:?}");
        }
    }
}

#[test]
fn ties_share_the_gradient_in_halves() {
    let target = [0.0, 0.0, 3.0, 2.0];
    for name in ["iou", "giou", "diou", "ciou"] {
        let [tied, inside, outside] = [0.0, 1e-6, -1e-6].map(|x1| one(name, [x1, 0.0, 2.0, 1.0], target).1[0]);
        assert_close(tied, 0.5 * (inside + outside), 1e-5, name);
        assert!((inside - outside).abs() > 1e-2, "{name} has no kink: {inside} and {outside}");
    }
}

/// `ciou` is `diou` and α·v, where α is constant in the gradient.
#[test]
fn the_gradient_of_ciou_is_the_slope_with_alpha_held() {
    const H: f64 = 1.0 / 4096.0;
    for eps in ["1e-7", "0.5"] {
        let losses = ["iou", "diou", "ciou"].map(|name| AnyLoss::new(name, &[("eps", eps)]).unwrap());
        let eps = f64::from(eps.parse::<f32>().unwrap());
        let inputs = inputs_for(&losses[0], shapes(losses[0].spec())[0], Reduction::None, false, 9);
        let [iou, diou, ciou] = losses.each_ref().map(|loss| evaluate(loss, &inputs, Reduction::None));
        let v = |inputs: &Named<HostTensor<'_>>, item: usize| {
            let angle = |name: &str| {
                let corners = &inputs.get(name).unwrap().to_f64()[4 * item..][..4];
                ((corners[2] - corners[0]) / (corners[3] - corners[1] + eps)).atan()
            };
            4.0 / (PI * PI) * (angle("target") - angle("prediction")).powi(2)
        };
        for item in 0..ciou.loss.len() {
            let alpha = v(&inputs, item) / (iou.loss[item] + v(&inputs, item) + eps);
            assert_close(ciou.loss[item], diou.loss[item] + alpha * v(&inputs, item), 1e-14, "ciou");
            for index in 4 * item..4 * item + 4 {
                let at = |steps: f64| alpha * v(&moved(&inputs, "prediction", index, steps * H), item);
                let slope = (at(-2.0) - 8.0 * at(-1.0) + 8.0 * at(1.0) - at(2.0)) / (12.0 * H);
                let found = ciou.gradients[0].1[index] - diou.gradients[0].1[index];
                assert_close(found, slope, 1e-8 * (1.0 + slope.abs()), &format!("prediction[{index}]"));
            }
        }
    }
}

#[test]
fn equal_boxes_have_no_loss_but_that_of_eps() {
    for size in [1e-2, 1.0, 1e4] {
        let corners = [0.0, 0.0, size, size].map(|x| f64::from(x as f32));
        let area = corners[2] * corners[3];
        for name in ["iou", "giou", "diou", "ciou"] {
            let (loss, gradient) = one(name, corners, corners);
            assert_close(loss / (EPS / (area + EPS)), 1.0, 1e-12, name);
            for (found, inward) in gradient.into_iter().zip([1.0, 1.0, -1.0, -1.0]) {
                let expected = 0.5 * corners[2] * EPS / (area + EPS).powi(2);
                assert_close(inward * found / expected, 1.0, 1e-12, name);
            }
        }
    }
}

#[test]
fn boxes_without_an_area_have_finite_losses() {
    let (point, line, inverted) = ([1.0; 4], [1.0, 0.0, 1.0, 2.0], [1.0, 0.0, 0.5, 2.0]);
    for loss in losses() {
        for (prediction, target) in [(point, point), (line, line), (point, line), (line, point), (inverted, point)] {
            let result = evaluate(&loss, &pair(&[prediction], &[target]), Reduction::None);
            let values: Vec<f64> = result.loss.iter().chain(&result.gradients[0].1).copied().collect();
            assert!(values.iter().all(|x| x.is_finite()), "{prediction:?} {target:?}: {values:?}");
        }
    }
}

#[test]
fn a_corner_that_is_not_finite_makes_its_item_nan() {
    for loss in losses() {
        let clean = inputs_for(&loss, shapes(loss.spec())[0], Reduction::None, true, 5);
        let expected = evaluate(&loss, &clean, Reduction::None);
        for (input, index) in ["prediction", "target"].into_iter().flat_map(|name| [(name, 4), (name, 7)]) {
            // Infinities that leave a target in order.
            let infinity = if index == 4 { f64::NEG_INFINITY } else { f64::INFINITY };
            for poison in [f64::NAN, infinity] {
                let result = evaluate(&loss, &moved(&clean, input, index, poison), Reduction::None);
                let outputs = [(&result.loss, &expected.loss), (&result.gradients[0].1, &expected.gradients[0].1)];
                for (width, (found, expected)) in [1, 4].into_iter().zip(outputs) {
                    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
                        let kept = if place / width == 1 { found.is_nan() } else { found == expected };
                        assert!(kept, "{}: {input}[{index}] = {poison}: {place} is {found}", loss.spec().name);
                    }
                }
            }
        }
    }
}

#[test]
fn inverted_targets_are_counted_and_inverted_predictions_are_not() {
    let (upright, mirrored, upside_down) = ([0.0, 0.0, 1.0, 2.0], [1.0, 0.0, 0.0, 2.0], [0.0, 2.0, 1.0, 0.0]);
    let spoilt = [f64::NAN, 2.0, 1.0, 0.0];
    for name in ["iou", "giou", "diou", "ciou"] {
        let result = |prediction: &[[f64; 4]], target: &[[f64; 4]]| {
            reference::evaluate(&loss(name, &[]), &pair(prediction, target), &Reduction::Sum.into())
        };
        let predictions = [upright, mirrored, upside_down, [1.0, 2.0, 0.0, 0.0]];
        assert_eq!(result(&predictions, &[upright; 4]).unwrap().items, 4);
        let refused = result(&[upright; 4], &[upright, mirrored, upside_down, spoilt]).unwrap_err();
        assert_eq!(out_of_range(&refused), (name, 3, 1));
        // NaN is out of no order.
        assert!(result(&[upright], &[[f64::NAN, 0.0, 1.0, 2.0]]).unwrap().loss[0].is_nan());
    }
}
