//! Losses of regions: scopes, targets, what is left out, and how they hang together.

use wgloss::spec::Rule;

use super::*;

/// Settings of the parameters other than those below, for the losses that have them.
const OPTIONS: &[Settings] = &[
    &[],
    &[("smooth", "0")],
    &[("squared", "true")],
    &[("smooth", "0.25"), ("include_background", "false"), ("alpha", "0.75"), ("ce_weight", "0.75")],
    &[("ignore_index", "2"), ("beta", "2"), ("exponent", "1.5"), ("focal_weight", "0.25"), ("gamma", "0.5")],
    &[("squared", "true"), ("include_background", "false"), ("dice_weight", "1.5"), ("alpha", "0.25"), ("beta", "0.5")],
];

/// Every activation with every form of the focal loss, every scope and each of the options.
pub fn settings(spec: &LossSpec) -> Vec<Vec<(&'static str, &'static str)>> {
    if spec.regions().is_none() {
        return Vec::new();
    }
    let has = |name: &str| spec.params.iter().any(|param| param.name == name);
    let words = |name| match spec.params.iter().find(|param| param.name == name).map(|param| param.rule) {
        Some(Rule::Word(words)) => words.iter().map(|&word| vec![(name, word)]).collect(),
        _ => vec![vec![]],
    };
    let options =
        OPTIONS.iter().map(|options| options.iter().copied().filter(|(name, _)| has(name)).collect()).collect();
    let each = [words("activation"), words("focal_form"), words("scope"), options];
    each.iter().fold(vec![vec![]], |settings, more| {
        settings.iter().flat_map(|first| more.iter().map(move |second| [&first[..], second].concat())).collect()
    })
}

/// The shape of the scores of a prediction of this shape.
pub fn scores(loss: &dyn Loss, shape: &[usize]) -> Vec<usize> {
    let scored = shape[1] - first_scored(loss);
    match value(loss, "scope") {
        Some(Value::Word("all")) => vec![],
        Some(Value::Word("sample_class")) => vec![shape[0], scored],
        Some(Value::Word("sample")) => vec![shape[0]],
        _ => vec![scored],
    }
}

/// The class that a score is of, if it is of one.
pub fn class_of_score(loss: &dyn Loss, shape: &[usize], score: usize) -> Option<usize> {
    let first = first_scored(loss);
    let is_per_class = !matches!(value(loss, "scope"), Some(Value::Word("all" | "sample")));
    is_per_class.then(|| first + score % (shape[1] - first))
}

fn first_scored(loss: &dyn Loss) -> usize {
    usize::from(value(loss, "include_background") == Some(Value::Flag(false)))
}

fn value(loss: &dyn Loss, name: &str) -> Option<Value> {
    values_of(loss).iter().find(|(param, _)| param.name == name).map(|(_, value)| value)
}

/// Every loss of regions with each of its settings.
fn region_losses() -> impl Iterator<Item = AnyLoss> {
    every_setting().filter(|loss| loss.spec().regions().is_some())
}

fn regions(prediction: &[f64], shape: &[usize], target: HostTensor<'static>) -> Named<HostTensor<'static>> {
    Named::new().with("prediction", tensor(prediction, shape)).with("target", target)
}

/// The inputs with another tensor in the place of one of them.
fn with_other(
    inputs: &Named<HostTensor<'static>>,
    name: &str,
    tensor: HostTensor<'static>,
) -> Named<HostTensor<'static>> {
    let others = inputs.iter().filter(|(other, _)| *other != name);
    others.map(|(name, tensor)| (name.to_string(), tensor.clone())).chain([(name.to_string(), tensor)]).collect()
}

fn with_class_weight(inputs: &Named<HostTensor<'static>>, weights: &[f64]) -> Named<HostTensor<'static>> {
    inputs.clone().with("class_weight", tensor(weights, &[weights.len()]))
}

#[track_caller]
fn assert_same(found: &Evaluation, expected: &Evaluation, tolerance: f64, what: &str) {
    assert_all_close(&found.loss, &expected.loss, tolerance, what);
    assert_all_close(&found.terms, &expected.terms, tolerance, what);
    assert_all_close(&found.gradients[0].1, &expected.gradients[0].1, tolerance, what);
    assert_eq!((found.items, &found.shape), (expected.items, &expected.shape), "{what}");
}

/// Two samples of three classes at two places each, as probabilities, and their classes.
const PROBABILITIES: [f64; 12] = [0.5, 0.25, 0.25, 0.0, 0.25, 0.75, 0.125, 1.0, 0.75, 0.0, 0.125, 0.0];
const INDICES: [i32; 4] = [0, 2, 1, 0];
const SHAPE: &[usize] = &[2, 3, 2];

fn probabilities() -> Named<HostTensor<'static>> {
    regions(&PROBABILITIES, SHAPE, classes(&INDICES, &[2, 2]))
}

/// Their target as a value for each class.
fn one_hot() -> Vec<f64> {
    let value =
        |(index, _): (usize, &f64)| f64::from(u8::from(INDICES[index / 6 * 2 + index % 2] == (index / 2 % 3) as i32));
    PROBABILITIES.iter().enumerate().map(value).collect()
}

/// Every way to sum.
fn every_sum() -> impl Iterator<Item = [(&'static str, &'static str); 3]> {
    let scopes = ["all", "class", "sample_class", "sample"].map(|scope| ("scope", scope));
    let flags = |name| [(name, "false"), (name, "true")];
    let scopes_and_squares = scopes.into_iter().flat_map(move |scope| flags("squared").map(|squared| (scope, squared)));
    scopes_and_squares.flat_map(move |(scope, squared)| flags("include_background").map(|b| [scope, squared, b]))
}

