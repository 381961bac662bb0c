//! Batches in which little or nothing can be compared, and rows that are alike.

use wgloss::{DType, Error, Evaluation, Loss, Named, Options, Reduction};

use crate::common::inputs::tensor;

use super::{
    AnyLoss, Inputs, adapters, agreement::evaluated, effort, embeddings, every_loss, inputs, is_sorted, labels, loss,
};

fn all_finite(found: &Evaluation) -> bool {
    let gradients = found.gradients.iter().flat_map(|(_, gradient)| gradient.to_f64());
    gradients.chain(found.loss.to_f64()).all(f64::is_finite)
}

fn reductions(loss: &AnyLoss) -> Vec<Reduction> {
    let sorted = is_sorted(loss);
    Reduction::ALL.into_iter().filter(|&reduction| !sorted || reduction != Reduction::None).collect()
}

#[test]
fn a_single_row_has_nothing_to_be_compared_with() {
    for (turn, loss) in effort::some(every_loss().into_iter(), 2).enumerate() {
        for gpu in effort::adapters(turn) {
            for reduction in reductions(&loss) {
                let found = evaluated(gpu, &loss, &inputs(&loss, [1, 3], DType::F32, true), reduction);
                // One query with one key, one sample in two views: certain. Others count nothing.
                let items = match loss.spec().name {
                    "info_nce" | "clip" => 1,
                    "nt_xent" => 2,
                    _ => 0,
                };
                assert_eq!(found.items, items, "{loss:?}");
                let gradients = found.gradients.iter().flat_map(|(_, gradient)| gradient.to_f64());
                assert!(gradients.chain(found.loss.to_f64()).all(|x| x == 0.0), "{loss:?} {found:?}");
            }
        }
    }
}

/// Losses of labelled rows, with these labels.
fn labelled(classes: &[i32]) -> Vec<(AnyLoss, Inputs)> {
    let labelled = every_loss().into_iter().filter(|loss| loss.spec().input("labels").is_some());
    let inputs = |loss: AnyLoss| {
        let inputs = inputs(&loss, [classes.len(), 3], DType::F32, false);
        let embeddings = inputs.get("embeddings").unwrap().clone();
        (loss, Named::new().with("embeddings", embeddings).with("labels", labels(classes)))
    };
    labelled.map(inputs).collect()
}

#[test]
fn without_positives_nothing_counts() {
    for gpu in adapters::all() {
        let labelled = labelled(&[4, -1, 0, 7, 100, i32::MIN, i32::MAX]);
        for (turn, (loss, inputs)) in labelled.into_iter().enumerate() {
            for &reduction in effort::taking_turns(&reductions(&loss), turn) {
                let found = evaluated(gpu, &loss, &inputs, reduction);
                assert_eq!(found.items, 0, "{loss:?}");
                let gradients = found.gradients.iter().flat_map(|(_, gradient)| gradient.to_f64());
                assert!(gradients.chain(found.loss.to_f64()).all(|x| x == 0.0), "{loss:?} {found:?}");
            }
        }
    }
}

#[test]
fn the_weight_of_an_anchor_that_does_not_count_stays_hidden() {
    for gpu in adapters::all() {
        for (loss, inputs) in labelled(&[0, 0, 1]).into_iter().filter(|(loss, _)| loss.spec().input("weight").is_some())
        {
            for reduction in reductions(&loss) {
                let [expected, nan, infinite] = [1.0, f64::NAN, f64::INFINITY].map(|last| {
                    let weight = tensor(&[1.0, 1.0, last], DType::F32, &[3]);
                    evaluated(gpu, &loss, &inputs.clone().with("weight", weight), reduction)
                });
                assert!(all_finite(&expected), "{loss:?} {reduction}");
                for found in [nan, infinite] {
                    assert_eq!(found.loss, expected.loss, "{loss:?} {reduction}");
                    assert_eq!(found.gradients, expected.gradients, "{loss:?} {reduction}");
                }
            }
        }
    }
}

#[test]
fn without_negatives_no_triplet_counts() {
    for gpu in adapters::all() {
        for (turn, (loss, inputs)) in labelled(&[-3; 9]).into_iter().enumerate() {
            for &reduction in effort::taking_turns(&reductions(&loss), turn) {
                let found = evaluated(gpu, &loss, &inputs, reduction);
                assert_eq!(found.items, if loss.spec().name == "sup_con" { 9 } else { 0 }, "{loss:?}");
                assert!(all_finite(&found), "{loss:?} {found:?}");
                if let Some(mining) = found.mining() {
                    assert_eq!((mining.triplets, mining.active, mining.negative_distance), (0, 0, 0.0), "{loss:?}");
                    assert_eq!(mining.active_fraction(), 0.0);
                    assert!(mining.positive_distance > 0.0);
                }
            }
        }
    }
}

/// The loss with another margin: cosines of zero vectors and of parallel ones differ by 1, but for rounding.
fn away_from_kinks(loss: AnyLoss) -> AnyLoss {
    let values: Vec<(String, String)> = loss
        .spec()
        .params
        .iter()
        .zip(loss.values())
        .map(|(param, value)| {
            (param.name.to_string(), if param.name == "margin" { "0.75".to_string() } else { value.to_string() })
        })
        .collect();
    let settings: Vec<(&str, &str)> = values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    self::loss(loss.spec().name, &settings)
}

