//! Worked values, and logits that are far off.

use wgloss::{DType, LinearCrossEntropy, Named, Options, Reduction, Statistics};

use super::Size;
use super::{adapters, evaluated, gradient, head, run, tensor, values, with};

#[test]
fn three_rows_worked_by_hand() {
    let floats = |values: &[f64], shape: &[usize]| tensor(values, DType::F32, shape);
    let inputs = Named::new()
        .with("hidden", floats(&[0.5, -1.0, 2.0, 0.25, -0.75, 1.5], &[3, 2]))
        .with("weight", floats(&[1.0, 0.5, -0.5, 2.0, 0.25, -1.5, 1.5, 1.0], &[4, 2]))
        .with("bias", floats(&[0.1, -0.2, 0.3, 0.0], &[4]))
        .with("target", tensor(&[2.0, 3.0, -100.0], DType::I32, &[3]));
    let expected: [(&str, &[f64]); 3] = [
        ("hidden", &[0.0984463, 0.2526437, -0.1015902, -0.1072853, 0.0, 0.0]),
        ("weight", &[0.2809284, -0.0314102, 0.0158403, -0.0032144, -0.0145500, 0.1167823, -0.2822187, -0.0821576]),
        ("bias", &[0.1874239, 0.0115869, -0.0909934, -0.1080174]),
    ];
    for gpu in adapters::all() {
        let found = run(gpu, &LinearCrossEntropy::default(), &inputs, Reduction::Mean);
        assert!((found.loss.item() - 0.307721742).abs() < 1e-7, "{} on {gpu:?}", found.loss.item());
        assert_eq!((found.items, found.correct()), (2, Some(2)), "{gpu:?}");
        for (name, expected) in expected {
            for (found, expected) in gradient(&found, name).to_f64().iter().zip(expected) {
                assert!((found - expected).abs() < 2e-7, "{name}: {found} for {expected} on {gpu:?}");
            }
        }
    }
}

/// Biases that are far off: without them all logits are exact in f32, and with them still, so that nothing but the
/// log-sum-exp tells that they are there.
#[test]
fn what_all_logits_share_changes_nothing_but_their_log_sum_exp() {
    let size = Size { items: &[37], dimensions: 6, classes: 33 };
    let sixteenths = |count, seed| values(count, 2.0, seed).iter().map(|x| (x * 16.0).round() / 16.0).collect();
    let [hidden, weight, bias]: [Vec<f64>; 3] = [sixteenths(37 * 6, 1), sixteenths(33 * 6, 2), sixteenths(33, 3)];
    let plain = head(&size, DType::F32);
    let plain = with(&plain, "hidden", tensor(&hidden, DType::F32, &[37, 6]));
    let plain = with(&plain, "weight", tensor(&weight, DType::F32, &[33, 6]));
    let biased = |offset: f64| {
        let bias: Vec<f64> = bias.iter().map(|x| x + offset).collect();
        with(&plain, "bias", tensor(&bias, DType::F32, &[33]))
    };
    let statistics = Statistics { log_sum_exp: true, argmax: true, ..Statistics::default() };
    for gpu in adapters::all() {
        for reduction in [Reduction::Mean, Reduction::None] {
            let options = Options { statistics, ..Options::new(reduction) };
            let expected = evaluated(gpu, &LinearCrossEntropy::default(), &biased(0.0), options);
            for offset in [1e4, -1e4] {
                let found = evaluated(gpu, &LinearCrossEntropy::default(), &biased(offset), options);
                assert!(found.loss == expected.loss && found.gradients == expected.gradients, "{offset} on {gpu:?}");
                assert_eq!((found.argmax(), found.correct()), (expected.argmax(), expected.correct()));
                let moved = found.log_sum_exp().unwrap().to_f64();
                for (found, expected) in moved.iter().zip(expected.log_sum_exp().unwrap().to_f64()) {
                    let close = (found - offset - expected).abs() < 2e-3;
                    assert!(close || found.is_nan() && expected.is_nan(), "{found} for {expected} on {gpu:?}");
                }
            }
        }
    }
}

#[test]
fn a_cross_entropy_is_never_negative() {
    let size = Size { items: &[101], dimensions: 8, classes: 130 };
    for (turn, dtype) in DType::FLOATS.into_iter().enumerate() {
        for scale in [1.0, 100.0, 1e4] {
            let inputs = head(&size, dtype);
            let inputs = with(&inputs, "bias", tensor(&values(130, scale, 4 + turn as u64), dtype, &[130]));
            for gpu in adapters::all() {
                let found = evaluated(gpu, &LinearCrossEntropy::default(), &inputs, Reduction::None);
                let losses = found.loss.to_f64();
                assert!(losses.iter().all(|&loss| loss >= 0.0), "{dtype} {scale} on {gpu:?}: {losses:?}");
            }
        }
    }
}

#[test]
fn logits_of_any_size_agree_with_the_reference() {
    for (turn, classes) in [1, 2, 7, 33, 130].into_iter().enumerate() {
        for rows in [1, 2, 19, 67] {
            let size = Size { items: &[rows], dimensions: 5, classes };
            let inputs = head(&size, DType::FLOATS[turn % 3]);
            for gpu in adapters::all() {
                let found = evaluated(gpu, &LinearCrossEntropy::default(), &inputs, Reduction::Mean);
                if classes == 1 {
                    // There is nothing to choose.
                    let all = found.gradients.iter().flat_map(|(_, gradient)| gradient.to_f64());
                    assert!(all.chain(found.loss.to_f64()).all(|x| x == 0.0), "{rows} rows on {gpu:?}");
                }
            }
        }
    }
}
