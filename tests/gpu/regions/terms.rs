//! The terms of the losses that are sums of two.

use wgloss::{AnyLoss, DType, Gpu, HostTensor, Loss, Named, Reduction};

use super::{
    MANY_CLASSES, SCOPES, SHAPE, SUMS, TARGETS, Target, adapters,
    agreement::evaluated,
    described,
    device::uploaded,
    dice, given, gradient,
    inputs::{Inputs, tensor},
    least_reduced, loss,
};

/// The inputs under the names that a loss of rows has for them.
fn as_rows(inputs: &Inputs, target: &str) -> Inputs {
    let name = |name: &str| match name {
        "prediction" => "logits".to_string(),
        "target" => target.to_string(),
        other => other.to_string(),
    };
    inputs.iter().map(|(known, host)| (name(known), host.clone())).collect()
}

fn assert_near(found: f64, expected: f64, largest: f64, what: &str) {
    assert!((found - expected).abs() <= 4e-6 * largest, "{what}: {found}, not {expected}");
}

/// With both weighed, and each alone; each with a scope of its own.
const WEIGHTS: [[f64; 2]; 4] = [[0.5, 0.5], [0.25, 1.5], [0.0, 1.0], [2.0, 0.0]];

const REDUCTIONS: [Reduction; 3] = [Reduction::Mean, Reduction::Sum, Reduction::BatchMean];

#[test]
fn terms_are_the_losses_of_their_names() {
    let soft = loss("cross_entropy_soft", &[]);
    let of_rows: [(&str, &str, Target, AnyLoss, &str); 3] = [
        ("ce_dice", "ce_weight", Target::Indices, loss("cross_entropy", &[]), "target"),
        ("ce_dice", "ce_weight", Target::Values, soft, "target_probabilities"),
        ("focal_dice", "focal_weight", Target::Indices, loss("focal", &[]), "target"),
    ];
    for gpu in adapters::all() {
        for ((name, weight, target, rows, target_name), reduction) in
            of_rows.iter().flat_map(|case| REDUCTIONS.map(|reduction| (case, reduction)))
        {
            let inputs = given(&dice("softmax", "class", "1"), &SHAPE, *target);
            let of_pixels = rows.eval_with(gpu, &as_rows(&inputs, target_name), reduction).unwrap();
            let of_pixels_loss = of_pixels.loss.item();
            let of_pixels = of_pixels.gradients.get("logits").unwrap().to_f64();
            for (weights, scope) in WEIGHTS.into_iter().zip(SCOPES) {
                let of_scores = dice("softmax", scope, "1").eval_with(gpu, &inputs, reduction).unwrap();
                let parts = [of_pixels_loss, of_scores.loss.item()];
                let of_scores = gradient(&of_scores);
                let [first, second] = weights.map(|weight| weight.to_string());
                let both = loss(name, &[(weight, &first), ("dice_weight", &second), ("scope", scope)]);
                let found = evaluated(gpu, &both, &inputs, reduction);
                let what = format!("{} {target:?} {reduction} on {gpu:?}", described(&both));
                let terms = found.terms();
                let names: Vec<&str> = terms.iter().map(|(name, _)| name).collect();
                assert_eq!(names, [if *name == "ce_dice" { "cross_entropy" } else { "focal" }, "dice"], "{what}");
                let terms: Vec<f64> = found.terms().iter().map(|(_, &term)| f64::from(term)).collect();
                for (&term, part) in terms.iter().zip(parts) {
                    assert_near(term, part, part, &what);
                }
                let sum = weights[0] * terms[0] + weights[1] * terms[1];
                assert_near(found.loss.item(), sum, sum, &what);
                let pairs = of_pixels.iter().zip(&of_scores);
                let expected: Vec<f64> = pairs.map(|(a, b)| weights[0] * a + weights[1] * b).collect();
                let largest = of_pixels.iter().chain(&of_scores).fold(0.0_f64, |largest, x| largest.max(x.abs()));
                for (found, expected) in gradient(&found).into_iter().zip(expected) {
                    assert_near(found, expected, largest, &what);
                }
            }
        }
    }
}

