//! What is particular to losses of pairs and triplets, on every adapter.

use wgloss::{
    AnyLoss, Contrastive, CosineEmbedding, DType, Distance, Evaluation, Gradients, Loss, Named, Options, Reduction,
    TripletMargin, losses, parity, reference,
    spec::{Family, Kind},
};

use crate::common::{
    adapters, agreement,
    agreement::{evaluated, out_of_range},
    effort,
    inputs::{Inputs, changed, sample, tensor},
};

fn loss(name: &str, settings: &[(&str, &str)]) -> AnyLoss {
    AnyLoss::new(name, settings).expect("a loss")
}

/// Rows of the inputs of that name, in f32.
fn embeddings(rows: &[(&str, &[f64])], count: usize) -> Inputs {
    let tensor = |values: &[f64]| tensor(values, DType::F32, &[count, values.len() / count]);
    rows.iter().map(|&(name, values)| (name.to_string(), tensor(values))).collect()
}

fn pair(x1: &[f64], x2: &[f64], labels: &[f64]) -> Inputs {
    let label = tensor(labels, DType::I32, &[labels.len()]);
    embeddings(&[("x1", x1), ("x2", x2)], labels.len()).with("label", label)
}

fn drawn(count: usize, scale: f64, seed: u64) -> Vec<f64> {
    let mut rng = fastrand::Rng::with_seed(seed);
    (0..count).map(|_| f64::from(((2.0 * rng.f64() - 1.0) * scale) as f32)).collect()
}

fn gradients(found: &Evaluation) -> Vec<f64> {
    found.gradients.iter().flat_map(|(_, gradient)| gradient.to_f64()).collect()
}

/// Errors are measured against the largest of a call, so rows that are near each other have a call of their own.
#[test]
fn nearly_parallel_rows_keep_their_digits() {
    let cosine = TripletMargin { distance: Distance::Cosine, margin: 0.0, ..TripletMargin::default() };
    for gpu in adapters::all() {
        for (seed, dimensions) in [2, 3, 128, 1000].into_iter().enumerate() {
            let (x1, other) = (drawn(dimensions, 3.0, seed as u64), drawn(dimensions, 3.0, 100 + seed as u64));
            for apart in [1e-3, 1e-2, 0.1, 0.5] {
                for factor in [1.0, 0.4, 1.0 / 3.0, 37.0] {
                    let x2: Vec<f64> = x1.iter().zip(&other).map(|(x, y)| factor * (x + apart * y)).collect();
                    let loss = CosineEmbedding::default();
                    let found = evaluated(gpu, &loss, &pair(&x1, &x2, &[1.0]), Reduction::None).loss.item();
                    assert!(found > 0.0, "{dimensions} {apart} {factor} on {}", gpu.adapter_id());
                    let rows = [("anchor", &x1[..]), ("positive", &x2), ("negative", &x1)];
                    evaluated(gpu, &cosine, &embeddings(&rows, 1), Reduction::None);
                }
            }
        }
    }
}

#[test]
fn nearly_equal_rows_keep_their_digits() {
    for gpu in adapters::all() {
        for (seed, dimensions) in [1, 3, 128].into_iter().enumerate() {
            let (x1, other) = (drawn(dimensions, 100.0, seed as u64), drawn(dimensions, 1.0, 100 + seed as u64));
            for apart in [0.0, 1e-5, 1e-3, 0.1] {
                let x2: Vec<f64> = x1.iter().zip(&other).map(|(x, y)| x + apart * y).collect();
                for label in [0.0, 1.0] {
                    evaluated(gpu, &Contrastive::default(), &pair(&x1, &x2, &[label]), Reduction::None);
                }
                for distance in [Distance::Euclidean, Distance::SquaredEuclidean, Distance::Cosine] {
                    let loss = TripletMargin { margin: 0.0, distance, ..TripletMargin::default() };
                    let rows = [("anchor", &x1[..]), ("positive", &x2), ("negative", &x1)];
                    evaluated(gpu, &loss, &embeddings(&rows, 1), Reduction::None);
                }
            }
        }
    }
}

