//! Inputs of elementwise losses that are broadcast, and calls of one item alone, on every adapter.

use wgloss::{
    Adapter, AnyLoss, CrossEntropy, DType, Error, Evaluation, GaussianNll, Gpu, Gradients, HostTensor, Loss, Mae, Mse,
    MultilabelSoftMargin, Named, Options, Reduction, Softmax, losses, reference,
    spec::{Driver, LossSpec, Shape},
};

use crate::common::{
    adapters,
    agreement::{assert_agree, evaluated, is_beyond_bindings, with_targets},
    bound::{Buffers, evaluated_in_the_callers_buffers},
    effort,
    inputs::{Inputs, sample, tensor},
};

fn f32s(values: &[f64], shape: &[usize]) -> HostTensor<'static> {
    tensor(values, DType::F32, shape)
}

/// So many values around 0.
fn drawn(count: usize) -> Vec<f64> {
    let mut rng = fastrand::Rng::with_seed(11);
    (0..count).map(|_| 4.0 * rng.f64() - 2.0).collect()
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
        let sixth = f64::from(1.0_f32 / 6.0);
        let gradient = columns.gradients.get("prediction").unwrap().to_f64();
        assert_eq!(gradient, [0.0, sixth, -sixth]);
    }
}

#[test]
fn the_weight_and_the_upstream_are_broadcast_to_the_items_and_divisors_count_each_item() {
    let given = |weight: HostTensor<'static>| {
        Named::new()
            .with("prediction", f32s(&[1.0, 1.0, 1.0, 1.0], &[2, 2]))
            .with("target", f32s(&[0.0, -1.0, 0.0, -2.0], &[2, 2]))
            .with("weight", weight)
    };
    for gpu in adapters::all() {
        // Squares are 1 4 and 1 9.
        for (weight, shape, sum, weighted_mean) in [
            (&[2.0][..], &[1][..], 30.0, 15.0 / 4.0),
            (&[1.0, 3.0], &[2], 41.0, 41.0 / 8.0),
            (&[1.0, 3.0], &[1, 2], 41.0, 41.0 / 8.0),
            (&[1.0, 3.0], &[2, 1], 35.0, 35.0 / 8.0),
        ] {
            let inputs = given(f32s(weight, shape));
            let loss = |reduction| Mse.eval_with(gpu, &inputs, reduction).unwrap().loss.item();
            assert_eq!(loss(Reduction::Sum), sum, "{shape:?}");
            assert_eq!(loss(Reduction::Mean), sum / 4.0, "{shape:?}");
            assert_eq!(loss(Reduction::WeightedMean), weighted_mean, "{shape:?}");
        }
        let inputs = given(f32s(&[1.0], &[])).with("upstream", f32s(&[1.0, 10.0], &[2]));
        let found = Mse.eval_with(gpu, &inputs, Reduction::None).unwrap();
        assert_eq!(found.gradients.get("prediction").unwrap().to_f64(), [2.0, 40.0, 2.0, 60.0]);
        assert_eq!(found.loss.to_f64(), [1.0, 4.0, 1.0, 9.0]);
    }
}

/// The rule of PyTorch's `gaussian_nll_loss`, of which `[N]` for `[N, N]` tells.
#[test]
fn a_variance_without_the_last_axis_is_one_for_each_row() {
    let inputs = |variance: HostTensor<'static>| {
        Named::new()
            .with("prediction", f32s(&[1.0; 4], &[2, 2]))
            .with("target", f32s(&[0.0; 4], &[2, 2]))
            .with("variance", variance)
    };
    let loss = GaussianNll::default();
    for gpu in adapters::all() {
        let of_rows = evaluated(gpu, &loss, &inputs(f32s(&[1.0, 4.0], &[2])), Reduction::None);
        let with_axis = evaluated(gpu, &loss, &inputs(f32s(&[1.0, 4.0], &[2, 1])), Reduction::None);
        let expected = [0.5, 0.5, 0.5 * (4.0_f64.ln() + 0.25), 0.5 * (4.0_f64.ln() + 0.25)];
        for (found, expected) in of_rows.loss.to_f64().into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6);
        }
        assert_eq!(of_rows.loss, with_axis.loss);
        let gradient = |found: &Evaluation| found.gradients.get("variance").unwrap().to_f64();
        assert_eq!(gradient(&of_rows), gradient(&with_axis));
        let columns = evaluated(gpu, &loss, &inputs(f32s(&[1.0, 4.0], &[1, 2])), Reduction::None);
        assert_ne!(of_rows.loss, columns.loss);
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
    (&[&[2, 1, 1], &[1, 131, 67], &[2, 131, 1], &[1, 1, 67]], &[2, 131, 67]),
    // Nothing is summed.
    (&[&[1, 3], &[0, 3], &[1, 1], &[3]], &[0, 3]),
];

