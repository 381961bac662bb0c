//! A teacher of whom the likeliest classes are given, on every adapter.

use wgloss::{Adapter, AnyLoss, DType, Error, Gpu, Gradients, Loss, Named, Options, Reduction, losses, reference};

use crate::common::{
    adapters,
    agreement::{assert_agree, evaluated, out_of_range},
    effort,
    inputs::{Inputs, changed, tensor},
};

const TAILS: [&str; 2] = ["renormalize", "bucket"];

fn top_k(settings: &[(&str, &str)]) -> AnyLoss {
    AnyLoss::new(losses::JENSEN_SHANNON_TOP_K.name, settings).unwrap()
}

/// Rows of which some classes are given, others in each row.
fn rows(rows: usize, classes: usize, given: usize, dtype: DType) -> Inputs {
    let mut rng = fastrand::Rng::with_seed(7);
    let logits: Vec<f64> = (0..rows * classes).map(|_| 8.0 * rng.f64() - 4.0).collect();
    let indices: Vec<f64> =
        (0..rows).flat_map(|row| (0..given).map(move |place| ((place * 3 + row) % classes) as f64)).collect();
    let ln_given = (given as f64).ln();
    let log_probs: Vec<f64> = (0..rows * given).map(|_| -ln_given - 0.25 - rng.f64()).collect();
    Named::new()
        .with("logits", tensor(&logits, dtype, &[rows, classes]))
        .with("teacher_indices", tensor(&indices, DType::I32, &[rows, given]))
        .with("teacher_log_probs", tensor(&log_probs, dtype, &[rows, given]))
}

/// The device with bindings of 64 KiB at most.
fn with_small_bindings(gpu: &Gpu) -> Gpu {
    let adapter = pollster::block_on(Adapter::find(&gpu.adapter_id())).expect("it was found before");
    let limits = wgpu::Limits { max_storage_buffer_binding_size: 64 << 10, ..adapter.limits() };
    pollster::block_on(adapter.open_with_limits(limits)).expect("lower limits are granted")
}

/// Rows of an odd number of classes, so that chunks begin anywhere in their bindings.
#[test]
fn logits_larger_than_a_binding_are_split() {
    for (turn, dtype) in DType::FLOATS.into_iter().enumerate() {
        let inputs = rows(1501, 101, 7, dtype);
        for gpu in effort::adapters(turn) {
            let gpu = with_small_bindings(gpu);
            for tail in TAILS {
                for gradients in [Gradients::Write, Gradients::InPlace, Gradients::Add { weight: 0.5 }] {
                    let options = Options { gradients, ..Options::new(Reduction::BatchMean) };
                    evaluated(&gpu, &top_k(&[("tail", tail)]), &inputs, options);
                }
            }
        }
    }
}

#[test]
fn a_class_that_is_named_twice_puts_its_row_out_of_range() {
    let good = rows(70, 37, 9, DType::F32);
    // The last class given of one row is the first one too; another row names the third class again.
    let twice = changed(&good, "teacher_indices", &[(9 * 12 + 8, 12.0), (9 * 33 + 4, ((3 * 3 + 33) % 37) as f64)]);
    let target: Vec<f64> = (0..70).map(|row| if row == 12 { -100.0 } else { 5.0 }).collect();
    let ignored = twice.clone().with("target", tensor(&target, DType::I32, &[70]));
    for tail in TAILS {
        let loss = top_k(&[("tail", tail)]);
        for (inputs, count, first) in [(&twice, 2, 12), (&ignored, 1, 33)] {
            let expected = reference::evaluate(&loss, inputs, &Reduction::Mean.into()).unwrap_err();
            assert_eq!(out_of_range(&expected), ("jensen_shannon_top_k", count, first));
            let Error::Target { offender: Some(offender), .. } = &expected else { panic!("{expected:?}") };
            assert_eq!((offender.tensor, offender.index[0]), ("teacher_indices", first as usize));
            for gpu in adapters::all() {
                assert_eq!(loss.eval_with(gpu, inputs, Reduction::Mean).unwrap_err(), expected, "{gpu:?}");
            }
        }
    }
}

/// A student that is nearly sure of what the teacher gives, with −∞ and without, far from 0.
#[test]
fn a_bucket_of_next_to_nothing_keeps_its_digits() {
    for lead in [12.0, 30.0, 60.0] {
        let others: Vec<f64> = (0..16).map(|class| 1000.0 - f64::from(class % 5) / 4.0).collect();
        let mut logits = others.clone();
        logits[3] += lead;
        logits[7] += lead - 0.5;
        logits[9] = f64::NEG_INFINITY;
        let inputs = Named::new()
            .with("logits", tensor(&logits, DType::F32, &[1, 16]))
            .with("teacher_indices", tensor(&[7.0, 3.0], DType::I32, &[1, 2]))
            .with("teacher_log_probs", tensor(&[-0.75, -1.5], DType::F32, &[1, 2]));
        for beta in ["0", "0.25", "1"] {
            let loss = top_k(&[("tail", "bucket"), ("beta", beta)]);
            let expected = reference::evaluate(&loss, &inputs, &Reduction::None.into()).unwrap();
            for gpu in adapters::all() {
                let found = loss.eval_with(gpu, &inputs, Reduction::None).unwrap();
                assert_agree(&expected, &found, &format!("{lead} {beta} on {gpu:?}"));
            }
        }
    }
}

/// Nothing of what is not given is read: neither a NaN nor an infinity.
#[test]
fn without_a_bucket_other_logits_are_not_looked_at() {
    let good = rows(17, 11, 3, DType::F32);
    let others: Vec<(usize, f64)> = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY]
        .into_iter()
        .enumerate()
        // Row 0 gives 0, 3 and 6; row 5 gives 5, 8 and 0.
        .flat_map(|(place, x)| [(1 + place % 2, x), (5 * 11 + 1 + place, x)])
        .collect();
    let bad = changed(&good, "logits", &others);
    for gpu in adapters::all() {
        let [expected, found] = [&good, &bad].map(|inputs| evaluated(gpu, &top_k(&[]), inputs, Reduction::None));
        assert_eq!(found.loss.bytes(), expected.loss.bytes(), "{gpu:?}");
        assert_eq!(found.gradients, expected.gradients, "{gpu:?}");
    }
}
