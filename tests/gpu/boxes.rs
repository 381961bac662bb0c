//! What is particular to losses of boxes, on every adapter.

use wgloss::{AnyLoss, DType, Gradients, HostTensor, Loss, Named, Options, Reduction, losses, spec::Driver};

use crate::common::{
    adapters,
    agreement::{evaluated, out_of_range},
};

type Boxes = Vec<[f64; 4]>;

fn losses() -> impl Iterator<Item = AnyLoss> {
    let of_boxes = losses::ALL.iter().filter(|spec| matches!(spec.driver, Driver::Boxes));
    of_boxes.map(|spec| AnyLoss::new(spec.name, &[]).expect("a loss"))
}

fn tensor(boxes: &Boxes, dtype: DType) -> HostTensor<'static> {
    HostTensor::rounded(boxes.as_flattened(), dtype, [boxes.len(), 4]).expect("floats")
}

fn pair(prediction: &Boxes, target: &Boxes) -> Named<HostTensor<'static>> {
    Named::new().with("prediction", tensor(prediction, DType::F32)).with("target", tensor(target, DType::F32))
}

/// Boxes of sides between `size` and `size`·`aspect`.
fn drawn(count: usize, size: f64, aspect: f64, rng: &mut fastrand::Rng) -> Boxes {
    let mut between = |low: f64, high: f64| low + (high - low) * rng.f64();
    let mut one = || {
        let [x, y] = [between(-5.0, 5.0) * size, between(-5.0, 5.0) * size];
        [x, y, x + between(1.0, aspect) * size, y + between(1.0, aspect) * size].map(|corner| f64::from(corner as f32))
    };
    (0..count).map(|_| one()).collect()
}

/// Errors are measured against the largest of a call, so boxes that are equally near have a call of their own.
#[test]
fn nearly_equal_boxes_keep_their_digits() {
    let mut rng = fastrand::Rng::with_seed(2);
    for size in [1e-3, 1.0, 1e3] {
        for apart in [1e-5, 1e-3, 0.1] {
            let prediction = drawn(101, size, 4.0, &mut rng);
            let near = |corners: &[f64; 4]| corners.map(|corner| corner + apart * size * (rng.f64() - 0.5));
            let target = prediction.iter().map(near).collect();
            for (gpu, loss) in adapters::all().iter().flat_map(|gpu| losses().map(move |loss| (gpu, loss))) {
                evaluated(gpu, &loss, &pair(&prediction, &target), Reduction::None);
            }
        }
        // And that of eps alone.
        for corners in drawn(3, size, 4.0, &mut rng) {
            for (gpu, loss) in adapters::all().iter().flat_map(|gpu| losses().map(move |loss| (gpu, loss))) {
                evaluated(gpu, &loss, &pair(&vec![corners], &vec![corners]), Reduction::Mean);
            }
        }
    }
}

/// A box that is moved along its long side has no gradient across: half of what the intersection and half of what the
/// union would gain cancel. The corners are such that f32 holds their differences.
#[test]
fn ties_of_long_boxes_cancel_exactly() {
    for (gpu, loss) in adapters::all().iter().flat_map(|gpu| losses().map(move |loss| (gpu, loss))) {
        for [width, height] in [[1.0, 320.0], [320.0, 1.0], [0.25, 48.0]] {
            for part in [0.0625, 0.25, 0.875] {
                let [dx, dy] = if width < height { [0.0, part * height] } else { [part * width, 0.0] };
                let prediction = vec![[0.125, 0.25, 0.125 + width, 0.25 + height]];
                let target = vec![[0.125 + dx, 0.25 + dy, 0.125 + width + dx, 0.25 + height + dy]];
                evaluated(gpu, &loss, &pair(&prediction, &target), Reduction::Sum);
            }
        }
    }
}

#[test]
fn boxes_of_any_proportions_and_places_agree_one_by_one() {
    let mut rng = fastrand::Rng::with_seed(3);
    let (prediction, target) = (drawn(40, 1.0, 50.0, &mut rng), drawn(40, 1.0, 50.0, &mut rng));
    for (gpu, loss) in adapters::all().iter().flat_map(|gpu| losses().map(move |loss| (gpu, loss))) {
        for (index, (&prediction, &target)) in prediction.iter().zip(&target).enumerate() {
            // Every other one inverted in x, in y or in both.
            let [x1, y1, x2, y2] = prediction;
            let turned = [[x1, y1, x2, y2], [x2, y1, x1, y2], [x1, y2, x2, y1], [x2, y2, x1, y1]];
            let prediction = if index % 2 == 0 { prediction } else { turned[index / 2 % 4] };
            evaluated(gpu, &loss, &pair(&vec![prediction], &vec![target]), Reduction::Mean);
        }
    }
}

