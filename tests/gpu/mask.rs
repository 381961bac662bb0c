//! Items that the mask leaves out.

use wgloss::{
    AnyLoss, BceWithLogits, CrossEntropy, DType, Error, Gpu, Gradients, HostTensor, Loss, Named, Options, Plan,
    Reduction, Signature, Tensor, losses,
    spec::{Driver, Input, LossSpec, Relation, Shape, Values},
};

use crate::common::{
    adapters,
    agreement::{evaluated, is_beyond_bindings},
    device::{submit, uploaded},
    effort,
    inputs::{Inputs, sample, tensor},
};

const ITEMS: usize = 17;

fn is_kept(item: usize) -> bool {
    item % 3 != 1
}

/// The shape of a first input with this many items along its first axis.
fn shape_of(loss: &AnyLoss, items: usize) -> Vec<usize> {
    match loss.spec().driver {
        Driver::Elementwise => vec![items, 1],
        Driver::Sequences(sequences) if sequences.takes_logits => vec![8 * items, 5],
        Driver::Sequences(_) => vec![8 * items],
        Driver::Sum(_) | Driver::Layers(_) | Driver::Gram => unreachable!("sums have no items of one kind"),
        Driver::Rows(_) | Driver::Regions(_) | Driver::Linear(_) | Driver::TopK(_) => vec![items, 5],
        Driver::Boxes | Driver::Pairs | Driver::AllPairs(_) => vec![items, 4],
    }
}

/// A mask with a value an item: of two views one for each row.
fn mask_of(loss: &AnyLoss) -> HostTensor<'static> {
    let views = loss.spec().all_pairs().is_some_and(|batch| batch.relation == Relation::Views);
    let rows = if views { 2 * ITEMS } else { ITEMS };
    let kept: Vec<bool> = (0..rows).map(|row| is_kept(row % ITEMS)).collect();
    let signature = Signature::of_shape(&Values::new(loss.spec(), loss.values()).unwrap(), &shape_of(loss, ITEMS));
    let shape = signature.unwrap().shape_of(&wgloss::spec::MASK);
    HostTensor::mask(&kept, shape).unwrap()
}

/// What a tensor has of the items that are kept, along its first axis.
fn kept_of(values: &[f64]) -> Vec<f64> {
    let row = values.len() / ITEMS;
    values.chunks(row).enumerate().filter(|(item, _)| is_kept(item % ITEMS)).flat_map(|(_, row)| row.to_vec()).collect()
}

/// Whether an input has something for each item.
fn is_of_items(input: &Input) -> bool {
    use Shape::{Boxes, Embeddings, HeadRows, Hidden, ItemRows, Items, Rows};
    matches!(input.shape, Items | ItemRows | Rows | Boxes | Embeddings | Hidden | HeadRows)
}

