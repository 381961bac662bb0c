//! Pixels and classes of pixels that are out of range: counted, named, and without a trace elsewhere.

use wgloss::{AnyLoss, Gpu, HostTensor, Loss, Output, Reduction, reference};

use super::{
    ACTIVATIONS, MANY_CLASSES, NONE, SCOPES, SHAPE, SUMS, TARGETS, Target, adapters,
    agreement::out_of_range,
    described,
    device::uploaded,
    dice, effort, element, given,
    inputs::{Inputs, changed},
    least_reduced, loss, with_indices,
};

/// What the kernels leave of inputs that are refused.
fn run(gpu: &Gpu, loss: &AnyLoss, inputs: &Inputs) -> Output {
    loss.run_with(gpu, &uploaded(gpu, inputs), least_reduced(loss)).unwrap()
}

fn left(output: &Output) -> [HostTensor<'static>; 2] {
    let gradient = output.gradients.get("prediction").unwrap();
    [&output.loss, gradient].map(|tensor| tensor.read_blocking().unwrap())
}

/// Checks that the inputs are refused as the reference refuses them, with this count and first pixel.
#[track_caller]
fn assert_refused(output: &Output, loss: &AnyLoss, inputs: &Inputs, count: u64, first: u64) {
    let refused = reference::evaluate(loss, inputs, &least_reduced(loss).into());
    for error in [refused.unwrap_err(), output.read_blocking().unwrap_err()] {
        assert_eq!(out_of_range(&error), (loss.spec().name, count, first), "{}", described(loss));
    }
}

/// Dice in each way, and the sums of terms.
fn losses() -> Vec<AnyLoss> {
    let of_dice = ACTIVATIONS.into_iter().flat_map(|activation| SCOPES.map(|scope| dice(activation, scope, "1")));
    of_dice.chain(SUMS.map(|name| loss(name, &[]))).collect()
}

/// A pixel that names no class is as one that is ignored.
#[test]
fn an_index_of_no_class_takes_its_pixel_out() {
    for gpu in adapters::all() {
        let of_many = [dice("softmax", "sample_class", "1"), loss("ce_dice", &[])].map(|loss| (loss, MANY_CLASSES));
        for (loss, shape) in losses().into_iter().map(|loss| (loss, SHAPE)).chain(of_many) {
            let good = given(&loss, &shape, Target::Indices);
            let offenders = [shape[1] as f64, -1.0, f64::from(i32::MIN), f64::from(i32::MAX)];
            let places = [2, 4, 7, 9];
            let bad: Vec<_> = places.into_iter().zip(offenders).collect();
            let ignored: Vec<_> = places.into_iter().map(|pixel| (pixel, NONE)).collect();
            let [bad, ignored] = [bad, ignored].map(|changes| changed(&good, "target", &changes));
            // What else is wrong with these pixels and with others that are ignored does not count.
            let worse = changed(&changed(&bad, "prediction", &[(0, -3.0), (2, f64::NAN)]), "target", &[(0, NONE)]);
            let clean = changed(&ignored, "target", &[(0, NONE)]);
            for (bad, clean) in [(&bad, &ignored), (&worse, &clean)] {
                let output = run(gpu, &loss, bad);
                assert_refused(&output, &loss, bad, 4, 2);
                let expected = left(&run(gpu, &loss, clean));
                assert!(left(&output) == expected, "{} {shape:?} on {gpu:?}", described(&loss));
            }
        }
    }
}

/// In range of f32 and beyond it.
const OUTSIDE: [f64; 4] = [1.5, -0.25, f64::INFINITY, f64::NEG_INFINITY];

/// A class of a pixel is out as if it was neither wanted nor predicted there, but for its gradient.
#[test]
fn a_target_or_prediction_out_of_range_takes_its_class_of_the_pixel_out() {
    // Two classes of one pixel, one of another, and of the last pixel.
    let places = [(3, 0), (3, 2), (6, 1), (9, 2)].map(|(pixel, class)| element(SHAPE, pixel, class));
    for gpu in adapters::all() {
        for (activation, scope) in ["none", "sigmoid"].into_iter().flat_map(|a| SCOPES.map(|scope| (a, scope))) {
            let loss = dice(activation, scope, "1");
            let nothing = if activation == "none" { 0.0 } else { f64::NEG_INFINITY };
            let set = |inputs: &Inputs, name: &str, x: f64| changed(inputs, name, &places.map(|place| (place, x)));
            let wrong = places.into_iter().zip(OUTSIDE).collect::<Vec<_>>();
            let mut cases = Vec::new();
            let values = given(&loss, &SHAPE, Target::Values);
            let absent = set(&set(&values, "prediction", nothing), "target", 0.0);
            cases.push((changed(&values, "target", &wrong), absent.clone()));
            if activation == "none" {
                cases.push((changed(&values, "prediction", &wrong), absent.clone()));
                // Both at once count once.
                cases.push((changed(&changed(&values, "prediction", &wrong), "target", &wrong), absent));
                // None of these is the class that the pixel's index names.
                let indices = with_indices(&values, |pixel| [0.0, 1.0, 2.0, 1.0, 0.0, 1.0, 2.0, 0.0, 1.0, 0.0][pixel]);
                let absent = set(&indices, "prediction", 0.0);
                cases.push((changed(&indices, "prediction", &wrong), absent));
            }
            for (bad, absent) in cases {
                let output = run(gpu, &loss, &bad);
                assert_refused(&output, &loss, &bad, 4, 3);
                let [loss_found, gradient] = left(&output);
                let [loss_expected, mut expected] = left(&run(gpu, &loss, &absent)).map(|tensor| tensor.to_f64());
                places.iter().for_each(|&place| expected[place] = 0.0);
                assert_eq!(loss_found.to_f64(), loss_expected, "{} on {gpu:?}", described(&loss));
                assert_eq!(gradient.to_f64(), expected, "{} on {gpu:?}", described(&loss));
            }
        }
    }
}

