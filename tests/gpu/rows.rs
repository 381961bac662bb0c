//! Rows of classes by each of the kernels that share them out: in place, with gaps, with classes apart, masked and
//! sure.

use wgloss::{
    AnyLoss, BufferSlice, CrossEntropy, DType, Distillation, Gpu, Gradients, HostTensor, Loss, MultiMargin, Named,
    Options, Plan, Reduction, RowKernel, Statistics, Tensor, TensorType, reference,
};

use crate::common::{
    adapters, agreement,
    agreement::{evaluated, is_beyond_bindings, out_of_range},
    device::{submit, uploaded},
    effort,
    inputs::{Inputs, changed, sample, tensor},
};

/// Rows that are odd in number and length: halves of two rows share words.
const ROWS: usize = 9;
const CLASSES: usize = 21;
const SHAPE: [usize; 2] = [ROWS, CLASSES];

/// How many kernels for rows there are: with a workgroup a row, as on CPUs and as on GPUs, which keep rows in workgroup
/// memory.
const KERNELS: usize = 4;

/// Every kernel for rows, for the combination of that number: on every adapter, or where the tests are few on one each.
fn kernels(turn: usize) -> impl Iterator<Item = &'static Gpu> {
    thread_local! {
        static GPUS: [&'static [Gpu]; KERNELS] = with_kernels();
    }
    let gpus = GPUS.with(|gpus| *gpus);
    gpus.into_iter().enumerate().flat_map(move |(kernel, gpus)| effort::taking_turns(gpus, turn + kernel))
}

fn with_kernels() -> [&'static [Gpu]; KERNELS] {
    let kernels =
        [(RowKernel::Lane, 0), (RowKernel::Workgroup, 0), (RowKernel::Workgroup, 1024), (RowKernel::Parts, 0)];
    let with = |gpu: &Gpu, (rows, cached_classes)| {
        let mut tuning = gpu.tuning();
        (tuning.rows, tuning.cached_classes) = (rows, cached_classes);
        gpu.with_tuning(tuning).unwrap()
    };
    kernels.map(|kernel| &*adapters::every().iter().map(|gpu| with(gpu, kernel)).collect::<Vec<_>>().leak())
}

fn loss(name: &str, settings: &[(&str, &str)]) -> AnyLoss {
    AnyLoss::new(name, settings).unwrap()
}

/// The loss of a plan bound to the buffers of these inputs and gradients, which are all that it wants.
#[track_caller]
fn run_in_buffers(
    gpu: &Gpu,
    loss: &AnyLoss,
    inputs: &Named<Tensor>,
    gradients: &Named<Tensor>,
    options: Options,
) -> HostTensor<'static> {
    let plan = Plan::new(gpu, loss, &inputs.map(|tensor| tensor.ty().clone()), options).unwrap();
    let value = Tensor::zeros(gpu, plan.outputs().get("loss").unwrap().clone()).unwrap();
    let tensors = inputs.iter().chain(gradients.iter()).chain([("loss", &value)]);
    let places: Named<BufferSlice> = tensors.map(|(name, tensor)| (name.to_string(), tensor.slice())).collect();
    let bound = plan.bind(&places).unwrap();
    submit(gpu, |encoder| bound.record(encoder));
    value.read_blocking().unwrap()
}

fn with_gradients(gradients: Gradients) -> Options {
    Options { gradients, ..Options::new(Reduction::None) }
}

/// Softmax with an upstream gradient.
fn softmax_inputs(shape: &[usize], dtype: DType) -> Inputs {
    let inputs = sample(&loss("softmax", &[]), shape, dtype, true);
    let upstream: Vec<f64> = inputs.get("logits").unwrap().to_f64().iter().rev().map(|x| x * x).collect();
    inputs.with("upstream", tensor(&upstream, dtype, shape))
}

/// Host slices, device tensors and the caller's own buffers.
#[track_caller]
fn assert_same_in_place(gpu: &Gpu, loss: &AnyLoss, inputs: &Inputs) {
    let what = format!("{} on {gpu:?}", loss.spec().name);
    let expected = loss.eval_with(gpu, inputs, with_gradients(Gradients::Write)).unwrap();
    let in_place = with_gradients(Gradients::InPlace);
    assert!(loss.eval_with(gpu, inputs, in_place).unwrap() == expected, "{what}");

    let tensors = uploaded(gpu, inputs);
    let output = loss.run_with(gpu, &tensors, in_place).unwrap();
    assert!(output.read_blocking().unwrap() == expected, "{what}");
    assert_eq!(output.gradients.iter().count(), loss.spec().differentiable().count());
    for (name, gradient) in output.gradients.iter() {
        assert_eq!(gradient.buffer(), tensors.get(name).unwrap().buffer(), "{what}");
    }

    let tensors = uploaded(gpu, inputs);
    let losses = run_in_buffers(gpu, loss, &tensors, &Named::new(), in_place);
    assert!(losses == expected.loss, "{what}");
    for (name, expected) in expected.gradients.iter() {
        assert!(tensors.get(name).unwrap().read_blocking().unwrap() == *expected, "{what}");
    }
}

