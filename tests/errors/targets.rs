//! Values out of range.

use wgloss::{
    AnyLoss, BufferSlice, DType, Error, Hinge, Loss, Named, Plan, Reduction, Tensor, TensorType, losses, reference,
    spec::{Domain, Driver},
};

use super::{
    adapters,
    device::{submit, uploaded},
    inputs::{Inputs, changed, domain, sample},
};

/// Values outside a domain that kernels check; none for the others.
fn outside(domain: Domain, classes: usize) -> Vec<f64> {
    match domain {
        Domain::Probability => vec![-0.25, 1.5, f64::INFINITY, f64::NEG_INFINITY],
        Domain::Sign => vec![0.0, 0.5, -2.0],
        Domain::Class => vec![classes as f64, -1.0, f64::from(i32::MAX), f64::from(i32::MIN)],
        _ => Vec::new(),
    }
}

/// Where values are put out of range: in many workgroups, in the one element of the last pair, and in a single item.
const OFFENDERS: [&[usize]; 3] = [&[777, 778, 1001, 1500, 2222, 3000], &[3000], &[1]];

/// Every checked input of every loss, in range, and with values out of range at each of [`OFFENDERS`].
fn offences() -> impl Iterator<Item = (AnyLoss, Inputs, &'static [usize], Inputs)> {
    let checked = losses::ALL.iter().flat_map(|spec| spec.inputs.iter().map(move |input| (spec.name, input)));
    checked.enumerate().flat_map(|(index, (name, input))| {
        let loss = AnyLoss::new(name, &[]).unwrap();
        let shape: &[usize] = if loss.spec().rows().is_some() { &[3001, 5] } else { &[3001] };
        let good = sample(&loss, shape, DType::FLOATS[index % 3], false);
        let outside = outside(domain(&loss, input), 5);
        let places = OFFENDERS.into_iter().filter(|_| !outside.is_empty()).collect::<Vec<_>>().into_iter();
        places.map(move |offenders| {
            let changes: Vec<_> = offenders.iter().copied().zip(outside.iter().copied().cycle()).collect();
            (loss.clone(), good.clone(), offenders, changed(&good, input.name, &changes))
        })
    })
}

#[test]
fn values_out_of_range_are_counted_and_the_first_is_named() {
    for (loss, _, offenders, bad) in offences() {
        let (name, count, first) = (loss.spec().name, offenders.len() as u64, offenders[0] as u64);
        let expected = Error::Target { loss: name, count, first };
        assert_eq!(reference::evaluate(&loss, &bad, &Reduction::Sum.into()).unwrap_err(), expected);
        for gpu in adapters::all() {
            for reduction in [Reduction::None, Reduction::Sum, Reduction::Mean] {
                assert_eq!(loss.eval_with(gpu, &bad, reduction).unwrap_err(), expected, "{}", gpu.adapter_id());
            }
            let output = loss.run_with(gpu, &uploaded(gpu, &bad), Reduction::None).unwrap();
            assert_eq!(pollster::block_on(output.read()).unwrap_err(), expected);
        }
    }
}

#[test]
fn an_item_out_of_range_contributes_nothing_and_disturbs_no_other() {
    for (loss, good, offenders, bad) in offences() {
        for gpu in adapters::all() {
            let [without, with] =
                [&good, &bad].map(|inputs| loss.run_with(gpu, &uploaded(gpu, inputs), Reduction::None).unwrap());
            let check = |without: &Tensor, with: &Tensor| {
                let mut expected = without.read_blocking().unwrap().to_f64();
                let row = expected.len() / 3001;
                for &item in offenders {
                    expected[item * row..][..row].fill(0.0);
                }
                let found = with.read_blocking().unwrap().to_f64();
                assert!(found == expected, "{} on {}", loss.spec().name, gpu.adapter_id());
            };
            check(&without.loss, &with.loss);
            for (name, gradient) in without.gradients.iter() {
                check(gradient, with.gradients.get(name).unwrap());
            }
        }
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
            status.map(|status| status.items)
        };
        assert_eq!(status_with([1.0, 0.0, 2.0]), Err(Error::Target { loss: "hinge", count: 2, first: 1 }));
        assert_eq!(status_with([1.0, -1.0, 1.0]), Ok(3));
        assert_eq!(status_with([0.0, -1.0, 1.0]), Err(Error::Target { loss: "hinge", count: 1, first: 0 }));
    }
}