const GRADIENTS: [Gradients; 4] =
    [Gradients::Write, Gradients::Add { weight: 0.5 }, Gradients::InPlace, Gradients::Skip];

/// An elementwise loss of several inputs: one alone has nothing to be broadcast to.
fn is_elementwise(spec: &&'static LossSpec) -> bool {
    let inputs = spec.inputs.iter().filter(|input| input.name != "weight").count();
    matches!(spec.driver, Driver::Elementwise) && inputs > 1
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
    let reductions = [Reduction::None, Reduction::Mean, Reduction::WeightedMean, Reduction::BatchMean];
    let specs = losses::ALL.iter().copied().filter(is_elementwise);
    let calls = specs.flat_map(|spec| SHAPES.map(|shapes| (spec, shapes)));
    for (turn, (spec, shapes)) in effort::some(calls, 0).enumerate() {
        let loss = AnyLoss::new(spec.name, &[]).unwrap();
        for (number, &reduction) in effort::taking_turns(&reductions, turn).enumerate() {
            let (dtype, gradients) = (DType::FLOATS[turn % 3], GRADIENTS[turn / 3 % 4]);
            let options = Options { gradients, ..Options::new(reduction) };
            let inputs = broadcast(&loss, shapes, dtype, reduction == Reduction::None && turn % 2 == 0);
            let what = format!("{} {dtype} {shapes:?} {options:?}", spec.name);
            let expected = reference::evaluate(&loss, &inputs, &options).unwrap_or_else(|e| panic!("{what}: {e}"));
            let can_bind = |gpu: &&Gpu| !is_beyond_bindings(gpu, &loss, &inputs, options);
            for gpu in effort::adapter(turn + number).filter(can_bind) {
                let found = loss.eval_with(gpu, &with_targets(&loss, &inputs, options), options).unwrap();
                assert_agree(&expected, &found, &format!("{what} on {gpu:?}"));
            }
        }
    }
}

/// In buffers with room for quads and without, full of garbage, and with what is there to be added to.
#[test]
fn sums_go_to_the_callers_buffers() {
    let loss = AnyLoss::new("margin_ranking", &[]).unwrap();
    for (turn, gpu) in adapters::all().iter().enumerate() {
        for (place, buffers) in [Buffers::One, Buffers::Roomy, Buffers::Tight].into_iter().enumerate() {
            for (number, gradients) in GRADIENTS.into_iter().enumerate() {
                let dtype = DType::FLOATS[(turn + place + number) % 3];
                let options = Options { gradients, ..Options::new(Reduction::Mean) };
                // 15 and 3 values: not whole quads, nor whole words of halves.
                let shapes: (&[&[usize]], &[usize]) = (&[&[3, 5], &[3, 1], &[5], &[1]], &[3, 5]);
                let inputs = broadcast(&loss, shapes, dtype, false);
                let expected = reference::evaluate(&loss, &inputs, &options).unwrap();
                // Zeros where gradients are added, so that they are what is there.
                let filling = if matches!(gradients, Gradients::Add { .. }) { 0 } else { 0x5a };
                let found = evaluated_in_the_callers_buffers(gpu, &loss, &inputs, options, buffers, filling);
                assert_agree(&expected, &found, &format!("{dtype} {options:?} {buffers:?} on {gpu:?}"));
            }
        }
    }
}

#[test]
fn a_gradient_has_the_same_bits_in_every_run() {
    let inputs =
        Named::new().with("prediction", f32s(&drawn(7), &[7, 1])).with("target", f32s(&drawn(7 * 5003), &[7, 5003]));
    for gpu in adapters::all() {
        let run = || Mse.eval_with(gpu, &inputs, Reduction::Mean).unwrap();
        assert_eq!(run(), run());
    }
}

