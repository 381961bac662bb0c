//! What losses are at the ends of what f32 holds and of what their inputs may be: limits at infinities, nearly empty
//! sums, huge and tiny numbers, and values that rounding has brought beyond an end.

use wgloss::{AnyLoss, DType, Error, Evaluation, Gpu, HostTensor, Loss, Named, Reduction, losses, reference};

use crate::common::{
    adapters,
    agreement::{evaluated, out_of_range},
    inputs::{Inputs, changed, sample, tensor},
};

type Settings = &'static [(&'static str, &'static str)];

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

fn loss(name: &str, settings: &[(&str, &str)]) -> AnyLoss {
    AnyLoss::new(name, settings).unwrap()
}

/// The inputs of a loss in the order of its spec, each of these values.
fn elements(loss: &AnyLoss, values: &[&[f64]]) -> Inputs {
    let inputs = loss.spec().inputs.iter().zip(values);
    inputs.map(|(input, values)| (input.name.to_string(), tensor(values, DType::F32, &[values.len()]))).collect()
}

fn gradients(found: &Evaluation) -> Vec<f64> {
    found.gradients.iter().flat_map(|(_, gradient)| gradient.to_f64()).collect()
}

#[track_caller]
fn assert_are(found: &[f64], expected: &[f64], what: &str) {
    let is = |(x, y): (&f64, &f64)| x == y || x.is_nan() && y.is_nan() || (x - y).abs() <= 1e-5 * y.abs();
    assert!(found.len() == expected.len() && found.iter().zip(expected).all(is), "{what}: {found:?}, not {expected:?}");
}