#[test]
fn gradients_in_place_have_the_bits_of_gradients_elsewhere() {
    let cross_entropy = loss("cross_entropy", &[("label_smoothing", "0.1")]);
    // These need other classes' logits for each gradient.
    let distillation = loss("distillation", &[("temperature", "2"), ("divergence", "reverse")]);
    let softmax = loss("softmax", &[]);
    let calls = [
        (&cross_entropy, sample(&cross_entropy, &SHAPE, DType::F32, true)),
        (&distillation, sample(&distillation, &SHAPE, DType::F16, false)),
        (&softmax, softmax_inputs(&SHAPE, DType::BF16)),
    ];
    for (turn, (loss, inputs)) in calls.iter().enumerate() {
        kernels(turn).for_each(|gpu| assert_same_in_place(gpu, loss, inputs));
    }
    let gaussian = loss("gaussian_nll", &[]);
    for gpu in adapters::all() {
        assert_same_in_place(gpu, &gaussian, &sample(&gaussian, &[1001], DType::F16, true));
    }
}

/// What lies between rows.
const FILLING: f64 = 0.375;

/// All elements of a buffer with gaps between rows, the last row's too.
fn padded(host: &HostTensor, row_stride: usize) -> HostTensor<'static> {
    let [rows, columns] = host.shape()[..] else { panic!("rows") };
    let mut values = Vec::new();
    for row in host.to_f64().chunks(columns) {
        values.extend_from_slice(row);
        values.resize(values.len() + row_stride - columns, FILLING);
    }
    tensor(&values, host.dtype(), &[rows * row_stride])
}

/// The whole buffer, and the rows in it.
fn with_gaps(gpu: &Gpu, host: &HostTensor, row_stride: usize) -> (Tensor, Tensor) {
    let whole = Tensor::from_host(gpu, padded(host, row_stride)).unwrap();
    let ty = host.ty().clone().with_row_stride(row_stride);
    (whole.clone(), Tensor::from_buffer(gpu, whole.buffer().clone(), 0, ty))
}

#[test]
fn gaps_between_rows_change_nothing_and_stay_as_they_are() {
    let cases = [
        (loss("cross_entropy_soft", &[("label_smoothing", "0.1")]), DType::F16, Gradients::Write),
        (loss("distillation", &[]), DType::F32, Gradients::InPlace),
    ];
    for (turn, (loss, dtype, gradients)) in cases.iter().enumerate() {
        let inputs = sample(loss, &SHAPE, *dtype, false);
        let (second, options) = (loss.spec().inputs[1].name, with_gradients(*gradients));
        for (gpu, strides) in kernels(turn).flat_map(|gpu| [(gpu, [24, 23]), (gpu, [23, 32])]) {
            let expected = reference::evaluate(loss, &inputs, &options).unwrap();
            let what = format!("{} {dtype} {strides:?} on {gpu:?}", loss.spec().name);
            let given = || {
                let [logits, other] = [("logits", strides[0]), (second, strides[1])]
                    .map(|(name, stride)| with_gaps(gpu, inputs.get(name).unwrap(), stride));
                (logits.0, Named::<Tensor>::new().with("logits", logits.1).with(second, other.1))
            };
            // Tensors on the device.
            let found = loss.run_with(gpu, &given().1, options).unwrap().read_blocking().unwrap();
            agreement::assert_agree(&expected, &found, &what);

            // The caller's own buffers.
            let (whole_logits, tensors) = given();
            let zeros = tensor(&[0.0; ROWS * CLASSES], *dtype, &SHAPE);
            let (whole_gradient, gradient) = with_gaps(gpu, &zeros, strides[0]);
            let outputs = match gradients {
                Gradients::Write => Named::new().with("grad.logits", gradient),
                _ => Named::new(),
            };
            assert_eq!(run_in_buffers(gpu, loss, &tensors, &outputs, options), found.loss, "{what}");
            let written = if *gradients == Gradients::Write { whole_gradient } else { whole_logits };
            let expected = padded(found.gradients.get("logits").unwrap(), strides[0]);
            assert!(written.read_blocking().unwrap() == expected, "{what}");
        }
    }
}

const NONE: f64 = -100.0;
const MASKED: f64 = f64::NEG_INFINITY;

