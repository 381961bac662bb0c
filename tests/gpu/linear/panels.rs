//! Panels of any number of rows.

use wgloss::{DType, LinearCrossEntropy, Options, Reduction, Statistics, parity, reference};

use super::{
    Size, adapters, agreement::is_beyond_bindings, bytes_of, effort, evaluated, every_loss, gradient, head, run,
    sample, tensor, without,
};

/// Panels of one row, of a few, which do not divide the rows, of all but one, and of more than there are.
#[test]
fn panels_of_any_size_agree_with_the_reference() {
    let shape = [3, 29, 5];
    let statistics = Statistics { log_sum_exp: true, argmax: true, ..Statistics::default() };
    for (turn, loss) in every_loss().iter().enumerate() {
        let inputs = sample(loss, &shape, DType::FLOATS[turn % 3], true);
        let classes = inputs.get("weight").unwrap().shape()[0];
        for panel in [1, 7, 16, 86, 87, 200] {
            let panel_bytes = bytes_of(panel, classes);
            let options = Options { panel_bytes, statistics, ..Options::new(Reduction::Mean) };
            for gpu in adapters::all().iter().filter(|gpu| !is_beyond_bindings(gpu, loss, &inputs, options)) {
                evaluated(gpu, loss, &inputs, options);
            }
        }
    }
}

#[test]
fn the_bits_are_the_same_in_every_run() {
    let size = Size { items: &[150], dimensions: 17, classes: 67 };
    for (turn, dtype) in DType::FLOATS.into_iter().enumerate() {
        let inputs = head(&size, dtype);
        for panel in [16, 200] {
            let options = Options { panel_bytes: bytes_of(panel, 67), ..Options::new(Reduction::Mean) };
            for gpu in effort::adapters(turn) {
                let first = run(gpu, &LinearCrossEntropy::default(), &inputs, options);
                for _ in 0..3 {
                    let again = run(gpu, &LinearCrossEntropy::default(), &inputs, options);
                    assert!(again == first, "{dtype}, panels of {panel} on {gpu:?}");
                }
            }
        }
    }
}

/// What a gradient misses beyond the rounding of its storage, relative to the largest of its input.
fn error(found: &[f64], expected: &[f64], dtype: DType) -> f64 {
    let half_ulp = match dtype {
        DType::F16 => 2_f64.powi(-11),
        DType::BF16 => 2_f64.powi(-8),
        _ => 2_f64.powi(-24),
    };
    let largest = expected.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    let missed = found.iter().zip(expected).map(|(found, expected)| {
        // Halves below the smallest normal number have fewer digits.
        ((found - expected).abs() - half_ulp * expected.abs() - 2_f64.powi(-25)).max(0.0)
    });
    missed.fold(0.0, f64::max) / largest
}

/// A gradient of a head is summed over all panels before it is rounded, whatever it is stored as.
#[test]
fn the_error_does_not_grow_with_the_number_of_panels() {
    let size = Size { items: &[1024], dimensions: 16, classes: 33 };
    let loss = LinearCrossEntropy::default();
    for dtype in [DType::F16, DType::BF16] {
        let inputs = head(&size, dtype);
        // A sum, because gradients of a mean over so many rows lie where f16 has few digits.
        let exact = reference::evaluate(&loss, &inputs, &Reduction::Sum.into()).unwrap();
        for gpu in effort::adapters(dtype as usize) {
            for panels in [1, 16, 1024] {
                let options = Options { panel_bytes: bytes_of(1024 / panels, 33), ..Options::new(Reduction::Sum) };
                let found = run(gpu, &loss, &inputs, options);
                let what = format!("{dtype}, {panels} panels on {gpu:?}");
                assert!(parity::compare(&exact, &found).failures.is_empty(), "{what}");
                for (name, exact) in &exact.gradients {
                    let error = error(&gradient(&found, name).to_f64(), exact, dtype);
                    assert!(error < 2e-6, "{what}: gradient of {name} is off by {error:e}");
                }
            }
        }
    }
}

/// Neither a row's loss nor its gradient knows of the other rows.
#[test]
fn a_row_has_the_same_bits_in_any_panel() {
    let size = Size { items: &[100], dimensions: 12, classes: 41 };
    let inputs = head(&size, DType::F32);
    let statistics = Statistics { log_sum_exp: true, argmax: true, ..Statistics::default() };
    for gpu in adapters::all() {
        let with_panels = |rows| {
            let panel_bytes = bytes_of(rows, 41);
            let options = Options { panel_bytes, statistics, ..Options::new(Reduction::None) };
            run(gpu, &LinearCrossEntropy::default(), &inputs, options)
        };
        let whole = with_panels(100);
        for rows in [16, 32, 48] {
            let found = with_panels(rows);
            assert!(found.loss == whole.loss, "panels of {rows} on {gpu:?}");
            assert!(gradient(&found, "hidden") == gradient(&whole, "hidden"), "panels of {rows} on {gpu:?}");
            assert_eq!(found.argmax(), whole.argmax());
            assert_eq!(found.correct(), whole.correct());
            for name in ["weight", "bias"] {
                let [found, whole] = [&found, &whole].map(|of| gradient(of, name).to_f64());
                for (found, whole) in found.iter().zip(&whole) {
                    assert!((found - whole).abs() < 1e-5, "{name}: {found} for {whole}, panels of {rows} on {gpu:?}");
                }
            }
        }
    }
}

/// A head without biases has the logits of one whose biases are 0.
#[test]
fn absent_biases_are_zero() {
    let size = Size { items: &[20], dimensions: 7, classes: 9 };
    let inputs = head(&size, DType::F32);
    let zeros = super::with(&inputs, "bias", tensor(&[0.0; 9], DType::F32, &[9]));
    for gpu in adapters::all() {
        let found = run(gpu, &LinearCrossEntropy::default(), &without(&inputs, "bias"), Reduction::Mean);
        let expected = run(gpu, &LinearCrossEntropy::default(), &zeros, Reduction::Mean);
        assert!(found.loss == expected.loss && found.gradients.get("bias").is_none(), "{gpu:?}");
        for name in ["hidden", "weight"] {
            assert!(gradient(&found, name) == gradient(&expected, name), "{name} on {gpu:?}");
        }
    }
}