#[test]
fn scores_are_those_of_the_textbook() {
    let weights = [0.5, 2.0, 0.25];
    for summed in every_sum() {
        for weighted in [false, true] {
            let inputs = if weighted { with_class_weight(&probabilities(), &weights) } else { probabilities() };
            let weight = |class: usize| if weighted { weights[class] } else { 1.0 };
            let [(_, scope), (_, squared), (_, background)] = summed;
            // I, P and T of every score.
            let sums = |class: Option<usize>, sample: Option<usize>| {
                let mut sums = [0.0; 3];
                for (index, (p, t)) in PROBABILITIES.into_iter().zip(one_hot()).enumerate() {
                    let (of_sample, of_class) = (index / 6, index / 2 % 3);
                    let scored = of_class > 0 || background == "true";
                    if scored && class.is_none_or(|c| c == of_class) && sample.is_none_or(|n| n == of_sample) {
                        let factor = if class.is_none() { weight(of_class) } else { 1.0 };
                        let added = if squared == "true" { [p * t, p * p, t * t] } else { [p * t, p, t] };
                        sums.iter_mut().zip(added).for_each(|(sum, x)| *sum += factor * x);
                    }
                }
                (class.map_or(1.0, weight), sums)
            };
            let scored = || usize::from(background == "false")..3;
            let sums: Vec<_> = match scope {
                "all" => vec![sums(None, None)],
                "class" => scored().map(|c| sums(Some(c), None)).collect(),
                "sample_class" => {
                    (0..2).flat_map(|n| scored().map(move |c| (c, n))).map(|(c, n)| sums(Some(c), Some(n))).collect()
                }
                _ => (0..2).map(|n| sums(None, Some(n))).collect(),
            };
            type Formula = (&'static str, fn([f64; 3]) -> f64);
            let formulas: [Formula; 4] = [
                ("dice", |[i, p, t]| 1.0 - (2.0 * i + 0.5) / (p + t + 0.5)),
                ("tversky", |[i, p, t]| 1.0 - (i + 0.5) / (i + 0.25 * (p - i) + 0.75 * (t - i) + 0.5)),
                ("focal_tversky", |[i, p, t]| {
                    (1.0 - (i + 0.5) / (i + 0.25 * (p - i) + 0.75 * (t - i) + 0.5)).powf(1.5)
                }),
                ("jaccard", |[i, p, t]| 1.0 - (i + 0.5) / (p + t - i + 0.5)),
            ];
            for (name, formula) in formulas {
                let extra: Settings = match name {
                    "tversky" => &[("alpha", "0.25"), ("beta", "0.75")],
                    "focal_tversky" => &[("alpha", "0.25"), ("beta", "0.75"), ("exponent", "1.5")],
                    _ => &[],
                };
                let loss = loss(name, &[&summed[..], &[("smooth", "0.5")], extra].concat());
                let expected: Vec<f64> = sums.iter().map(|&(weight, sums)| weight * formula(sums)).collect();
                let of = |reduction| evaluate(&loss, &inputs, reduction);
                let none = of(Reduction::None);
                let what = format!("{} {weighted}", described(&loss));
                assert_all_close(&none.loss, &expected, 1e-15, &what);
                assert_eq!((none.shape, none.items), (scores(&loss, SHAPE), expected.len() as u64), "{what}");
                let sum: f64 = expected.iter().sum();
                let mass: f64 = sums.iter().map(|(weight, _)| weight).sum();
                let reduced = [
                    (Reduction::Sum, 1.0),
                    (Reduction::Mean, expected.len() as f64),
                    (Reduction::WeightedMean, mass),
                    (Reduction::BatchMean, 2.0),
                ];
                for (reduction, divisor) in reduced {
                    assert_close(of(reduction).loss[0], sum / divisor, 1e-15, &what);
                    // With squares, that of terms of both signs.
                    let (magnitude, least) = (of(reduction).magnitude, sum.abs() / divisor);
                    assert!(magnitude >= least * (1.0 - 1e-15), "{what}: {magnitude} is below {least}");
                    assert!(
                        squared == "true" || magnitude <= least * (1.0 + 1e-15),
                        "{what}: {magnitude} is above {least}"
                    );
                }
            }
        }
    }
}

#[test]
fn indices_are_values_of_one_and_zero() {
    let indices = classes(&[0, 1, 1, 0], &[2, 2]);
    let values = tensor(
        &[1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        VOLUME,
    );
    for loss in region_losses() {
        for reduction in loss.spec().reductions() {
            for optional in [false, true] {
                // The mean of a softmax's cross-entropy divides by the weights of the pixels' classes, or else by the
                // pixels.
                if loss.spec().name == "ce_dice" && optional && !has_elementwise_term(&loss) {
                    continue;
                }
                let inputs = inputs_for(&loss, VOLUME, reduction, optional, 5);
                let [found, expected] = [&indices, &values]
                    .map(|target| evaluate(&loss, &with_other(&inputs, "target", target.clone()), reduction));
                assert_same(&found, &expected, 1e-15, &described(&loss));
            }
        }
    }
}

#[test]
fn empty_regions_are_perfect() {
    // Nobody wants or predicts the last class.
    let values = [0.5, 0.25, 0.0, 1.0, 0.0, 0.0];
    let inputs = regions(&values, &[2, 3], classes(&[0, 1], &[2]));
    for name in ["dice", "tversky", "focal_tversky", "jaccard"] {
        for smooth in ["0", "0.5"] {
            for squared in ["false", "true"] {
                let loss = loss(name, &[("smooth", smooth), ("squared", squared), ("scope", "class")]);
                let found = evaluate(&loss, &inputs, Reduction::None);
                assert_eq!((found.loss[2], found.items), (0.0, 3), "{}", described(&loss));
                assert!(found.loss[..2].iter().all(|&loss| loss > 0.0), "{}", described(&loss));
                let gradient = &found.gradients[0].1;
                // Without smoothing nothing can be won or lost; with it, less of what is not there is better.
                if smooth == "0" {
                    assert_eq!((gradient[2], gradient[5]), (0.0, 0.0), "{}", described(&loss));
                } else if squared == "false" && name != "focal_tversky" {
                    assert!(gradient[2] > 0.0 && gradient[2] == gradient[5], "{}", described(&loss));
                }
            }
        }
    }
    // Without smoothing any prediction of what is not there is as bad as any other.
    let found = evaluate(
        &loss("dice", &[("smooth", "0")]),
        &regions(&[0.25, 0.5], &[2, 1], classes(&[-100, -100], &[2])),
        Reduction::Sum,
    );
    assert_eq!((found.loss, found.gradients[0].1.clone()), (vec![0.0], vec![0.0; 2]), "only ignored pixels");
    let found = evaluate(
        &loss("dice", &[("smooth", "0")]),
        &regions(&[0.25, 0.5], &[2, 1], tensor(&[0.0; 2], &[2, 1])),
        Reduction::Sum,
    );
    assert_eq!((found.loss, found.gradients[0].1.clone()), (vec![1.0], vec![0.0; 2]), "an empty target");
    // False positives and negatives that weigh nothing leave nothing to divide by.
    let weightless = loss("tversky", &[("alpha", "0"), ("beta", "0"), ("smooth", "0")]);
    let found = evaluate(&weightless, &regions(&[0.5], &[1, 1], tensor(&[0.0], &[1, 1])), Reduction::Sum);
    assert_eq!((found.loss, found.gradients[0].1.clone()), (vec![0.0], vec![0.0]));
}

#[test]
fn a_focal_tversky_of_nothing_has_no_slope() {
    // A perfect prediction, and soft targets whose squares make the ratio larger than 1.
    for (squared, p, t) in [("false", 1.0, 1.0), ("true", 0.25, 0.5)] {
        let settings = [("squared", squared), ("alpha", "1"), ("beta", "0"), ("exponent", "0.5")];
        let inputs = regions(&[p], &[1, 1], tensor(&[t], &[1, 1]));
        let found = evaluate(&loss("focal_tversky", &settings), &inputs, Reduction::Sum);
        assert_eq!((found.loss, found.gradients[0].1.clone()), (vec![0.0], vec![0.0]), "squared={squared}");
    }
}

#[test]
fn ignored_pixels_are_as_if_they_were_not_there() {
    let kept = regions(&[0.5, 0.25, 1.0, 0.125, 0.75, 0.0], &[1, 3, 2], classes(&[0, 2], &[1, 2]));
    // A pixel more, between them, with what would spoil or be refused.
    let values = [0.5, f64::NAN, 0.25, 1.0, f64::INFINITY, 0.125, 0.75, -3.0, 0.0];
    for loss in region_losses() {
        let ignored = ignore_index(&loss).unwrap();
        let named = |class: i32| if class == ignored { 1 } else { class };
        for reduction in loss.spec().reductions() {
            let target = |indices: &[i32]| classes(indices, &[1, indices.len()]);
            let kept = with_other(&kept, "target", target(&[0, named(2)]));
            let all = regions(&values, &[1, 3, 3], target(&[0, ignored, named(2)]));
            let [found, expected] =
                [&all, &kept].map(|inputs| evaluate(&loss, &with_class_weight(inputs, &[0.5, 2.0, 1.0]), reduction));
            let gradient = &found.gradients[0].1;
            let without: Vec<f64> = gradient.iter().enumerate().filter(|(i, _)| i % 3 != 1).map(|(_, &x)| x).collect();
            assert_eq!(without, expected.gradients[0].1, "{}", described(&loss));
            assert!(gradient.iter().skip(1).step_by(3).all(|&x| x == 0.0), "{}", described(&loss));
            let rest = |result: Evaluation| Evaluation { gradients: vec![], gradient_magnitudes: vec![], ..result };
            assert_eq!(rest(found), rest(expected), "{}", described(&loss));
        }
    }
}

#[test]
fn pixels_and_elements_out_of_range_are_counted() {
    let refused = |loss: &AnyLoss, inputs: &Named<HostTensor<'_>>, count, first| {
        let found = reference::evaluate(loss, inputs, &Reduction::Mean.into());
        assert_eq!(out_of_range(&found.unwrap_err()), (loss.spec().name, count, first), "{}", described(loss));
    };
    let [none, sigmoid, terms] = ["dice", "jaccard", "ce_dice"].map(|name| match name {
        "jaccard" => loss("jaccard", &[("activation", "sigmoid")]),
        name => loss(name, &[]),
    });
    // Five pixels of two classes: a bad index counts once, whatever else its pixel holds.
    let values = [0.5, 2.0, 0.5, 0.5, f64::NAN, 0.5, -1.0, 1.5, 0.5, 0.5];
    let of = |target: [i32; 5]| regions(&values, &[1, 2, 5], classes(&target, &[1, 5]));
    refused(&none, &of([0, 1, 0, 1, 1]), 3, 1);
    refused(&none, &of([0, -1, 2, 1, 1]), 2, 1);
    refused(&none, &of([0, -100, -100, 1, 7]), 1, 4);
    // With an activation any prediction will do.
    refused(&sigmoid, &of([0, -1, 2, 1, 1]), 2, 1);
    refused(&terms, &of([-100, 1, 0, 5, 1]), 1, 3);

    // Elements of a target or of a class that weighs less than nothing, each once.
    let targets = [0.5, 1.5, 0.0, f64::NAN, -0.5, 1.0, 0.25, 1.0, -1.0, 0.0];
    let soft = regions(&values, &[1, 2, 5], tensor(&targets, &[1, 2, 5]));
    refused(&sigmoid, &soft, 3, 1);
    refused(&none, &soft, 5, 1);
    refused(&none, &with_class_weight(&soft, &[1.0, -1.0]), 7, 0);
    refused(&none, &with_class_weight(&of([0, -100, 2, 1, 1]), &[1.0, -1.0]), 4, 0);
    // The background too, if it is not scored.
    let without = loss("dice", &[("include_background", "false")]);
    refused(&without, &with_class_weight(&soft, &[-1.0, 1.0]), 8, 0);
}

#[test]
fn nan_flows_into_its_scores_and_no_others() {
    for loss in region_losses().filter(|loss| !has_terms(loss.spec())) {
        let word = |name: &str| value(&loss, name).map(|value| value.to_string()).unwrap();
        let (scope, is_softmax) = (word("scope"), word("activation") == "softmax");
        let first = first_scored(&loss);
        let score_of = |[sample, class]: [usize; 2]| {
            let score = match &scope[..] {
                "all" => 0,
                "class" => class.checked_sub(first)?,
                "sample_class" => sample * (CLASSES - first) + class.checked_sub(first)?,
                _ => sample,
            };
            (class >= first).then_some(score)
        };
        let clean = inputs_for(&loss, VOLUME, Reduction::None, true, 3);
        let expected = evaluate(&loss, &clean, Reduction::None);
        let every_element = || (0..2).flat_map(|sample| (0..CLASSES).map(move |class| [sample, class]));
        // Class 1 of sample 1.
        for (name, index) in [("prediction", 13), ("target", 13), ("class_weight", 1)] {
            for poison in [f64::NAN, f64::INFINITY] {
                let inputs = moved(&clean, name, index, poison);
                if poison.is_infinite() && (name != "prediction" || word("activation") == "none") {
                    continue;
                }
                let is_spoilt = |[sample, class]: [usize; 2]| {
                    let of_class = class == 1 || name == "prediction" && is_softmax;
                    of_class && (sample == 1 || name == "class_weight")
                };
                let spoilt: Vec<usize> = every_element().filter(|&at| is_spoilt(at)).filter_map(score_of).collect();
                let found = evaluate(&loss, &inputs, Reduction::None);
                let what = format!("{}: {name} = {poison}", described(&loss));
                for (score, (found, expected)) in found.loss.iter().zip(&expected.loss).enumerate() {
                    let kept = if spoilt.contains(&score) { found.is_nan() } else { found == expected };
                    assert!(kept, "{what}: score {score} is {found}");
                }
                // The gradients of what is in these scores, or in a softmax with it.
                let in_spoilt = |at| score_of(at).is_some_and(|score| spoilt.contains(&score));
                let gradients = found.gradients[0].1.chunks(2).zip(expected.gradients[0].1.chunks(2));
                for ([sample, class], (found, expected)) in every_element().zip(gradients) {
                    let with_it = |class: usize| in_spoilt([sample, class]);
                    let is_nan = if is_softmax { (0..CLASSES).any(with_it) } else { with_it(class) };
                    let kept = if is_nan { found.iter().all(|g| g.is_nan()) } else { found == expected };
                    assert!(kept, "{what}: gradient of class {class} of sample {sample} is {found:?}");
                }
            }
        }
    }
}

#[test]
fn nan_in_an_input_of_terms_is_in_both() {
    for name in ["ce_dice", "focal_dice"] {
        let clean = with_class_weight(&probabilities(), &[0.5, 2.0, 1.0]);
        for (input, index, poison) in
            [("prediction", 3, f64::NAN), ("prediction", 3, f64::INFINITY), ("class_weight", 1, f64::NAN)]
        {
            let found = evaluate(&loss(name, &[]), &moved(&clean, input, index, poison), Reduction::Mean);
            let all = found.loss.iter().chain(&found.terms).chain(&found.gradients[0].1);
            assert!(all.copied().all(f64::is_nan), "{name}: {input} = {poison}: {found:?}");
        }
        let values = with_other(&clean, "target", tensor(&one_hot(), SHAPE));
        let found = evaluate(&loss(name, &[]), &moved(&values, "target", 0, f64::NAN), Reduction::Mean);
        assert!(found.terms.iter().all(|term| term.is_nan()) && found.loss[0].is_nan(), "{name}: {found:?}");
    }
}

#[test]
fn nan_without_weight_or_score_is_not_hidden() {
    // The target of the background of the first pixel, which no score looks at: in the gradient of what it is of.
    let values = with_other(&probabilities(), "target", tensor(&one_hot(), SHAPE));
    for (activation, spoilt) in [("none", &[0][..]), ("sigmoid", &[0]), ("softmax", &[0, 2, 4])] {
        let dice = loss("dice", &[("activation", activation), ("include_background", "false")]);
        let [found, expected] = [moved(&values, "target", 0, f64::NAN), values.clone()]
            .map(|inputs| evaluate(&dice, &inputs, Reduction::Sum));
        assert_eq!(found.loss, expected.loss, "{activation}");
        for (index, (found, expected)) in found.gradients[0].1.iter().zip(&expected.gradients[0].1).enumerate() {
            assert_eq!(found.is_nan(), spoilt.contains(&index), "{activation}[{index}]");
            assert!(found.is_nan() || found == expected, "{activation}[{index}]");
        }
    }
    // A pixel of a class that weighs nothing, in the term of the pixels.
    let weightless = with_class_weight(&probabilities(), &[0.0, 1.0, 1.0]);
    for name in ["ce_dice", "focal_dice"] {
        let found = evaluate(&loss(name, &[]), &moved(&weightless, "prediction", 0, f64::NAN), Reduction::Mean);
        assert!(found.terms[0].is_nan() && found.gradients[0].1[0].is_nan(), "{name}");
    }
    // A weight, of pixels that are all ignored, and of a class that no index names.
    let ignored = with_other(&probabilities(), "target", classes(&[-100; 4], &[2, 2]));
    for scope in ["all", "class", "sample_class", "sample"] {
        let inputs = with_class_weight(&ignored, &[1.0, f64::NAN, 1.0]);
        let found = evaluate(&loss("dice", &[("scope", scope)]), &inputs, Reduction::Mean);
        assert!(found.loss[0].is_nan() && found.gradients[0].1.iter().all(|&g| g == 0.0), "{scope}");
    }
    let named = with_other(&probabilities(), "target", classes(&[1, 2, 1, 1], &[2, 2]));
    let inputs = with_class_weight(&named, &[f64::NAN, 1.0, 1.0]);
    let found = evaluate(&loss("ce_dice", &[("include_background", "false")]), &inputs, Reduction::Mean);
    assert!(found.loss[0].is_finite() && found.gradients[0].1.iter().all(|g| g.is_finite()));
}

const MASK: f64 = f64::NEG_INFINITY;

#[test]
fn masked_classes_have_no_probability() {
    // Two pixels of two classes, and a class between them that is masked and that no target names.
    let (masked, rest) = ([0.5, -1.0, MASK, MASK, 2.0, 0.25], [0.5, -1.0, 2.0, 0.25]);
    for (name, settings) in [
        ("dice", &[("activation", "softmax"), ("scope", "class")] as Settings),
        ("tversky", &[("activation", "softmax"), ("scope", "sample")]),
        ("jaccard", &[("activation", "softmax"), ("smooth", "0")]),
        ("ce_dice", &[]),
        ("focal_dice", &[("gamma", "0.5")]),
    ] {
        let loss = loss(name, settings);
        let reduction = if has_terms(loss.spec()) { Reduction::Mean } else { Reduction::Sum };
        let found = evaluate(&loss, &regions(&masked, &[1, 3, 2], classes(&[0, 2], &[1, 2])), reduction);
        let expected = evaluate(&loss, &regions(&rest, &[1, 2, 2], classes(&[0, 1], &[1, 2])), reduction);
        // A mean over the scores has one more, of 0.
        let part = if has_terms(loss.spec()) { 2.0 / 3.0 } else { 1.0 };
        let scores = |found: &Evaluation| *found.terms.last().unwrap_or(&found.loss[0]);
        assert_close(scores(&found), part * scores(&expected), 1e-15, &described(&loss));
        if let ([found, _], [expected, _]) = (&found.terms[..], &expected.terms[..]) {
            assert_close(*found, *expected, 1e-15, &described(&loss));
        } else {
            let gradient = &found.gradients[0].1;
            let without = [&gradient[..2], &gradient[4..]].concat();
            assert_all_close(&without, &expected.gradients[0].1, 1e-15, &described(&loss));
        }
        assert_eq!(found.gradients[0].1[2..4], [0.0, 0.0], "{}", described(&loss));
    }

    let sigmoid = loss("dice", &[("activation", "sigmoid")]);
    let found = evaluate(&sigmoid, &regions(&[MASK, 0.0], &[1, 2], classes(&[1], &[1])), Reduction::Sum);
    let of_probabilities = regions(&[0.0, 0.5], &[1, 2], classes(&[1], &[1]));
    let expected = evaluate(&loss("dice", &[]), &of_probabilities, Reduction::Sum);
    assert_eq!((found.loss, found.gradients[0].1[0]), (expected.loss, 0.0));

    // Nothing is left of a pixel with every class masked, nor of what it belongs to.
    let nothing = regions(&[MASK, MASK, 0.5, 1.0], &[2, 2], classes(&[0, 1], &[2]));
    let by_sample =
        evaluate(&loss("dice", &[("activation", "softmax"), ("scope", "sample")]), &nothing, Reduction::None);
    assert!(by_sample.loss[0].is_nan() && by_sample.loss[1].is_finite());
    assert!(by_sample.gradients[0].1[..2].iter().all(|g| g.is_nan()));
    assert!(by_sample.gradients[0].1[2..].iter().all(|g| g.is_finite()));
    let terms = evaluate(&loss("ce_dice", &[]), &nothing, Reduction::Mean);
    assert!(terms.terms.iter().chain(&terms.gradients[0].1).all(|x| x.is_nan()));
}

#[test]
fn a_pixel_whose_class_is_masked_has_an_infinite_term() {
    let inputs = regions(&[MASK, 0.5, 1.0, 2.0], &[2, 2], classes(&[0, 1], &[2]));
    for name in ["ce_dice", "focal_dice"] {
        let found = evaluate(&loss(name, &[]), &inputs, Reduction::Mean);
        assert_eq!((found.loss[0], found.terms[0], found.magnitude), (f64::INFINITY, f64::INFINITY, f64::INFINITY));
        assert!(found.terms[1].is_finite() && found.gradients[0].1.iter().all(|g| g.is_finite()));
        // Unless it weighs nothing: as a term, or as a class.
        let weightless = loss(name, &[(if name == "ce_dice" { "ce_weight" } else { "focal_weight" }, "0")]);
        let weightless = evaluate(&weightless, &inputs, Reduction::Mean);
        assert_eq!(weightless.loss[0], 0.5 * weightless.terms[1], "{name}");
        let found = evaluate(&loss(name, &[]), &with_class_weight(&inputs, &[0.0, 1.0]), Reduction::Mean);
        assert!(found.terms[0].is_finite() && found.terms[0] > 0.0, "{name}");
    }
}

#[test]
fn samples_with_scores_of_their_own_do_not_meet() {
    for loss in region_losses().filter(|loss| !has_terms(loss.spec())) {
        let Some(Value::Word("sample" | "sample_class")) = value(&loss, "scope") else { continue };
        for indices in [false, true] {
            let both = inputs_for(&loss, Layout { shape: VOLUME, indices }, Reduction::Mean, true, 9);
            let sample = |sample: usize| -> Named<HostTensor<'static>> {
                let part = |(name, given): (&str, &HostTensor<'static>)| {
                    let values = given.to_f64();
                    let shape = [&[1], &given.shape()[1..]].concat();
                    let part = &values[sample * values.len() / 2..][..values.len() / 2];
                    let part = match (given.shape()[0], given.dtype()) {
                        (2, DType::I32) => classes(&part.iter().map(|&t| t as i32).collect::<Vec<_>>(), &shape),
                        (2, _) => tensor(part, &shape),
                        _ => given.clone(),
                    };
                    (name.to_string(), part)
                };
                both.iter().map(part).collect()
            };
            let found = evaluate(&loss, &both, Reduction::None);
            let parts = [0, 1].map(|index| evaluate(&loss, &sample(index), Reduction::None));
            let all =
                |of: fn(&Evaluation) -> &[f64]| parts.iter().flat_map(|part| of(part).to_vec()).collect::<Vec<_>>();
            assert_eq!(found.loss, all(|part| &part.loss), "{}", described(&loss));
            assert_eq!(found.gradients[0].1, all(|part| &part.gradients[0].1), "{}", described(&loss));
        }
    }
}

