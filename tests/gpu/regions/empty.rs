//! Calls of nothing, and regions that nobody wants or predicts.

use wgloss::{DType, Evaluation, Loss, Reduction, Scope};

use super::{
    ACTIVATIONS, MANY_CLASSES, MASKED, NONE, SCOPES, SHAPE, SUMS, TARGETS, Target, adapters,
    agreement::evaluated,
    described, dice, element, given, gradient,
    inputs::{changed, tensor},
    least_reduced, loss, with_indices,
};

/// The scores of a call.
fn scores(scope: Scope, shape: &[usize]) -> u64 {
    let samples = if scope.is_per_sample() { shape[0] } else { 1 };
    (samples * if scope.is_per_class() { shape[1] } else { 1 }) as u64
}

fn scope_named(name: &str) -> Scope {
    [Scope::All, Scope::Class, Scope::SampleClass, Scope::Sample].into_iter().find(|s| s.name() == name).unwrap()
}

#[test]
fn nothing_in_loses_nothing() {
    // No samples, with pixels and without an axis of them, and no pixels.
    let calls: [(&[usize], Target); 4] = [
        (&[0, 3, 5], Target::Indices),
        (&[0, 3, 5], Target::Values),
        (&[0, 3], Target::Indices),
        (&[2, 3, 0], Target::Indices),
    ];
    for gpu in adapters::all() {
        for (shape, target) in calls {
            for (scope, smooth) in SCOPES.into_iter().flat_map(|scope| [(scope, "1"), (scope, "0")]) {
                let dice = dice("softmax", scope, smooth);
                let inputs = given(&dice, shape, target);
                let scores = scores(scope_named(scope), shape);
                for reduction in Reduction::ALL {
                    let found = evaluated(gpu, &dice, &inputs, reduction);
                    let values = if reduction == Reduction::None { scores as usize } else { 1 };
                    let what = format!("{shape:?} {target:?} {scope} {reduction} on {gpu:?}");
                    assert_eq!((found.loss.to_f64(), found.items), (vec![0.0; values], scores), "{what}");
                    let gradient = found.gradients.get("prediction").unwrap();
                    assert_eq!(gradient.ty(), inputs.get("prediction").unwrap().ty(), "{what}");
                }
            }
        }
        for ((shape, target), name) in calls.into_iter().skip(1).zip([SUMS[0], SUMS[1], SUMS[0]]) {
            for (scope, activation) in SCOPES.into_iter().zip(["softmax", "sigmoid", "softmax", "sigmoid"]) {
                let loss = loss(name, &[("scope", scope), ("activation", activation)]);
                let found = evaluated(gpu, &loss, &given(&loss, shape, target), Reduction::Mean);
                let terms: Vec<f32> = found.terms().iter().map(|(_, &term)| term).collect();
                let items = scores(scope_named(scope), shape);
                let what = format!("{} {shape:?} on {gpu:?}", described(&loss));
                assert_eq!((found.loss.item(), terms, found.items), (0.0, vec![0.0; 2], items), "{what}");
            }
        }
        // Several strips of classes.
        let loss = dice("softmax", "sample_class", "0");
        for shape in [[0, 40, 5], [2, 40, 0]] {
            let found = evaluated(gpu, &loss, &given(&loss, &shape, Target::Indices), Reduction::None);
            assert_eq!(found.loss.to_f64(), vec![0.0; shape[0] * 40], "{shape:?} on {gpu:?}");
        }
    }
}

/// Samples without a pixel have scores all the same, each with an upstream of its own.
#[test]
fn samples_of_no_pixels_take_an_upstream_each() {
    for gpu in adapters::all() {
        for (scope, shape, scores) in [
            ("sample", &[2, 1, 0][..], &[2][..]),
            ("sample_class", &[2, 3, 0], &[2, 3]),
            ("sample", &[0, 3, 2], &[0]),
            ("class", &[2, 3, 0], &[3]),
        ] {
            let dice = dice("sigmoid", scope, "1");
            let upstream: Vec<f64> = (0..scores.iter().product()).map(|score| 0.5 + score as f64).collect();
            let inputs = given(&dice, shape, Target::Indices).with("upstream", tensor(&upstream, DType::F32, scores));
            let found = evaluated(gpu, &dice, &inputs, Reduction::None);
            assert_eq!(found.loss.to_f64(), vec![0.0; upstream.len()], "{scope} {shape:?} on {gpu:?}");
        }
    }
}

/// No probability at all, before its activation.
fn nothing_of(activation: &str) -> f64 {
    if activation == "none" { 0.0 } else { MASKED }
}

