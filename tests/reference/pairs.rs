//! Losses of pairs and triplets: worked values, hinges, ties, and rows without a direction.

use wgloss::{
    AnyLoss, DType, HostTensor, Loss, Named, Reduction,
    reference::{self, Evaluation},
    spec::Driver,
};

use super::{
    assert_all_close, assert_close, evaluate, every_setting, inputs_for, loss, moved, out_of_range, shapes, tensor,
};

const EPS: f64 = 1e-6_f32 as f64;

fn one(loss: &AnyLoss, rows: &[(&str, &[f64])], label: Option<f64>) -> Evaluation {
    let rows = rows.iter().map(|&(name, row)| (name.to_string(), tensor(row, &[1, row.len()])));
    let label = label.map(|label| ("label".to_string(), tensor(&[label], &[1])));
    evaluate(loss, &rows.chain(label).collect(), Reduction::None)
}

#[test]
fn worked_values_of_pairs() {
    let rows: &[(&str, &[f64])] = &[("x1", &[1.0, 2.0]), ("x2", &[0.25, 1.0])];
    // 0.75 and 1 apart.
    let exact = |settings: &[(&str, &str)]| loss("contrastive", &[&[("eps", "0")], settings].concat());
    let result = one(&exact(&[]), rows, Some(1.0));
    assert_close(result.loss[0], 0.5 * 1.5625, 1e-15, "similar");
    assert_all_close(&result.gradients[0].1, &[0.75, 1.0], 1e-15, "similar");
    assert_eq!(one(&exact(&[]), rows, Some(0.0)).loss, [0.0]);
    let result = one(&exact(&[("margin", "2"), ("factor", "2")]), rows, Some(0.0));
    assert_close(result.loss[0], 2.0 * 0.5625, 1e-15, "apart");
    assert_all_close(&result.gradients[1].1, &[3.0 * 0.6, 3.0 * 0.8], 1e-15, "apart");

    let rows: &[(&str, &[f64])] = &[("x1", &[3.0, 4.0]), ("x2", &[0.0, -2.0])];
    let result = one(&loss("cosine_embedding", &[]), rows, Some(1.0));
    assert_close(result.loss[0], 1.8, 1e-15, "cosine");
    // −(b̂ − cos·â)/‖a‖ with â = (0.6, 0.8) and b̂ = (0, −1).
    assert_all_close(&result.gradients[0].1, &[-0.48 / 5.0, 0.36 / 5.0], 1e-15, "cosine");
    let result = one(&loss("cosine_embedding", &[("margin", "-1")]), rows, Some(-1.0));
    assert_close(result.loss[0], 0.2, 1e-15, "cosine");

    let rows: &[(&str, &[f64])] = &[("anchor", &[0.0, 0.0]), ("positive", &[3.0, 4.0]), ("negative", &[3.0, 0.0])];
    for (distance, swap, expected) in [
        ("euclidean", "false", 5.0 - 3.0 + 1.0),
        ("euclidean", "true", 5.0 - 3.0 + 1.0),
        ("squared_euclidean", "false", 25.0 - 9.0 + 1.0),
    ] {
        let triplet = loss("triplet_margin", &[("distance", distance), ("swap", swap), ("eps", "0")]);
        assert_close(one(&triplet, rows, None).loss[0], expected, 1e-14, distance);
    }
    let rows: &[(&str, &[f64])] = &[("anchor", &[0.0, 1.0]), ("positive", &[3.0, 4.0]), ("negative", &[1.0, 0.0])];
    for (swap, expected) in [("false", 0.2 - 1.0 + 1.0), ("true", 0.2 - 0.4 + 1.0)] {
        let triplet = loss("triplet_margin", &[("distance", "cosine"), ("swap", swap)]);
        assert_close(one(&triplet, rows, None).loss[0], expected, 1e-15, swap);
    }
}

/// Where a hinge begins the gradient is 0.
#[test]
fn hinges_begin_without_a_gradient() {
    let no_gradient = |result: Evaluation| {
        assert_eq!(result.loss, [0.0]);
        assert!(result.gradients.iter().all(|(_, gradient)| gradient.iter().all(|&x| x == 0.0)), "{result:?}");
    };
    let three = Named::new().with("x1", tensor(&[1.5], &[1])).with("x2", tensor(&[1.0], &[1]));
    let ranking = loss("margin_ranking", &[("margin", "0.5")]);
    no_gradient(evaluate(&ranking, &three.with("label", tensor(&[1.0], &[1])), Reduction::None));
    let at = Named::new().with("prediction", tensor(&[1.0], &[1])).with("target", tensor(&[-1.0], &[1]));
    no_gradient(evaluate(&loss("hinge_embedding", &[]), &at, Reduction::None));
    let rows: &[(&str, &[f64])] = &[("anchor", &[0.0]), ("positive", &[1.0]), ("negative", &[2.0])];
    no_gradient(one(&loss("triplet_margin", &[("eps", "0")]), rows, None));
    let rows: &[(&str, &[f64])] = &[("x1", &[1.0, 0.0]), ("x2", &[0.0, 2.0])];
    no_gradient(one(&loss("cosine_embedding", &[]), rows, Some(-1.0)));
    no_gradient(one(
        &loss("contrastive", &[("eps", "0"), ("margin", "3")]),
        &[("x1", &[3.0]), ("x2", &[0.0])],
        Some(0.0),
    ));
}

