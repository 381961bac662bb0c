//! The CPU reference against PyTorch, and the kernels.

use std::{collections::BTreeSet, io::Write};

use approx::relative_eq;
use wgloss::{Loss, Reduction, losses, reference};

use crate::common::{
    agreement::assert_agree,
    effort,
    golden::{Case, cases},
};

const TOLERANCE: f64 = 1e-12;

/// Of a sum whose terms nearly cancel, relative to these.
const TOLERANCE_OF_TERMS: f64 = 1e-14;

fn assert_same(found: &[f64], expected: &[f64], terms: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, ((found, expected), terms)) in found.iter().zip(expected).zip(terms).enumerate() {
        let epsilon = TOLERANCE_OF_TERMS * terms;
        let close = relative_eq!(*found, *expected, epsilon = epsilon, max_relative = TOLERANCE);
        assert!(close, "{what}[{index}]: found {found:e}, expected {expected:e}");
    }
}

#[test]
fn the_reference_gives_what_pytorch_gives() {
    for Case { name, loss, reduction, inputs, expected_loss, expected_shape, expected_gradients } in cases() {
        let result =
            reference::evaluate(&loss, &inputs, &reduction.into()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(result.shape, expected_shape, "{name}");
        assert_same(&result.loss, &expected_loss, &vec![0.0; result.loss.len()], &format!("{name}: loss"));
        assert_eq!(result.gradients.len(), expected_gradients.iter().count(), "{name}");
        for ((input, gradient), terms) in result.gradients.into_iter().zip(result.gradient_magnitudes) {
            let expected = expected_gradients.get(input).unwrap_or_else(|| panic!("{name}: no gradient of {input}"));
            assert_same(&gradient, expected, &terms, &format!("{name}: gradient of {input}"));
        }
    }
}

#[test]
fn every_loss_and_parameter_has_golden_cases() {
    let cases = cases();
    for spec in losses::ALL {
        let of_loss: Vec<_> = cases.iter().filter(|case| case.loss.spec().name == spec.name).collect();
        if of_loss.is_empty() {
            // Whoever adds a loss may have no PyTorch at hand. Not printed: what is, a passing test keeps to itself.
            let told = writeln!(
                std::io::stderr(),
                "{} has no golden values: add its cases to tests/golden/generate.py and run `make golden`",
                spec.name
            );
            told.unwrap();
            continue;
        }
        let reductions: BTreeSet<_> = of_loss.iter().map(|case| case.reduction.name()).collect();
        let others = [Reduction::WeightedMean, Reduction::BatchMean];
        for reduction in spec.reductions().filter(|reduction| !others.contains(reduction)) {
            assert!(reductions.contains(reduction.name()), "{} has no case for {reduction}", spec.name);
        }
        for (index, param) in spec.params.iter().enumerate() {
            let varied = of_loss.iter().any(|case| case.loss.values()[index] != param.default);
            assert!(varied, "no case of {} sets {}", spec.name, param.name);
        }
    }
}

/// All cases in the whole run, and few in others: parity holds the kernels to the reference, and that has its test of
/// all cases.
#[test]
fn kernels_give_what_pytorch_gives() {
    let cases = cases().into_iter().step_by(if effort::is_full() { 1 } else { 4 });
    for (number, case) in effort::some(cases, 2).enumerate() {
        let Case { name, loss, reduction, inputs, expected_loss, expected_shape, expected_gradients } = case;
        // The cases of a loss have most kernels in common.
        let of_loss = losses::ALL.iter().position(|spec| spec.name == loss.spec().name).unwrap();
        let turn = if effort::is_full() { number } else { of_loss };
        // Count and magnitude are the reference's, which has a test of its own against the same values.
        let mut expected = reference::evaluate(&loss, &inputs, &reduction.into()).unwrap();
        expected.loss = expected_loss;
        for (input, gradient) in &mut expected.gradients {
            gradient.clone_from(expected_gradients.get(input).unwrap());
        }
        for gpu in effort::adapter(turn) {
            let found = loss.eval_with(gpu, &inputs, reduction).unwrap();
            assert_eq!(found.loss.shape(), expected_shape, "{name}");
            assert_agree(&expected, &found, &format!("{name} on {}", gpu.adapter_id()));
        }
    }
}