#[test]
fn boxes_without_an_area_have_finite_losses() {
    let (point, line, inverted) = ([1.0; 4], [1.0, 0.0, 1.0, 2.0], [1.0, 0.0, 0.5, 2.0]);
    let pairs = [(point, point), (line, line), (point, line), (line, point), (inverted, point), (inverted, line)];
    for (gpu, loss) in adapters::all().iter().flat_map(|gpu| losses().map(move |loss| (gpu, loss))) {
        for (prediction, target) in pairs {
            let found = evaluated(gpu, &loss, &pair(&vec![prediction], &vec![target]), Reduction::None);
            let gradient = found.gradients.get("prediction").expect("its gradient").to_f64();
            assert!(gradient.iter().chain(&found.loss.to_f64()).all(|x| x.is_finite()), "{loss:?} {gradient:?}");
        }
    }
}

#[test]
fn an_infinite_corner_makes_its_item_nan() {
    let boxes = vec![[0.0, 0.0, 1.0, 1.0]; 4];
    let infinite = vec![
        [0.0, 0.0, f64::INFINITY, 1.0],
        [0.0, f64::NEG_INFINITY, 1.0, 1.0],
        [f64::NEG_INFINITY, f64::NEG_INFINITY, f64::INFINITY, f64::INFINITY],
        [0.0, 0.0, 1.0, 1.0],
    ];
    for (gpu, loss) in adapters::all().iter().flat_map(|gpu| losses().map(move |loss| (gpu, loss))) {
        for (prediction, target) in [(&infinite, &boxes), (&boxes, &infinite)] {
            let found = evaluated(gpu, &loss, &pair(prediction, target), Reduction::None);
            let gradient = found.gradients.get("prediction").expect("its gradient").to_f64();
            assert!(gradient[..12].iter().chain(&found.loss.to_f64()[..3]).all(|x| x.is_nan()), "{gradient:?}");
            assert!(gradient[12..].iter().chain(&found.loss.to_f64()[3..]).all(|x| x.is_finite()), "{gradient:?}");
        }
    }
}

#[test]
fn an_inverted_target_is_named_and_an_inverted_prediction_counts() {
    let (upright, mirrored) = ([0.0, 0.0, 1.0, 2.0], [1.0, 0.0, 0.0, 2.0]);
    let upside_down_and_spoilt = [f64::NAN, 2.0, 1.0, 0.0];
    for (gpu, loss) in adapters::all().iter().flat_map(|gpu| losses().map(move |loss| (gpu, loss))) {
        let predictions = vec![upright, mirrored, [0.0, 2.0, 1.0, 0.0], [1.0, 2.0, 0.0, 0.0]];
        assert_eq!(evaluated(gpu, &loss, &pair(&predictions, &vec![upright; 4]), Reduction::Mean).items, 4);
        let targets = vec![upright, upright, mirrored, upside_down_and_spoilt];
        let error = loss.eval_with(gpu, &pair(&predictions, &targets), Reduction::Mean).expect_err("out of range");
        assert_eq!(out_of_range(&error), (loss.spec().name, 2, 2));
        // NaN alone is out of no order.
        let spoilt = vec![[f64::NAN, 0.0, 1.0, 2.0]];
        assert!(evaluated(gpu, &loss, &pair(&vec![upright], &spoilt), Reduction::Mean).loss.item().is_nan());
    }
}

#[test]
fn a_gradient_may_take_the_place_of_the_prediction() {
    let mut rng = fastrand::Rng::with_seed(4);
    let (prediction, target) = (drawn(67, 1.0, 4.0, &mut rng), drawn(67, 1.0, 4.0, &mut rng));
    for (gpu, loss) in adapters::all().iter().flat_map(|gpu| losses().map(move |loss| (gpu, loss))) {
        for dtype in DType::FLOATS {
            let inputs =
                Named::new().with("prediction", tensor(&prediction, dtype)).with("target", tensor(&target, dtype));
            let options = |gradients| Options { gradients, ..Options::new(Reduction::Mean) };
            let [apart, in_place] = [Gradients::Write, Gradients::InPlace]
                .map(|gradients| evaluated(gpu, &loss, &inputs, options(gradients)));
            assert!(apart == in_place, "{loss:?} {dtype} on {}", gpu.adapter_id());
        }
    }
}
