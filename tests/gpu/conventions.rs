//! What the catalogue promises of every loss, on every adapter.

use wgloss::{
    AnyLoss, BceWithLogits, Contrastive, CrossEntropy, CrossEntropySoft, DType, Evaluation, GaussianNll, Giou, Gpu,
    Gradients, HostTensor, Huber, Loss, Mae, Mse, Named, Options, Plan, Reduction, losses, reference,
    spec::{Domain, Driver, Input},
};

use crate::common::{
    adapters,
    agreement::{assert_agree, evaluated, is_beyond_bindings},
    bound::{Buffers, evaluated_in_the_callers_buffers},
    device::{submit, uploaded},
    effort,
    futures::started,
    inputs::{Inputs, changed, domain, sample, tensor},
};

/// Every loss whose items stand side by side, with its defaults. Scores of regions have a test file of their own.
fn every_loss() -> impl Iterator<Item = AnyLoss> {
    losses::ALL.iter().filter(|spec| spec.regions().is_none()).map(|spec| AnyLoss::new(spec.name, &[]).unwrap())
}

/// The shape of a first input with this many items.
fn shape_of(loss: &dyn Loss, items: usize) -> Vec<usize> {
    match loss.spec().driver {
        Driver::Elementwise | Driver::Sum(_) => vec![items],
        Driver::Sequences(sequences) if sequences.takes_logits => vec![8 * items, 5],
        Driver::Sequences(_) => vec![8 * items],
        Driver::Rows(_)
        | Driver::Regions(_)
        | Driver::Layers(_)
        | Driver::Gram
        | Driver::Linear(_)
        | Driver::TopK(_) => vec![items, 5],
        Driver::Boxes | Driver::Pairs | Driver::AllPairs(_) => vec![items, 4],
    }
}

fn pair(prediction: &[f64], target: &[f64]) -> Inputs {
    let tensor = |values: &[f64]| tensor(values, DType::F32, &[values.len()]);
    Named::new().with("prediction", tensor(prediction)).with("target", tensor(target))
}

fn rows(logits: &[f64], dtype: DType, target: &[f64]) -> Inputs {
    let shape = [target.len(), logits.len() / target.len()];
    Named::new().with("logits", tensor(logits, dtype, &shape)).with("target", tensor(target, DType::I32, &shape[..1]))
}

fn gradient<'a>(evaluation: &'a Evaluation, input: &str) -> &'a HostTensor<'static> {
    evaluation.gradients.get(input).unwrap()
}

#[test]
fn nothing_in_gives_nothing_out() {
    for gpu in adapters::all() {
        for loss in effort::some(every_loss(), 3) {
            // Tasks of which there are none are an error: `tasks`.
            let shapes: &[&[usize]] = match loss.spec().driver {
                _ if loss.spec().inputs[0].needs_values => &[],
                Driver::Elementwise | Driver::Sum(_) => &[&[0], &[0, 5], &[3, 0]],
                Driver::Sequences(sequences) if sequences.takes_logits => &[&[0, 4]],
                Driver::Sequences(_) => &[&[0]],
                Driver::Rows(_) | Driver::Regions(_) => &[&[0, 4], &[2, 4, 0]],
                Driver::Boxes | Driver::Linear(_) => &[&[0, 4], &[2, 0, 4]],
                Driver::Pairs | Driver::AllPairs(_) | Driver::TopK(_) => &[&[0, 4]],
                Driver::Layers(_) | Driver::Gram => &[&[0, 4], &[2, 4, 0]],
            };
            for (shape, optional) in shapes.iter().flat_map(|&shape| [(shape, false), (shape, true)]) {
                let inputs = sample(&loss, shape, DType::F32, optional);
                for reduction in loss.spec().reductions() {
                    let found = evaluated(gpu, &loss, &inputs, reduction);
                    let expected = if reduction == Reduction::None { vec![] } else { vec![0.0] };
                    assert_eq!((found.loss.to_f64(), found.items), (expected, 0), "{loss:?} {shape:?} {reduction}");
                    for (name, gradient) in found.gradients.iter() {
                        assert_eq!(gradient.ty(), inputs.get(name).unwrap().ty());
                    }
                }
                // What has values all the same is written: a gradient of 0 for what all items share.
                let options = Options::new(loss.spec().reductions().last().unwrap());
                let found = evaluated_in_the_callers_buffers(gpu, &loss, &inputs, options, Buffers::One, 0x40);
                let values = found.gradients.iter().flat_map(|(_, gradient)| gradient.to_f64());
                assert!(
                    values.chain(found.loss.to_f64()).all(|x| x == 0.0),
                    "{loss:?} {shape:?} {options:?}: {found:?}"
                );
            }
        }
    }
}