/// The inputs of items, each changed by `change`.
fn with_items(loss: &AnyLoss, inputs: &Inputs, change: impl Fn(&HostTensor<'_>) -> HostTensor<'static>) -> Inputs {
    let changed = inputs.iter().map(|(name, host)| {
        let input = loss.spec().input(name).unwrap().given_as(host.dtype());
        (name.to_string(), if is_of_items(input) { change(host) } else { host.clone() })
    });
    changed.collect()
}

fn without_what_is_left_out(loss: &AnyLoss, inputs: &Inputs) -> Inputs {
    with_items(loss, inputs, |host| {
        let values = host.to_f64();
        // Two views have twice the rows.
        let kept: Vec<f64> = values.chunks(values.len() / host.shape()[0] * ITEMS).flat_map(kept_of).collect();
        let rows = kept.len() / (values.len() / host.shape()[0]);
        tensor(&kept, host.dtype(), &[&[rows], &host.shape()[1..]].concat())
    })
}

/// NaN, and classes that are none, in all that is left out.
fn spoilt(loss: &AnyLoss, inputs: &Inputs) -> Inputs {
    with_items(loss, inputs, |host| {
        let mut values = host.to_f64();
        let row = values.len() / host.shape()[0];
        for (item, values) in values.chunks_mut(row).enumerate().filter(|(item, _)| !is_kept(item % ITEMS)) {
            values.fill(if host.dtype() == DType::I32 { -9.0 - item as f64 } else { f64::NAN });
        }
        tensor(&values, host.dtype(), host.shape())
    })
}

#[test]
fn what_is_left_out_is_as_if_it_were_not_there() {
    // What sequences have are tokens, which cannot be left out of a tensor item by item: `sequences`.
    let has_items = |spec: &&&LossSpec| spec.input("mask").is_some() && !matches!(spec.driver, Driver::Sequences(_));
    for (turn, spec) in effort::some(losses::ALL.iter().filter(has_items), 0).enumerate() {
        let loss = AnyLoss::new(spec.name, &[]).unwrap();
        let inputs = sample(&loss, &shape_of(&loss, ITEMS), DType::F32, true);
        let fewer = without_what_is_left_out(&loss, &inputs);
        let masked = spoilt(&loss, &inputs).with("mask", mask_of(&loss));
        let reduction = if spec.is_per_class() { Reduction::None } else { Reduction::Mean };
        let can_bind = |gpu: &&Gpu| !is_beyond_bindings(gpu, &loss, &masked, reduction);
        for gpu in effort::adapters(turn).filter(can_bind) {
            let expected = evaluated(gpu, &loss, &fewer, reduction);
            let found = evaluated(gpu, &loss, &masked, reduction);
            assert_eq!(found.items, expected.items, "{}", spec.name);
            let is_near = |a: &[f64], b: &[f64]| {
                let largest = b.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 2e-6 * largest)
            };
            let of_kept = |values: Vec<f64>| if values.len() < ITEMS { values } else { kept_of(&values) };
            let loss_of_kept = of_kept(found.loss.to_f64());
            assert!(is_near(&loss_of_kept, &expected.loss.to_f64()), "{}: {loss_of_kept:?}", spec.name);
            for ((name, found), (_, expected)) in found.gradients.iter().zip(expected.gradients.iter()) {
                let values = found.to_f64();
                if !is_of_items(spec.input(name).unwrap()) {
                    assert!(is_near(&values, &expected.to_f64()), "{}: {name} {values:?}", spec.name);
                    continue;
                }
                assert!(is_near(&of_kept(values.clone()), &expected.to_f64()), "{}: {name} {values:?}", spec.name);
                let row = values.len() / ITEMS;
                let mut left_out = values.chunks(row.max(1)).enumerate().filter(|(item, _)| row > 0 && !is_kept(*item));
                assert!(left_out.all(|(_, row)| row.iter().all(|&x| x == 0.0)), "{}: {name} {values:?}", spec.name);
            }
        }
    }
}

fn logits_and_targets() -> Inputs {
    let logits = [0.0, f64::NAN, 2.0, f64::INFINITY, -1.0];
    Named::new()
        .with("logits", tensor(&logits, DType::F32, &[5]))
        .with("target", tensor(&[1.0, 0.5, 0.0, 7.0, 1.0], DType::F32, &[5]))
}

#[test]
fn a_mask_may_have_any_storage_type() {
    for gpu in adapters::all() {
        let mut results = Vec::new();
        // What is not 0 keeps an item, whatever it is; −0 is 0.
        for (dtype, kept) in [(DType::F32, 0.25), (DType::F16, -3.0), (DType::BF16, 1e-30), (DType::I32, -1.0)] {
            let mask = tensor(&[kept, -0.0, kept, 0.0, kept], dtype, &[5]);
            let inputs = logits_and_targets().with("mask", mask);
            let found = evaluated(gpu, &BceWithLogits::default(), &inputs, Reduction::Mean);
            assert_eq!(found.items, 3);
            results.push(found.loss.to_f64());
        }
        // ln 2, softplus(2) and softplus(1), over three.
        let expected = (2f64.ln() + 2f64.exp().ln_1p() + 1f64.exp().ln_1p()) / 3.0;
        assert!(results.iter().all(|loss| (loss[0] - expected).abs() < 1e-6), "{results:?}");
    }
}