/// Without `eps` a distance of 0 has no gradient, and parallel rows have none to their cosine.
#[test]
fn equal_rows_have_no_gradient() {
    let x = drawn(4 * 37, 3.0, 1);
    let contrastive = Contrastive { eps: 0.0, ..Contrastive::default() };
    for gpu in adapters::all() {
        for labels in [[0.0; 4], [1.0; 4]] {
            let found = evaluated(gpu, &contrastive, &pair(&x, &x, &labels), Reduction::None);
            assert_eq!(found.loss.to_f64(), [if labels[0] == 0.0 { 0.5 } else { 0.0 }; 4], "{}", gpu.adapter_id());
            assert_eq!(gradients(&found), vec![0.0; 2 * x.len()], "{}", gpu.adapter_id());
        }
        let found = evaluated(gpu, &CosineEmbedding::default(), &pair(&x, &x, &[1.0; 4]), Reduction::None);
        assert_eq!((found.loss.to_f64(), gradients(&found)), (vec![0.0; 4], vec![0.0; 2 * x.len()]));
    }
}

#[test]
fn a_zero_vector_has_no_direction() {
    let (x, zero) = (drawn(3 * 5, 3.0, 1), [0.0; 15]);
    let triplet = TripletMargin { distance: Distance::Cosine, swap: true, ..TripletMargin::default() };
    for gpu in adapters::all() {
        for (x1, x2) in [(&x[..], &zero[..]), (&zero, &x), (&zero, &zero)] {
            let found =
                evaluated(gpu, &CosineEmbedding { margin: -0.5 }, &pair(x1, x2, &[1.0, -1.0, 1.0]), Reduction::None);
            assert_eq!(found.loss.to_f64(), [1.0, 0.5, 1.0], "{}", gpu.adapter_id());
            assert_eq!(gradients(&found), [0.0; 30], "{}", gpu.adapter_id());
            let rows = [("anchor", x1), ("positive", x2), ("negative", &x)];
            evaluated(gpu, &triplet, &embeddings(&rows, 3), Reduction::None);
        }
        // Rows at right angles have the cosine 0 to the bit, and their hinge does not begin.
        let (x1, x2) = ([3.0, 0.0, 0.1, 0.0], [0.0, -7.0, 0.0, 0.3]);
        let found = evaluated(gpu, &CosineEmbedding::default(), &pair(&x1, &x2, &[-1.0, -1.0]), Reduction::None);
        assert_eq!((found.loss.to_f64(), gradients(&found)), (vec![0.0; 2], vec![0.0; 8]), "{}", gpu.adapter_id());
    }
}

/// Where the product of the lengths is below 1e-8 that is the divisor, and a constant.
#[test]
fn short_rows_have_a_constant_divisor() {
    for gpu in adapters::all() {
        for scale in [1e-9, 1e-6, 3e-5] {
            for (seed, part) in [(1, 1.0), (2, 40.0), (3, 0.01)] {
                let (x1, x2) = (drawn(12, scale, seed), drawn(12, part * scale, 10 + seed));
                let inputs = pair(&x1, &x2, &[1.0, -1.0, 1.0]);
                evaluated(gpu, &CosineEmbedding { margin: -1.0 }, &inputs, Reduction::None);
            }
        }
    }
}