/// A loss of one element, two inputs, and what its loss and its first gradient are.
#[rustfmt::skip]
const LIMITS: &[(&str, Settings, [f64; 2], [f64; 2])] = &[
    ("bce_with_logits", &[], [-INF, 0.0], [0.0, 0.0]),
    ("bce_with_logits", &[], [INF, 1.0], [0.0, 0.0]),
    ("bce_with_logits", &[], [-INF, 1.0], [INF, -1.0]),
    ("bce_with_logits", &[], [INF, 0.0], [INF, 1.0]),
    ("bce_with_logits", &[], [INF, 0.25], [INF, 0.75]),
    ("bce_with_logits", &[], [NAN, 0.0], [NAN, NAN]),
    ("bce_with_logits", &[("pos_weight", "3")], [-INF, 1.0], [INF, -3.0]),
    ("bce_with_logits", &[("label_smoothing", "1")], [0.0, 1.0], [std::f64::consts::LN_2, 0.0]),
    ("sigmoid_focal", &[], [-INF, 0.0], [0.0, 0.0]),
    ("sigmoid_focal", &[], [INF, 1.0], [0.0, 0.0]),
    ("sigmoid_focal", &[], [-INF, 1.0], [INF, -0.25]),
    ("sigmoid_focal", &[], [INF, 0.0], [INF, 0.75]),
    ("sigmoid_focal", &[("gamma", "0")], [INF, 1.0], [0.0, 0.0]),
    ("sigmoid_focal", &[("alpha", "0")], [-INF, 1.0], [0.0, 0.0]),
    ("sigmoid_focal", &[], [NAN, 1.0], [NAN, NAN]),
    ("soft_margin", &[], [INF, 1.0], [0.0, 0.0]),
    ("soft_margin", &[], [-INF, -1.0], [0.0, 0.0]),
    ("soft_margin", &[], [-INF, 1.0], [INF, -1.0]),
    ("hinge", &[], [INF, 1.0], [0.0, 0.0]),
    ("hinge", &[], [INF, -1.0], [INF, 1.0]),
    ("squared_hinge", &[], [-INF, -1.0], [0.0, 0.0]),
    ("squared_hinge", &[], [-INF, 1.0], [INF, -INF]),
    ("kl_div", &[], [-INF, 0.0], [0.0, 0.0]),
    ("kl_div", &[], [-INF, 1.0], [INF, -1.0]),
    ("kl_div", &[], [-1.0, 0.0], [0.0, 0.0]),
    ("kl_div", &[], [NAN, 0.0], [NAN, NAN]),
    ("kl_div", &[("log_target", "true")], [-1.0, -INF], [0.0, 0.0]),
    ("kl_div", &[("log_target", "true")], [-INF, -INF], [0.0, 0.0]),
    ("kl_div", &[("log_target", "true")], [-INF, -1.0], [INF, -0.36787944]),
    ("kl_div", &[("log_target", "true")], [-INF, -110.0], [INF, 0.0]),
    ("mae", &[], [INF, 1.0], [INF, 1.0]),
    ("mae", &[], [INF, INF], [NAN, NAN]),
    ("mse", &[], [-INF, 1.0], [INF, -INF]),
    ("huber", &[], [-INF, 1.0], [INF, -1.0]),
    ("huber", &[], [INF, INF], [NAN, NAN]),
    ("smooth_l1", &[], [INF, INF], [NAN, NAN]),
    ("log_cosh", &[], [-INF, 1.0], [INF, -1.0]),
    ("log_cosh", &[], [INF, INF], [NAN, NAN]),
    ("quantile", &[("quantile", "0")], [0.0, INF], [0.0, 0.0]),
    ("quantile", &[("quantile", "1")], [INF, 0.0], [0.0, 0.0]),
    ("quantile", &[("quantile", "1")], [0.0, 2.0], [2.0, -1.0]),
    ("quantile", &[], [INF, INF], [NAN, NAN]),
    ("poisson_nll", &[], [-INF, 0.0], [0.0, 0.0]),
    ("poisson_nll", &[], [-INF, 2.0], [INF, -2.0]),
    ("poisson_nll", &[], [INF, 2.0], [INF, INF]),
    ("poisson_nll", &[("log_input", "false")], [INF, 2.0], [INF, 1.0]),
    ("hinge_embedding", &[], [INF, -1.0], [0.0, 0.0]),
    ("hinge_embedding", &[], [-INF, -1.0], [INF, -1.0]),
    // As an end counts what rounding has brought beyond it.
    ("bce", &[], [1.0 + 3.6e-7, 1.0], [0.0, 0.0]),
    ("bce", &[], [0.5, -3.6e-7], [std::f64::consts::LN_2, 2.0]),
    ("bce_with_logits", &[], [-INF, -3.6e-7], [0.0, 0.0]),
    ("kl_div", &[], [-1.0, 1.0 + 3.6e-7], [1.0, -1.0]),
    ("kl_div", &[], [3.6e-7, 1.0], [-3.6e-7, -1.0]),
];

#[test]
fn a_loss_at_infinity_is_the_limit_of_its_formula() {
    for gpu in adapters::all() {
        for &(name, settings, values, expected) in LIMITS {
            let loss = loss(name, settings);
            let found =
                evaluated(gpu, &loss, &elements(&loss, &values.each_ref().map(std::slice::from_ref)), Reduction::None);
            let what = format!("{loss:?} {values:?} on {gpu:?}");
            assert_are(&found.loss.to_f64(), &expected[..1], &what);
            assert_are(&gradients(&found)[..1], &expected[1..], &what);
        }
        let ranking = loss("margin_ranking", &[]);
        for (x, expected) in [([INF, 0.0], [0.0, 0.0, 0.0]), ([-INF, 0.0], [INF, -1.0, 1.0]), ([INF, INF], [NAN; 3])] {
            let found = evaluated(gpu, &ranking, &elements(&ranking, &[&x[..1], &x[1..], &[1.0]]), Reduction::None);
            assert_are(&[found.loss.to_f64(), gradients(&found)].concat(), &expected, &format!("{x:?} on {gpu:?}"));
        }
    }
}

/// Rows of logits with a second tensor of that shape or with labels.
fn rows(loss: &AnyLoss, logits: &[f64], classes: usize, second: &[f64]) -> Inputs {
    let shape = [logits.len() / classes, classes];
    let [first, other] = [0, 1].map(|place| &loss.spec().inputs[place]);
    let other_tensor = match second.len() == logits.len() {
        true => tensor(second, DType::F32, &shape),
        false => tensor(second, DType::I32, &shape[..1]),
    };
    Named::new().with(first.name, tensor(logits, DType::F32, &shape)).with(other.name, other_tensor)
}