#[test]
fn statistics_are_those_of_every_row() {
    let all_masked: Vec<_> = (0..CLASSES).map(|class| (class, MASKED)).collect();
    // The target of each row, the logits that are changed, and the class that is predicted.
    let rows = [
        (3.0, vec![(3, 5.0), (17, 5.0)], 3),
        (17.0, vec![(3, 5.0), (17, 5.0)], 3),
        (2.0, vec![(2, 5.0), (20, f64::NAN)], -1),
        (0.0, vec![(0, f64::INFINITY)], -1),
        (NONE, vec![(7, 5.0)], 7),
        (NONE, vec![(7, f64::NAN)], -1),
        (12.0, vec![(0, MASKED), (12, 5.0), (20, MASKED)], 12),
        (0.0, all_masked, 0),
        (1.0, vec![(0, 5.0)], 0),
    ];
    let logits = rows
        .iter()
        .enumerate()
        .flat_map(|(row, (_, logits, _))| logits.iter().map(move |&(class, logit)| (row * CLASSES + class, logit)));
    let targets: Vec<_> = rows.iter().map(|(target, ..)| *target).enumerate().collect();
    let (logits, predicted) = (logits.collect::<Vec<_>>(), rows.each_ref().map(|(.., predicted)| *predicted));

    let losses = [
        (loss("cross_entropy", &[("softcap", "4")]), DType::F32),
        (loss("distillation", &[("temperature", "2")]), DType::BF16),
    ];
    let statistics = Statistics { log_sum_exp: true, argmax: true, ..Statistics::default() };
    let options = Options { statistics, ..Options::new(Reduction::None) };
    for (turn, (loss, dtype)) in losses.iter().enumerate() {
        for gpu in kernels(turn) {
            let inputs = changed(&sample(loss, &SHAPE, *dtype, false), "logits", &logits);
            let found = evaluated(gpu, loss, &changed(&inputs, "target", &targets), options);
            assert_eq!(found.argmax().unwrap().to_vec::<i32>(), Ok(predicted.to_vec()), "{gpu:?}");
            let log_sum_exp = found.log_sum_exp().unwrap().to_f64();
            for (log_sum_exp, class) in log_sum_exp.iter().zip(predicted) {
                assert_eq!(log_sum_exp.is_nan(), class == -1, "{gpu:?}");
            }
            let has_target = inputs.get("target").is_some();
            assert_eq!(found.correct(), has_target.then_some(3), "{gpu:?}");
        }
    }
}

/// The values of rows `[N, C, d1, …]` as those of `[N·d, C]`.
fn rows_side_by_side(values: &[f64], classes: usize, inner: usize) -> Vec<f64> {
    let samples = values.chunks(classes * inner);
    samples.flat_map(|sample| (0..inner).flat_map(move |i| sample.iter().skip(i).step_by(inner).copied())).collect()
}

#[test]
fn axes_after_the_classes_are_rows_in_order() {
    let (cross_entropy, softmax) = (loss("cross_entropy", &[]), loss("softmax", &[]));
    let statistics = Statistics { log_sum_exp: true, argmax: true, ..Statistics::default() };
    let options = Options { statistics, ..Options::new(Reduction::None) };
    // An even and an odd number of rows side by side.
    for (turn, shape) in [[3, 7, 2, 3], [2, 5, 3, 3]].into_iter().enumerate() {
        let [samples, classes, d1, d2] = shape;
        let (inner, rows) = (d1 * d2, samples * d1 * d2);
        // The second is rounded from either side.
        let cases = [
            (&cross_entropy, sample(&cross_entropy, &shape, DType::F32, true), 1e-5),
            (&softmax, softmax_inputs(&shape, DType::F16), 1e-2),
        ];
        for (loss, apart, tolerance) in cases {
            let flat = |values: &HostTensor| match values.shape() {
                shape if shape.len() == 4 => rows_side_by_side(&values.to_f64(), classes, inner),
                _ => values.to_f64(),
            };
            let together = apart.iter().map(|(name, host)| {
                let shape = match host.shape().len() {
                    4 => vec![rows, classes],
                    3 => vec![rows],
                    _ => host.shape().to_vec(),
                };
                (name.to_string(), tensor(&flat(host), host.dtype(), &shape))
            });
            let together: Inputs = together.collect();
            // A workgroup a row takes only classes side by side.
            let fits = |gpu: &&Gpu| {
                gpu.tuning().rows != RowKernel::Workgroup && !is_beyond_bindings(gpu, loss, &apart, options)
            };
            for gpu in kernels(turn).filter(fits) {
                let [expected, found] = [&together, &apart].map(|inputs| evaluated(gpu, loss, inputs, options));
                let same = |expected: &HostTensor, found: &HostTensor| {
                    let pairs = expected.to_f64().into_iter().zip(flat(found));
                    let far = pairs.into_iter().find(|(expected, found)| (expected - found).abs() > tolerance);
                    assert_eq!(far, None, "{} {shape:?} on {gpu:?}", loss.spec().name);
                };
                same(&expected.loss, &found.loss);
                same(expected.gradients.get("logits").unwrap(), found.gradients.get("logits").unwrap());
                same(expected.log_sum_exp().unwrap(), found.log_sum_exp().unwrap());
                assert_eq!(expected.argmax().unwrap().to_f64(), found.argmax().unwrap().to_f64());
                let per_class = loss.spec().is_per_class();
                let items = [samples, d1, d2];
                assert_eq!(found.loss.shape(), if per_class { &shape[..] } else { &items });
                for statistic in [found.log_sum_exp(), found.argmax()] {
                    assert_eq!(statistic.unwrap().shape(), items);
                }
            }
        }
    }
}