#[test]
fn labels_of_every_type_are_the_same() {
    let pairs = losses::ALL.iter().filter(|spec| spec.family == Family::Pairs);
    let labelled = pairs.filter(|spec| spec.inputs.iter().any(|input| input.kind == Kind::Label));
    let names: Vec<&str> = labelled.map(|spec| spec.name).collect();
    assert_eq!(names, ["contrastive", "cosine_embedding", "margin_ranking", "hinge_embedding"]);
    for (gpu, name) in
        names.iter().enumerate().flat_map(|(turn, name)| effort::adapters(turn).map(move |gpu| (gpu, name)))
    {
        let loss = loss(name, &[]);
        let label = loss.spec().inputs.iter().find(|input| input.kind == Kind::Label).expect("labels").name;
        for items in [1, 2, 3, 37, 40] {
            let shape =
                if loss.spec().inputs[0].shape == wgloss::spec::Shape::Items { vec![items] } else { vec![items, 6] };
            let inputs = sample(&loss, &shape, DType::F32, true);
            let given = inputs.get(label).expect("labels").to_f64();
            let found = [DType::F32, DType::F16, DType::BF16, DType::I32].map(|dtype| {
                let of_type = |(input, host): (&str, &wgloss::HostTensor<'static>)| {
                    let host = if input == label { tensor(&given, dtype, host.shape()) } else { host.clone() };
                    (input.to_string(), host)
                };
                let inputs: Inputs = inputs.iter().map(of_type).collect();
                evaluated(gpu, &loss, &inputs, Reduction::WeightedMean)
            });
            assert!(found.iter().all(|other| *other == found[0]), "{name} {items} on {}", gpu.adapter_id());

            let wrong = tensor(&vec![7.0; items], DType::I32, inputs.get(label).expect("labels").shape());
            let wrong: Inputs = inputs
                .iter()
                .filter(|(input, _)| *input != label)
                .map(|(i, t)| (i.to_string(), t.clone()))
                .collect::<Inputs>()
                .with(label, wrong);
            let error = loss.eval_with(gpu, &wrong, Reduction::Mean).unwrap_err();
            assert_eq!(out_of_range(&error), (loss.spec().name, items as u64, 0));
        }
    }
}

/// Rows of an odd length begin within a word of halves, which the row before ends in.
#[test]
fn rows_that_share_words_do_not_disturb_each_other() {
    let calls =
        ["contrastive", "triplet_margin"].into_iter().flat_map(|name| [(name, DType::F16), (name, DType::BF16)]);
    for (turn, (name, dtype)) in calls.enumerate() {
        for gpu in effort::adapters(turn) {
            for shape in [[1, 1], [3, 1], [65, 5], [301, 7], [33, 33]] {
                for gradients in [Gradients::Write, Gradients::Add { weight: 0.5 }, Gradients::InPlace] {
                    let loss = loss(name, &[("margin", "4")]);
                    let options = Options { gradients, ..Options::new(Reduction::Sum) };
                    evaluated(gpu, &loss, &sample(&loss, &shape, dtype, true), options);
                }
            }
        }
    }
}

#[track_caller]
fn assert_are(found: &[f64], expected: &[f64], what: &str) {
    let is = |(x, y): (&f64, &f64)| (x - y).abs() <= 2e-6 * y.abs();
    assert!(found.len() == expected.len() && found.iter().zip(expected).all(is), "{what}: {found:?}, not {expected:?}");
}

/// Lengths and directions of rows are what they are where squares are beyond f32, and where they vanish.
#[test]
fn huge_and_tiny_rows_are_measured_as_others() {
    let cosine = CosineEmbedding { margin: -1.0 };
    for gpu in adapters::all() {
        for scale in [1e-37, 1e-25, 1e-12, 1.0, 1e12, 3e25, 5e37] {
            let what = format!("{scale} on {gpu:?}");
            // At a distance of 5: the one has 3 on the first axis, the other 4 on the second.
            let (x1, x2) = ([3.0 * scale, 0.0, 0.0], [0.0, 4.0 * scale, 0.0]);
            for swap in [false, true] {
                let triplet = TripletMargin { margin: 0.0, eps: 0.0, swap, ..TripletMargin::default() };
                let rows = [("anchor", &x1[..]), ("positive", &x2), ("negative", &x1)];
                let found = evaluated(gpu, &triplet, &embeddings(&rows, 1), Reduction::None);
                assert_are(&found.loss.to_f64(), &[5.0 * scale], &what);
                assert_are(&gradients(&found), &[0.6, -0.8, 0.0, -0.6, 0.8, 0.0, 0.0, 0.0, 0.0], &what);
            }
            let contrastive = Contrastive { eps: 0.0, factor: 0.5, ..Contrastive::default() };
            let found = evaluated(gpu, &contrastive, &pair(&x1, &x2, &[1.0]), Reduction::None);
            let pulls = [3.0, -4.0, 0.0, -3.0, 4.0, 0.0].map(|x| x * scale);
            assert_are(&gradients(&found), &pulls, &what);

            // Rows of which one, the other or both are scaled; at the least, their product is above 1e-8, and gradients
            // are no numbers at the very end of f32.
            for [first, second] in [[scale, scale], [scale, 1.0 / scale], [scale, 1.0]] {
                if first * second < 1e-7 || second < 1e-35 {
                    continue;
                }
                let (x1, x2) = ([3.0, 4.0].map(|x| x * first), [4.0, 3.0].map(|x| x * second));
                let found = evaluated(gpu, &cosine, &pair(&x1, &x2, &[-1.0]), Reduction::None);
                assert_are(&found.loss.to_f64(), &[1.96], &what);
                let [by_x1, by_x2] = [0.28 / 5.0 / 5.0 / first, 0.28 / 5.0 / 5.0 / second];
                let expected = [4.0 * by_x1, -3.0 * by_x1, -3.0 * by_x2, 4.0 * by_x2];
                if expected.iter().all(|x| (1e-37..1e37).contains(&x.abs())) {
                    assert_are(&gradients(&found), &expected, &what);
                }
            }
        }
    }
}

