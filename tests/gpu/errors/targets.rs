//! Values out of range.

use wgloss::{
    AnyLoss, BufferSlice, CrossEntropy, DType, Error, Evaluation, Hinge, Loss, Named, Plan, Reduction, Tensor,
    TensorType, losses, reference,
    spec::{Domain, Driver, Input, LossSpec, Shape},
};

use super::{
    adapters,
    agreement::{assert_agree, out_of_range},
    device::{submit, uploaded},
    effort,
    inputs::{Inputs, changed, domain, sample, tensor},
};

/// Values outside a domain that kernels check; none for the others.
fn outside(domain: Domain, classes: usize) -> Vec<f64> {
    match domain {
        Domain::Probability => vec![-0.25, 1.5, f64::INFINITY, f64::NEG_INFINITY, -1e-3, 1.01],
        Domain::LogProbability => vec![0.25, 1.0, 1e-5],
        Domain::NonNegative => vec![-0.25, f64::NEG_INFINITY, -1e-3],
        Domain::Sign => vec![0.0, 0.5, -2.0],
        Domain::Class | Domain::DistinctClasses => vec![classes as f64, -1.0, f64::from(i32::MAX), f64::from(i32::MIN)],
        Domain::ClassWeight => vec![-0.25, f64::NEG_INFINITY],
        Domain::TargetBox => vec![-1.5, f64::NEG_INFINITY],
        Domain::Similar => vec![-1.0, 0.5, 2.0],
        _ => Vec::new(),
    }
}

const ITEMS: usize = 3001;
const CLASSES: usize = 5;

/// Items that are put out of range: in many workgroups, in the one element of the last pair, and in a single item.
const OFFENDERS: [&[usize]; 3] = [&[777, 778, 1001, 1500, 2222, 3000], &[3000], &[1]];

/// A checked input of a loss, in range and with values out of range.
struct Offence {
    loss: AnyLoss,
    good: Inputs,
    bad: Inputs,
    /// The input with them.
    input: &'static str,
    /// The items that this puts out of range.
    offenders: Vec<usize>,
    /// The number of the loss.
    turn: usize,
}

/// Every checked input of every loss, with values out of range at each of [`OFFENDERS`]. What is out of range in
/// regions are not their items, the scores, and sums have items of several kinds: they have test files of their own.
/// In `make test` of some losses only, of other ones in each test.
fn offences(fifth: usize) -> impl Iterator<Item = Offence> {
    let has_items = |spec: &&&LossSpec| {
        let is_of_others = matches!(spec.driver, Driver::Sum(_) | Driver::Layers(_) | Driver::Sequences(_));
        spec.regions().is_none() && !is_of_others
    };
    effort::some(losses::ALL.iter().filter(has_items), fifth).enumerate().flat_map(|(index, spec)| {
        let loss = AnyLoss::new(spec.name, &[]).unwrap();
        let shape: &[usize] = match spec.driver {
            Driver::Elementwise | Driver::Sum(_) | Driver::Layers(_) | Driver::Gram => &[ITEMS],
            Driver::Rows(_) | Driver::Regions(_) | Driver::Linear(_) | Driver::TopK(_) => &[ITEMS, CLASSES],
            Driver::Boxes | Driver::Pairs | Driver::AllPairs(_) => &[ITEMS, 4],
            Driver::Sequences(_) => unreachable!("what is out of range in sequences are not their items, but tokens"),
        };
        let good = sample(&loss, shape, DType::FLOATS[index % 3], true);
        let checked = spec.inputs.iter().filter(|input| input.domain.is_checked());
        let offences: Vec<Offence> = checked.flat_map(|input| offences_of(&loss, &good, input, index)).collect();
        offences
    })
}

/// Whether an input is a part of a head, which all items have in common.
fn is_of_head(input: &Input) -> bool {
    matches!(input.shape, Shape::Head(_) | Shape::HeadClasses)
}

fn offences_of(loss: &AnyLoss, good: &Inputs, input: &Input, index: usize) -> Vec<Offence> {
    let outside = outside(domain(loss, input), CLASSES);
    // Storage types go round too.
    let turn = index + index / DType::FLOATS.len();
    let offence = |elements: &[usize], offenders: Vec<usize>| {
        let changes: Vec<_> = elements.iter().copied().zip(outside.iter().copied().cycle()).collect();
        let bad = changed(good, input.name, &changes);
        Offence { loss: loss.clone(), good: good.clone(), bad, input: input.name, offenders, turn }
    };
    match input.shape {
        _ if outside.is_empty() => Vec::new(),
        Shape::Classes | Shape::HeadClasses => vec![offence(&[CLASSES - 1, 0], (0..ITEMS).collect())],
        // One class or several of a row: it counts once.
        Shape::Rows | Shape::HeadRows => {
            let elements = |row: &usize| [row * CLASSES + row % CLASSES, row * CLASSES + CLASSES - 1];
            OFFENDERS.map(|rows| offence(&rows.iter().flat_map(elements).collect::<Vec<_>>(), rows.to_vec())).into()
        }
        Shape::ItemRows => {
            let given = good.get(input.name).unwrap().shape()[1];
            let element = |row: &usize| row * given + row % given;
            OFFENDERS.map(|rows| offence(&rows.iter().map(element).collect::<Vec<_>>(), rows.to_vec())).into()
        }
        // The upper corner is below the lower one in x or in y, or in both, which counts once.
        Shape::Boxes => {
            let elements = |item: &usize| [item * 4 + 2 + item % 2, item * 4 + 2 + item % 3 % 2];
            OFFENDERS.map(|items| offence(&items.iter().flat_map(elements).collect::<Vec<_>>(), items.to_vec())).into()
        }
        _ => OFFENDERS.map(|items| offence(items, items.to_vec())).into(),
    }
}