#[test]
fn a_mean_over_nothing_that_counts_is_zero() {
    let zero = |found: &Evaluation| {
        let gradients = found.gradients.iter().flat_map(|(_, gradient)| gradient.to_f64());
        found.loss.item() == 0.0 && gradients.into_iter().all(|x| x == 0.0)
    };
    for (turn, loss) in effort::some(every_loss(), 0).enumerate() {
        let given = sample(&loss, &shape_of(&loss, 7), DType::F32, true);
        let can_bind = |gpu: &&Gpu| !is_beyond_bindings(gpu, &loss, &given, Reduction::Sum);
        for gpu in effort::adapters(turn).filter(can_bind) {
            for (weights, reduction) in
                [(loss.spec().item_weight(), Reduction::WeightedMean), ("class_weight", Reduction::Mean)]
            {
                let Some(some) = given.get(weights) else { continue };
                let none: Vec<_> = (0..some.shape()[0]).map(|index| (index, 0.0)).collect();
                let found = evaluated(gpu, &loss, &changed(&given, weights, &none), reduction);
                assert!(zero(&found), "{loss:?} {weights}: {found:?}");
            }
        }
    }
    for gpu in adapters::all() {
        for dtype in DType::FLOATS {
            let ignored = rows(&[1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 2.0, 3.0], dtype, &[-100.0; 3]);
            for reduction in [Reduction::Sum, Reduction::Mean, Reduction::WeightedMean, Reduction::BatchMean] {
                let found = evaluated(gpu, &CrossEntropy::default(), &ignored, reduction);
                assert!(zero(&found) && found.items == 0, "{reduction}: {found:?}");
            }
        }
    }
}

/// Items that get a NaN, infinity and minus infinity.
const POISONED: [(usize, f64); 3] = [(3, f64::NAN), (8, f64::INFINITY), (16, f64::NEG_INFINITY)];

#[test]
fn what_is_not_finite_reaches_the_loss_and_gradient_of_its_item_and_of_no_other() {
    // In a whole batch it reaches all items: `all_pairs`. What is a sum of means has none: `sums`.
    let has_items = |loss: &AnyLoss| loss.spec().all_pairs().is_none() && loss.spec().input("mask").is_some();
    for (turn, loss) in effort::some(every_loss().filter(has_items), 1).enumerate() {
        for &dtype in effort::taking_turns(&DType::FLOATS, turn / 3) {
            let good = sample(&loss, &shape_of(&loss, 17), dtype, true);
            // One a value. Where these are per class, ones would have no gradient.
            let upstream = match loss.spec().is_per_class() {
                true => good.get("logits").unwrap().clone(),
                false => tensor(&[1.0; 17], dtype, &[17]),
            };
            let good = good.with("upstream", upstream);
            let has_numbers = |input: &&Input| {
                input.goes_with(Reduction::None)
                    && ![Domain::Class, Domain::DistinctClasses, Domain::Mask, Domain::Offsets].contains(&input.domain)
            };
            for input in loss.spec().all_inputs().filter(has_numbers) {
                let given = good.get(input.name).unwrap().to_f64().len();
                // What is out of range is refused instead.
                let is_in_range = |poison: f64| match domain(&loss, input) {
                    Domain::LogVariance => false,
                    _ if poison.is_nan() => true,
                    Domain::Probability | Domain::Sign | Domain::Similar | Domain::TargetBox => false,
                    Domain::ClassWeight | Domain::NonNegative => poison > 0.0,
                    Domain::LogProbability => poison < 0.0,
                    _ => true,
                };
                let poisons = POISONED.iter().filter(|(_, poison)| is_in_range(*poison));
                let places: Vec<_> = poisons.map(|&(item, poison)| (item * given / 17, poison)).collect();
                let can_bind = |gpu: &&Gpu| !is_beyond_bindings(gpu, &loss, &good, Reduction::None);
                for gpu in effort::adapter(turn + dtype as usize).filter(can_bind) {
                    evaluated(gpu, &loss, &changed(&good, input.name, &places), Reduction::None);
                }
            }
        }
    }
}