#[test]
fn identities_between_losses_of_regions() {
    let others = ["activation", "scope", "include_background", "squared", "ignore_index", "smooth"];
    for dice in region_losses().filter(|loss| loss.spec().name == "dice") {
        let settings = |name: &str, extra: &[(&str, &str)]| {
            let texts = others.map(|other| (other, value(&dice, other).unwrap().to_string()));
            let shared = texts
                .iter()
                .map(|(name, text)| (*name, text.as_str()))
                .filter(|(name, _)| !extra.iter().any(|e| e.0 == *name));
            loss(name, &shared.chain(extra.iter().copied()).collect::<Vec<_>>())
        };
        let smooth = match value(&dice, "smooth") {
            Some(Value::Number(smooth)) => smooth,
            _ => unreachable!(),
        };
        let half = (smooth / 2.0).to_string();
        for layout in layouts(dice.spec()) {
            let inputs = inputs_for(&dice, layout, Reduction::None, true, 13);
            let of = |loss: &AnyLoss| evaluate(loss, &inputs, Reduction::None);
            let what = described(&dice);
            let expected = of(&dice);
            let tversky = of(&settings("tversky", &[("alpha", "0.5"), ("beta", "0.5"), ("smooth", &half)]));
            assert_same(&tversky, &expected, 1e-14, &format!("tversky for {what}"));
            let unit = of(&settings(
                "focal_tversky",
                &[("exponent", "1"), ("alpha", "0.5"), ("beta", "0.5"), ("smooth", &half)],
            ));
            // Squares of soft targets may make a loss that is below 0, which counts as 0.
            if expected.loss.iter().all(|&loss| loss >= 0.0) {
                assert_same(&unit, &expected, 1e-14, &format!("focal_tversky for {what}"));
            }
            // J = 2D/(1 + D), of losses without weights.
            let unweighted: Named<HostTensor<'static>> = inputs
                .iter()
                .filter(|(name, _)| *name != "class_weight")
                .map(|(n, t)| (n.to_string(), t.clone()))
                .collect();
            let [dice, jaccard] = [&dice, &settings("jaccard", &[("smooth", &half)])]
                .map(|loss| evaluate(loss, &unweighted, Reduction::None));
            let from_dice: Vec<f64> = dice.loss.iter().map(|d| 2.0 * d / (1.0 + d)).collect();
            assert_all_close(&jaccard.loss, &from_dice, 1e-14, &format!("jaccard for {what}"));
        }
    }
}