/// Duplicates, whose distances are 0, and zero vectors, which have no direction.
#[test]
fn duplicates_and_zero_vectors_have_finite_gradients() {
    let rows = [[0.0, 0.0], [1.0, 2.0], [1.0, 2.0], [0.0, 0.0], [-3.0, 0.5], [1.0, 2.0], [0.0, 0.0], [2.0, 4.0]];
    let other = [[1.0, 2.0], [0.0, 0.0], [1.0, 2.0], [0.0, 0.0], [3.0, 1.0], [1.0, 2.0], [0.5, 0.0], [0.0, 0.0]];
    for (turn, gpu) in adapters::all().iter().enumerate() {
        for &dtype in effort::taking_turns(&DType::FLOATS, turn) {
            for loss in every_loss() {
                let mut inputs = Inputs::new();
                for (index, input) in loss.spec().inputs.iter().filter(|input| !input.optional).enumerate() {
                    let tensor = match input.name {
                        "labels" => labels(&[0, 1, 1, 1, 0, 0, 0, 2]),
                        "logit_scale" => embeddings(&[1.0], DType::F32, 1),
                        _ => embeddings(if index == 0 { &rows } else { &other }.as_flattened(), dtype, rows.len()),
                    };
                    inputs = inputs.with(input.name, tensor);
                }
                let found = evaluated(gpu, &away_from_kinks(loss), &inputs, Reduction::Mean);
                assert!(all_finite(&found), "{found:?} on {gpu:?}");
            }
        }
    }
}

/// Points far from the origin and near each other: ‖a‖² + ‖b‖² − 2a·b would have no digit left.
#[test]
fn close_points_far_away_are_told_apart() {
    const ROWS: usize = 24;
    let mut rng = fastrand::Rng::with_seed(3);
    let values: Vec<f64> = (0..ROWS * 4).map(|_| 8192.0 + f64::from(rng.i32(-40..=40)) / 1024.0).collect();
    let classes: Vec<i32> = (0..ROWS as i32).map(|row| row % 4).collect();
    for gpu in adapters::all() {
        for loss in every_loss() {
            let is_triplet = loss.spec().name.starts_with("triplet");
            let cosine = loss.values().iter().any(|value| value.to_string() == "cosine");
            if is_triplet && !cosine {
                let inputs = Named::new()
                    .with("embeddings", embeddings(&values, DType::F32, ROWS))
                    .with("labels", labels(&classes));
                evaluated(gpu, &loss, &inputs, Reduction::Sum);
            }
        }
    }
}

#[test]
fn inputs_that_do_not_fit_are_refused() {
    let gpu = &adapters::every()[0];
    for loss in every_loss() {
        let name = loss.spec().name;
        let good = inputs(&loss, [5, 3], DType::F32, false);
        let with = |tensor: &str, replacement: wgloss::HostTensor<'static>| {
            let changed = good.iter().map(|(other, host)| {
                (other.to_string(), if other == tensor { replacement.clone() } else { host.clone() })
            });
            loss.eval_with(gpu, &changed.collect(), Reduction::Sum).unwrap_err()
        };
        let flat = |length: usize| wgloss::HostTensor::rounded(&vec![0.5; length], DType::F32, [length]).unwrap();
        let first = loss.spec().inputs[0].name;
        assert!(matches!(with(first, flat(15)), Error::Shape { loss, .. } if loss == name));
        if good.get("labels").is_some() {
            let error = with("labels", labels(&[1, 2, 3, 4]));
            assert!(matches!(error, Error::Shape { tensor: "labels", .. }), "{error}");
            let error = with("labels", flat(5));
            assert!(matches!(error, Error::DType { .. }), "{error}");
        }
        if good.get("key").is_some() {
            let error = with("key", embeddings(&[0.5; 12], DType::F32, 4));
            assert!(matches!(error, Error::Shape { tensor: "key", .. }), "{error}");
        }
        if good.get("logit_scale").is_some() {
            let error = with("logit_scale", flat(2));
            assert!(matches!(error, Error::Shape { tensor: "logit_scale", .. }), "{error}");
        }
    }
}

#[test]
fn parameters_keep_their_rules() {
    for (name, setting) in [
        ("triplet_batch_hard", ("margin", "-inf")),
        ("triplet_semi_hard", ("margin", "NaN")),
        ("triplet_batch_all", ("margin", "inf")),
        ("triplet_batch_all", ("triplets", "easy")),
        ("triplet_batch_hard", ("distance", "manhattan")),
        ("info_nce", ("temperature", "0")),
        ("nt_xent", ("temperature", "-0.5")),
        ("sup_con", ("temperature", "inf")),
    ] {
        let error = AnyLoss::new(name, &[setting]).unwrap_err();
        assert!(matches!(error, Error::Parameter { loss, parameter, .. } if (loss, parameter) == (name, setting.0)));
    }
}

#[test]
fn pairs_and_triplets_have_no_list() {
    let gpu = &adapters::every()[0];
    for name in ["triplet_semi_hard", "triplet_batch_all"] {
        let loss = loss(name, &[]);
        let inputs = inputs(&loss, [5, 3], DType::F32, false);
        let error = loss.eval_with(gpu, &inputs, Options::new(Reduction::None)).unwrap_err();
        assert_eq!(error, Error::ItemsReduction { loss: name });
    }
}