#[test]
fn what_one_distribution_masks_and_the_other_has_is_infinitely_far() {
    let reverse = loss("distillation", &[("divergence", "reverse")]);
    let forward = loss("distillation", &[]);
    for gpu in adapters::all() {
        let check = |loss: &AnyLoss, logits: [f64; 2], teacher: [f64; 2], expected: [f64; 3]| {
            let found = evaluated(gpu, loss, &rows(loss, &logits, 2, &teacher), Reduction::Sum);
            let found = [found.loss.to_f64(), gradients(&found)].concat();
            assert_are(&found, &expected, &format!("{loss:?} {logits:?} {teacher:?} on {gpu:?}"));
        };
        check(&reverse, [0.0, 0.0], [0.0, -INF], [INF, -INF, INF]);
        // However little the student has of it.
        check(&reverse, [0.0, -110.0], [0.0, -INF], [INF, -INF, INF]);
        check(&reverse, [0.0, -INF], [0.0, -INF], [0.0, 0.0, 0.0]);
        check(&forward, [0.0, -INF], [0.0, 0.0], [INF, 0.5, -0.5]);
        check(&forward, [0.0, -INF], [0.0, -110.0], [INF, 0.0, 0.0]);
    }
}

#[test]
fn a_masked_target_costs_what_smoothing_leaves_it() {
    for gpu in adapters::all() {
        for epsilon in ["0.1", "0.9", "1"] {
            let loss = loss("cross_entropy", &[("smoothing", "others"), ("label_smoothing", epsilon)]);
            let found = evaluated(gpu, &loss, &rows(&loss, &[0.0, 0.0, -INF], 3, &[2.0]), Reduction::Mean);
            let expected = if epsilon == "1" { std::f64::consts::LN_2 } else { INF };
            assert_are(&found.loss.to_f64(), &[expected], &format!("{epsilon} on {gpu:?}"));
        }
    }
}

#[test]
fn a_masked_class_keeps_the_upstream_of_its_logarithm_alone() {
    let loss = loss("log_softmax", &[]);
    for gpu in adapters::all() {
        let inputs = Named::new()
            .with("logits", tensor(&[0.0, 0.0, -INF, -INF, -INF, -INF], DType::F32, &[2, 3]))
            .with("upstream", tensor(&[1.0, 0.0, 0.5, 1.0, 1.0, 1.0], DType::F32, &[2, 3]));
        let found = evaluated(gpu, &loss, &inputs, Reduction::None);
        assert_are(&gradients(&found)[..3], &[0.25, -0.75, 0.5], &format!("{gpu:?}"));
    }
}

#[test]
fn sure_pixels_have_scores_of_squares_too() {
    for gpu in adapters::all() {
        for (squared, gaps) in [("true", &[45.0, 60.0, 64.0][..]), ("false", &[45.0, 60.0, 80.0])] {
            for gap in gaps {
                let settings = [("activation", "softmax"), ("smooth", "0"), ("squared", squared), ("scope", "class")];
                for name in ["dice", "tversky", "jaccard"] {
                    let loss = loss(name, &settings);
                    let found = evaluated(gpu, &loss, &rows(&loss, &[*gap, 0.0], 2, &[0.0]), Reduction::Mean);
                    let what = format!("{loss:?} {gap} on {gpu:?}");
                    assert_are(&found.loss.to_f64(), &[0.5], &what);
                    assert!(gradients(&found).iter().all(|x| x.abs() < 1e-18), "{what}: {:?}", gradients(&found));
                }
            }
        }
    }
}