#[test]
fn a_class_that_nobody_wants_or_predicts_is_perfect() {
    const EMPTY: usize = 1;
    let elements: Vec<usize> = (0..10).map(|pixel| element(SHAPE, pixel, EMPTY)).collect();
    for gpu in adapters::all() {
        for (activation, target) in ACTIVATIONS.into_iter().flat_map(|a| TARGETS.map(|target| (a, target))) {
            for (name, smooth) in [("dice", "0"), ("dice", "1"), ("tversky", "0"), ("jaccard", "0")] {
                let settings = |scope| [("activation", activation), ("scope", scope), ("smooth", smooth)];
                let [by_class, by_sample] = ["class", "sample_class"].map(|scope| loss(name, &settings(scope)));
                for loss in [by_class, by_sample] {
                    let empty: Vec<_> = elements.iter().map(|&element| (element, nothing_of(activation))).collect();
                    let inputs = changed(&given(&loss, &SHAPE, target), "prediction", &empty);
                    let inputs = match target {
                        Target::Indices => with_indices(&inputs, |pixel| [0.0, 2.0][pixel % 2]),
                        Target::Values => {
                            changed(&inputs, "target", &elements.iter().map(|&e| (e, 0.0)).collect::<Vec<_>>())
                        }
                    };
                    let found = evaluated(gpu, &loss, &inputs, Reduction::None);
                    let what = format!("{} {target:?} on {gpu:?}", described(&loss));
                    let losses = found.loss.to_f64();
                    assert!(losses.iter().skip(EMPTY).step_by(3).all(|&loss| loss == 0.0), "{what}: {losses:?}");
                    let gradient = gradient(&found);
                    assert!(gradient.iter().all(|g| g.is_finite()), "{what}: {gradient:?}");
                    if smooth == "0" {
                        assert!(elements.iter().all(|&element| gradient[element] == 0.0), "{what}: {gradient:?}");
                    }
                }
            }
        }
        // A base of 0 has a derivative of its power that is not finite.
        for (activation, target) in [("none", Target::Values), ("softmax", Target::Indices)] {
            for exponent in ["0.5", "2"] {
                let settings =
                    [("activation", activation), ("scope", "class"), ("smooth", "0"), ("exponent", exponent)];
                let loss = loss("focal_tversky", &settings);
                let empty: Vec<_> = elements.iter().map(|&element| (element, nothing_of(activation))).collect();
                let inputs = changed(&given(&loss, &SHAPE, target), "prediction", &empty);
                let inputs = match target {
                    Target::Indices => with_indices(&inputs, |pixel| [0.0, 2.0][pixel % 2]),
                    Target::Values => changed(&inputs, "target", &empty),
                };
                let found = evaluated(gpu, &loss, &inputs, Reduction::None);
                assert_eq!(found.loss.to_f64()[EMPTY], 0.0, "{} on {gpu:?}", described(&loss));
                assert!(gradient(&found).iter().all(|g| g.is_finite()), "{} on {gpu:?}", described(&loss));
            }
        }
    }
}

/// A class that is predicted where nobody wants it is as wrong as can be; without smoothing, as much so after any step.
#[test]
fn a_class_that_is_predicted_but_not_wanted_has_no_gradient_without_smoothing() {
    for gpu in adapters::all() {
        for target in TARGETS {
            let without = dice("sigmoid", "sample_class", "0");
            let inputs = given(&without, &SHAPE, target);
            let inputs = match target {
                Target::Indices => with_indices(&inputs, |_| 0.0),
                Target::Values => {
                    let unwanted = (0..10).flat_map(|pixel| [1, 2].map(|class| (element(SHAPE, pixel, class), 0.0)));
                    changed(&inputs, "target", &unwanted.collect::<Vec<_>>())
                }
            };
            let weightless = changed(&inputs, "class_weight", &[(0, 1.0), (1, 1.0), (2, 1.0)]);
            let found = evaluated(gpu, &without, &weightless, Reduction::None);
            let (losses, gradients) = (found.loss.to_f64(), gradient(&found));
            for sample in [0, 1] {
                assert_eq!(losses[3 * sample + 1..][..2], [1.0; 2], "{target:?} on {gpu:?}");
                assert!(gradients[15 * sample + 5..][..10].iter().all(|&g| g == 0.0), "{target:?} on {gpu:?}");
                assert!(gradients[15 * sample..][..5].iter().any(|&g| g != 0.0), "{target:?} on {gpu:?}");
            }
            let found = evaluated(gpu, &dice("sigmoid", "sample_class", "1"), &weightless, Reduction::None);
            assert!(gradient(&found)[5..15].iter().all(|&g| g > 0.0), "{target:?} on {gpu:?}");
        }
        // Probabilities that f32 rounds to 0 are none.
        let sigmoid = dice("sigmoid", "all", "0");
        let inputs = given(&sigmoid, &SHAPE, Target::Values);
        let everywhere = |x: f64| (0..30).map(|element| (element, x)).collect::<Vec<_>>();
        let inputs = changed(&changed(&inputs, "prediction", &everywhere(-200.0)), "target", &everywhere(0.0));
        let found = sigmoid.eval_with(gpu, &inputs, Reduction::None).unwrap();
        assert_eq!((found.loss.to_f64(), gradient(&found)), (vec![0.0], vec![0.0; 30]), "{gpu:?}");
    }
}

