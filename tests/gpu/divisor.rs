//! Sums that are divided by a number of the caller's, which is an option or on the device.

use wgloss::{
    AnyLoss, DType, Error, Evaluation, Extra, Gpu, Gradients, HostTensor, Loss, Mse, Named, Options, Plan, Reduction,
    Tensor, TensorType, losses, reference, spec::Driver,
};

use crate::common::{
    adapters,
    agreement::{assert_agree, evaluated, is_beyond_bindings, with_targets},
    device::{submit, uploaded},
    effort,
    inputs::{Inputs, sample, tensor},
};

const ITEMS: usize = 17;

/// One loss of each driver.
const OF_EACH_DRIVER: [&str; 13] = [
    "mse",
    "cross_entropy",
    "giou",
    "triplet_margin",
    "dice",
    "ce_dice",
    "clip",
    "triplet_batch_all",
    "vae",
    "perceptual",
    "style",
    "linear_cross_entropy",
    "policy_sequence",
];

fn loss(name: &str) -> AnyLoss {
    AnyLoss::new(name, &[]).unwrap()
}

fn losses_with_a_sum() -> impl Iterator<Item = AnyLoss> {
    let has_sum = |loss: &AnyLoss| loss.spec().reductions().any(|reduction| reduction == Reduction::Sum);
    losses::ALL.iter().map(|spec| loss(spec.name)).filter(has_sum)
}

/// Inputs with so many items, optional ones among them.
fn inputs(loss: &AnyLoss, dtype: DType) -> Inputs {
    let shape: &[usize] = match loss.spec().driver {
        Driver::Elementwise => &[ITEMS, 3],
        Driver::Sum(_) => &[ITEMS],
        Driver::Sequences(sequences) if sequences.takes_logits => &[8 * ITEMS, 5],
        Driver::Sequences(_) => &[8 * ITEMS],
        Driver::Boxes | Driver::Pairs | Driver::AllPairs(_) => &[ITEMS, 4],
        _ => &[ITEMS, 5],
    };
    sample(loss, shape, dtype, true)
}

fn scalar(value: f64, dtype: DType) -> HostTensor<'static> {
    tensor(&[value], dtype, &[1])
}

const SUM: Options = Options::new(Reduction::Sum);

fn divided_by(divisor: f32) -> Options {
    Options { divisor: Some(divisor), ..SUM }
}

/// Where the values of two evaluations differ, if those of the second are so many times as large.
fn difference(of: &Evaluation, divided: &Evaluation, times: f64) -> Option<String> {
    let all = |evaluation: &Evaluation, factor: f64| {
        let terms = evaluation.terms().iter().map(|(_, &term)| f64::from(term)).collect::<Vec<_>>();
        let gradients = evaluation.gradients.iter().flat_map(|(_, gradient)| gradient.to_f64());
        let values = evaluation.loss.to_f64().into_iter().chain(terms).chain(gradients);
        (evaluation.items, evaluation.correct(), values.map(|x| factor * x).collect::<Vec<f64>>())
    };
    let (sum, divided) = (all(of, 1.0), all(divided, times));
    (sum != divided).then(|| format!("{sum:?}\n{divided:?}"))
}

#[test]
fn a_divided_sum_is_the_sum_divided() {
    let is_one_of_each = |loss: &AnyLoss| OF_EACH_DRIVER.contains(&loss.spec().name);
    let others = effort::some(losses_with_a_sum().filter(|loss| !is_one_of_each(loss)), 2);
    for (turn, loss) in OF_EACH_DRIVER.into_iter().map(loss).chain(others).enumerate() {
        let inputs = inputs(&loss, DType::F32);
        let adapters: Vec<&Gpu> = match is_one_of_each(&loss) {
            true => adapters::all().iter().collect(),
            false => effort::adapters(turn).collect(),
        };
        let dtype = DType::FLOATS[turn % 3];
        let can_bind = |gpu: &&Gpu| !is_beyond_bindings(gpu, &loss, &inputs, SUM);
        for gpu in adapters.into_iter().filter(can_bind) {
            let of = |inputs: &Inputs, options| loss.eval_with(gpu, inputs, options).unwrap();
            let sum = of(&inputs, SUM);
            // Powers of two divide without rounding.
            let given = |divisor| inputs.clone().with("divisor", scalar(divisor, dtype));
            let divided = [
                (8.0, of(&inputs, divided_by(8.0))),
                (8.0, of(&given(8.0), SUM)),
                (0.25, of(&given(0.125), divided_by(2.0))),
            ];
            for (divisor, divided) in divided {
                let difference = difference(&sum, &divided, divisor);
                assert!(difference.is_none(), "{loss} {divisor} on {gpu:?}: {}", difference.unwrap_or_default());
            }
        }
    }
}

