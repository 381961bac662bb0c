//! NaN and infinity: how far they spread, and what hides them.

use wgloss::{Evaluation, Loss, Reduction};

use super::{
    ACTIVATIONS, MANY_CLASSES, MASKED, NONE, SCOPES, SHAPE, SUMS, TARGETS, Target, adapters, agreement::evaluated,
    described, dice, element, given, gradient, inputs::changed, least_reduced, loss, with_indices,
};

const SPOILT: usize = 1;

/// Which elements of a tensor `[N, C, d]` are NaN, by sample and class; all pixels of one are alike.
fn spoilt_regions(gradient: &[f64]) -> Vec<bool> {
    let of_region = |region: &[f64]| {
        assert!(region.iter().all(|g| g.is_nan() == region[0].is_nan()), "{region:?}");
        region[0].is_nan()
    };
    gradient.chunks(SHAPE[2]).map(of_region).collect()
}

#[test]
fn nan_is_in_its_scores_and_in_the_gradients_behind_them() {
    // Of the second sample.
    let place = element(SHAPE, 7, SPOILT);
    for gpu in adapters::all() {
        for (activation, scope) in ACTIVATIONS.into_iter().flat_map(|a| SCOPES.map(|scope| (a, scope))) {
            let loss = dice(activation, scope, "1");
            for target in TARGETS {
                let good = given(&loss, &SHAPE, target);
                let of_prediction: &[f64] = match activation {
                    "none" => &[f64::NAN],
                    _ => &[f64::NAN, f64::INFINITY],
                };
                let mut poisons: Vec<_> = of_prediction.iter().map(|&poison| ("prediction", place, poison)).collect();
                poisons.push(("class_weight", SPOILT, f64::NAN));
                if target == Target::Values {
                    poisons.push(("target", place, f64::NAN));
                }
                for (name, index, poison) in poisons {
                    let found = evaluated(gpu, &loss, &changed(&good, name, &[(index, poison)]), Reduction::None);
                    // The scores of the class, or of a softmax with it, in the sample, or of a weight in all of them.
                    let is_spoilt = |sample: usize, class: usize| {
                        let by_class = ["class", "sample_class"].contains(&scope);
                        let by_sample = ["sample_class", "sample"].contains(&scope);
                        let of_class = !by_class || class == SPOILT || activation == "softmax" && name == "prediction";
                        of_class && (!by_sample || sample == 1 || name == "class_weight")
                    };
                    let through_softmax = |sample, class| match activation {
                        "softmax" => (0..3).any(|other| is_spoilt(sample, other)),
                        _ => is_spoilt(sample, class),
                    };
                    let regions = (0..2).flat_map(|sample| (0..3).map(move |class| (sample, class)));
                    let expected: Vec<bool> = regions.map(|(sample, class)| through_softmax(sample, class)).collect();
                    let what = format!("{} {target:?} {name} = {poison} on {gpu:?}", described(&loss));
                    assert_eq!(spoilt_regions(&gradient(&found)), expected, "{what}");
                    assert!(found.loss.to_f64().iter().any(|loss| loss.is_nan()), "{what}");
                    let mean = loss.eval_with(gpu, &changed(&good, name, &[(index, poison)]), Reduction::Mean);
                    assert!(mean.unwrap().loss.item().is_nan(), "{what}");
                }
            }
        }
        // In any strip of classes.
        for class in [0, 7, 39] {
            let place = element(MANY_CLASSES, 7, class);
            for loss in [dice("softmax", "sample_class", "1"), loss("ce_dice", &[])] {
                let good = given(&loss, &MANY_CLASSES, Target::Indices);
                for poison in [f64::NAN, f64::INFINITY, MASKED] {
                    let inputs = changed(&good, "prediction", &[(place, poison)]);
                    evaluated(gpu, &loss, &inputs, least_reduced(&loss));
                }
            }
        }
    }
}