#[test]
fn the_workspace_does_not_grow_with_the_classes() {
    const BYTES_A_ROW: u64 = 512;
    const BYTES_A_WORKGROUP: u64 = 256;
    let distillation = loss("distillation", &[]);
    for gpu in kernels(0) {
        let size = |gpu: &Gpu, rows: usize, classes: usize| {
            let ty = TensorType::new(DType::F32, [rows, classes]);
            let types = Named::new().with("logits", ty.clone()).with("teacher_logits", ty);
            Plan::new(gpu, &distillation, &types, Reduction::Mean).unwrap().workspace_size()
        };
        let tuning = gpu.tuning();
        for rows in [1, 8, 64] {
            for classes in [10, 1000, 50_257, 262_144] {
                let most = BYTES_A_ROW * rows as u64 + BYTES_A_WORKGROUP * u64::from(tuning.workgroups);
                let found = size(gpu, rows, classes);
                // Where a driver's loops are short, the longest rows have more parts.
                let tensors = 2 * 4 * (rows * classes) as u64;
                let more = if tuning.max_loop_iterations == u32::MAX { 0 } else { tensors / 100 };
                assert!(found <= most + more, "[{rows}, {classes}] takes {found} on {gpu:?}");
            }
        }
        for rows in [1, 7, 64, 1000, 8192] {
            let (once, twice) = (size(gpu, rows, 100), size(gpu, 2 * rows, 100));
            let most = 2 * once + BYTES_A_WORKGROUP * u64::from(tuning.workgroups);
            assert!(twice <= most, "{rows} rows take {once}, twice as many {twice} on {gpu:?}");
        }
    }
}

#[test]
fn masked_classes_take_no_part() {
    // Some classes of the first rows, the target's own, all but one, and all.
    let mut masks: Vec<usize> = vec![0, 5, CLASSES + 20, 2 * CLASSES + 4];
    masks.extend((0..CLASSES).filter(|&class| class != 9).map(|class| 3 * CLASSES + class));
    masks.extend((0..CLASSES).map(|class| 4 * CLASSES + class));
    let masked: Vec<_> = masks.iter().map(|&element| (element, MASKED)).collect();
    let targets = [(0, 1.0), (1, 1.0), (2, 4.0), (3, 9.0), (4, 0.0)];
    // Masked classes are not wanted, but for one.
    let wanted: Vec<_> = masks.iter().map(|&element| (element, if element == 5 { 0.5 } else { 0.0 })).collect();
    // Those that only their formulas tell apart run on one kernel.
    let every_kernel = |turn| kernels(turn).collect::<Vec<_>>();
    let adapters = |turn| effort::adapters(turn).collect::<Vec<_>>();
    let losses = [
        ("cross_entropy", &[("label_smoothing", "0.1")][..], every_kernel(0)),
        ("cross_entropy_soft", &[("label_smoothing", "0.1")], every_kernel(1)),
        ("distillation", &[("divergence", "jensen_shannon")], every_kernel(2)),
        ("jensen_shannon", &[("beta", "0.25")], adapters(0)),
        ("total_variation", &[], adapters(1)),
        ("cross_entropy", &[], adapters(2)),
        ("focal", &[], adapters(3)),
        ("multi_margin", &[], adapters(4)),
        ("multilabel_soft_margin", &[], adapters(5)),
    ]
    .map(|(name, settings, gpus)| (loss(name, settings), gpus));
    for (loss, gpus) in losses {
        let inputs = changed(&sample(&loss, &SHAPE, DType::F32, false), "logits", &masked);
        let inputs = changed(&changed(&inputs, "target", &targets), "target_probabilities", &wanted);
        let is_cross_entropy = loss.spec().name == "cross_entropy";
        for gpu in gpus {
            let found = evaluated(gpu, &loss, &inputs, Reduction::None);
            let gradient = found.gradients.get("logits").unwrap().to_f64();
            // Of the first two rows and of the one with a single class left.
            let untouched = masks.iter().filter(|&&element| element / CLASSES != 2 && element / CLASSES != 4);
            let soft_targets = inputs.get("target_probabilities").is_some();
            for &element in untouched.filter(|&&element| !(soft_targets && element == 5)) {
                assert_eq!(gradient[element], 0.0, "{loss:?} {element} on {gpu:?}");
            }
            if is_cross_entropy {
                let losses = found.loss.to_f64();
                assert!(losses[0].is_finite() && losses[1].is_finite(), "{losses:?}");
                assert_eq!([losses[2], losses[3]], [f64::INFINITY, 0.0], "{loss:?} on {gpu:?}");
            }
        }
    }
}