/// Each distance, or each row of a cosine, has a scale of its own; so has `eps`.
#[test]
fn one_huge_row_leaves_the_others_as_they_are() {
    let (x, y) = (drawn(37, 3.0, 1), drawn(37, 3.0, 2));
    let near: Vec<f64> = x.iter().zip(&y).map(|(x, y)| x + 1e-3 * y).collect();
    for gpu in adapters::all() {
        for scale in [1e-30, 1e-12, 1e30, 1e37] {
            let [x_far, y_far] = [&x, &y].map(|row| row.iter().map(|x| x * scale).collect::<Vec<f64>>());
            for distance in [Distance::Euclidean, Distance::Cosine] {
                for swap in [false, true] {
                    let triplet = TripletMargin { margin: 1e-4, distance, swap, ..TripletMargin::default() };
                    for [anchor, positive, negative] in [[&x, &near, &y_far], [&x, &y_far, &near], [&x_far, &y_far, &y]]
                    {
                        let rows = [("anchor", &anchor[..]), ("positive", positive), ("negative", negative)];
                        evaluated(gpu, &triplet, &embeddings(&rows, 1), Reduction::None);
                    }
                }
            }
            for eps in [0.0, 1e-12, 1e-6] {
                let contrastive = Contrastive { eps, ..Contrastive::default() };
                for label in [0.0, 1.0] {
                    evaluated(gpu, &contrastive, &pair(&x_far, &y_far, &[label]), Reduction::None);
                }
            }
            // Short by one row alone.
            let short = pair(&x_far, &y.iter().map(|y| y * 1e-15 / scale).collect::<Vec<f64>>(), &[1.0]);
            if scale < 1e20 {
                evaluated(gpu, &CosineEmbedding::default(), &short, Reduction::None);
            }
        }
    }
}

#[test]
fn a_squared_distance_beyond_f32_makes_its_item_nan() {
    for gpu in adapters::all() {
        for swap in [false, true] {
            let loss = TripletMargin { swap, distance: Distance::SquaredEuclidean, ..TripletMargin::default() };
            let good = sample(&loss, &[5, 6], DType::F32, false);
            for input in loss.spec().differentiable() {
                for value in [1e30, 1e18, 1e-30] {
                    let inputs = changed(&good, input.name, &[(13, value)]);
                    let found = evaluated(gpu, &loss, &inputs, Reduction::None);
                    let is_nan: Vec<bool> = found.loss.to_f64().iter().map(|loss| loss.is_nan()).collect();
                    let what = format!("{} {value} on {gpu:?}", input.name);
                    assert_eq!(is_nan, [false, false, value == 1e30, false, false], "{what}");
                    for (_, gradient) in found.gradients.iter() {
                        let is_right = |(index, x): (usize, &f64)| x.is_nan() == (value == 1e30 && index / 6 == 2);
                        assert!(gradient.to_f64().iter().enumerate().all(is_right), "{what}");
                    }
                }
            }
        }
    }
}