#[test]
fn every_treatment_of_gradients_is_divided() {
    for (turn, name) in OF_EACH_DRIVER.into_iter().enumerate() {
        let loss = loss(name);
        for &dtype in effort::taking_turns(&DType::FLOATS, turn) {
            let inputs = inputs(&loss, dtype).with("divisor", scalar(2.5, dtype)).with("upstream", scalar(-3.0, dtype));
            let treatments = [Gradients::Add { weight: 0.5 }, Gradients::InPlace, Gradients::Skip];
            for &gradients in effort::taking_turns(&treatments, turn / 3 + dtype as usize) {
                for gpu in effort::adapter(turn + dtype as usize) {
                    evaluated(gpu, &loss, &inputs, Options { gradients, ..divided_by(3.0) });
                }
            }
        }
    }
}

/// What the inputs have of some items.
fn part_of(inputs: &Inputs, first: usize, items: usize) -> Inputs {
    let part = |host: &HostTensor<'static>| match host.shape() {
        [ITEMS, rest @ ..] => {
            let row: usize = rest.iter().product();
            let values = &host.to_f64()[first * row..][..items * row];
            tensor(values, host.dtype(), &[&[items], rest].concat())
        }
        _ => host.clone(),
    };
    inputs.map(part)
}

#[test]
fn micro_batches_add_up_to_the_whole_batch() {
    let has_own_items = |loss: &AnyLoss| {
        matches!(loss.spec().driver, Driver::Elementwise | Driver::Rows(_) | Driver::Boxes | Driver::Pairs)
    };
    for (turn, loss) in effort::some(losses_with_a_sum().filter(has_own_items), 1).enumerate() {
        let inputs = inputs(&loss, DType::F32);
        let options = Options { gradients: Gradients::Add { weight: 0.5 }, ..SUM };
        let items = reference::evaluate(&loss, &inputs, &SUM).unwrap().items;
        let whole = Options { divisor: Some(items as f32), ..options };
        let expected = reference::evaluate(&loss, &inputs, &whole).unwrap();
        let can_bind = |gpu: &&Gpu| !is_beyond_bindings(gpu, &loss, &inputs, SUM);
        for gpu in effort::adapters(turn).filter(can_bind) {
            let part = |(first, items_of_part)| {
                let part = part_of(&inputs, first, items_of_part).with("divisor", scalar(items as f64, DType::F32));
                loss.eval_with(gpu, &with_targets(&loss, &part, options), options).unwrap()
            };
            let parts = [(0, 5), (5, 1), (6, 11)].map(part);
            let loss_value: f64 = parts.iter().map(|part| part.loss.item()).sum();
            let mut found = Evaluation::new(
                HostTensor::rounded(&[loss_value], DType::F32, []).unwrap(),
                parts.iter().map(|part| part.items).sum(),
            );
            let joined =
                |name: &str| parts.iter().flat_map(|part| part.gradients.get(name).unwrap().to_f64()).collect();
            for (name, gradient) in &expected.gradients {
                let values: Vec<f64> = joined(name);
                found.gradients = found.gradients.with(*name, tensor(&values, DType::F32, &[gradient.len()]));
            }
            let correct: Option<u64> = parts.iter().map(Evaluation::correct).sum();
            found.extras.extend(correct.map(Extra::Correct));
            assert_agree(&expected, &found, &format!("{loss} on {gpu:?}"));
        }
    }
}

