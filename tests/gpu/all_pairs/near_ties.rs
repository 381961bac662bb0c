//! Choices that rounding decides: either is right, and no other.

use wgloss::{
    AnyLoss, DType, Evaluation, Gradients, HostTensor, Loss, Named, Options, Reduction, Statistics, parity, reference,
};

use super::{Inputs, adapters, effort, embeddings, labels, loss};

/// Rows of a standard normal distribution, in so few dimensions that many distances are nearly the same.
fn normal(rows: usize, dimensions: usize, seed: u64) -> Inputs {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut normal = || (-2.0 * (1.0 - rng.f64()).ln()).sqrt() * (std::f64::consts::TAU * rng.f64()).cos();
    let values: Vec<f64> = (0..rows * dimensions).map(|_| normal()).collect();
    let classes: Vec<i32> = (0..rows as i32).map(|row| row % 5).collect();
    Named::new().with("embeddings", embeddings(&values, DType::F32, rows)).with("labels", labels(&classes))
}

fn losses() -> Vec<(AnyLoss, usize)> {
    vec![
        (loss("triplet_semi_hard", &[("margin", "0.2")]), 300),
        (loss("triplet_semi_hard", &[("fallback", "farthest")]), 400),
        (loss("triplet_batch_hard", &[]), 400),
        (loss("triplet_batch_all", &[("margin", "0.2")]), 200),
        (loss("triplet_batch_all", &[("triplets", "semi_hard")]), 200),
        (loss("triplet_batch_all", &[("triplets", "hard"), ("average", "all")]), 200),
    ]
}

#[test]
fn what_rounding_decides_is_forgiven() {
    for gpu in adapters::all() {
        for (turn, (loss, rows)) in losses().into_iter().enumerate() {
            let inputs = normal(rows, 2 + turn % 2, turn as u64);
            for &reduction in effort::taking_turns(&[Reduction::Mean, Reduction::None], turn / 2) {
                if let Ok(found) = loss.eval_with(gpu, &inputs, reduction) {
                    let expected = reference::evaluate(&loss, &inputs, &reduction.into()).unwrap();
                    let failures = parity::compare(&expected, &found).failures;
                    assert_eq!(failures, Vec::<String>::new(), "{loss:?} {reduction} on {gpu:?}");
                }
            }
        }
    }
}

/// Of 300 rows some choice is in doubt, and forgiving it forgives no other.
#[test]
fn another_choice_that_is_clear_is_an_error() {
    let gpu = &adapters::every()[0];
    for (loss, rows) in losses().into_iter().take(4) {
        let inputs = normal(rows, 2, 5);
        let expected = reference::evaluate(&loss, &inputs, &Reduction::Mean.into()).unwrap();
        let found = loss.eval_with(gpu, &inputs, Reduction::Mean).unwrap();
        assert_eq!(parity::compare(&expected, &found).failures, Vec::<String>::new(), "{loss:?}");
        // One pair more pulls at two rows of which no choice is in doubt.
        let values = found.gradients.get("embeddings").unwrap().to_f64();
        let pull = 1.0 / found.items as f64;
        let doubts = expected.doubts.gradients.first().cloned().unwrap_or_else(|| vec![0.0; values.len()]);
        let clear = (0..rows).find(|row| doubts[2 * row..][..2].iter().all(|doubt| *doubt < 0.01 * pull)).unwrap();
        let mut wrong = values.clone();
        wrong[2 * clear] += pull;
        assert_eq!(failures_with(&expected, &found, &wrong, found.items), 1, "{loss:?}");
        let more = found.items + expected.doubts.items + 1;
        assert_eq!(failures_with(&expected, &found, &values, more), 1, "{loss:?}");
    }
}

fn failures_with(expected: &reference::Evaluation, found: &Evaluation, gradient: &[f64], items: u64) -> usize {
    let mut evaluation = found.clone();
    let gradient = HostTensor::rounded(gradient, DType::F32, [gradient.len() / 2, 2]).unwrap();
    (evaluation.gradients, evaluation.items) = (Named::new().with("embeddings", gradient), items);
    parity::compare(expected, &evaluation).failures.len()
}

/// Two negatives a rounding apart: either may be the nearest, and a third may not.
#[test]
fn the_hardest_rows_are_those_that_rounding_leaves() {
    let values = [0.0, 1.0, 3.0, -3.000_000_2, 3.001];
    let inputs: Inputs =
        Named::new().with("embeddings", embeddings(&values, DType::F32, 5)).with("labels", labels(&[1, 1, 2, 3, 4]));
    let statistics = Statistics { hardest: true, ..Statistics::default() };
    let options = Options { statistics, gradients: Gradients::Skip, ..Options::new(Reduction::Sum) };
    let loss = loss("triplet_batch_hard", &[("margin", "5")]);
    let expected = reference::evaluate(&loss, &inputs, &options).unwrap();
    assert_eq!(expected.doubts.hardest[0], [vec![], vec![3]]);
    let found = loss.eval_with(&adapters::every()[0], &inputs, options).unwrap();
    let failures_with = |row: i32| {
        let mut found = found.clone();
        let others = found.statistics.iter().filter(|(name, _)| *name != "hardest_negative");
        let others: Named<HostTensor> = others.map(|(name, tensor)| (name.to_string(), tensor.clone())).collect();
        found.statistics = others.with("hardest_negative", labels(&[row, 2, -1, -1, -1]));
        parity::compare(&expected, &found).failures
    };
    assert_eq!(failures_with(2), Vec::<String>::new());
    assert_eq!(failures_with(3), Vec::<String>::new());
    assert_eq!(failures_with(4), ["the hardest negative of anchor 0 is row 4, expected 2"]);
}