#[test]
fn a_reduction_hides_no_nan() {
    for (turn, loss) in effort::some(every_loss(), 2).enumerate() {
        let good = sample(&loss, &shape_of(&loss, 17), DType::F32, true);
        let bad = changed(&good, loss.spec().inputs[0].name, &[(0, f64::NAN)]);
        let can_bind = |gpu: &&Gpu| !is_beyond_bindings(gpu, &loss, &bad, Reduction::Sum);
        for gpu in effort::adapters(turn).filter(can_bind) {
            for reduction in loss.spec().reductions().filter(|&reduction| reduction != Reduction::None) {
                assert!(evaluated(gpu, &loss, &bad, reduction).loss.item().is_nan(), "{loss:?} {reduction}");
            }
        }
    }
}

#[test]
fn every_run_gives_the_same_bits() {
    let mse = AnyLoss::new("mse", &[]).unwrap();
    let cross_entropy = AnyLoss::new("cross_entropy", &[]).unwrap();
    for (loss, shape) in [(mse, vec![50_001]), (cross_entropy, vec![257, 33])] {
        for dtype in [DType::F32, DType::F16] {
            let inputs = sample(&loss, &shape, dtype, true);
            for gpu in adapters::all() {
                let output = loss.run_with(gpu, &uploaded(gpu, &inputs), Reduction::WeightedMean).unwrap();
                let first = output.read_blocking().unwrap();
                for _ in 0..100 {
                    submit(gpu, |encoder| output.record(encoder));
                    let again = output.read_blocking().unwrap();
                    assert!(again.loss.bytes() == first.loss.bytes(), "{loss:?} {dtype} on {}", gpu.adapter_id());
                    assert!(again == first, "{loss:?} {dtype} on {}", gpu.adapter_id());
                }
            }
        }
    }
}

#[test]
fn skipped_gradients_change_nothing_else() {
    for (turn, loss) in effort::some(every_loss(), 1).enumerate() {
        let inputs = sample(&loss, &shape_of(&loss, 101), DType::F32, true);
        let reduction = loss.spec().reductions().last().unwrap();
        let can_bind = |gpu: &&Gpu| !is_beyond_bindings(gpu, &loss, &inputs, reduction);
        for gpu in effort::adapters(turn).filter(can_bind) {
            let skip = Options { gradients: Gradients::Skip, ..Options::new(reduction) };
            let found = evaluated(gpu, &loss, &inputs, skip);
            assert_eq!(found.gradients, Named::new());
            let with = evaluated(gpu, &loss, &inputs, reduction);
            assert_eq!(found.loss.bytes(), with.loss.bytes(), "{loss:?} on {}", gpu.adapter_id());
            let plan = Plan::new(gpu, &loss, &inputs.map(|host| host.ty().clone()), skip).unwrap();
            assert_eq!(plan.outputs().iter().map(|(name, _)| name).collect::<Vec<_>>(), ["loss"]);
        }
    }
}

#[test]
fn the_upstream_of_the_options_and_that_on_the_device_multiply() {
    for loss in [AnyLoss::new("mse", &[]).unwrap(), AnyLoss::new("cross_entropy", &[]).unwrap()] {
        let inputs = sample(&loss, &shape_of(&loss, 3), DType::F32, false);
        let options = |upstream, reduction| Options { upstream, ..Options::new(reduction) };
        for gpu in adapters::all() {
            for reduction in Reduction::ALL {
                let one = inputs.clone().with("upstream", &[4.0_f32]);
                let found = evaluated(gpu, &loss, &one, options(-0.5, reduction));
                let plain = evaluated(gpu, &loss, &inputs, options(-2.0, reduction));
                assert_eq!(found, plain, "{loss:?} {reduction} on {}", gpu.adapter_id());
            }
            let each = inputs.clone().with("upstream", &[4.0_f32, 0.0, -1.0]);
            evaluated(gpu, &loss, &each, options(-0.5, Reduction::None));
        }
    }
}

