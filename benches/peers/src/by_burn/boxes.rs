//! Losses of boxes, which Burn does not have, as a program writes them with its tensor operations: the fastest way that
//! we found on lavapipe.

use std::f64::consts::PI;

use burn::tensor::Tensor;

use super::{
    case::Checked,
    inputs::{self, BurnInputs, ByBurn},
};

/// By the names of wgloss's.
pub const LOSSES: &[(&str, ByBurn)] = &[
    ("iou", |inputs| mean_of(inputs, |prediction, target| overlap(&prediction, &target).loss)),
    ("giou", |inputs| {
        mean_of(inputs, |prediction, target| {
            let Overlap { loss, union } = overlap(&prediction, &target);
            let [width, height] = hull(&prediction, &target);
            let hull = width * height;
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

/// x or y of all boxes, `[1, boxes]`.
type Axis = Tensor<2>;

/// The mean of a loss that has a value for each box.
fn mean_of(inputs: &BurnInputs, loss: fn(Boxes, Boxes) -> Axis) -> Box<dyn Checked> {
    inputs.of_boxes(move |prediction, target| inputs::mean(loss(Boxes::new(prediction), Boxes::new(target))))
}

struct Boxes {
    low: [Axis; 2],
    high: [Axis; 2],
}

impl Boxes {
    fn new(corners: Tensor<2>) -> Self {
        let [x1, y1, x2, y2] = corners.transpose().split(1, 0).try_into().expect("a box has four coordinates");
        Boxes { low: [x1, y1], high: [x2, y2] }
    }

    fn size(&self) -> [Axis; 2] {
        [0, 1].map(|axis| self.high[axis].clone() - self.low[axis].clone())
    }

    fn area(&self) -> Axis {
        let [width, height] = self.size();
        width * height
    }
}

struct Overlap {
    /// 1 − IoU.
    loss: Axis,
    union: Axis,
}

fn overlap(prediction: &Boxes, target: &Boxes) -> Overlap {
    let [width, height] = [0, 1].map(|axis| {
        let low = prediction.low[axis].clone().max_pair(target.low[axis].clone());
        let high = prediction.high[axis].clone().min_pair(target.high[axis].clone());
        (high - low).clamp_min(0.0)
    });
    let intersection = width * height;
    let union = prediction.area() + target.area() - intersection.clone();
    Overlap { loss: -intersection / (union.clone() + EPS) + 1.0, union }
}

/// The size of the least box that holds both.
fn hull(prediction: &Boxes, target: &Boxes) -> [Axis; 2] {
    [0, 1].map(|axis| {
        let low = prediction.low[axis].clone().min_pair(target.low[axis].clone());
        prediction.high[axis].clone().max_pair(target.high[axis].clone()) - low
    })
}

/// The square of the distance of the centres by that of the hull's diagonal.
fn distance(prediction: &Boxes, target: &Boxes) -> Axis {
    let centre = |boxes: &Boxes, axis: usize| (boxes.low[axis].clone() + boxes.high[axis].clone()) / 2.0;
    let [x, y] = [0, 1].map(|axis| (centre(prediction, axis) - centre(target, axis)).square());
    let [width, height] = hull(prediction, target).map(|size| size.square());
    (x + y) / (width + height + EPS)
}

/// Of the diagonal.
fn angle(boxes: &Boxes) -> Axis {
    let [width, height] = boxes.size();
    (width / (height + EPS)).atan()
}