/// Of several chunks, which begin in the middle of axes, and with sums in several dispatches.
#[test]
fn calls_larger_than_a_binding_agree_too() {
    let shapes: [[&[usize]; 3]; 5] = [
        [&[317, 1], &[317, 1009], &[1009]],
        [&[], &[317, 1009], &[1]],
        [&[1009], &[317, 1009], &[317, 1]],
        [&[3, 1, 20_001], &[3, 2, 20_001], &[2, 1]],
        [&[3, 1, 5], &[3, 20_011, 5], &[20_011, 1]],
    ];
    let with_small_bindings = |adapter: &Adapter| {
        let limits = wgpu::Limits { max_storage_buffer_binding_size: 256 << 10, ..adapter.limits() };
        pollster::block_on(adapter.open_with_limits(limits)).expect("lower limits are granted")
    };
    let gpus: Vec<Gpu> = Adapter::all_blocking().iter().map(with_small_bindings).collect();
    let calls = shapes.into_iter().zip(DType::FLOATS.into_iter().cycle());
    for (turn, ([prediction, target, weight], dtype)) in calls.enumerate() {
        for gpu in effort::taking_turns(&gpus, turn) {
            let of = |shape: &[usize]| tensor(&drawn(shape.iter().product()), dtype, shape);
            let weights: Vec<f64> = drawn(weight.iter().product()).iter().map(|x| x.abs()).collect();
            let inputs = Named::new()
                .with("prediction", of(prediction))
                .with("target", of(target))
                .with("weight", tensor(&weights, dtype, weight));
            evaluated(gpu, &Mse, &inputs, Reduction::WeightedMean);
        }
    }
}

#[test]
fn what_is_larger_than_a_binding_and_cannot_be_split_is_an_error_with_the_need() {
    let inputs = Named::new()
        .with("prediction", f32s(&drawn(40_000), &[1, 40_000]))
        .with("target", f32s(&drawn(80_000), &[2, 40_000]));
    for adapter in Adapter::all_blocking() {
        let limits = wgpu::Limits { max_storage_buffer_binding_size: 128 << 10, ..adapter.limits() };
        let gpu = pollster::block_on(adapter.open_with_limits(limits)).expect("lower limits are granted");
        let error = Mse.eval_with(&gpu, &inputs, Reduction::Sum).unwrap_err();
        let Error::Limit { what, needed, available, .. } = error else { panic!("{error}") };
        assert_eq!((what.as_str(), needed, available), ("mse: `prediction`", 160_000, 128 << 10));
    }
}

#[test]
fn one_item_needs_no_axis_of_items() {
    let row = || f32s(&[1.0, 3.0, 2.0], &[3]);
    let index = |class: f64, shape: &[usize]| tensor(&[class], DType::I32, shape);
    let both = |first: &str, second: &str| {
        Named::new().with(first, f32s(&[1.0, 0.0], &[2])).with(second, f32s(&[0.0, 1.0], &[2]))
    };
    for gpu in adapters::all() {
        for reduction in [Reduction::None, Reduction::Sum, Reduction::Mean, Reduction::BatchMean] {
            let check = |loss: &AnyLoss, inputs: &Inputs, expected: f64| {
                let found = evaluated(gpu, loss, inputs, reduction);
                assert_eq!((found.loss.shape(), found.items), (&[][..], 1), "{loss:?}");
                assert!((found.loss.item() - expected).abs() < 1e-6, "{loss:?} {reduction}: {}", found.loss.item());
                let first = loss.spec().inputs[0].name;
                assert_eq!(found.gradients.get(first).unwrap().shape(), inputs.get(first).unwrap().shape());
            };
            let loss = |name: &str| AnyLoss::new(name, &[]).unwrap();
            let of_class = Named::new().with("logits", row()).with("target", index(1.0, &[]));
            let log_sum = (1.0_f64.exp() + 3.0_f64.exp() + 2.0_f64.exp()).ln();
            check(&loss("cross_entropy"), &of_class, log_sum - 3.0);
            let of_one = Named::new().with("logits", row()).with("target", index(0.0, &[1]));
            check(&loss("multi_margin"), &of_one, (3.0 + 2.0) / 3.0);
            let alone = Named::new().with("logits", f32s(&[0.5], &[])).with("target", index(0.0, &[]));
            check(&loss("multi_margin"), &alone, 0.0);
            let two = f32s(&[1.0, 1.0, 0.0], &[3]);
            let several = Named::new().with("logits", f32s(&[0.0; 3], &[3])).with("target_probabilities", two);
            check(&loss("multilabel_soft_margin"), &several, 2.0_f64.ln());
            check(&loss("cross_entropy_soft"), &several, 2.0 * 3.0_f64.ln());
            let pair = both("x1", "x2").with("label", f32s(&[1.0], &[]));
            check(&loss("cosine_embedding"), &pair, 1.0);
            let triplet = both("anchor", "positive").with("negative", f32s(&[1.0, 0.0], &[2]));
            check(&AnyLoss::new("triplet_margin", &[("eps", "0")]).unwrap(), &triplet, 1.0 + 2.0_f64.sqrt());
            let corners = |values: &[f64]| f32s(values, &[4]);
            let boxes = Named::new()
                .with("prediction", corners(&[0.0, 0.0, 2.0, 1.0]))
                .with("target", corners(&[0.0, 0.0, 1.0, 1.0]));
            check(&loss("iou"), &boxes, 0.5);
        }
        let softmax = evaluated(gpu, &Softmax, &Named::new().with("logits", f32s(&[0.0; 4], &[4])), Reduction::None);
        assert_eq!((softmax.loss.shape(), softmax.loss.to_f64()), (&[4][..], vec![0.25; 4]));
    }
}