#[test]
fn storage_types_may_differ_from_input_to_input() {
    use DType::{BF16, F16, F32, I32};
    let cast = |inputs: &Inputs, dtypes: &[DType]| -> Inputs {
        let cast = inputs.iter().zip(dtypes);
        cast.map(|((name, host), &dtype)| (name.to_string(), tensor(&host.to_f64(), dtype, host.shape()))).collect()
    };
    let gaussian = GaussianNll::default();
    for gpu in adapters::all() {
        for reduction in [Reduction::None, Reduction::WeightedMean] {
            // Prediction, target, weight; logits, target, pos_weight or class_weight, weight; prediction, target,
            // variance, weight; prediction, target, weight.
            let of = |loss: &dyn Loss, shape: &[usize], dtypes: &[DType]| cast(&sample(loss, shape, F32, true), dtypes);
            evaluated(gpu, &Mse, &of(&Mse, &[33], &[F16, F32, BF16]), reduction);
            evaluated(gpu, &Mse, &of(&Mse, &[33], &[F32, BF16, F16]), reduction);
            let bce = BceWithLogits::default();
            evaluated(gpu, &bce, &of(&bce, &[7, 3], &[BF16, F16, F32, F16]), reduction);
            evaluated(gpu, &gaussian, &of(&gaussian, &[33], &[F32, F32, F16, BF16]), reduction);
            let ce = CrossEntropy::default();
            let upstream = tensor(&[-2.0], F16, &[1]);
            evaluated(gpu, &ce, &of(&ce, &[9, 5], &[BF16, I32, F32, F16]).with("upstream", upstream), reduction);
            let soft = CrossEntropySoft::default();
            evaluated(gpu, &soft, &of(&soft, &[9, 5], &[F16, F32, BF16, F32]), reduction);
            let giou = Giou::default();
            evaluated(gpu, &giou, &of(&giou, &[9, 4], &[F16, F32, BF16]), reduction);
            evaluated(gpu, &giou, &of(&giou, &[9, 4], &[F32, BF16, F16]), reduction);
            let contrastive = Contrastive::default();
            for dimensions in [8, 5] {
                evaluated(gpu, &contrastive, &of(&contrastive, &[9, dimensions], &[F16, F32, I32, BF16]), reduction);
                evaluated(gpu, &contrastive, &of(&contrastive, &[9, dimensions], &[F32, BF16, F16, F32]), reduction);
            }
        }
    }
}

#[test]
fn the_callers_buffers_neither_change_nor_count_behind_the_tensors() {
    let loss = |name| AnyLoss::new(name, &[]).unwrap();
    // Every rest of a division by four; halves fill the last word to one half.
    let mut calls: Vec<_> = [1, 2, 3, 37, 38, 39, 40].map(|items| (loss("mse"), vec![items])).into();
    // A target that is out of range behind the last one, and inputs that differ in shape.
    calls.extend([
        (loss("hinge"), vec![37]),
        (loss("bce_with_logits"), vec![5, 7]),
        (loss("cross_entropy"), vec![9, 5]),
        // An odd number of weights and losses.
        (loss("giou"), vec![9, 4]),
        // Rows of whole quads, and of others.
        (loss("contrastive"), vec![7, 8]),
        (loss("cosine_embedding"), vec![7, 5]),
        // A label that may be i32.
        (loss("hinge_embedding"), vec![37]),
        // Rows long enough for a workgroup.
        (loss("cross_entropy"), vec![1, 101]),
        (loss("distillation"), vec![1, 103]),
    ]);
    for (number, (loss, shape)) in calls.iter().enumerate() {
        for dtype in DType::FLOATS {
            let inputs = sample(loss, shape, dtype, true);
            let runs = [
                (0, Gradients::Write, Reduction::None, 0xff),
                (1, Gradients::Write, Reduction::WeightedMean, 0xff),
                (2, Gradients::Add { weight: 2.0 }, Reduction::None, 0x3c),
            ];
            for &(turn, gradients, reduction, filling) in effort::taking_turns(&runs, number + dtype as usize) {
                let options = Options { gradients, ..Options::new(reduction) };
                let before = match gradients {
                    Gradients::Add { .. } => {
                        HostTensor::from_bytes(dtype, [], vec![filling; dtype.size()]).unwrap().item()
                    }
                    // What is overwritten is NaN.
                    _ => 0.0,
                };
                let mut expected = reference::evaluate(loss, &inputs, &options).unwrap();
                expected
                    .gradients
                    .iter_mut()
                    .flat_map(|(_, gradient)| gradient)
                    .for_each(|gradient| *gradient += before);
                // Whatever the length, each kernel on one adapter; any two of type, options and buffers meet.
                for gpu in effort::adapter(dtype as usize + turn) {
                    let buffers = [Buffers::One, Buffers::Roomy, Buffers::Tight];
                    for &buffers in effort::taking_turns(&buffers, dtype as usize + 2 * turn) {
                        let found = evaluated_in_the_callers_buffers(gpu, loss, &inputs, options, buffers, filling);
                        let what =
                            format!("{loss:?} {shape:?} {dtype} {options:?} {buffers:?} on {}", gpu.adapter_id());
                        assert_agree(&expected, &found, &what);
                    }
                }
            }
        }
    }
}