#[test]
fn weights_that_are_next_to_nothing_are_nothing() {
    for gpu in adapters::all() {
        for name in ["mse", "cross_entropy", "giou", "cosine_embedding", "clip"] {
            let loss = loss(name, &[]);
            let shape: &[usize] = if name == "mse" { &[4] } else { &[4, 4] };
            let inputs = sample(&loss, shape, DType::F32, false);
            for (weight, is_nothing) in [(1e-39, true), (1e-30, false)] {
                let weighted = inputs.clone().with("weight", tensor(&[weight; 4], DType::F32, &[4]));
                let found = evaluated(gpu, &loss, &weighted, Reduction::WeightedMean);
                let all = [found.loss.to_f64(), gradients(&found)].concat();
                assert!(all.iter().all(|x| x.is_finite()), "{name} {weight} {all:?} on {gpu:?}");
                assert_eq!(all.iter().all(|&x| x == 0.0), is_nothing, "{name} {weight} {all:?} on {gpu:?}");
            }
        }
    }
}

/// Holds the evaluation to the reference's, where a rounding of what is raised to a power counts as often as the power
/// says.
#[track_caller]
fn assert_power(gpu: &Gpu, loss: &AnyLoss, inputs: &Inputs, power: f64) -> Evaluation {
    let expected = reference::evaluate(loss, inputs, &Reduction::Mean.into()).unwrap();
    let found = loss.eval_with(gpu, inputs, Reduction::Mean).unwrap();
    let largest = |values: &[f64]| values.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
    let gradient = &expected.gradients[0].1;
    let tolerance = 1e-6 * power.min(1e4);
    for (x, y) in gradients(&found).iter().zip(gradient).chain([(&found.loss.item(), &expected.loss[0])]) {
        let most = tolerance * largest(gradient).max(largest(&expected.loss)) + 1e-16;
        assert!((x - y).abs() <= most, "{loss:?} on {gpu:?}: {x}, not {y}");
    }
    found
}

#[test]
fn powers_without_bounds_are_finite() {
    let logits: Vec<f64> = (0..30).map(|i| 0.37 * f64::from(i % 7) * f64::from(i % 5) - 3.0).collect();
    let labels: Vec<f64> = (0..10).map(|i| f64::from(i % 3)).collect();
    let targets: Vec<f64> = (0..30).map(|i| f64::from(i % 2)).collect();
    for gpu in adapters::all() {
        for gamma in ["200", "250", "300", "1000", "1e10", "1e30", "3e38"] {
            let power = gamma.parse().unwrap();
            let [focal, dice, sigmoid] =
                ["focal", "focal_dice", "sigmoid_focal"].map(|name| loss(name, &[("gamma", gamma)]));
            assert_power(gpu, &focal, &rows(&focal, &logits, 3, &labels), power);
            assert_power(gpu, &dice, &rows(&dice, &logits, 3, &labels), power);
            assert_power(gpu, &sigmoid, &elements(&sigmoid, &[&logits, &targets]), power);
            // Of the target's own class the others leave all there is to miss.
            let found = assert_power(gpu, &focal, &rows(&focal, &[-200.0, 0.0], 2, &[0.0]), 1.0);
            assert_are(&found.loss.to_f64(), &[50.0], &format!("{gamma} on {gpu:?}"));
        }
        for exponent in ["200", "1e4", "1e30"] {
            let settings = [("exponent", exponent), ("activation", "softmax"), ("scope", "class")];
            let tversky = loss("focal_tversky", &settings);
            let inputs = rows(&tversky, &[0.0, 1.0, 2.0, -0.5, 0.3, 0.1], 3, &[0.0, 1.0]);
            assert_power(gpu, &tversky, &inputs, exponent.parse().unwrap());
        }
    }
}