/// Of a single pixel, the class is out as if it weighed nothing. The softmax is over it all the same.
#[test]
fn a_target_out_of_range_leaves_the_softmax_as_it_is() {
    let losses = [dice("softmax", "class", "1"), loss("ce_dice", &[]), loss("focal_dice", &[])];
    for (turn, loss) in losses.iter().enumerate() {
        for classes in [3, 40] {
            let shape = [1, classes, 1];
            for gpu in effort::adapters(turn + classes) {
                let good = given(loss, &shape, Target::Values);
                let largest = good.get("prediction").unwrap().to_f64();
                let largest = (0..classes).max_by(|&a, &b| largest[a].total_cmp(&largest[b])).unwrap();
                // The class of the largest logit is told apart.
                for class in [0, classes - 1, largest] {
                    let bad = changed(&good, "target", &[(class, 1.5)]);
                    let output = run(gpu, loss, &bad);
                    assert_refused(&output, loss, &bad, 1, 0);
                    let expected = left(&run(gpu, loss, &changed(&good, "class_weight", &[(class, 0.0)])));
                    assert!(left(&output) == expected, "{} of {classes}, class {class}, on {gpu:?}", described(loss));
                }
            }
        }
    }
}

/// A class with a weight below 0 is out of all pixels, as if it weighed nothing.
#[test]
fn a_class_weight_below_zero_takes_its_class_out() {
    for gpu in adapters::all() {
        for (loss, target) in losses().into_iter().flat_map(|loss| TARGETS.map(|target| (loss.clone(), target))) {
            let good = changed(&given(&loss, &SHAPE, target), "target", &[(1, 0.0)]);
            let good = if target == Target::Indices { changed(&good, "target", &[(4, NONE)]) } else { good };
            let (pixels, first) = if target == Target::Indices { (9, 0) } else { (10, 0) };
            for below in [-1.0, f64::NEG_INFINITY] {
                let bad = changed(&good, "class_weight", &[(1, below)]);
                let output = run(gpu, &loss, &bad);
                assert_refused(&output, &loss, &bad, pixels, first);
                let expected = left(&run(gpu, &loss, &changed(&good, "class_weight", &[(1, 0.0)])));
                assert!(left(&output) == expected, "{} {target:?} {below} on {gpu:?}", described(&loss));
            }
        }
        // What a weighted mean divides by has it neither.
        let loss = dice("softmax", "class", "1");
        let good = given(&loss, &SHAPE, Target::Indices);
        let [found, expected] = [-1.0, 0.0].map(|weight| {
            let inputs = changed(&good, "class_weight", &[(1, weight)]);
            left(&loss.run_with(gpu, &uploaded(gpu, &inputs), Reduction::WeightedMean).unwrap())
        });
        assert!(found == expected, "{gpu:?}: {found:?}, not {expected:?}");
    }
}

/// Over several parts of several samples.
#[test]
fn the_first_offender_is_that_of_the_first_part() {
    let shape = [3, 3, 20_001];
    for gpu in adapters::all() {
        for scope in ["class", "sample"] {
            let loss = dice("softmax", scope, "1");
            let good = given(&loss, &shape, Target::Indices);
            for offenders in [&[60_002][..], &[20_001, 50_000], &[19_999, 20_000, 20_001, 40_001, 60_000]] {
                let changes: Vec<_> = offenders.iter().map(|&pixel| (pixel, 3.0)).collect();
                let bad = changed(&good, "target", &changes);
                let (count, first) = (offenders.len() as u64, offenders[0] as u64);
                let error = loss.eval_with(gpu, &bad, Reduction::Mean).unwrap_err();
                assert_eq!(out_of_range(&error), ("dice", count, first), "{scope} on {gpu:?}");
            }
        }
    }
}