/// The mean focal loss of soft targets, `[2, 5, 2]`: of each class as that of all pixels, with its targets for weights.
fn soft_focal(focal: &AnyLoss, inputs: &Named<HostTensor<'static>>, targets: &[f64]) -> Evaluation {
    let of_class = |class: usize| {
        let share: Vec<f64> = (0..4).map(|pixel| targets[pixel / 2 * 10 + class * 2 + pixel % 2]).collect();
        let inputs = with_other(inputs, "target", classes(&[class as i32; 4], &[2, 2]));
        evaluate(focal, &inputs.with("weight", tensor(&share, &[2, 2])), Reduction::Mean)
    };
    let parts: Vec<Evaluation> = (0..CLASSES).map(of_class).collect();
    let sum = |of: &dyn Fn(&Evaluation) -> f64| parts.iter().map(of).sum::<f64>();
    let gradient = (0..20).map(|index| sum(&|part| part.gradients[0].1[index])).collect();
    Evaluation { loss: vec![sum(&|part| part.loss[0])], gradients: vec![("logits", gradient)], ..parts[0].clone() }
}

/// Whether the pixels' term is one of each class by itself.
fn has_elementwise_term(loss: &AnyLoss) -> bool {
    has_terms(loss.spec())
        && ["activation", "focal_form"].iter().any(|name| value(loss, name) == Some(Value::Word("sigmoid")))
}