#[test]
fn a_mean_is_finite_though_its_sum_is_not() {
    for gpu in adapters::all() {
        for (count, reduction) in
            [(4, Reduction::Mean), (5, Reduction::Mean), (7, Reduction::WeightedMean), (1000, Reduction::BatchMean)]
        {
            let mse = loss("mse", &[]);
            let ones = vec![1.5e19; count];
            let inputs = elements(&mse, &[&ones, &vec![0.0; count], &vec![3.0; count]]);
            let expected = if reduction == Reduction::BatchMean { INF } else { 2.25e38 };
            let inputs = match reduction {
                Reduction::WeightedMean => inputs,
                Reduction::BatchMean => inputs,
                _ => elements(&mse, &[&ones, &vec![0.0; count]]),
            };
            let found = evaluated(gpu, &mse, &inputs, reduction);
            assert_are(&found.loss.to_f64(), &[expected], &format!("{count} {reduction} on {gpu:?}"));
        }
        let focal = loss("cross_entropy", &[]);
        let found = evaluated(gpu, &focal, &rows(&focal, &[3e38, -1e37].repeat(9), 2, &[1.0; 9]), Reduction::Mean);
        assert_are(&found.loss.to_f64(), &[3.1e38], &format!("{gpu:?}"));
        let smallest = elements(&loss("mae", &[]), &[&[2e-38; 3], &[0.0; 3]]);
        let found = evaluated(gpu, &loss("mae", &[]), &smallest, Reduction::Sum);
        assert_are(&found.loss.to_f64(), &[6e-38], &format!("{gpu:?}"));
    }
}

#[test]
fn directions_of_huge_and_tiny_rows_are_those_of_others() {
    let embeddings = [0.3, -0.2, 0.9, 0.1, -0.7, 0.4, 0.5, 0.5, -0.1, -0.6, 0.2, 0.8];
    for gpu in adapters::all() {
        for name in ["info_nce", "clip", "nt_xent", "sup_con", "triplet_batch_hard", "triplet_semi_hard"] {
            let settings: &[(&str, &str)] = if name.starts_with("triplet") { &[("distance", "cosine")] } else { &[] };
            let loss = loss(name, settings);
            let with = |scale: f64| {
                let good = sample(&loss, &[4, 3], DType::F32, false);
                let scaled = |(name, host): (&str, &HostTensor<'static>)| {
                    let host = match host.shape() {
                        [4, 3] => tensor(&embeddings.map(|x| x * scale), DType::F32, &[4, 3]),
                        [4] => tensor(&[0.0, 0.0, 1.0, 1.0], DType::I32, &[4]),
                        _ => host.clone(),
                    };
                    (name.to_string(), host)
                };
                let inputs: Inputs = good.iter().map(scaled).collect();
                evaluated(gpu, &loss, &inputs, Reduction::Mean)
            };
            let expected = with(1.0);
            // Rows shorter than `norm_eps` are told by it.
            let tiny = if name.starts_with("triplet") { 1.0 } else { 1e-11 };
            for scale in [1e18, 1e25, 3e38, tiny] {
                let found = with(scale);
                let what = format!("{loss:?} {scale} on {gpu:?}");
                assert_are(&found.loss.to_f64(), &expected.loss.to_f64(), &what);
            }
        }
        let shorter = loss("sup_con", &[("norm_eps", "0.5")]);
        evaluated(gpu, &shorter, &sample(&shorter, &[9, 3], DType::F32, false), Reduction::Mean);
        // Next to 0, the gradient of a direction is beyond f16.
        let short = sample(&loss("sup_con", &[]), &[9, 3], DType::F16, false);
        let rows = short.get("embeddings").unwrap().to_f64();
        let rows: Vec<(usize, f64)> = rows.iter().map(|x| 1e-7 * x).enumerate().collect();
        let short = changed(&short, "embeddings", &rows);
        let found = evaluated(gpu, &loss("sup_con", &[]), &short, Reduction::Sum);
        assert!(gradients(&found).iter().all(|x| x.is_finite()), "{found:?} on {gpu:?}");
    }
}

#[test]
fn a_scale_beyond_f32_is_out_of_range() {
    let clip = loss("clip", &[]);
    for (scale, is_known) in [(80.0, true), (-INF, true), (NAN, true), (89.0, false), (INF, false)] {
        let inputs = changed(&sample(&clip, &[5, 3], DType::F32, false), "logit_scale", &[(0, scale)]);
        let expected = ("clip", 5, 0);
        for reduction in [Reduction::None, Reduction::Mean] {
            for gpu in adapters::all() {
                if is_known {
                    evaluated(gpu, &clip, &inputs, reduction);
                    continue;
                }
                let refused = clip.eval_with(gpu, &inputs, reduction).unwrap_err();
                assert_eq!(out_of_range(&refused), expected, "{scale} on {gpu:?}");
                let tensors = inputs.map(|host| wgloss::Tensor::from_host(gpu, host).unwrap());
                let output = clip.run_with(gpu, &tensors, reduction).unwrap();
                let zeros = output.loss.read_blocking().unwrap().to_f64();
                assert!(zeros.iter().all(|&x| x == 0.0), "{zeros:?} on {gpu:?}");
            }
            if !is_known {
                let refused = reference::evaluate(&clip, &inputs, &reduction.into()).unwrap_err();
                assert_eq!(out_of_range(&refused), expected);
            }
        }
    }
}