/// With a sigmoid the pixels' term is an elementwise loss of every class, whatever the scores are made of.
#[test]
fn terms_of_sigmoids_are_the_elementwise_losses() {
    let sigmoid = ("activation", "sigmoid");
    let of_elements = [
        ("ce_dice", vec![sigmoid], "sigmoid", loss("bce_with_logits", &[])),
        ("focal_dice", vec![sigmoid], "sigmoid", loss("sigmoid_focal", &[])),
        ("focal_dice", vec![("focal_form", "sigmoid")], "softmax", loss("sigmoid_focal", &[])),
    ];
    for gpu in adapters::all() {
        for (name, settings, activation, elementwise) in &of_elements {
            for shape in [SHAPE, MANY_CLASSES, [1, 1, 7]].into_iter().filter(|s| *activation == "sigmoid" || s[1] > 1) {
                let both = loss(name, settings);
                let inputs = given(&both, &shape, Target::Values);
                let weights = inputs.get("class_weight").unwrap().to_f64();
                let each: Vec<f64> = (0..shape.iter().product()).map(|i| weights[i / shape[2] % shape[1]]).collect();
                let of_pixels = Named::new()
                    .with("logits", inputs.get("prediction").unwrap().clone())
                    .with("target", inputs.get("target").unwrap().clone())
                    .with("weight", tensor(&each, DType::F32, &shape));
                let of_pixels = elementwise.eval_with(gpu, &of_pixels, Reduction::Mean).unwrap();
                let of_scores = dice(activation, "class", "1").eval_with(gpu, &inputs, Reduction::Mean).unwrap();
                let found = evaluated(gpu, &both, &inputs, Reduction::Mean);
                let what = format!("{} {shape:?} on {gpu:?}", described(&both));
                let parts = [of_pixels.loss.item(), of_scores.loss.item()];
                for ((_, &term), part) in found.terms().iter().zip(parts) {
                    assert_near(term.into(), part, part, &what);
                }
                let of_pixels = of_pixels.gradients.get("logits").unwrap().to_f64();
                let expected: Vec<f64> =
                    of_pixels.iter().zip(gradient(&of_scores)).map(|(a, b)| 0.5 * (a + b)).collect();
                let largest = expected.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
                for (found, expected) in gradient(&found).into_iter().zip(expected) {
                    assert_near(found, expected, largest, &what);
                }
            }
        }
    }
}

#[test]
fn without_weights_there_is_no_loss() {
    for gpu in adapters::all() {
        for (name, weight) in [("ce_dice", "ce_weight"), ("focal_dice", "focal_weight")] {
            for target in TARGETS {
                let nothing = loss(name, &[(weight, "0"), ("dice_weight", "0")]);
                let found = evaluated(gpu, &nothing, &given(&nothing, &SHAPE, target), Reduction::Mean);
                assert_eq!((found.loss.item(), gradient(&found)), (0.0, vec![0.0; 30]), "{name} {target:?} on {gpu:?}");
                assert!(found.terms().iter().all(|(_, &term)| term > 0.0), "{name} {target:?} on {gpu:?}");
            }
        }
    }
}

/// An upstream may be a number on the device, as when a network's loss is a sum of several.
#[test]
fn an_input_upstream_multiplies_the_gradients_of_both_terms() {
    let inputs = Named::new()
        .with("prediction", HostTensor::new(&[0.0_f32, 1.0], [1, 2]).unwrap())
        .with("target", HostTensor::new(&[0], [1]).unwrap());
    for gpu in adapters::all() {
        for name in SUMS {
            let loss = loss(name, &[]);
            let alone = evaluated(gpu, &loss, &inputs, Reduction::Mean);
            for upstream in [0.0_f32, 1024.0, -0.5] {
                let inputs = inputs.clone().with("upstream", tensor(&[upstream.into()], DType::F32, &[1]));
                let found = evaluated(gpu, &loss, &inputs, Reduction::Mean);
                let scaled: Vec<f64> = gradient(&alone).iter().map(|x| x * f64::from(upstream)).collect();
                assert_eq!(gradient(&found), scaled, "{name} upstream {upstream} on {gpu:?}");
                assert_eq!(found.loss, alone.loss, "{name} upstream {upstream} on {gpu:?}");
            }
        }
    }
}

/// A status is that of the last run, with both terms.
#[test]
fn a_bound_plan_tells_the_terms_of_its_last_run() {
    for gpu in adapters::all() {
        let terms = |gpu: &Gpu, loss: &AnyLoss| {
            let inputs = given(loss, &SHAPE, Target::Indices);
            let output = loss.run_with(gpu, &uploaded(gpu, &inputs), least_reduced(loss)).unwrap();
            let evaluation = output.read_blocking().unwrap();
            let status = output.bound().read_status_blocking().unwrap();
            assert_eq!(status.items, evaluation.items);
            let named: Vec<f32> = evaluation.terms().iter().map(|(_, &term)| term).collect();
            assert_eq!(
                status.terms().iter().map(|(_, &term)| term).collect::<Vec<f32>>(),
                named,
                "{} on {gpu:?}",
                described(loss)
            );
            named.len()
        };
        assert_eq!(terms(gpu, &loss(SUMS[0], &[])), 2);
        assert_eq!(terms(gpu, &loss(SUMS[1], &[])), 2);
        assert_eq!(terms(gpu, &dice("softmax", "class", "1")), 0);
        assert_eq!(terms(gpu, &loss("jaccard", &[("activation", "softmax")])), 0);
    }
}