/// Relative to themselves, not to the largest of their tensors.
#[test]
fn sure_rows_keep_the_digits_of_their_loss_and_gradient() {
    const LEADS: [f64; 3] = [20.0, 40.0, 80.0];
    let shape = [LEADS.len(), CLASSES];
    let targets = [4, 0, 20];
    let elements: Vec<usize> = targets.iter().enumerate().map(|(row, class)| row * CLASSES + class).collect();
    let losses = [
        loss("cross_entropy", &[]),
        loss("cross_entropy", &[("label_smoothing", "0.1")]),
        loss("cross_entropy_soft", &[]),
        loss("log_softmax", &[]),
    ];
    for (turn, loss) in losses.iter().enumerate() {
        let given = sample(loss, &shape, DType::F32, true);
        // Quarters, so that their distances are exact.
        let logits = given.get("logits").unwrap().to_f64();
        let quarters: Vec<_> = logits.iter().map(|x| (4.0 * x).round() / 4.0).enumerate().collect();
        // The other logits lie between −3 and 3.
        let leading: Vec<_> = elements.iter().zip(LEADS).map(|(&element, lead)| (element, 3.0 + lead)).collect();
        let classes: Vec<_> = targets.iter().map(|&class| class as f64).enumerate().collect();
        let one_hot: Vec<_> =
            (0..shape[0] * CLASSES).map(|element| (element, f64::from(elements.contains(&element)))).collect();
        let mut inputs = changed(&changed(&given, "logits", &quarters), "logits", &leading);
        inputs = changed(&changed(&inputs, "target", &classes), "target_probabilities", &one_hot);
        let offsets: Vec<_> = (0..CLASSES).map(|class| (class, 0.25 * (class % 3) as f64)).collect();
        inputs = changed(&inputs, "class_offset", &offsets);
        if loss.spec().name == "log_softmax" {
            let upstream: Vec<f64> = one_hot.iter().map(|&(_, value)| value).collect();
            inputs = inputs.with("upstream", tensor(&upstream, DType::F32, &shape));
        }
        let expected = reference::evaluate(loss, &inputs, &Reduction::None.into()).unwrap();
        for gpu in kernels(turn) {
            let found = evaluated(gpu, loss, &inputs, Reduction::None);
            let found_gradient = found.gradients.get("logits").unwrap().to_f64();
            let per_class = expected.loss.len() == expected.gradients[0].1.len();
            for (row, &element) in elements.iter().enumerate() {
                let item = if per_class { element } else { row };
                for (expected, found) in [
                    (expected.loss[item], found.loss.to_f64()[item]),
                    (expected.gradients[0].1[element], found_gradient[element]),
                ] {
                    let error = (found / expected - 1.0).abs();
                    let what = format!("{} at a lead of {} on {gpu:?}", loss.spec().name, LEADS[row]);
                    assert!(error <= 1e-6, "{what}: expected {expected:e}, found {found:e}");
                }
            }
        }
    }
}

/// Of every kind: moderate, large ones that all classes share, far apart, masks, and none.
#[test]
fn offsets_of_classes_keep_the_digits_of_what_they_are_added_to() {
    let offsets: [fn(usize) -> f64; 5] = [
        |class| 0.25 * class as f64 - 1.0,
        |class| 1e4 + 0.125 * class as f64,
        |class| if class % 2 == 0 { 1e4 } else { -1e4 },
        |class| if class % 3 == 0 { MASKED } else { -3e3 - class as f64 },
        |_| 0.0,
    ];
    let statistics = Statistics { log_sum_exp: true, argmax: true, ..Statistics::default() };
    let others = Statistics { entropy: true, log_prob: true, ..Statistics::default() };
    for (turn, offset) in offsets.iter().enumerate() {
        let loss = loss("cross_entropy", &[("softcap", ["0", "3"][turn % 2]), ("entropy_bonus", "0.25")]);
        for &by_row in effort::taking_turns(&[false, true], turn) {
            let shape = if by_row { &SHAPE[..] } else { &SHAPE[1..] };
            let values: Vec<f64> = (0..shape.iter().product()).map(|element| offset(element % CLASSES)).collect();
            let inputs = sample(&loss, &SHAPE, DType::F32, false);
            let targets: Vec<_> = (0..ROWS).map(|row| (row, [1.0, 2.0, 10.0][row % 3])).collect();
            let inputs = changed(&inputs, "target", &targets).with("class_offset", tensor(&values, DType::F32, shape));
            let all = [
                Options { statistics, ..Options::new(Reduction::None) },
                Options { statistics: others, ..Options::new(Reduction::None) },
                Options { gradients: Gradients::InPlace, ..Options::new(Reduction::Mean) },
                Options { gradients: Gradients::Add { weight: 0.5 }, ..Options::new(Reduction::Mean) },
            ];
            for (kernel, gpu) in kernels(turn).enumerate() {
                for &options in effort::taking_turns(&all, turn + usize::from(by_row) + kernel) {
                    evaluated(gpu, &loss, &inputs, options);
                }
            }
        }
    }
}