#[test]
fn probabilities_of_regions_and_rows_have_slack_too() {
    for gpu in adapters::all() {
        for slack in [3.6e-7, 9e-7] {
            let target = [1.0 + slack, -slack, 0.25, 0.75];
            for (name, activation) in
                [("dice", "none"), ("dice", "softmax"), ("ce_dice", ""), ("cross_entropy_soft", "")]
            {
                let settings: &[(&str, &str)] = if activation.is_empty() { &[] } else { &[("activation", activation)] };
                let loss = loss(name, settings);
                let first = if activation == "none" { [1.0 + slack, 0.0, -slack, 1.0] } else { [1.0, 2.0, 0.5, 0.0] };
                evaluated(gpu, &loss, &rows(&loss, &first, 2, &target), Reduction::Mean);
            }
        }
    }
}

#[test]
fn a_box_that_is_a_point_has_no_angle() {
    let ciou = loss("ciou", &[]);
    let shape = [1, 4];
    for gpu in adapters::all() {
        // Upside down by as much as `eps`.
        let height = -f64::from(1e-7_f32);
        let inputs = Named::new()
            .with("prediction", tensor(&[0.0, 0.0, 0.0, height], DType::F32, &shape))
            .with("target", tensor(&[0.0, 0.0, 1.0, 1.0], DType::F32, &shape));
        let found = evaluated(gpu, &ciou, &inputs, Reduction::Mean);
        assert!(gradients(&found).iter().all(|x| x.is_finite()), "{found:?} on {gpu:?}");
    }
}

#[test]
fn a_single_class_is_no_softmax_and_no_background() {
    for gpu in adapters::all() {
        for name in ["dice", "tversky", "focal_tversky", "jaccard"] {
            let of = |settings: &[(&str, &str)]| {
                let loss = loss(name, settings);
                let inputs = rows(&loss, &[0.5, 0.25], 1, &[0.0, 0.0]);
                evaluated(gpu, &loss, &inputs, Reduction::None)
            };
            assert_eq!(of(&[]), of(&[("include_background", "false")]));
            let class = [("scope", "class"), ("activation", "sigmoid")];
            assert_eq!(of(&class), of(&[&class[..], &[("include_background", "false")]].concat()));
        }
        for spec in losses::ALL.iter().filter(|spec| spec.regions().is_some()) {
            let settings: &[_] =
                if spec.regions().unwrap().terms.is_some() { &[] } else { &[("activation", "softmax")] };
            let loss = loss(spec.name, settings);
            let error = loss.eval_with(gpu, &rows(&loss, &[0.5, 0.25], 1, &[0.0, 0.0]), Reduction::Mean).unwrap_err();
            assert!(matches!(error, Error::Shape { tensor: "prediction", .. }), "{error}");
            assert!(error.to_string().contains("C ≥ 2 for a softmax"), "{error}");
        }
    }
}

#[test]
fn a_lone_row_makes_no_triplet() {
    for gpu in adapters::all() {
        for name in ["triplet_batch_hard", "triplet_semi_hard", "triplet_batch_all", "sup_con"] {
            for x in [0.5, NAN, INF] {
                let inputs = Named::new()
                    .with("embeddings", tensor(&[x, 1.0], DType::F32, &[1, 2]))
                    .with("labels", tensor(&[0.0], DType::I32, &[1]));
                evaluated(gpu, &loss(name, &[]), &inputs, Reduction::Mean);
            }
        }
    }
}
