//! Losses of boxes, which Burn does not have, as a program writes them with its tensor operations.

use std::f64::consts::PI;

use burn::tensor::Tensor;

use crate::{
    burn_inputs::{BurnInputs, ByBurn},
    step::Step,
};

/// By the names of wgloss's.
pub const LOSSES: &[(&str, ByBurn)] = &[
    ("iou", |inputs| mean_of(inputs, |prediction, target| overlap(&prediction, &target).loss)),
    ("giou", |inputs| {
        mean_of(inputs, |prediction, target| {
            let Overlap { loss, union } = overlap(&prediction, &target);
            let hull = area(&hull(&prediction, &target));
            loss + (hull.clone() - union) / (hull + EPS)
        })
    }),
    ("diou", |inputs| {
        mean_of(inputs, |prediction, target| overlap(&prediction, &target).loss + distance(&prediction, &target))
    }),
    ("ciou", |inputs| {
        mean_of(inputs, |prediction, target| {
            let loss = overlap(&prediction, &target).loss;
            let v = (angle(&target) - angle(&prediction)).square() * (4.0 / PI.powi(2));
            let alpha = (v.clone() / (loss.clone() + v.clone() + EPS)).detach();
            loss + distance(&prediction, &target) + alpha * v
        })
    }),
];

/// Added to every divisor, as by default in wgloss.
const EPS: f64 = 1e-7;

/// The mean of a loss that has a value for each box.
fn mean_of(inputs: &BurnInputs, loss: fn(Boxes, Boxes) -> Tensor<2>) -> Box<dyn Step> {
    inputs.of_boxes(move |prediction, target| loss(Boxes::new(prediction), Boxes::new(target)).mean())
}

/// Corners, `[boxes, 2]`.
struct Boxes {
    low: Tensor<2>,
    high: Tensor<2>,
}

impl Boxes {
    fn new(corners: Tensor<2>) -> Self {
        Boxes { low: corners.clone().narrow(1, 0, 2), high: corners.narrow(1, 2, 2) }
    }

    fn size(&self) -> Tensor<2> {
        self.high.clone() - self.low.clone()
    }
}

struct Overlap {
    /// 1 − IoU.
    loss: Tensor<2>,
    union: Tensor<2>,
}

fn overlap(prediction: &Boxes, target: &Boxes) -> Overlap {
    let low = prediction.low.clone().max_pair(target.low.clone());
    let high = prediction.high.clone().min_pair(target.high.clone());
    let intersection = area(&(high - low).clamp_min(0.0));
    let union = area(&prediction.size()) + area(&target.size()) - intersection.clone();
    Overlap { loss: -intersection / (union.clone() + EPS) + 1.0, union }
}

/// The size of the least box that holds both.
fn hull(prediction: &Boxes, target: &Boxes) -> Tensor<2> {
    let low = prediction.low.clone().min_pair(target.low.clone());
    prediction.high.clone().max_pair(target.high.clone()) - low
}

/// The square of the distance of the centres by that of the hull's diagonal.
fn distance(prediction: &Boxes, target: &Boxes) -> Tensor<2> {
    let doubled = |boxes: &Boxes| boxes.low.clone() + boxes.high.clone();
    let between = (doubled(prediction) - doubled(target)) / 2.0;
    between.square().sum_dim(1) / (hull(prediction, target).square().sum_dim(1) + EPS)
}

/// Of sizes, `[boxes, 2]`.
fn area(size: &Tensor<2>) -> Tensor<2> {
    size.clone().narrow(1, 0, 1) * size.clone().narrow(1, 1, 1)
}

/// Of a box's diagonal.
fn angle(boxes: &Boxes) -> Tensor<2> {
    let size = boxes.size();
    (size.clone().narrow(1, 0, 1) / (size.narrow(1, 1, 1) + EPS)).atan()
}