/// Rows as long as a lane's loops run, and rows that are longer: those take more lanes.
#[test]
fn rows_are_as_long_as_they_like() {
    let loss = Contrastive::default();
    for gpu in adapters::all() {
        for (rows, dimensions, dtype) in [(2, 500_000, DType::F32), (2, 250_001, DType::F16), (1, 960_001, DType::F32)]
        {
            let [x1, x2] = [1, 2].map(|seed| tensor(&drawn(rows * dimensions, 1.0, seed), dtype, &[rows, dimensions]));
            let label = tensor(&[0.0, 1.0][..rows], DType::F32, &[rows]);
            let inputs: Inputs = Named::new().with("x1", x1).with("x2", x2).with("label", label);
            evaluated(gpu, &loss, &inputs, Reduction::Sum);
        }
    }
}

/// Triplets whose two distances and margin nearly cancel, and swaps between two that are nearly the same: the gradients
/// of either side are right there, and no others anywhere.
#[test]
fn what_rounding_decides_is_forgiven_and_nothing_else() {
    let mut rng = fastrand::Rng::with_seed(4);
    let (count, dimensions) = (400, 3);
    let [mut anchors, mut positives, mut negatives] = [const { Vec::<f64>::new() }; 3];
    for _ in 0..count {
        let point = |rng: &mut fastrand::Rng| [0; 3].map(|_| f64::from((4.0 * rng.f64() - 2.0) as f32));
        let (a, p) = (point(&mut rng), point(&mut rng));
        // As far from the anchor as the positive and the margin of 0.5 are, but for a rounding of its elements.
        let distance = |a: [f64; 3], b: [f64; 3]| (0..3).map(|i| (a[i] - b[i]).powi(2)).sum::<f64>().sqrt();
        let direction = point(&mut rng);
        let stretch = (distance(a, p) + 0.5) / distance(direction, [0.0; 3]);
        negatives.extend((0..3).map(|i| f64::from((a[i] + stretch * direction[i]) as f32)));
        anchors.extend(a);
        positives.extend(p);
    }
    // One triplet is far from its hinge and from a swap.
    negatives[..3].copy_from_slice(&anchors[..3]);
    let rows = [("anchor", &anchors[..]), ("positive", &positives), ("negative", &negatives)];
    let hinges = embeddings(&rows, count);
    // Every negative is as far from the positive as from the anchor.
    let across: Vec<f64> = (0..count * dimensions).map(|i| anchors[i] + positives[i] - 0.5 * anchors[i]).collect();
    let rows = [("anchor", &anchors[..]), ("positive", &across), ("negative", &negatives)];
    let swaps = embeddings(&rows, count);
    for gpu in adapters::all() {
        for (inputs, margin, swap) in [(&hinges, 0.5, false), (&hinges, 0.5, true), (&swaps, 100.0, true)] {
            let loss = TripletMargin { margin, swap, eps: 0.0, ..TripletMargin::default() };
            let found = loss.eval_with(gpu, inputs, Reduction::Sum).unwrap();
            let expected = reference::evaluate(&loss, inputs, &Reduction::Sum.into()).unwrap();
            let failures = parity::compare(&expected, &found).failures;
            assert_eq!(failures, Vec::<String>::new(), "{loss:?} on {}", gpu.adapter_id());
            if margin == 0.5 && !swap {
                assert!(expected.doubts.gradients[0].iter().filter(|&&doubt| doubt > 0.0).count() > 300, "{loss:?}");
            }

            let mut wrong = found.clone();
            let first = found.gradients.get("anchor").unwrap().to_f64()[0];
            wrong.gradients = changed(&found.gradients, "anchor", &[(0, first + 0.01)]);
            assert_eq!(parity::compare(&expected, &wrong).failures.len(), 1, "{loss:?}");
        }
    }
}

#[test]
fn every_run_gives_the_same_bits() {
    for (gpu, name) in
        adapters::all().iter().flat_map(|gpu| ["cosine_embedding", "triplet_margin"].map(|name| (gpu, name)))
    {
        let loss = loss(name, &[]);
        let inputs = sample(&loss, &[257, 33], DType::F16, true);
        let expected = reference::evaluate(&loss, &inputs, &Reduction::Mean.into()).expect("it fits");
        let first = loss.eval_with(gpu, &inputs, Reduction::Mean).expect("it fits");
        agreement::assert_agree(&expected, &first, name);
        for _ in 0..20 {
            assert!(loss.eval_with(gpu, &inputs, Reduction::Mean).expect("it fits") == first, "{}", gpu.adapter_id());
        }
    }
}