#[test]
fn values_out_of_range_are_counted_and_the_first_is_named() {
    for Offence { loss, bad, input, offenders, turn, .. } in offences(0) {
        let expected = reference::evaluate(&loss, &bad, &Reduction::Sum.into()).unwrap_err();
        let counted = (loss.spec().name, offenders.len() as u64, offenders[0] as u64);
        assert_eq!(out_of_range(&expected), counted);
        assert!(matches!(&expected, Error::Target { offender: Some(offender), .. } if offender.tensor == input));
        for gpu in effort::adapters(turn) {
            for reduction in [Reduction::None, Reduction::Sum, Reduction::Mean] {
                assert_eq!(loss.eval_with(gpu, &bad, reduction).unwrap_err(), expected, "{}", gpu.adapter_id());
            }
            let output = loss.run_with(gpu, &uploaded(gpu, &bad), Reduction::None).unwrap();
            assert_eq!(out_of_range(&pollster::block_on(output.read()).unwrap_err()), counted);
        }
    }
}

#[test]
fn an_item_out_of_range_contributes_nothing_and_disturbs_no_other() {
    for Offence { loss, good, bad, offenders, turn, .. } in offences(1) {
        for gpu in effort::adapters(turn) {
            let [without, with] =
                [&good, &bad].map(|inputs| loss.run_with(gpu, &uploaded(gpu, inputs), Reduction::None).unwrap());
            let check = |without: &Tensor, with: &Tensor| {
                let mut expected = without.read_blocking().unwrap().to_f64();
                let row = expected.len() / ITEMS;
                for item in &offenders {
                    expected[item * row..][..row].fill(0.0);
                }
                let found = with.read_blocking().unwrap().to_f64();
                assert!(found == expected, "{} on {}", loss.spec().name, gpu.adapter_id());
            };
            check(&without.loss, &with.loss);
            let is_of_items = |name: &str| loss.spec().input(name).is_some_and(|input| !is_of_head(input));
            for (name, gradient) in without.gradients.iter().filter(|(name, _)| is_of_items(name)) {
                check(gradient, with.gradients.get(name).unwrap());
            }
            // What is a sum of all items is that of the others.
            if loss.spec().inputs.iter().any(is_of_head) {
                let is_there = |item: usize| f64::from(!offenders.contains(&item));
                let mask = (0..ITEMS).map(is_there).collect::<Vec<_>>();
                let others = good.clone().with("mask", tensor(&mask, DType::F32, &[ITEMS]));
                let mut expected = reference::evaluate(&loss, &others, &Reduction::None.into()).unwrap();
                // Which buffers do not tell.
                expected.correct = None;
                let counted = (ITEMS - offenders.len()) as u64;
                let mut found = Evaluation::new(with.loss.read_blocking().unwrap(), counted);
                found.gradients = with.gradients.map(|gradient| gradient.read_blocking().unwrap());
                assert_agree(&expected, &found, &format!("{} on {}", loss.spec().name, gpu.adapter_id()));
            }
        }
    }
}

/// A weight below 0 is out of range for every row, but an ignored row is no error.
#[test]
fn ignored_rows_are_never_out_of_range() {
    let loss = CrossEntropy::default();
    let shape = [4, CLASSES];
    let good = changed(&sample(&loss, &shape, DType::F32, true), "target", &[(0, -100.0), (2, -100.0)]);
    let bad = changed(&good, "class_weight", &[(3, -1.0)]);
    let all_ignored = changed(&bad, "target", &[(1, -100.0), (3, -100.0)]);
    for gpu in adapters::all() {
        let error = loss.eval_with(gpu, &bad, Reduction::Mean).unwrap_err();
        assert_eq!(out_of_range(&error), ("cross_entropy", 2, 1), "{}", gpu.adapter_id());
        let found = loss.eval_with(gpu, &all_ignored, Reduction::Mean).unwrap();
        assert_eq!((found.items, found.loss.item()), (0, 0.0), "{}", gpu.adapter_id());
    }
}

#[test]
fn the_status_of_a_bound_plan_is_that_of_its_last_run() {
    for gpu in adapters::all() {
        let [prediction, target, gradient, loss] =
            [3, 3, 3, 1].map(|length| Tensor::zeros(gpu, TensorType::new(DType::F32, [length])).unwrap());
        let types = Named::new().with("logits", prediction.ty().clone()).with("target", target.ty().clone());
        let places = Named::<BufferSlice>::new()
            .with("logits", &prediction)
            .with("target", &target)
            .with("grad.logits", &gradient)
            .with("loss", &loss);
        let bound = Plan::new(gpu, &Hinge, &types, Reduction::Mean).unwrap().bind(&places).unwrap();
        let status_with = |values: [f32; 3]| {
            target.write(&values).unwrap();
            submit(gpu, |encoder| bound.record(encoder));
            let status = bound.read_status_blocking();
            assert_eq!(pollster::block_on(bound.read_status()), status);
            status.map(|status| status.items).map_err(|error| out_of_range(&error))
        };
        assert_eq!(status_with([1.0, 0.0, 2.0]), Err(("hinge", 2, 1)));
        assert_eq!(status_with([1.0, -1.0, 1.0]), Ok(3));
        assert_eq!(status_with([0.0, -1.0, 1.0]), Err(("hinge", 1, 0)));
    }
}