#[test]
fn every_divisor_leaves_out_what_the_mask_does() {
    let weight = tensor(&[1.0, f64::NAN, 2.0, f64::INFINITY, 5.0], DType::F32, &[5]);
    let mask = HostTensor::mask(&[true, false, true, false, true], [5]).unwrap();
    let inputs = logits_and_targets().with("weight", weight).with("mask", mask);
    for gpu in adapters::all() {
        for reduction in Reduction::ALL {
            let found = evaluated(gpu, &BceWithLogits::default(), &inputs, reduction);
            assert_eq!(found.items, 3, "{reduction}");
        }
    }
}

#[test]
fn where_everything_is_left_out_the_loss_is_0() {
    let nothing = HostTensor::mask(&[false; 5], [5]).unwrap();
    for gpu in adapters::all() {
        for reduction in [Reduction::Sum, Reduction::Mean, Reduction::WeightedMean] {
            let inputs = logits_and_targets().with("mask", nothing.clone());
            let found = evaluated(gpu, &BceWithLogits::default(), &inputs, reduction);
            assert_eq!((found.items, found.loss.item()), (0, 0.0), "{reduction}");
            assert_eq!(found.gradients.get("logits").unwrap().to_f64(), [0.0; 5]);
        }
    }
}

#[test]
fn a_class_out_of_range_is_no_error_where_it_is_left_out() {
    let logits = tensor(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], DType::F32, &[3, 2]);
    let inputs = Named::new().with("logits", logits).with("target", tensor(&[1.0, 9.0, 0.0], DType::I32, &[3]));
    for gpu in adapters::all() {
        let refused = CrossEntropy::default().eval_with(gpu, &inputs, Reduction::Mean);
        assert!(matches!(refused, Err(Error::Target { count: 1, .. })), "{refused:?}");
        let mask = HostTensor::mask(&[true, false, true], [3]).unwrap();
        let inputs = inputs.clone().with("mask", mask);
        let found = evaluated(gpu, &CrossEntropy::default(), &inputs, Reduction::Mean);
        assert_eq!((found.items, found.correct()), (2, Some(1)));
    }
}

#[test]
fn gradients_are_added_to_nothing_that_is_left_out() {
    let mask = HostTensor::mask(&[true, false, true, false, true], [5]).unwrap();
    for gpu in adapters::all() {
        let inputs = uploaded(gpu, &logits_and_targets().with("mask", mask.clone()));
        let options = Options { gradients: Gradients::Add { weight: 1.0 }, ..Options::new(Reduction::Sum) };
        let plan = Plan::new(gpu, &BceWithLogits::default(), &inputs.map(|input| input.ty().clone()), options).unwrap();
        let gradient = Tensor::from_host(gpu, &[8.0_f32, f32::NAN, 8.0, 0.1, 8.0]).unwrap();
        let output = plan.bind_tensors(&inputs.with("grad.logits", gradient.clone())).unwrap();
        submit(gpu, |encoder| output.record(encoder));
        let found = gradient.read_blocking().unwrap().to_f64();
        assert!(found[1].is_nan() && found[3] == f64::from(0.1_f32), "{found:?}");
        assert!([0, 2, 4].iter().all(|&kept| found[kept] != 8.0), "{found:?}");
    }
}

#[test]
fn a_mask_of_another_shape_is_refused() {
    for gpu in adapters::all() {
        let inputs = logits_and_targets().with("mask", HostTensor::mask(&[true; 4], [4]).unwrap());
        let refused = BceWithLogits::default().eval_with(gpu, &inputs, Reduction::Mean);
        assert!(matches!(refused, Err(Error::Shape { tensor: "mask", .. })), "{refused:?}");
    }
}