#[test]
fn micro_batches_share_a_gradient() {
    let target: Vec<f64> = (0..ITEMS).map(|i| i as f64 - 3.5).collect();
    let expected = target.iter().map(|t| 2.0 * (1.5 - t)).sum::<f64>() / ITEMS as f64;
    for gpu in adapters::all() {
        let floats = |values: &[f64]| Tensor::from_host(gpu, tensor(values, DType::F32, &[values.len()])).unwrap();
        let gradient = floats(&[0.0]);
        let shared = Named::new()
            .with("prediction", floats(&[1.5]))
            .with("divisor", floats(&[ITEMS as f64]))
            .with("grad.prediction", gradient.clone());
        for part in [&target[..5], &target[5..6], &target[6..]] {
            let options = Options { gradients: Gradients::Add { weight: 1.0 }, ..SUM };
            Mse.run_with(gpu, &shared.clone().with("target", floats(part)), options).unwrap();
        }
        let found = gradient.read_blocking().unwrap().item();
        assert!((found - expected).abs() <= 1e-6 * expected.abs(), "{found} on {gpu:?}");
    }
}

#[test]
fn a_divisor_may_change_from_step_to_step() {
    for gpu in adapters::all() {
        for name in OF_EACH_DRIVER {
            let loss = loss(name);
            let divisor = Tensor::from_host(gpu, &[1.0_f32]).unwrap();
            let tensors = uploaded(gpu, &inputs(&loss, DType::F32)).with("divisor", divisor.clone());
            let plan = Plan::new(gpu, &loss, &tensors.map(|tensor| tensor.ty().clone()), SUM).unwrap();
            let output = plan.bind_tensors(&tensors).unwrap();
            let run = |value: f32| {
                divisor.write(&[value]).unwrap();
                submit(gpu, |encoder| output.record(encoder));
                output.read_blocking().unwrap()
            };
            let sum = run(1.0);
            let difference = difference(&sum, &run(16.0), 16.0);
            assert!(difference.is_none(), "{loss} on {gpu:?}: {}", difference.unwrap_or_default());
        }
    }
}

#[test]
fn what_is_left_out_or_has_no_weight_is_no_matter_of_the_divisor() {
    let inputs = Named::new()
        .with("prediction", tensor(&[1.0, 2.0, f64::NAN, 4.0], DType::F32, &[4]))
        .with("target", tensor(&[0.0; 4], DType::F32, &[4]))
        .with("mask", tensor(&[1.0, 1.0, 0.0, 1.0], DType::F32, &[4]))
        .with("weight", tensor(&[0.0, -1.0, 1.0, 0.5], DType::F32, &[4]));
    for gpu in adapters::all() {
        let found = evaluated(gpu, &Mse, &inputs.clone().with("divisor", scalar(10.0, DType::F16)), SUM);
        assert_eq!(found.items, 3);
        assert!((found.loss.item() - 0.4).abs() < 1e-7, "{found:?}");
    }
}

#[test]
fn a_divisor_on_the_device_that_is_none_is_told() {
    for gpu in adapters::all() {
        for name in OF_EACH_DRIVER {
            let loss = loss(name);
            let inputs = inputs(&loss, DType::F32);
            for wrong in [0.0, -2.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e-40] {
                let given = inputs.clone().with("divisor", scalar(wrong, DType::F32));
                let output = loss.run_with(gpu, &uploaded(gpu, &given), SUM).unwrap();
                let error = output.read_blocking().unwrap_err();
                let Error::Divisor { loss: told, found } = error else { panic!("{name} {wrong}: {error}") };
                assert_eq!(told, name);
                // Adapters may take a number below the least normal one for 0.
                let is_found =
                    found == wrong as f32 || found.is_nan() && wrong.is_nan() || wrong == 1e-40 && found == 0.0;
                assert!(is_found, "{name} {wrong}: {found}");
                assert!(error.to_string().contains("`divisor`"), "{error}");
                // It is all 0, but for a NaN, which shows.
                let is_right = |x: &f64| if wrong.is_nan() { x.is_nan() || *x == 0.0 } else { *x == 0.0 };
                let loss_found = output.loss.read_blocking().unwrap().item();
                assert!(if wrong.is_nan() { loss_found.is_nan() } else { loss_found == 0.0 }, "{name} {wrong}");
                for (input, gradient) in output.gradients.iter() {
                    let gradient = gradient.read_blocking().unwrap().to_f64();
                    assert!(gradient.iter().all(is_right), "{name} {wrong}: grad.{input} on {gpu:?}: {gradient:?}");
                }
                assert!(matches!(output.bound().read_status_blocking(), Err(Error::Divisor { .. })), "{name}");
                let refused = reference::evaluate(&loss, &given, &SUM).unwrap_err();
                assert!(matches!(refused, Error::Divisor { .. }), "{refused}");
            }
        }
    }
}