#[test]
fn equal_distances_share_the_gradient_of_a_swap_in_halves() {
    // The negative is as far from the anchor as from the positive.
    let rows: &[(&str, &[f64])] = &[("anchor", &[-1.0, 0.0]), ("positive", &[1.0, 0.0]), ("negative", &[0.0, 1.0])];
    for distance in ["euclidean", "squared_euclidean"] {
        let settings = [("distance", distance), ("eps", "0"), ("swap", "true")];
        let result = one(&loss("triplet_margin", &settings), rows, None);
        let negative = &result.gradients[2].1;
        let slope = if distance == "euclidean" { 0.5_f64.sqrt() } else { 2.0 };
        assert_all_close(negative, &[0.0, -slope], 1e-15, distance);
    }
}

#[test]
fn rows_at_no_distance_have_only_the_gradient_of_eps() {
    let row = [0.5, -2.0, 3.0];
    let rows: &[(&str, &[f64])] = &[("x1", &row), ("x2", &row)];
    for (label, slope) in [(1.0, EPS), (0.0, -(1.0 - 3_f64.sqrt() * EPS) / 3_f64.sqrt())] {
        let result = one(&loss("contrastive", &[]), rows, Some(label));
        assert_all_close(&result.gradients[0].1, &[slope; 3], 1e-15, "with eps");
        let result = one(&loss("contrastive", &[("eps", "0")]), rows, Some(label));
        assert_eq!(result.gradients[0].1, [0.0; 3]);
    }
}

#[test]
fn a_zero_vector_has_the_cosine_0_and_no_gradient() {
    let rows: &[(&str, &[f64])] = &[("x1", &[0.0, 0.0]), ("x2", &[3.0, 4.0])];
    let result = one(&loss("cosine_embedding", &[]), rows, Some(1.0));
    assert_eq!(result.loss, [1.0]);
    assert!(result.gradients.iter().all(|(_, gradient)| *gradient == [0.0; 2]));
    // A short one has the divisor 1e-8.
    let rows: &[(&str, &[f64])] = &[("x1", &[1e-12, 0.0]), ("x2", &[3.0, 4.0])];
    let result = one(&loss("cosine_embedding", &[]), rows, Some(1.0));
    assert_close(result.loss[0], 1.0 - 3e-4, 1e-9, "short");
    assert_all_close(&result.gradients[0].1, &[-3e8, -4e8], 1e-6, "short");
}

#[test]
fn an_element_that_is_not_finite_makes_its_item_nan() {
    for loss in every_setting().filter(|loss| matches!(loss.spec().driver, Driver::Pairs)) {
        let clean = inputs_for(&loss, shapes(loss.spec())[0], Reduction::None, true, 5);
        let expected = evaluate(&loss, &clean, Reduction::None);
        for input in loss.spec().differentiable() {
            for poison in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                let result = evaluate(&loss, &moved(&clean, input.name, 5, poison), Reduction::None);
                let gradients = result.gradients.iter().zip(&expected.gradients).map(|(a, b)| (4, &a.1, &b.1));
                for (width, found, expected) in std::iter::once((1, &result.loss, &expected.loss)).chain(gradients) {
                    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
                        let kept = if place / width == 1 { found.is_nan() } else { found == expected };
                        assert!(kept, "{}: {} = {poison}: {place} is {found}", loss.spec().name, input.name);
                    }
                }
            }
        }
    }
}

#[test]
fn labels_are_checked_and_may_be_integers() {
    for (name, good, bad) in [("contrastive", [1, 0], [0, 2]), ("cosine_embedding", [-1, 1], [1, 0])] {
        let loss = loss(name, &[]);
        let inputs = inputs_for(&loss, shapes(loss.spec())[0], Reduction::Sum, false, 3);
        let with = |labels: HostTensor<'static>| {
            let rows =
                ["x1", "x2"].map(|name| (name.to_string(), tensor(&inputs.get(name).unwrap().to_f64()[..8], &[2, 4])));
            rows.into_iter().chain([("label".to_string(), labels)]).collect()
        };
        let integers = |labels: [i32; 2]| with(super::classes(&labels, &[2]));
        let floats = |labels: [i32; 2]| with(tensor(&labels.map(f64::from), &[2]));
        let sum = Reduction::Sum.into();
        assert_eq!(reference::evaluate(&loss, &integers(good), &sum), reference::evaluate(&loss, &floats(good), &sum));
        for inputs in [integers(bad), floats(bad)] {
            assert_eq!(out_of_range(&reference::evaluate(&loss, &inputs, &sum).unwrap_err()), (name, 1, 1));
        }
        let spoilt = with(tensor(&[f64::NAN, f64::from(good[1])], &[2]));
        assert!(reference::evaluate(&loss, &spoilt, &sum).unwrap().loss[0].is_nan());
        assert_eq!(inputs.get("label").unwrap().dtype(), DType::F32);
    }
}