/// The mean of an elementwise loss over the pixels and classes, `[2, 5, 2]`, with weights of the classes and without
/// the pixels whose index is to be ignored.
fn of_each_class(
    loss: &AnyLoss,
    logits: &[f64],
    target: &HostTensor<'static>,
    weights: Option<&HostTensor<'static>>,
    ignored: i32,
) -> Evaluation {
    let (given, weights) = (target.to_f64(), weights.map_or(vec![1.0; CLASSES], HostTensor::to_f64));
    let class = |index: usize| index / 2 % CLASSES;
    let label = |index: usize| given[index / 10 * 2 + index % 2];
    let is_index = target.dtype() == DType::I32;
    let value =
        |index: usize| if is_index { f64::from(u8::from(label(index) == class(index) as f64)) } else { given[index] };
    let counts = |index: usize| !is_index || label(index) != f64::from(ignored);
    let of_all = |of: &dyn Fn(usize) -> f64| tensor(&(0..20).map(of).collect::<Vec<_>>(), VOLUME);
    let inputs = Named::new()
        .with("logits", tensor(logits, VOLUME))
        .with("target", of_all(&value))
        .with("weight", of_all(&|index| weights[class(index)]))
        .with("mask", of_all(&|index| f64::from(u8::from(counts(index)))));
    evaluate(loss, &inputs, Reduction::Mean)
}