fn refusal(loss: &impl Loss, inputs: &Inputs, options: Options) -> Error {
    let types = inputs.map(|host| host.ty().clone());
    let mut errors = adapters::all().iter().map(|gpu| Plan::new(gpu, loss, &types, options).unwrap_err());
    let first = errors.next().unwrap();
    assert!(errors.all(|error| error.to_string() == first.to_string()), "{first}");
    let of_reference = reference::evaluate(loss, inputs, &options).unwrap_err();
    assert_eq!(of_reference.to_string(), first.to_string());
    first
}

#[test]
fn what_is_no_sum_is_not_divided() {
    let mse = inputs(&loss("mse"), DType::F32);
    let given = mse.clone().with("divisor", scalar(2.0, DType::F32));
    for reduction in Reduction::ALL.into_iter().filter(|&reduction| reduction != Reduction::Sum) {
        let expected = Error::DivisorReduction { loss: "mse", reduction };
        assert_eq!(refusal(&Mse, &given, Options::new(reduction)), expected);
        assert_eq!(refusal(&Mse, &mse, Options { divisor: Some(2.0), ..Options::new(reduction) }), expected);
    }
    // What has no sum has no divisor.
    let softmax = inputs(&loss("softmax"), DType::F32);
    let none = Options::new(Reduction::None);
    let refused = refusal(&loss("softmax"), &softmax.clone().with("divisor", scalar(2.0, DType::F32)), none);
    assert!(matches!(&refused, Error::UnexpectedTensor { tensor, .. } if tensor == "divisor"), "{refused}");
    let refused = refusal(&loss("softmax"), &softmax, Options { divisor: Some(2.0), ..none });
    assert_eq!(refused, Error::DivisorReduction { loss: "softmax", reduction: Reduction::None });
}

#[test]
fn numbers_and_tensors_that_are_no_divisors_are_refused() {
    let mse = inputs(&loss("mse"), DType::F32);
    for wrong in [0.0, -0.0, -1.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e-40] {
        let expected = Error::Divisor { loss: "mse", found: wrong };
        assert_eq!(format!("{:?}", refusal(&Mse, &mse, divided_by(wrong))), format!("{expected:?}"));
    }
    let refused = refusal(&Mse, &mse.clone().with("divisor", tensor(&[1.0, 2.0], DType::F32, &[2])), SUM);
    assert!(matches!(refused, Error::Shape { tensor: "divisor", .. }), "{refused}");
    let refused = refusal(&Mse, &mse.clone().with("divisor", tensor(&[2.0], DType::I32, &[1])), SUM);
    assert!(matches!(refused, Error::DType { .. }), "{refused}");
    // One value has an axis or none.
    for gpu in adapters::all() {
        let given = mse.clone().with("divisor", tensor(&[3.0], DType::BF16, &[]));
        evaluated(gpu, &Mse, &given, SUM);
        let ty = TensorType::new(DType::F32, []);
        let plan = Plan::new(gpu, &Mse, &mse.map(|host| host.ty().clone()).with("divisor", ty.clone()), SUM).unwrap();
        assert_eq!(plan.inputs().get("divisor"), Some(&ty));
        assert!(plan.outputs().get("divisor").is_none() && plan.outputs().get("grad.divisor").is_none());
    }
}