#[test]
fn nan_in_an_input_of_two_terms_is_in_both() {
    for gpu in adapters::all() {
        for (loss, target) in SUMS.into_iter().flat_map(|name| TARGETS.map(|target| (loss(name, &[]), target))) {
            let good = given(&loss, &SHAPE, target);
            let mut poisons = vec![("prediction", f64::NAN), ("prediction", f64::INFINITY), ("class_weight", f64::NAN)];
            if target == Target::Values {
                poisons.push(("target", f64::NAN));
            }
            for (name, poison) in poisons {
                let found = evaluated(gpu, &loss, &changed(&good, name, &[(1, poison)]), Reduction::Mean);
                let terms = found.terms();
                let terms = terms.iter().map(|(_, &term)| f64::from(term));
                let what = format!("{} {target:?} {name} = {poison} on {gpu:?}", described(&loss));
                assert!(terms.chain([found.loss.item()]).all(f64::is_nan), "{what}: {found:?}");
            }
        }
    }
}

/// Loss, terms and gradients as bits; no two NaNs differ.
fn bits(found: &Evaluation) -> Vec<u64> {
    let terms = found.terms();
    let terms = terms.iter().map(|(_, &term)| f64::from(term));
    let all = found.loss.to_f64().into_iter().chain(terms).chain(gradient(found));
    all.map(|x| if x.is_nan() { u64::MAX } else { x.to_bits() }).collect()
}

#[test]
fn ignored_pixels_hide_what_they_hold() {
    let ignored = [1, 5, 9];
    for gpu in adapters::all() {
        let of_dice = ACTIVATIONS.map(|activation| (dice(activation, "class", "1"), SHAPE));
        let of_terms = SUMS.map(|name| (loss(name, &[]), SHAPE));
        let of_many = [dice("softmax", "class", "1"), loss("ce_dice", &[])].map(|loss| (loss, MANY_CLASSES));
        for (loss, shape) in of_dice.into_iter().chain(of_terms).chain(of_many) {
            let good = given(&loss, &shape, Target::Indices);
            let good = changed(&good, "target", &ignored.map(|pixel| (pixel, NONE)));
            let places = ignored.map(|pixel| element(shape, pixel, pixel % shape[1]));
            let [expected, found] = [[0.5; 3], [f64::NAN, f64::INFINITY, MASKED]].map(|values| {
                let values: Vec<_> = places.into_iter().zip(values).collect();
                evaluated(gpu, &loss, &changed(&good, "prediction", &values), least_reduced(&loss))
            });
            assert_eq!(bits(&found), bits(&expected), "{} {shape:?} on {gpu:?}", described(&loss));
            let gradient = gradient(&found);
            for (pixel, class) in ignored.into_iter().flat_map(|pixel| (0..shape[1]).map(move |class| (pixel, class))) {
                assert_eq!(gradient[element(shape, pixel, class)], 0.0, "{} {shape:?} on {gpu:?}", described(&loss));
            }
        }
    }
}

/// Some classes of some pixels, all of a class, and all but one of a pixel.
#[test]
fn masked_classes_have_no_probability_and_no_gradient() {
    for gpu in adapters::all() {
        for shape in [SHAPE, MANY_CLASSES] {
            let last = shape[1] - 1;
            let mut masks: Vec<usize> = (0..10).map(|pixel| element(shape, pixel, last)).collect();
            masks.extend((1..last).map(|class| element(shape, 3, class)));
            masks.push(element(shape, 8, 0));
            let masked: Vec<_> = masks.iter().map(|&place| (place, MASKED)).collect();
            let (sigmoid, [ce_dice, focal_dice]) = (dice("sigmoid", "class", "1"), SUMS.map(|name| loss(name, &[])));
            let of_both = [dice("softmax", "class", "1"), dice("softmax", "all", "0"), ce_dice];
            // Of many classes those whose kernels other tests need too.
            let of_few = [sigmoid, focal_dice].into_iter().filter(|_| shape == SHAPE);
            for loss in of_both.into_iter().chain(of_few) {
                // A class that is never masked for each pixel.
                let inputs = with_indices(&given(&loss, &shape, Target::Indices), |pixel| f64::from(pixel == 8));
                let inputs = changed(&inputs, "prediction", &masked);
                let found = evaluated(gpu, &loss, &inputs, least_reduced(&loss));
                let gradient = gradient(&found);
                let what = format!("{} {shape:?} on {gpu:?}", described(&loss));
                assert!(found.loss.to_f64().iter().chain(&gradient).all(|x| x.is_finite()), "{what}: {found:?}");
                assert!(masks.iter().all(|&place| gradient[place] == 0.0), "{what}: {gradient:?}");
            }
        }
    }
}

