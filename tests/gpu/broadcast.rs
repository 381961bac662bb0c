//! Inputs of elementwise losses that are broadcast, on every adapter.

use wgloss::{
    AnyLoss, DType, Gradients, HostTensor, Loss, Mae, Mse, Options, Reduction, losses, reference,
    spec::{Driver, LossSpec, Shape},
};

use crate::common::{
    adapters,
    agreement::assert_agree,
    effort,
    inputs::{Inputs, sample, tensor},
};

fn f32s(values: &[f64], shape: &[usize]) -> HostTensor<'static> {
    tensor(values, DType::F32, shape)
}

#[test]
fn a_smaller_input_has_the_sum_of_the_gradients_that_its_values_are_in() {
    let rows = f32s(&[1.0, 2.0], &[2, 1]);
    let all = f32s(&[0.0, 1.0, 3.0, 5.0, 0.0, 2.0], &[2, 3]);
    for gpu in adapters::all() {
        // p − t is 1 0 −2 and −3 2 0.
        let of_rows = Mse.eval(gpu, &rows, &all, Reduction::Sum).unwrap();
        assert_eq!(of_rows.loss.item(), 18.0);
        assert_eq!(of_rows.items, 6);
        let gradient = of_rows.gradients.get("prediction").unwrap();
        assert_eq!((gradient.shape(), gradient.to_f64()), (&[2, 1][..], vec![-2.0, -2.0]));
        // One for all: −1 0 2 4 −1 1 from 1.
        let one = Mse.eval(gpu, f32s(&[1.0], &[]), &all, Reduction::None).unwrap();
        assert_eq!((one.loss.shape(), one.loss.to_f64()), (&[2, 3][..], vec![1.0, 0.0, 4.0, 16.0, 1.0, 1.0]));
        let gradient = one.gradients.get("prediction").unwrap();
        assert_eq!((gradient.shape(), gradient.to_f64()), (&[][..], vec![-10.0]));
        // The last axis, of a mean.
        let columns = Mae.eval(gpu, f32s(&[1.0, 1.0, 2.0], &[3]), &all, Reduction::Mean).unwrap();
        assert!((columns.loss.item() - 7.0 / 6.0).abs() < 1e-6);
        let sixth = 1.0_f32 / 6.0;
        let gradient = columns.gradients.get("prediction").unwrap().to_f64();
        assert_eq!(gradient, [0.0, f64::from(sixth), f64::from(-sixth)]);
    }
}

/// Shapes that inputs have in turn, and the common one.
const SHAPES: [(&[&[usize]], &[usize]); 6] = [
    // The axes at the ends, all, in the middle, none.
    (&[&[3, 1, 5], &[3, 7, 5], &[1, 7, 1], &[]], &[3, 7, 5]),
    (&[&[3, 7, 5], &[5], &[3, 1, 1], &[7, 1]], &[3, 7, 5]),
    (&[&[], &[9, 13], &[9, 1], &[13]], &[9, 13]),
    (&[&[1, 13], &[9, 1], &[1, 1], &[9, 13]], &[9, 13]),
    // More than one pass sums.
    (&[&[2, 1, 1], &[1, 131, 67], &[2, 131, 1], &[67]], &[2, 131, 67]),
    // Nothing is summed.
    (&[&[1, 3], &[0, 3], &[1, 1], &[3]], &[0, 3]),
];

fn is_elementwise(spec: &&'static LossSpec) -> bool {
    matches!(spec.driver, Driver::Elementwise)
}

/// A sample of the common shape, of which each input keeps the beginning.
fn broadcast(loss: &AnyLoss, (shapes, common): (&[&[usize]], &[usize]), dtype: DType, upstream: bool) -> Inputs {
    let whole: Vec<usize> = common.iter().map(|&length| length.max(2)).collect();
    let mut inputs = sample(loss, &whole, dtype, true);
    if upstream {
        inputs = inputs.with("upstream", sample(&Mse, &whole, dtype, true).get("prediction").unwrap().clone());
    }
    let spec = loss.spec();
    let cut = |(number, (name, host)): (usize, (&str, &HostTensor<'static>))| {
        let is_cut = spec.input(name).is_none_or(|input| input.shape != Shape::LastAxis);
        let shape = if is_cut { shapes[number % shapes.len()] } else { &common[common.len() - 1..] };
        let count = shape.iter().product();
        let values: Vec<f64> = host.to_f64().into_iter().cycle().take(count).collect();
        (name.to_string(), tensor(&values, host.dtype(), shape))
    };
    inputs.iter().enumerate().map(cut).collect()
}

#[test]
fn every_elementwise_loss_agrees_with_the_reference_where_inputs_are_broadcast() {
    let gradients = [Gradients::Write, Gradients::Add { weight: 0.5 }, Gradients::InPlace, Gradients::Skip];
    let reductions = [Reduction::None, Reduction::Mean, Reduction::WeightedMean, Reduction::BatchMean];
    let mut turn = 0;
    for spec in losses::ALL.iter().copied().filter(is_elementwise) {
        let loss = AnyLoss::new(spec.name, &[]).unwrap();
        for shapes in SHAPES {
            turn += 1;
            for reduction in effort::taking_turns(&reductions, turn).copied() {
                let (dtype, gradients) = (DType::FLOATS[turn % 3], gradients[turn % 4]);
                let options = Options { gradients, ..Options::new(reduction) };
                let inputs = broadcast(&loss, shapes, dtype, reduction == Reduction::None && turn % 3 == 0);
                let what = format!("{} {dtype} {shapes:?} {options:?}", spec.name);
                let expected = reference::evaluate(&loss, &inputs, &options).unwrap_or_else(|e| panic!("{what}: {e}"));
                for gpu in effort::adapters(turn) {
                    let found = loss.eval_with(gpu, &inputs, options).unwrap();
                    assert_agree(&expected, &found, &format!("{what} on {gpu:?}"));
                }
            }
        }
    }
}