#[test]
fn terms_are_the_losses_of_their_names() {
    let logits: Vec<f64> = (0..20).map(|index| f64::from((index * 37) % 23 - 9) / 4.0).collect();
    let values: Vec<f64> = (0..20).map(|index| f64::from(index * 7 % 5) / 8.0).collect();
    let weights = tensor(&[0.5, 2.0, 0.0, 1.0, 0.75], &[CLASSES]);
    let shared = ["activation", "scope", "smooth", "include_background", "squared", "ignore_index"];
    for whole in region_losses().filter(|loss| has_terms(loss.spec())) {
        let settings = |name: &str, kept: &[&str], extra: &[(&str, &str)]| {
            let texts: Vec<_> = kept.iter().map(|kept| (*kept, value(&whole, kept).unwrap().to_string())).collect();
            let texts = texts.iter().map(|(name, text)| (*name, text.as_str())).chain(extra.iter().copied());
            loss(name, &texts.collect::<Vec<_>>())
        };
        let number = |name: &str| match value(&whole, name) {
            Some(Value::Number(x)) => f64::from(x),
            other => unreachable!("{other:?}"),
        };
        let factors =
            [if whole.spec().name == "ce_dice" { "ce_weight" } else { "focal_weight" }, "dice_weight"].map(number);
        let indices = classes(&[3, ignore_index(&whole).unwrap(), 0, 1], &[2, 2]);
        let dice = settings("dice", &shared, &[]);
        for (target, weighted) in [(&indices, false), (&indices, true), (&tensor(&values, VOLUME), true)] {
            let inputs = regions(&logits, VOLUME, target.clone());
            let of_pixels = Named::new().with("logits", tensor(&logits, VOLUME)).with("target", target.clone());
            let weigh = |inputs: Named<HostTensor<'static>>| {
                if weighted { inputs.with("class_weight", weights.clone()) } else { inputs }
            };
            let pixels = match (whole.spec().name, target.dtype()) {
                (name, _) if has_elementwise_term(&whole) => {
                    let alone = match name {
                        "ce_dice" => loss("bce_with_logits", &[]),
                        _ => settings("sigmoid_focal", &["alpha", "gamma"], &[]),
                    };
                    of_each_class(&alone, &logits, target, weighted.then_some(&weights), ignore_index(&whole).unwrap())
                }
                ("ce_dice", DType::I32) => {
                    evaluate(&settings("cross_entropy", &["ignore_index"], &[]), &weigh(of_pixels), Reduction::Mean)
                }
                ("ce_dice", _) => {
                    let soft = Named::new()
                        .with("logits", tensor(&logits, VOLUME))
                        .with("target_probabilities", target.clone());
                    evaluate(&settings("cross_entropy_soft", &[], &[]), &weigh(soft), Reduction::Mean)
                }
                (_, DType::I32) => evaluate(
                    &settings("focal", &["alpha", "gamma", "ignore_index"], &[]),
                    &weigh(of_pixels),
                    Reduction::Mean,
                ),
                _ => {
                    let focal = settings("focal", &["alpha", "gamma"], &[("ignore_index", "-100")]);
                    soft_focal(&focal, &weigh(of_pixels), &values)
                }
            };
            let scores = evaluate(&dice, &weigh(inputs.clone()), Reduction::Mean);
            let found = evaluate(&whole, &weigh(inputs), Reduction::Mean);
            let what = format!("{} {:?} {weighted}", described(&whole), target.dtype());
            assert_all_close(&found.terms, &[pixels.loss[0], scores.loss[0]], 1e-15, &what);
            let both = |pixels: f64, scores: f64| factors[0] * pixels + factors[1] * scores;
            assert_close(found.loss[0], both(pixels.loss[0], scores.loss[0]), 1e-15, &what);
            let gradients = pixels.gradients[0].1.iter().zip(&scores.gradients[0].1);
            let expected: Vec<f64> = gradients.map(|(&pixels, &scores)| both(pixels, scores)).collect();
            assert_all_close(&found.gradients[0].1, &expected, 1e-15, &what);
            assert_eq!((found.items, found.shape, found.correct), (scores.items, vec![], None), "{what}");
        }
    }
}