/// An offset that is no number leaves nothing of any row that counts, one of −∞ everything of the other classes.
#[test]
fn an_offset_that_is_not_finite_shows() {
    let loss = loss("cross_entropy", &[]);
    let statistics = Statistics { log_sum_exp: true, argmax: true, ..Statistics::default() };
    let options = Options { statistics, ..Options::new(Reduction::None) };
    let given = sample(&loss, &SHAPE, DType::F32, false);
    let targets: Vec<_> = (0..ROWS).map(|row| (row, if row == 4 { -100.0 } else { 6.0 })).collect();
    let given =
        changed(&given, "target", &targets).with("class_offset", tensor(&[0.5; CLASSES], DType::F32, &[CLASSES]));
    for gpu in kernels(0) {
        for poison in [f64::NAN, f64::INFINITY] {
            let found = evaluated(gpu, &loss, &changed(&given, "class_offset", &[(7, poison)]), options);
            let is_nan: Vec<bool> = found.loss.to_f64().into_iter().map(f64::is_nan).collect();
            assert_eq!(is_nan, (0..ROWS).map(|row| row != 4).collect::<Vec<_>>(), "{poison} on {gpu:?}");
            assert_eq!(found.argmax().unwrap().to_vec::<i32>(), Ok(vec![-1; ROWS]), "{poison} on {gpu:?}");
        }
        let masked: Vec<_> = (0..CLASSES).filter(|&class| class != 6).map(|class| (class, MASKED)).collect();
        let found = evaluated(gpu, &loss, &changed(&given, "class_offset", &masked), options);
        assert_eq!(found.loss.to_f64(), [0.0; ROWS], "{gpu:?}");
        assert_eq!(found.argmax().unwrap().to_vec::<i32>(), Ok(vec![6; ROWS]), "{gpu:?}");
        // A logit of +∞ spoils its row though its class is masked.
        let spoilt = changed(&changed(&given, "class_offset", &[(3, MASKED)]), "logits", &[(3, f64::INFINITY)]);
        assert!(evaluated(gpu, &loss, &spoilt, options).loss.to_f64()[0].is_nan(), "{gpu:?}");
    }
}

/// Relative to itself, a row at a time.
#[test]
fn the_entropy_of_sure_rows_keeps_its_digits() {
    const LEADS: [f64; 4] = [0.0, 10.0, 40.0, 80.0];
    let loss = loss("cross_entropy", &[]);
    let statistics = Statistics { entropy: true, log_prob: true, ..Statistics::default() };
    let given = sample(&loss, &[LEADS.len(), CLASSES], DType::F32, false);
    // Quarters, so that their distances are exact.
    let logits = given.get("logits").unwrap().to_f64();
    let quarters: Vec<_> = logits.iter().map(|x| (4.0 * x).round() / 4.0).enumerate().collect();
    let leading: Vec<_> = LEADS.iter().enumerate().map(|(row, lead)| (row * CLASSES + 5, 3.0 + lead)).collect();
    let targets: Vec<_> = (0..LEADS.len()).map(|row| (row, 5.0)).collect();
    let inputs = changed(&changed(&changed(&given, "logits", &quarters), "logits", &leading), "target", &targets);
    let options = Options { statistics, ..Options::new(Reduction::Mean) };
    let expected = reference::evaluate(&loss, &inputs, &options).unwrap();
    for gpu in kernels(0) {
        let found = evaluated(gpu, &loss, &inputs, options);
        let found = [found.entropy().unwrap().to_f64(), found.log_prob().unwrap().to_f64()];
        for (expected, found) in [&expected.entropy, &expected.log_prob].into_iter().zip(found) {
            for (row, (found, expected)) in found.iter().zip(expected).enumerate() {
                let error = (found / expected - 1.0).abs();
                assert!(error <= 1e-6, "at {} on {gpu:?}: expected {expected:e}, found {found:e}", LEADS[row]);
            }
        }
    }
}