#[test]
fn a_pixel_with_every_class_masked_is_nan() {
    for gpu in adapters::all() {
        for shape in [SHAPE, MANY_CLASSES] {
            let masked: Vec<_> = (0..shape[1]).map(|class| (element(shape, 7, class), MASKED)).collect();
            let by_sample = dice("softmax", "sample_class", "1");
            let inputs = changed(&given(&by_sample, &shape, Target::Indices), "prediction", &masked);
            let found = evaluated(gpu, &by_sample, &inputs, Reduction::None);
            let losses = found.loss.to_f64();
            let (clean, spoilt) = losses.split_at(shape[1]);
            assert!(clean.iter().all(|x| x.is_finite()) && spoilt.iter().all(|x| x.is_nan()), "{losses:?} on {gpu:?}");
            let found = evaluated(gpu, &loss("ce_dice", &[]), &inputs, Reduction::Mean);
            assert!(found.terms().iter().all(|(_, term)| term.is_nan()), "{shape:?} on {gpu:?}");
        }
    }
}

#[test]
fn a_pixel_whose_own_class_is_masked_has_an_infinite_term() {
    for gpu in adapters::all() {
        for (name, weight, shapes) in
            [("ce_dice", "ce_weight", &[SHAPE, MANY_CLASSES][..]), ("focal_dice", "focal_weight", &[SHAPE])]
        {
            for &shape in shapes {
                let weighted = loss(name, &[]);
                let inputs = given(&weighted, &shape, Target::Indices);
                let class = inputs.get("target").unwrap().to_f64()[7] as usize;
                let inputs = changed(&inputs, "prediction", &[(element(shape, 7, class), MASKED)]);
                let found = evaluated(gpu, &weighted, &inputs, Reduction::Mean);
                let terms: Vec<f32> = found.terms().iter().map(|(_, &term)| term).collect();
                assert_eq!((found.loss.item(), terms[0]), (f64::INFINITY, f32::INFINITY), "{name} on {gpu:?}");
                assert!(terms[1].is_finite() && gradient(&found).iter().all(|g| g.is_finite()), "{name} on {gpu:?}");
                // Unless the term or the class weighs nothing.
                let weightless = evaluated(gpu, &loss(name, &[(weight, "0")]), &inputs, Reduction::Mean);
                assert!(weightless.loss.item().is_finite(), "{name} on {gpu:?}");
                let inputs = changed(&inputs, "class_weight", &[(class, 0.0)]);
                assert!(
                    evaluated(gpu, &weighted, &inputs, Reduction::Mean).loss.item().is_finite(),
                    "{name} on {gpu:?}"
                );
            }
        }
    }
}

/// What an infinite weight multiplies is infinite or NaN, and nothing hides it.
#[test]
fn an_infinite_class_weight_does_not_stay_hidden() {
    for gpu in adapters::all() {
        for (scope, target) in SCOPES.into_iter().flat_map(|scope| TARGETS.map(|target| (scope, target))) {
            let loss = dice("sigmoid", scope, "1");
            let inputs = changed(&given(&loss, &SHAPE, target), "class_weight", &[(SPOILT, f64::INFINITY)]);
            let found = evaluated(gpu, &loss, &inputs, Reduction::None);
            assert!(found.loss.to_f64().iter().any(|x| !x.is_finite()), "{} {target:?} on {gpu:?}", described(&loss));
        }
        for (loss, target) in SUMS.into_iter().flat_map(|name| TARGETS.map(|target| (loss(name, &[]), target))) {
            let inputs = changed(&given(&loss, &SHAPE, target), "class_weight", &[(SPOILT, f64::INFINITY)]);
            let found = loss.eval_with(gpu, &inputs, Reduction::Mean).unwrap();
            assert!(!found.loss.item().is_finite(), "{} {target:?} on {gpu:?}", described(&loss));
        }
    }
}
