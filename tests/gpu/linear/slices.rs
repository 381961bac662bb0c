//! Heads larger than a binding, of which slices of classes are bound, and hidden states larger than one, of which
//! segments of rows are.

use wgloss::{
    Adapter, DType, Error, LinearCrossEntropy, LinearDistillation, Loss, Named, Options, Plan, Reduction, Statistics,
    TensorType, reference,
};

use super::{
    Gpu, Size, adapters,
    agreement::{assert_agree, out_of_range},
    changed, effort, evaluated, head, run, sample, tensor, values, with,
};

const BINDING: u64 = 64 << 10;

fn with_small_bindings(gpu: &Gpu) -> Gpu {
    let adapter = pollster::block_on(Adapter::find(&gpu.adapter_id())).expect("it was found before");
    let limits = wgpu::Limits { max_storage_buffer_binding_size: BINDING, ..adapter.limits() };
    pollster::block_on(adapter.open_with_limits(limits)).expect("lower limits are granted")
}

/// A head in three slices, states in several segments, and both; of rows that are whole words of halves and not.
const SIZES: [Size<'static>; 4] = [
    Size { items: &[50], dimensions: 64, classes: 700 },
    Size { items: &[50], dimensions: 61, classes: 700 },
    Size { items: &[3, 501], dimensions: 33, classes: 20 },
    Size { items: &[600], dimensions: 64, classes: 601 },
];

#[test]
fn what_is_larger_than_a_binding_is_split() {
    let statistics = Statistics { log_sum_exp: true, argmax: true, ..Statistics::default() };
    let loss = LinearCrossEntropy { softcap: 5.0, logit_scale: 0.5, shift: 1, ..Default::default() };
    let gpus: Vec<(&Gpu, Gpu)> = adapters::every().iter().map(|gpu| (gpu, with_small_bindings(gpu))).collect();
    for (turn, size) in SIZES.iter().enumerate() {
        for &dtype in effort::taking_turns(&DType::FLOATS, turn) {
            let inputs = head(size, dtype);
            for (gpu, small) in effort::taking_turns(&gpus, turn + dtype as usize) {
                let options = Options { statistics, ..Options::new(Reduction::Sum) };
                let expected = reference::evaluate(&loss, &inputs, &options).unwrap();
                for gpu in [small, *gpu] {
                    let found = run(gpu, &loss, &inputs, options);
                    assert_agree(&expected, &found, &format!("{dtype} {:?} on {gpu:?}", size.items));
                }
            }
        }
    }
}

/// Each head has slices of its own length.
#[test]
fn two_heads_are_split_each() {
    let loss = LinearDistillation { temperature: 2.0, ..Default::default() };
    let inputs = sample(&loss, &[90, 40], DType::F16, true);
    let floats = |shape: &[usize], seed| tensor(&values(shape.iter().product(), 0.5, seed), DType::F16, shape);
    let mut inputs = inputs;
    for (name, shape) in [
        ("weight", &[900, 40][..]),
        ("bias", &[900]),
        ("teacher_hidden", &[90, 70]),
        ("teacher_weight", &[900, 70]),
        ("teacher_bias", &[900]),
    ] {
        inputs = with(&inputs, name, floats(shape, shape.len() as u64));
    }
    for gpu in adapters::all() {
        evaluated(&with_small_bindings(gpu), &loss, &inputs, Reduction::Mean);
    }
}

#[test]
fn the_first_row_out_of_range_is_found_in_a_later_segment() {
    let size = Size { items: &[1100], dimensions: 64, classes: 20 };
    let mut changes: Vec<(usize, f64)> = (300..900).map(|row| (row, -100.0)).collect();
    changes.extend([(905, 20.0), (1001, -1.0)]);
    let inputs = changed(&head(&size, DType::F32), "target", &changes);
    for gpu in adapters::all() {
        let error = LinearCrossEntropy::default().eval_with(&with_small_bindings(gpu), &inputs, Reduction::Mean);
        assert_eq!(out_of_range(&error.unwrap_err()), ("linear_cross_entropy", 2, 905), "{gpu:?}");
    }
}

#[test]
fn what_cannot_be_split_names_the_limit() {
    let types = |rows: usize, dimensions: usize, classes: usize| {
        Named::new()
            .with("hidden", TensorType::new(DType::F32, [rows, dimensions]))
            .with("weight", TensorType::new(DType::F32, [classes, dimensions]))
            .with("target", TensorType::new(DType::I32, [rows]))
    };
    for gpu in adapters::all() {
        let gpu = with_small_bindings(gpu);
        // The logits of one row; one row of the head, or of states.
        for types in [types(1, 8, 20_000), types(2, 20_000, 3)] {
            let plan = Plan::new(&gpu, &LinearCrossEntropy::default(), &types, Reduction::Mean);
            let is_limit =
                matches!(plan, Err(Error::Limit { limit: "max_storage_buffer_binding_size", available: BINDING, .. }));
            assert!(is_limit, "{types:?} on {gpu:?}: {plan:?}");
        }
    }
}