#[test]
fn each_item_has_its_upstream_where_gradients_are_added_up() {
    let all = losses::ALL.iter().map(|spec| AnyLoss::new(spec.name, &[]).unwrap());
    let has_items = |loss: &AnyLoss| loss.spec().reductions().any(|reduction| reduction == Reduction::None);
    for (turn, loss) in effort::some(all.filter(has_items), 0).enumerate() {
        for &dtype in effort::taking_turns(&DType::FLOATS, turn / 3) {
            let inputs = sample(&loss, &shape_of(&loss, 17), dtype, true);
            let none = Options { gradients: Gradients::Skip, ..Options::new(Reduction::None) };
            let of_items = reference::evaluate(&loss, &inputs, &none).unwrap().shape;
            let values = (0..of_items.iter().product()).map(|item: usize| [0.5, -2.0, 0.0, 3.0][item % 4]);
            let upstream = tensor(&values.collect::<Vec<_>>(), dtype, &of_items);
            let options = Options { upstream: 1.5, gradients: Gradients::Add { weight: 0.25 }, ..none };
            let inputs = inputs.with("upstream", upstream);
            let can_bind = |gpu: &&Gpu| !is_beyond_bindings(gpu, &loss, &inputs, options);
            for gpu in effort::adapter(turn + dtype as usize).filter(can_bind) {
                evaluated(gpu, &loss, &inputs, options);
            }
        }
    }
}

#[test]
fn a_changed_parameter_reduction_or_length_compiles_nothing() {
    const REDUCTIONS: [Reduction; 3] = [Reduction::Mean, Reduction::WeightedMean, Reduction::BatchMean];
    for gpu in adapters::all() {
        // With no kernels yet.
        let gpu = gpu.with_tuning(gpu.tuning()).unwrap();
        assert_eq!(gpu.compiled_kernels(), 0);
        let compiled = |delta, ignore_index, items, options: Options| {
            let (huber, cross_entropy) = (Huber { delta }, CrossEntropy { ignore_index, ..CrossEntropy::default() });
            huber.eval_with(&gpu, &sample(&huber, &[items], DType::F32, true), options).unwrap();
            let rows = sample(&cross_entropy, &[items, 7], DType::F32, true);
            cross_entropy.eval_with(&gpu, &rows, options).unwrap();
            gpu.compiled_kernels()
        };
        let first = compiled(1.0, -100, 10, Options::new(Reduction::WeightedMean));
        assert!(first > 0);
        for (reduction, items) in REDUCTIONS.into_iter().flat_map(|reduction| [(reduction, 1), (reduction, 5000)]) {
            let options = Options { upstream: 0.25, ..Options::new(reduction) };
            assert_eq!(compiled(0.5, 1, items, options), first, "{reduction} {items}");
        }
        let other = Options { gradients: Gradients::Skip, ..Options::new(Reduction::Mean) };
        assert!(compiled(1.0, -100, 10, other) > first);
    }
}

#[test]
fn futures_of_several_threads_read_their_own_results() {
    for gpu in adapters::all() {
        std::thread::scope(|scope| {
            for thread in 0..8 {
                scope.spawn(move || {
                    for round in 0..10 {
                        let x = f64::from(thread * 10 + round);
                        let inputs = pair(&[x; 128], &[0.0; 128]);
                        let evaluation = Mse.eval_async(gpu, &inputs, Reduction::Mean);
                        let evaluation = pollster::block_on(evaluation).unwrap();
                        assert_eq!((evaluation.loss.item(), evaluation.items), (x * x, 128));
                        assert_eq!(gradient(&evaluation, "prediction").to_f64(), [x / 64.0; 128]);
                    }
                });
            }
        });
    }
}

#[test]
fn several_readings_may_be_under_way_at_once() {
    for gpu in adapters::all() {
        let outputs: Vec<_> = (0..8)
            .map(|x| Mae.run_with(gpu, &uploaded(gpu, &pair(&[f64::from(x); 3], &[0.0; 3])), Reduction::Sum).unwrap())
            .collect();
        let readings: Vec<_> = outputs.iter().map(|output| started(output.read())).collect();
        for (x, reading) in readings.into_iter().enumerate().rev() {
            assert_eq!(pollster::block_on(reading).unwrap().loss.item(), 3.0 * x as f64);
        }
    }
}
