//! Measurements: what is timed, and at which shapes.

use wgloss::{
    AnyLoss, DType, Gpu,
    bench::{Bench, Case, Precision, SCALING_ELEMENTS},
    losses,
    spec::{Driver, Shape},
};

use crate::common::{adapters, effort};

/// As few runs as there may be.
const ROUGH: Precision = {
    let default = std::time::Duration::ZERO;
    Precision { error: 1.0, least_runs: 2, most_runs: 2, most_time: default }
};

fn gpu() -> &'static Gpu {
    &adapters::every()[0]
}

fn any(name: &str) -> AnyLoss {
    AnyLoss::new(name, &[]).unwrap()
}

#[test]
fn every_loss_gets_inputs_of_its_domains() {
    let bench = Bench::new(gpu(), ROUGH).unwrap();
    for (turn, spec) in effort::some(losses::ALL.iter(), 1).enumerate() {
        for &dtype in effort::taking_turns(&DType::FLOATS, turn) {
            let (output, _) = bench.prepare(&Case::of_elements(&any(spec.name), dtype, 30_000)).unwrap();
            let mut encoder = gpu().device().create_command_encoder(&Default::default());
            output.record(&mut encoder);
            gpu().queue().submit([encoder.finish()]);
            let evaluation = output.read_blocking().unwrap_or_else(|error| panic!("{} {dtype}: {error}", spec.name));
            let gradients: Vec<f64> = evaluation.gradients.iter().flat_map(|(_, gradient)| gradient.to_f64()).collect();
            assert!(evaluation.loss.to_f64().iter().all(|x| x.is_finite()), "{} {dtype}", spec.name);
            // That of bce at a probability which rounds to 0 or 1 is beyond f16.
            let is_exact = dtype == DType::F32;
            assert!(!is_exact || gradients.iter().all(|x| x.is_finite()), "{} {dtype}", spec.name);
            // Those of a mean over the entries of Gram matrices are below all of f16.
            let vanish = dtype == DType::F16 && matches!(spec.driver, Driver::Layers(_));
            assert!(vanish || gradients.iter().any(|&x| x != 0.0), "{} {dtype}: nothing to compute", spec.name);
        }
    }
}

#[test]
fn bytes_are_those_of_inputs_and_outputs() {
    let bench = Bench::new(gpu(), ROUGH).unwrap();
    let bytes = |name, dtype| bench.prepare(&Case::of_elements(&any(name), dtype, 5000)).unwrap().1;
    // Prediction, target and gradient, and the loss.
    assert_eq!(bytes("mse", DType::F32), 3 * 4 * 5000 + 4);
    assert_eq!(bytes("mse", DType::BF16), 3 * 2 * 5000 + 4);
    // Two gradients.
    assert_eq!(bytes("gaussian_nll", DType::F32), 5 * 4 * 5000 + 4);
    // Five rows of 1,000 logits and their gradient, five labels.
    assert_eq!(bytes("cross_entropy", DType::F32), 2 * 4 * 5000 + 4 * 5 + 4);
    // Boxes of predictions, targets and gradients.
    assert_eq!(bytes("giou", DType::F32), 3 * 4 * 5000 + 4);
    // Logits, upstream, gradient and value of each class.
    assert_eq!(bytes("softmax", DType::F32), 4 * 4 * 5000);
}

#[test]
fn usual_shapes_shrink_into_memory_and_say_so() {
    for spec in losses::ALL {
        for (least, memory) in [(1, 1 << 20), (1, 1 << 28), (2, 1 << 40)] {
            let cases = Case::usual(&any(spec.name), DType::F32, memory);
            assert!(cases.len() >= 2, "{}", spec.name);
            for case in cases {
                // Heads are larger than what they are given, and have fewer classes instead.
                let has_head = spec.inputs.iter().any(|input| matches!(input.shape, Shape::Head(_)));
                let (axes, halved) =
                    if has_head { (&case.shape[1..], case.shape[2]) } else { (&case.shape[..], case.shape[0]) };
                let size = 4 * axes.iter().product::<usize>() as u64;
                assert!(size <= memory || halved == 1, "{} {:?}", spec.name, case.shape);
                assert!(!case.origin.is_empty());
                assert!(least == 1 || !case.origin.contains(" of it"), "{}", case.origin);
            }
        }
    }
    let [_, gpt2, _] = &Case::usual(&any("cross_entropy"), DType::F32, 1 << 28)[..] else { panic!("three shapes") };
    assert_eq!(gpt2.shape, [1024, 50_257]);
    assert!(gpt2.origin.ends_with("; 1/8 of it"), "{}", gpt2.origin);
}

#[test]
fn measurements_agree_with_themselves() {
    for gpu in adapters::all() {
        let bench = Bench::new(gpu, ROUGH).unwrap();
        for name in ["mse", "cross_entropy"] {
            let found = bench.measure(&Case::of_elements(&any(name), DType::F32, 50_000)).unwrap();
            assert_eq!(found.runs, 2);
            assert!(found.median_ms > 0.0 && found.copy_ms > 0.0 && found.spread >= 0.0, "{found:?}");
            assert!(found.first_call_ms > 0.0 && found.record_us > 0.0, "{found:?}");
            approx::assert_relative_eq!(found.fraction_of_copy, found.copy_ms / found.median_ms, epsilon = 1e-9);
            approx::assert_relative_eq!(
                found.gb_per_s,
                found.bytes as f64 / found.median_ms / 1e6,
                max_relative = 1e-9
            );
        }
    }
}

#[test]
fn sizes_of_a_series_grow() {
    assert!(SCALING_ELEMENTS.is_sorted());
    let bench = Bench::new(gpu(), ROUGH).unwrap();
    for (name, shape) in [("mse", vec![3000]), ("cross_entropy", vec![3, 1000])] {
        let point = bench.scaling_point(&Case::of_elements(&any(name), DType::F32, 3000)).unwrap();
        assert_eq!((point.elements, &point.shape), (3000, &shape));
        assert!(point.median_ms > 0.0);
    }
}