/// Shares next to nothing and next to all, of rows that nearly agree, that differ, and that are sure.
#[test]
fn mixtures_of_any_share_keep_their_digits() {
    let logits: Vec<f64> = (0..4 * CLASSES).map(|i| ((i * 37) % 101) as f64 / 16.0 - 3.0).collect();
    let teacher = |row: usize, i: usize| match row {
        0 => logits[i] * (1.0 + 1e-4),
        1 => -logits[i],
        2 => logits[i] + if i % CLASSES == 4 { 30.0 } else { 0.0 },
        _ => logits[i] * 20.0,
    };
    let teacher: Vec<f64> = (0..4 * CLASSES).map(|i| teacher(i / CLASSES, i)).collect();
    let shape = [4, CLASSES];
    let inputs = Named::new()
        .with("logits", tensor(&logits, DType::F32, &shape))
        .with("teacher_logits", tensor(&teacher, DType::F32, &shape));
    for beta in ["1e-6", "0.01", "0.3", "0.999", "0.999999"] {
        let loss = loss("jensen_shannon", &[("beta", beta)]);
        let expected = reference::evaluate(&loss, &inputs, &Reduction::None.into()).unwrap();
        for gpu in kernels(0) {
            let found = evaluated(gpu, &loss, &inputs, Reduction::None).loss.to_f64();
            for (found, expected) in found.iter().zip(&expected.loss) {
                let error = (found / expected - 1.0).abs();
                assert!(error <= 1e-5, "{beta} on {gpu:?}: expected {expected:e}, found {found:e}");
            }
        }
    }
}

/// Rows that agree have no distance and no pull, whatever the kernel.
#[test]
fn a_student_that_agrees_has_no_total_variation() {
    let loss = loss("total_variation", &[("temperature", "3")]);
    let logits = sample(&loss, &SHAPE, DType::F32, false).get("logits").unwrap().clone();
    let same = Named::new().with("logits", logits.clone()).with("teacher_logits", logits);
    for gpu in kernels(0) {
        let found = evaluated(gpu, &loss, &same, Reduction::Mean);
        assert_eq!(found.loss.item(), 0.0, "{gpu:?}");
        assert!(found.gradients.get("logits").unwrap().to_f64().iter().all(|&x| x == 0.0), "{gpu:?}");
    }
}

#[test]
fn distillation_and_multi_margin_leave_out_the_rows_of_ignore_index() {
    let logits = tensor(&[2.0, 0.0, f64::NAN, 1.0, 0.0, 1.0], DType::F32, &[3, 2]);
    let target = tensor(&[0.0, -100.0, 0.0], DType::I32, &[3]);
    for gpu in adapters::all() {
        let inputs = Named::new().with("logits", logits.clone()).with("target", target.clone());
        let margins = evaluated(gpu, &MultiMargin::default(), &inputs, Reduction::Mean);
        assert_eq!((margins.items, margins.loss.item()), (2, 0.5));
        let teacher = tensor(&[2.0, 0.0, 0.0, 0.0, 1.0, 0.0], DType::F32, &[3, 2]);
        let found = evaluated(gpu, &Distillation::default(), &inputs.with("teacher_logits", teacher), Reduction::Mean);
        // Of the third row: (p − q)·(log p − log q), of a class and of the other, is tanh(½).
        assert_eq!((found.items, found.correct()), (2, Some(1)));
        assert!((found.loss.item() - 0.5 * 0.5_f64.tanh()).abs() < 1e-6, "{found:?}");
    }
}

#[test]
fn where_every_row_is_ignored_there_is_nothing() {
    let cross_entropy = loss("cross_entropy", &[]);
    let ignored: Vec<_> = (0..ROWS).map(|row| (row, NONE)).collect();
    let inputs = changed(&sample(&cross_entropy, &SHAPE, DType::F32, true), "target", &ignored);
    let inputs = changed(&inputs, "logits", &[(0, f64::NAN), (CLASSES, f64::INFINITY)]);
    for gpu in kernels(0) {
        let found = evaluated(gpu, &cross_entropy, &inputs, Reduction::Mean);
        assert_eq!((found.loss.item(), found.items, found.correct()), (0.0, 0, Some(0)), "{gpu:?}");
        let gradient = found.gradients.get("logits").unwrap().to_f64();
        assert!(gradient.iter().all(|&x| x == 0.0), "{gradient:?} on {gpu:?}");
    }
}

#[test]
fn rows_out_of_range_are_counted_once_and_the_first_is_named() {
    let element = |row: usize, class: usize| row * CLASSES + class;
    let probabilities: &[(usize, f64)] = &[(element(2, 0), 1.5), (element(2, 20), -0.5), (element(7, 11), 1.5)];
    let classes: &[(usize, f64)] = &[(4, CLASSES as f64), (5, -1.0), (8, f64::from(i32::MAX))];
    let cases = [
        ("cross_entropy_soft", "target_probabilities", probabilities, 2, 2),
        ("cross_entropy_soft", "class_weight", &[(20, -1.0)], ROWS as u64, 0),
        ("cross_entropy", "target", classes, 3, 4),
        ("cross_entropy", "class_weight", &[(0, -1.0), (20, -1.0)], ROWS as u64, 0),
    ];
    for (turn, (name, input, changes, count, first)) in cases.into_iter().enumerate() {
        let loss = loss(name, &[]);
        let inputs = changed(&sample(&loss, &SHAPE, DType::F32, true), input, changes);
        let expected = reference::evaluate(&loss, &inputs, &Reduction::Mean.into()).unwrap_err();
        assert_eq!(out_of_range(&expected), (name, count, first));
        for gpu in kernels(turn) {
            assert_eq!(loss.eval_with(gpu, &inputs, Reduction::Mean), Err(expected.clone()), "{input} on {gpu:?}");
        }
    }
}