#[test]
fn the_background_is_left_out_of_scores_but_not_of_the_softmax() {
    let without =
        |activation| loss("dice", &[("activation", activation), ("scope", "class"), ("include_background", "false")]);
    let all = |activation| loss("dice", &[("activation", activation), ("scope", "class")]);
    for activation in ["none", "sigmoid", "softmax"] {
        let [found, expected] =
            [without(activation), all(activation)].map(|loss| evaluate(&loss, &probabilities(), Reduction::None));
        assert_eq!((&found.loss[..], found.items), (&expected.loss[1..], 2), "{activation}");
        let of_background = found.gradients[0].1.iter().enumerate().filter(|(i, _)| i / 2 % 3 == 0);
        assert!(of_background.map(|(_, g)| *g != 0.0).all(|moves| moves == (activation == "softmax")), "{activation}");
    }
    let alone = regions(&[0.5], &[1, 1], classes(&[0], &[1]));
    // A single class is not the background of others.
    assert_eq!(evaluate(&without("none"), &alone, Reduction::Mean), evaluate(&all("none"), &alone, Reduction::Mean));
    let refused = reference::evaluate(&all("softmax"), &alone, &Reduction::Mean.into());
    let expected = "[N, C] or [N, C, d1, …] with C ≥ 2 for a softmax".to_string();
    assert_eq!(refused, Err(Error::Shape { loss: "dice", tensor: "prediction", expected, found: vec![1, 1] }));
}