/// As PyTorch's `multilabel_soft_margin_loss` takes its weight.
#[test]
fn rows_may_have_weights_of_their_own_for_the_classes() {
    let inputs = Named::new()
        .with("logits", f32s(&[0.0; 4], &[2, 2]))
        .with("target_probabilities", f32s(&[1.0; 4], &[2, 2]))
        .with("class_weight", f32s(&[1.0, 3.0, 0.0, 2.0], &[2, 2]));
    let of_indices = |shape: &[usize], dtype| {
        let elements: usize = shape.iter().product();
        let target: Vec<f64> = (0..elements / shape[1]).map(|row| (row % shape[1]) as f64).collect();
        let weights: Vec<f64> = drawn(elements).iter().map(|x| x.abs()).collect();
        Named::new()
            .with("logits", tensor(&drawn(elements), dtype, shape))
            .with("target", tensor(&target, DType::I32, &[&shape[..1], &shape[2..]].concat()))
            .with("class_weight", tensor(&weights, dtype, shape))
    };
    for gpu in adapters::all() {
        let found = evaluated(gpu, &MultilabelSoftMargin, &inputs, Reduction::None).loss.to_f64();
        for (found, expected) in found.into_iter().zip([2.0, 1.0]) {
            assert!((found - expected * 2.0_f64.ln()).abs() < 1e-6);
        }
        let shapes = [&[7, 5][..], &[7, 8], &[3, 300], &[2, 5, 3], &[1, 5], &[2, 20_000]];
        for (shape, dtype) in shapes.into_iter().zip(DType::FLOATS.into_iter().cycle()) {
            evaluated(gpu, &CrossEntropy::default(), &of_indices(shape, dtype), Reduction::Mean);
        }
    }
}

#[test]
fn shapes_that_do_not_fit_are_errors_that_say_which_would() {
    let zeros = |shape: &[usize]| f32s(&vec![0.0; shape.iter().product()], shape);
    let refused = |loss: &AnyLoss, tensors: &[(&str, &[usize])]| {
        let inputs: Inputs = tensors.iter().map(|(name, shape)| (name.to_string(), zeros(shape))).collect();
        let from_reference = reference::evaluate(loss, &inputs, &Reduction::Sum.into()).unwrap_err();
        for gpu in adapters::all() {
            assert_eq!(loss.eval_with(gpu, &inputs, Reduction::Sum).unwrap_err(), from_reference);
        }
        from_reference.to_string()
    };
    let loss = |name| AnyLoss::new(name, &[]).unwrap();
    let broadcast = "or the same from the last axis on with axes of length 1";
    assert_eq!(
        refused(&loss("mse"), &[("prediction", &[2, 3]), ("target", &[2])]),
        format!("mse: `target` must have shape [2, 3], {broadcast}, found [2]")
    );
    // A weight does not make more items.
    assert_eq!(
        refused(&loss("mse"), &[("prediction", &[3]), ("target", &[3]), ("weight", &[2, 3])]),
        format!("mse: `weight` must have shape [3], {broadcast}, found [2, 3]")
    );
    // What is meant here is hardly [3, 3].
    assert_eq!(
        refused(&loss("mse"), &[("prediction", &[3, 1]), ("target", &[3])]),
        "mse: `target` must have shape of 2 axes, as `prediction` has, where both are to be broadcast to [3, 3], \
         found [3]"
    );
    assert_eq!(
        refused(&loss("gaussian_nll"), &[("prediction", &[2, 3]), ("target", &[2, 3]), ("variance", &[3])]),
        format!("gaussian_nll: `variance` must have shape [2, 3], {broadcast}, found [3]")
    );
    // Rows and pairs are not broadcast.
    assert_eq!(
        refused(&loss("cross_entropy_soft"), &[("logits", &[2, 3]), ("target_probabilities", &[3])]),
        "cross_entropy_soft: `target_probabilities` must have shape [2, 3], found [3]"
    );
}