/// Where workgroups share words of halves, or rows, nothing depends on which of them comes first.
#[test]
fn every_kernel_gives_the_same_bits_each_time() {
    let cross_entropy = loss("cross_entropy", &[]);
    let calls = [(DType::F32, vec![3, 5001]), (DType::F16, vec![4097, 3]), (DType::BF16, vec![2, 701, 5])];
    for (turn, (dtype, shape)) in calls.into_iter().enumerate() {
        for gpu in kernels(turn) {
            // A workgroup for each row, and several where that is the kernel.
            let mut tuning = gpu.tuning();
            tuning.workgroups = 8192;
            let gpu = gpu.with_tuning(tuning).unwrap();
            let inputs = sample(&cross_entropy, &shape, dtype, true);
            let expected = evaluated(&gpu, &cross_entropy, &inputs, Reduction::WeightedMean);
            let tensors = uploaded(&gpu, &inputs);
            for _ in 0..30 {
                // Into new tensors: what a lost half leaves is not what it was to be.
                let output = cross_entropy.run_with(&gpu, &tensors, Reduction::WeightedMean).unwrap();
                assert!(output.read_blocking().unwrap() == expected, "{dtype} {shape:?} on {gpu:?}");
            }
        }
    }
}

fn of_classes(logits: &[f64], dtype: DType, target: &[f64]) -> Inputs {
    let shape = [target.len(), logits.len() / target.len()];
    Named::new().with("logits", tensor(logits, dtype, &shape)).with("target", tensor(target, DType::I32, &shape[..1]))
}

/// Masks are often the lowest finite value instead: it is a value like any other, and alone in a row all classes are
/// equal.
#[test]
fn the_lowest_finite_logit_is_a_value_like_any_other() {
    let lowest = f64::from(f32::MIN);
    for gpu in adapters::all() {
        // More classes than lanes, and a single one.
        for classes in [1, 3, 1000] {
            let mut logits = vec![lowest; 2 * classes];
            logits[classes] = 0.0;
            let inputs = of_classes(&logits, DType::F32, &[0.0, 0.0]);
            let found = evaluated(gpu, &CrossEntropy::default(), &inputs, Reduction::None);
            let equal = (classes as f64).ln();
            assert!((found.loss.to_f64()[0] - equal).abs() <= 1e-6 * equal, "{}", gpu.adapter_id());
        }
    }
}

#[test]
fn a_logit_of_minus_infinity_masks_its_class() {
    const MASK: f64 = f64::NEG_INFINITY;
    for gpu in adapters::all() {
        for dtype in DType::FLOATS {
            let logits = [0.0, MASK, 0.0, 1.0, MASK, 1.0, MASK, MASK, MASK, MASK, 2.0, MASK];
            let inputs = of_classes(&logits, dtype, &[0.0, 1.0, 2.0, 1.0]);
            let found = evaluated(gpu, &CrossEntropy::default(), &inputs, Reduction::None);
            let loss = found.loss.to_f64();
            assert!((loss[0] - 2_f64.ln()).abs() < 1e-6);
            assert_eq!(loss[1..], [f64::INFINITY, f64::INFINITY, 0.0]);
            let expected = [-0.5, 0.0, 0.5, 0.5, -1.0, 0.5, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0];
            for (found, expected) in found.gradients.get("logits").unwrap().to_f64().into_iter().zip(expected) {
                let exact = expected == 0.0 || expected == -1.0;
                assert!((found - expected).abs() <= if exact { 0.0 } else { 1e-6 }, "{found} {expected}");
            }
        }
    }
}

/// Of many classes, none sure, what smoothing spreads over all of them is far more than each one's gradient.
#[test]
fn a_target_of_next_to_no_weight_keeps_the_digits_of_its_smoothed_gradient() {
    const CLASSES: usize = 4096;
    let loss = CrossEntropy { label_smoothing: 0.9, ..Default::default() };
    let weights: Vec<f64> = (0..CLASSES).map(|class| if class == 7 { 1e-4 } else { 1.0 }).collect();
    let inputs = Named::new()
        .with("logits", tensor(&[0.5; CLASSES], DType::F32, &[1, CLASSES]))
        .with("target", HostTensor::new(&[7], [1]).unwrap())
        .with("class_weight", tensor(&weights, DType::F32, &[CLASSES]));
    for turn in 0..KERNELS {
        for gpu in kernels(turn) {
            evaluated(gpu, &loss, &inputs, Reduction::Sum);
        }
    }
}