#[test]
fn nearly_perfect_predictions_keep_their_relative_accuracy() {
    let relative = |found: f64, expected: f64, what: &str| assert_close(found / expected, 1.0, 1e-12, what);
    for x in [5.0, 15.0, 30.0] {
        // p = 1 − q of one class, that the other has not.
        let q = 1.0 / (1.0 + f64::exp(x));
        let softmax = regions(&[x, 0.0], &[1, 2], classes(&[0], &[1]));
        let sigmoid = regions(&[x, -x], &[1, 2], classes(&[0], &[1]));
        for (activation, inputs) in [("softmax", softmax), ("sigmoid", sigmoid)] {
            let of = |name: &str, settings: &[(&str, &str)]| {
                let loss = loss(name, &[&[("activation", activation)], settings].concat());
                evaluate(&loss, &inputs, Reduction::Sum)
            };
            // I = 1 − q, P = T = 1, and so 1 − I.
            let dice = of("dice", &[("smooth", "0")]);
            relative(dice.loss[0], q, activation);
            relative(of("jaccard", &[("smooth", "0")]).loss[0], 2.0 * q / (1.0 + q), activation);
            relative(of("tversky", &[("smooth", "0"), ("alpha", "0.25"), ("beta", "0.75")]).loss[0], q, activation);
            // Squares: P = 1 − 2q + 2q², and 1 − 2(1 − q)/(2 − 2q + 2q²) = q²/(1 − q + q²).
            let squared = of("dice", &[("smooth", "0"), ("squared", "true")]);
            assert_close(squared.loss[0], q * q / (1.0 - q + q * q), 1e-15 * q, activation);
            // −I' + I/2·P', where P' is 0 by a softmax: the sum of its probabilities stays 1.
            let slopes = if activation == "softmax" { [-1.0, 1.0] } else { [-(1.0 + q) / 2.0, (1.0 - q) / 2.0] };
            for (found, slope) in dice.gradients[0].1.iter().zip(slopes) {
                relative(*found, slope * q * (1.0 - q), activation);
            }
        }
    }
}

#[test]
fn what_does_not_fit_a_loss_of_regions_is_refused() {
    let refused = |name, settings, inputs: &Named<HostTensor<'_>>, options: Options| {
        reference::evaluate(&loss(name, settings), inputs, &options).expect_err(name)
    };
    let prediction = tensor(&PROBABILITIES, SHAPE);
    let given =
        |target: HostTensor<'static>| Named::new().with("prediction", prediction.clone()).with("target", target);
    let shape_of = |error| match error {
        Error::Shape { tensor, expected, found, .. } => (tensor, expected, found),
        other => panic!("{other}"),
    };
    // Values have the shape of the prediction, indices that of its pixels.
    let error = refused("dice", &[], &given(tensor(&[0.0; 4], &[2, 2])), Reduction::Mean.into());
    assert_eq!(shape_of(error), ("target", "[2, 3, 2]".to_string(), vec![2, 2]));
    let error = refused("dice", &[], &given(classes(&[0; 12], SHAPE)), Reduction::Mean.into());
    let expected = "[2, 2], class indices; values for each class are floats";
    assert_eq!(shape_of(error), ("target", expected.to_string(), SHAPE.to_vec()));
    let weights = probabilities().with("class_weight", tensor(&[1.0; 2], &[2]));
    let error = refused("dice", &[], &weights, Reduction::Mean.into());
    assert_eq!(shape_of(error), ("class_weight", "[3]".to_string(), vec![2]));
    let unexpected = probabilities().with("weight", tensor(&[1.0; 4], &[2, 2]));
    let error = refused("jaccard", &[], &unexpected, Reduction::Mean.into());
    assert!(matches!(error, Error::UnexpectedTensor { loss: "jaccard", .. }), "{error}");
    for (scope, expected) in [("class", vec![3]), ("sample_class", vec![2, 3]), ("sample", vec![2])] {
        let upstream = probabilities().with("upstream", tensor(&[1.0; 5], &[5]));
        let loss = loss("tversky", &[("scope", scope)]);
        let error = reference::evaluate(&loss, &upstream, &Reduction::None.into()).expect_err(scope);
        assert_eq!(shape_of(error), ("upstream", format!("[1] or {expected:?}"), vec![5]));
    }

    for name in ["ce_dice", "focal_dice"] {
        let known = &[Reduction::Mean, Reduction::Sum, Reduction::BatchMean];
        for reduction in [Reduction::None, Reduction::WeightedMean] {
            let error = refused(name, &[], &probabilities(), reduction.into());
            assert_eq!(error, Error::TermsReduction { loss: name, reduction, known });
        }
    }
    for (statistic, statistics) in [
        ("argmax", Statistics { argmax: true, log_sum_exp: false, ..Statistics::default() }),
        ("log_sum_exp", Statistics { argmax: false, log_sum_exp: true, ..Statistics::default() }),
    ] {
        let options = Options { statistics, ..Options::new(Reduction::Mean) };
        assert_eq!(refused("ce_dice", &[], &probabilities(), options), Error::Statistic { loss: "ce_dice", statistic });
    }
    for (name, parameter, bad) in [
        ("dice", "activation", "tanh"),
        ("ce_dice", "activation", "none"),
        ("focal_dice", "focal_form", "none"),
        ("dice", "scope", "batch"),
        ("dice", "smooth", "-1"),
        ("jaccard", "squared", "1"),
        ("jaccard", "ignore_index", "0.5"),
        ("tversky", "alpha", "-0.5"),
        ("tversky", "beta", "inf"),
        ("focal_tversky", "exponent", "0"),
        ("ce_dice", "ce_weight", "-1"),
        ("ce_dice", "dice_weight", "NaN"),
        ("focal_dice", "focal_weight", "-1"),
        ("focal_dice", "gamma", "-1"),
    ] {
        match AnyLoss::new(name, &[(parameter, bad)]) {
            Err(Error::Parameter { loss, parameter: refused, found, .. }) => {
                assert_eq!((loss, refused, &found[..]), (name, parameter, bad));
            }
            other => panic!("{name} {parameter}={bad}: {other:?}"),
        }
    }
}