fn assert_nothing(found: &Evaluation, what: &str) {
    assert!(found.loss.to_f64().iter().all(|&loss| loss == 0.0), "{what}: {:?}", found.loss);
    assert!(found.terms().iter().all(|(_, &term)| term == 0.0), "{what}: {:?}", found.terms());
    assert!(gradient(found).iter().all(|&g| g == 0.0), "{what}: {found:?}");
}

#[test]
fn where_every_pixel_is_ignored_there_is_nothing() {
    let spoilt: Vec<_> = [f64::NAN, f64::INFINITY, MASKED, -3.0].into_iter().enumerate().collect();
    for gpu in adapters::all() {
        let of_scores = SCOPES.into_iter().flat_map(|scope| {
            let settings = move |smooth| [("scope", scope), ("smooth", smooth), ("activation", "softmax")];
            ["dice", "focal_tversky"].into_iter().flat_map(move |name| ["0", "1"].map(|s| loss(name, &settings(s))))
        });
        let of_others = [dice("none", "class", "0"), dice("sigmoid", "sample", "0")];
        let of_terms = SUMS.into_iter().flat_map(|name| ["0", "1"].map(|smooth| loss(name, &[("smooth", smooth)])));
        for loss in of_scores.chain(of_others).chain(of_terms) {
            let inputs = with_indices(&given(&loss, &SHAPE, Target::Indices), |_| NONE);
            let found = evaluated(gpu, &loss, &changed(&inputs, "prediction", &spoilt), least_reduced(&loss));
            assert_nothing(&found, &format!("{} on {gpu:?}", described(&loss)));
        }
        for loss in [dice("softmax", "sample_class", "0"), loss("ce_dice", &[])] {
            let inputs = with_indices(&given(&loss, &MANY_CLASSES, Target::Indices), |_| NONE);
            let found = evaluated(gpu, &loss, &changed(&inputs, "prediction", &spoilt), least_reduced(&loss));
            assert_nothing(&found, &format!("{} of many classes on {gpu:?}", described(&loss)));
        }
    }
}

/// A sample without a region, or all of whose pixels are ignored, beside one that has its regions.
#[test]
fn an_empty_image_leaves_the_others_alone() {
    for gpu in adapters::all() {
        for (scope, smooth) in SCOPES.into_iter().flat_map(|scope| [(scope, "0"), (scope, "1")]) {
            for activation in ["none", "softmax"] {
                let loss = dice(activation, scope, smooth);
                let ignored = given(&loss, &SHAPE, Target::Indices);
                let ignored = with_indices(&ignored, |pixel| if pixel < 5 { NONE } else { (pixel % 3) as f64 });
                let found = evaluated(gpu, &loss, &ignored, Reduction::None);
                let gradients = gradient(&found);
                assert!(gradients[..15].iter().all(|&g| g == 0.0), "{} on {gpu:?}", described(&loss));
                assert!(gradients[15..].iter().all(|&g| g.is_finite()), "{} on {gpu:?}", described(&loss));
                if scope_named(scope).is_per_sample() {
                    let losses = found.loss.to_f64();
                    let (empty, other) = losses.split_at(losses.len() / 2);
                    assert!(
                        empty.iter().all(|&x| x == 0.0) && other.iter().all(|&x| x > 0.0),
                        "{} {losses:?}",
                        described(&loss)
                    );
                }
                let nowhere: Vec<_> = (0..15).map(|element| (element, 0.0)).collect();
                let unwanted = changed(&given(&loss, &SHAPE, Target::Values), "target", &nowhere);
                let found = evaluated(gpu, &loss, &unwanted, Reduction::None);
                assert!(gradient(&found).iter().all(|&g| g.is_finite()), "{} on {gpu:?}", described(&loss));
            }
        }
    }
}
