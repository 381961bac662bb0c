//! Calls larger than a binding, and lanes with more work than a driver's loops run.

use wgloss::{
    Adapter, AnyLoss, DType, Error, Evaluation, Gpu, HostTensor, Iou, Loss, Mae, Named, Options, Plan, Reduction,
    RowKernel, Statistics, Tensor, TensorType, losses,
    parity::TOLERANCE,
    reference,
    spec::{Driver, Input},
};

use crate::common::{
    adapters,
    agreement::{assert_agree, evaluated, out_of_range},
    effort,
};

fn values(count: usize, scale: f64) -> Vec<f64> {
    let mut rng = fastrand::Rng::with_seed(7);
    (0..count).map(|_| (rng.f64() - 0.5) * scale).collect()
}

/// Elements of boxes around the origin.
fn corners(elements: usize) -> Vec<f64> {
    let corner = |(index, x): (usize, f64)| if index % 4 < 2 { x - 1.0 } else { x + 1.0 };
    values(elements, 1.5).into_iter().enumerate().map(corner).collect()
}

/// A label a row, whose rows have this shape.
fn labels(shape: impl Into<Vec<usize>>, classes: usize) -> HostTensor<'static> {
    let shape = shape.into();
    let rows: usize = shape.iter().product();
    let bytes = (0..rows).flat_map(|row| ((row * 7 % classes) as i32).to_le_bytes()).collect::<Vec<u8>>();
    HostTensor::from_bytes(DType::I32, shape, bytes).expect("one label a row")
}

/// A call of a loss of regions, with class indices or a value for each class.
fn regions(shape: &[usize], dtype: DType, indices: bool) -> Named<HostTensor<'static>> {
    let elements: usize = shape.iter().product();
    let floats = |values: &[f64]| HostTensor::rounded(values, dtype, shape).expect("floats");
    let target = match indices {
        true => labels([&shape[..1], &shape[2..]].concat(), shape[1]),
        false => floats(&values(elements, 1.0).iter().rev().map(|x| x + 0.5).collect::<Vec<_>>()),
    };
    Named::new().with("prediction", floats(&values(elements, 8.0))).with("target", target)
}

fn dice(scope: &str) -> AnyLoss {
    AnyLoss::new("dice", &[("activation", "softmax"), ("scope", scope)]).expect("a loss")
}

/// One workgroup alone would give each of llvmpipe's 8 lanes more than the 65,535 iterations after which that driver
/// leaves a loop.
#[test]
fn a_lane_never_gets_more_iterations_than_the_driver_runs() {
    for gpu in adapters::all() {
        let mut tuning = gpu.tuning();
        tuning.workgroups = 1;
        let gpu = gpu.with_tuning(tuning).expect("the adapter runs it");

        let count = 4 * tuning.workgroup_size as usize * 70_000;
        let prediction = vec![1.0_f32; count];
        let target = vec![0.0_f32; count];
        let result = Mae.eval(&gpu, &prediction, &target, Reduction::Mean).expect("mae of many elements");
        assert_eq!(result.items, count as u64, "{}", gpu.adapter_id());
        assert!((result.loss.item() - 1.0).abs() <= TOLERANCE.loss, "{}: {}", gpu.adapter_id(), result.loss.item());
        let gradient = result.gradients.get("prediction").expect("mae has a gradient").to_vec::<f32>().expect("f32");
        let each = 1.0 / count as f32;
        assert!(gradient.iter().all(|&g| (g / each - 1.0).abs() < 1e-6), "{}", gpu.adapter_id());

        // As many boxes, half of the target's area each.
        let boxes = tuning.workgroup_size as usize * 70_000;
        let [prediction, target] = [[0.0_f32, 0.0, 1.0, 1.0], [0.0, 0.0, 2.0, 1.0]].map(|one| one.repeat(boxes));
        let tensor = |corners| HostTensor::new(corners, [boxes, 4]).expect("boxes");
        let result = Iou::default().eval(&gpu, tensor(&prediction), tensor(&target), Reduction::Mean);
        let result = result.expect("iou of many boxes");
        assert_eq!(result.items, boxes as u64, "{}", gpu.adapter_id());
        assert!((result.loss.item() - 0.5).abs() <= TOLERANCE.loss, "{}: {}", gpu.adapter_id(), result.loss.item());
    }
}

#[test]
fn rows_are_as_long_as_they_like() {
    let cross_entropy = AnyLoss::new("cross_entropy", &[]).expect("a loss");
    for gpu in adapters::all() {
        let mut tuning = gpu.tuning();
        tuning.workgroups = 1;
        // The first is more than 8 lanes walk twice in 65,535 iterations, the second more rows than fit one workgroup's
        // iterations, the third so short ones that what comes besides the walks counts.
        for (rows, classes, kernel) in [
            (1, 300_001, RowKernel::BySize),
            (80, 4099, RowKernel::BySize),
            (20_000, 21, RowKernel::Workgroup),
            (20_000, 21, RowKernel::Lane),
        ] {
            tuning.rows = kernel;
            let gpu = gpu.with_tuning(tuning).expect("the adapter runs it");
            for dtype in [DType::F32, DType::F16] {
                let logits =
                    HostTensor::rounded(&values(rows * classes, 20.0), dtype, [rows, classes]).expect("floats");
                let inputs = Named::new().with("logits", logits).with("target", labels([rows], classes));
                evaluated(&gpu, &cross_entropy, &inputs, Reduction::Mean);
            }
        }
    }
}

#[test]
fn images_are_as_large_as_they_like() {
    let ce_dice = AnyLoss::new("ce_dice", &[]).expect("a loss");
    let mut calls = vec![(ce_dice, [1, 3, 8 * 70_000], DType::F16)];
    // Few classes, and many, of which each pixel takes a lane more iterations.
    for shape in [[1, 3, 8 * 70_000], [2, 3, 100_001], [2, 150, 3001]] {
        calls.extend(["class", "sample"].map(|scope| (dice(scope), shape, DType::F32)));
    }
    for (turn, (loss, shape, dtype)) in effort::some(calls.iter(), 1).enumerate() {
        let inputs = regions(shape, *dtype, true);
        for gpu in effort::adapters(turn) {
            let mut tuning = gpu.tuning();
            tuning.workgroups = 1;
            evaluated(&gpu.with_tuning(tuning).expect("the adapter runs it"), loss, &inputs, Reduction::Mean);
        }
    }
}

/// Each sample has a part of its own, more than a dispatch has workgroups.
#[test]
fn samples_are_as_many_as_they_like() {
    for gpu in adapters::all() {
        for scope in ["sample", "sample_class"] {
            for reduction in [Reduction::None, Reduction::Mean] {
                evaluated(gpu, &dice(scope), &regions(&[70_000, 2, 1], DType::F32, true), reduction);
            }
        }
        let logits = HostTensor::rounded(&values(140_000, 8.0), DType::F32, [70_000, 2, 1]).expect("floats");
        let mut target = vec![0; 70_000];
        (target[69_998], target[69_999]) = (2, -1);
        let target = HostTensor::new(&target, [70_000, 1]).expect("one a pixel");
        let error = dice("sample").eval(gpu, logits, target, Reduction::None).expect_err("no class");
        assert_eq!(out_of_range(&error), (losses::DICE.name, 2, 69_998), "{}", gpu.adapter_id());
    }
}

#[test]
fn vocabularies_are_as_large_and_logits_as_extreme_as_they_like() {
    let cross_entropy = AnyLoss::new("cross_entropy", &[]).expect("a loss");
    let mut turn = 0;
    for (rows, classes) in [(2, 128_256), (1, 262_144), (3, 50_257)] {
        let drawn = values(rows * classes, 6.0);
        for (factor, shift) in [(1.0, 0.0), (3000.0, 0.0), (1.0, 1e4), (1.0, -1e4)] {
            let logits: Vec<f64> = drawn.iter().map(|x| factor * x + shift).collect();
            turn += 1;
            for &dtype in effort::taking_turns(&[DType::F32, DType::BF16], turn) {
                let logits = HostTensor::rounded(&logits, dtype, [rows, classes]).expect("floats");
                let inputs = Named::new().with("logits", logits).with("target", labels([rows], classes));
                let expected = reference::evaluate(&cross_entropy, &inputs, &Reduction::Mean.into()).expect("it fits");
                for gpu in effort::adapters(turn) {
                    let found = cross_entropy.eval_with(gpu, &inputs, Reduction::Mean).expect("it fits");
                    let what = format!("{dtype} [{rows}, {classes}] ×{factor} {shift:+} on {}", gpu.adapter_id());
                    assert_agree(&expected, &found, &what);
                }
            }
        }
    }
}

/// The device with bindings of 64 KiB at most.
fn with_small_bindings(gpu: &Gpu) -> Gpu {
    let adapter = pollster::block_on(Adapter::find(&gpu.adapter_id())).expect("it was found before");
    let limits = wgpu::Limits { max_storage_buffer_binding_size: 64 << 10, ..adapter.limits() };
    pollster::block_on(adapter.open_with_limits(limits)).expect("lower limits are granted")
}

#[test]
fn what_is_larger_than_a_binding_is_split() {
    for (turn, dtype) in DType::FLOATS.into_iter().enumerate() {
        for gpu in effort::adapters(turn) {
            let gpu = with_small_bindings(gpu);
            for &reduction in effort::taking_turns(&Reduction::ALL, turn) {
                let options = Options { upstream: 0.5, ..Options::new(reduction) };
                let mse = AnyLoss::new("mse", &[]).expect("a loss");
                let count = 50_001;
                let shape = [3, 16_667];
                let tensor = |scale| HostTensor::rounded(&values(count, scale), dtype, shape).expect("floats");
                let weight: Vec<f64> = values(count, 1.0).iter().map(|x| x + 0.5).collect();
                let weight = HostTensor::rounded(&weight, dtype, shape).expect("floats");
                let mut inputs = Named::<HostTensor>::new();
                inputs = inputs.with("prediction", tensor(8.0)).with("target", tensor(2.0)).with("weight", weight);
                if reduction == Reduction::None {
                    inputs = inputs.with("upstream", tensor(1.0));
                }
                evaluated(&gpu, &mse, &inputs, options);

                // The position on the last axis goes on across chunks.
                let bce = AnyLoss::new("bce_with_logits", &[]).expect("a loss");
                let shape = [1000, 37];
                let tensor = |scale, offset| {
                    let values: Vec<f64> = values(37_000, scale).iter().map(|x| x + offset).collect();
                    HostTensor::rounded(&values, dtype, shape).expect("floats")
                };
                let pos_weight: Vec<f64> = (0..37).map(|c| 0.25 * f64::from(c)).collect();
                let pos_weight = HostTensor::rounded(&pos_weight, dtype, [37]).expect("floats");
                let inputs = Named::<HostTensor>::new()
                    .with("logits", tensor(8.0, 0.0))
                    .with("target", tensor(1.0, 0.5))
                    .with("pos_weight", pos_weight);
                evaluated(&gpu, &bce, &inputs, options);

                let diou = AnyLoss::new("diou", &[]).expect("a loss");
                let tensor =
                    |values: &[f64], shape: &[usize]| HostTensor::rounded(values, dtype, shape).expect("floats");
                let shape = [3, 9001, 4];
                let weight: Vec<f64> = values(27_003, 1.0).iter().map(|x| x + 0.5).collect();
                let mut inputs = Named::<HostTensor>::new()
                    .with("prediction", tensor(&values(108_012, 3.0), &shape))
                    .with("target", tensor(&corners(108_012), &shape))
                    .with("weight", tensor(&weight, &shape[..2]));
                if reduction == Reduction::None {
                    inputs = inputs.with("upstream", tensor(&values(27_003, 1.0), &shape[..2]));
                }
                evaluated(&gpu, &diou, &inputs, options);

                // Rows of an odd length, of which an odd number ends within a word of halves; and labels beside values.
                let cosine = AnyLoss::new("cosine_embedding", &[]).expect("a loss");
                let hinge = AnyLoss::new("hinge_embedding", &[]).expect("a loss");
                let signs = |count: usize| {
                    let bytes = (0..count).flat_map(|item| (1 - 2 * (item % 3 / 2) as i32).to_le_bytes());
                    HostTensor::from_bytes(DType::I32, [count], bytes.collect::<Vec<u8>>()).expect("a sign an item")
                };
                let (rows, dimensions) = (9001, 7);
                let x1 = values(rows * dimensions, 3.0);
                let x2: Vec<f64> = x1.iter().rev().copied().collect();
                let inputs = Named::new()
                    .with("x1", tensor(&x1, &[rows, dimensions]))
                    .with("x2", tensor(&x2, &[rows, dimensions]))
                    .with("label", signs(rows));
                evaluated(&gpu, &cosine, &inputs, options);
                let inputs = Named::new().with("prediction", tensor(&x1, &[x1.len()])).with("target", signs(x1.len()));
                evaluated(&gpu, &hinge, &inputs, options);

                let cross_entropy = AnyLoss::new("cross_entropy", &[("ignore_index", "3")]).expect("a loss");
                let (rows, classes) = (4099, 7);
                let logits =
                    HostTensor::rounded(&values(rows * classes, 20.0), dtype, [rows, classes]).expect("floats");
                let inputs = Named::new().with("logits", logits).with("target", labels([rows], classes));
                evaluated(&gpu, &cross_entropy, &inputs, options);
            }
        }
    }
}

/// A call of a loss with two required inputs.
struct Call {
    loss: &'static str,
    dtype: DType,
    shape: &'static [usize],
    row_stride: Option<usize>,
    options: Options,
    kernels: &'static [RowKernel],
}

impl Call {
    fn evaluated(&self, gpu: &Gpu) -> Evaluation {
        let Call { dtype, shape, row_stride, .. } = *self;
        let loss = AnyLoss::new(self.loss, &[]).expect("a loss");
        let elements = shape[0] * row_stride.unwrap_or(shape[1]) * shape[2..].iter().product::<usize>();
        let upload = |host: HostTensor| Tensor::from_host(gpu, host).expect("it fits");
        let flat = upload(HostTensor::rounded(&values(elements, 8.0), dtype, [elements]).expect("floats"));
        let ty = TensorType { row_stride, ..TensorType::new(dtype, shape) };
        let first = Tensor::from_buffer(gpu, flat.buffer().clone(), 0, ty);
        let floats = |values: &[f64]| HostTensor::rounded(values, dtype, shape).expect("floats");
        let second = match loss.spec().driver {
            Driver::Elementwise => floats(&values(elements, 1.0).iter().map(|x| x + 0.5).collect::<Vec<_>>()),
            Driver::Rows(_) | Driver::Regions(_) => labels([&shape[..1], &shape[2..]].concat(), shape[1]),
            Driver::Boxes => floats(&corners(elements)),
            Driver::Layers(_) => floats(&values(elements, 1.0).iter().map(|x| x + 0.5).collect::<Vec<_>>()),
            Driver::Pairs
            | Driver::AllPairs(_)
            | Driver::Sum(_)
            | Driver::Gram
            | Driver::Linear(_)
            | Driver::Sequences(_)
            | Driver::TopK(_) => {
                unreachable!("others have three inputs, whole batches are not split, sums have parts")
            }
        };
        let output = loss.run(gpu, &first, &upload(second), self.options);
        output.and_then(|output| output.read_blocking()).expect("it can be split")
    }
}

/// Loss, gradients and statistics, to the bit.
#[test]
fn a_split_call_gives_what_a_whole_one_gives() {
    let mean = Options::new(Reduction::Mean);
    let statistics =
        Options { statistics: Statistics { log_sum_exp: true, argmax: true, ..Statistics::default() }, ..mean };
    let plain = |loss, dtype, shape| {
        let kernels = &[RowKernel::BySize];
        Call { loss, dtype, shape, row_stride: None, options: mean, kernels }
    };
    let rows = |dtype, shape, row_stride| {
        let kernels = &[RowKernel::Lane, RowKernel::Workgroup, RowKernel::Parts];
        Call { loss: "cross_entropy", dtype, shape, row_stride, options: statistics, kernels }
    };
    let calls = [
        plain("mse", DType::F32, &[3, 16_667]),
        plain("bce_with_logits", DType::F16, &[2000, 37]),
        plain("giou", DType::F32, &[10_007, 4]),
        plain("perceptual", DType::F32, &[3, 16_667]),
        plain("style", DType::F32, &[64, 32, 4, 8]),
        plain("style", DType::F16, &[128, 5, 64, 2]),
        // Its products alone are larger.
        plain("style", DType::F32, &[9, 64, 4]),
        plain("ce_dice", DType::F32, &[64, 32, 4, 8]),
        plain("ce_dice", DType::BF16, &[300, 5, 8, 8]),
        Call { options: Reduction::None.into(), ..plain("ciou", DType::BF16, &[3, 9001, 4]) },
        Call { options: Options { reduction: Reduction::None, ..statistics }, ..rows(DType::F16, &[9001, 7], None) },
        rows(DType::F32, &[4099, 7], None),
        rows(DType::F32, &[64, 32, 4, 8], None),
        rows(DType::F32, &[200, 90], Some(128)),
        rows(DType::F16, &[80, 300], Some(480)),
    ];
    let adapters: Vec<_> = adapters::every().iter().map(|gpu| (gpu, with_small_bindings(gpu))).collect();
    for (turn, call) in calls.iter().enumerate() {
        for &rows in effort::taking_turns(call.kernels, turn) {
            for (gpu, small) in effort::taking_turns(&adapters, turn) {
                let [whole, split] = [*gpu, small].map(|gpu| {
                    let mut tuning = gpu.tuning();
                    tuning.rows = rows;
                    call.evaluated(&gpu.with_tuning(tuning).expect("the adapter runs it"))
                });
                let Call { loss, dtype, shape, .. } = call;
                assert!(whole == split, "{loss} {dtype} {shape:?}, {rows}, on {}", gpu.adapter_id());
            }
        }
    }
}

/// Loss and gradients of regions, to the bit: pixels of a class lie apart, and with values for each class so do those
/// of the target.
#[test]
fn split_regions_are_those_of_a_whole_call() {
    let adapters: Vec<_> = adapters::every().iter().map(|gpu| (gpu, with_small_bindings(gpu))).collect();
    let ways = [(DType::F32, true), (DType::F16, true), (DType::F32, false), (DType::BF16, false)];
    for (turn, (dtype, indices)) in ways.into_iter().enumerate() {
        for (gpu, small) in effort::taking_turns(&adapters, turn) {
            for scope in ["all", "class", "sample_class", "sample"] {
                // Where samples are scored apart, a sample may be of any size.
                let shape = if scope.starts_with("sample") { [63, 3, 17, 16] } else { [64, 3, 16, 32] };
                let inputs = regions(&shape, dtype, indices);
                let split = evaluated(small, &dice(scope), &inputs, Reduction::None);
                let whole = dice(scope).eval_with(gpu, &inputs, Reduction::None).expect("it fits");
                assert!(whole == split, "{scope} {dtype}, indices: {indices}, on {}", gpu.adapter_id());
            }
        }
    }
    // Samples of which only one fits into a binding.
    for (_, small) in &adapters {
        evaluated(small, &dice("sample"), &regions(&[3, 3, 64, 64], DType::F32, true), Reduction::Mean);
    }
}

/// A call of a loss of rows with every input that it has but these, an upstream for each item included.
fn rows_without(
    left_out: &[&str],
    loss: &AnyLoss,
    dtype: DType,
    shape: &[usize],
    reduction: Reduction,
) -> Named<HostTensor<'static>> {
    let items = [&shape[..1], &shape[2..]].concat();
    let floats = |shape: &[usize], scale: f64, offset: f64| {
        let drawn = values(shape.iter().product(), scale);
        HostTensor::rounded(&drawn.iter().map(|x| x + offset).collect::<Vec<_>>(), dtype, shape).expect("floats")
    };
    let rows: usize = items.iter().product();
    let kept: Vec<f64> = (0..rows).map(|row| f64::from(u8::from(row % 3 != 1))).collect();
    let mut inputs = Named::new();
    let is_given = |input: &&Input| input.goes_with(reduction) && !left_out.contains(&input.name);
    for input in loss.spec().all_inputs().filter(is_given) {
        inputs = match input.name {
            "logits" => inputs.with(input.name, floats(shape, 8.0, 0.0)),
            "teacher_logits" => inputs.with(input.name, floats(shape, 5.0, 0.5)),
            "target" => inputs.with(input.name, labels(&items[..], shape[1])),
            "class_weight" => inputs.with(input.name, floats(&shape[1..2], 1.0, 1.0)),
            "class_offset" => inputs.with(input.name, floats(&shape[1..2], 1.0, 0.0)),
            "weight" => inputs.with(input.name, floats(&items, 1.0, 1.0)),
            "mask" => inputs.with(input.name, HostTensor::rounded(&kept, dtype, &items[..]).expect("0 and 1")),
            "divisor" => inputs.with(input.name, floats(&[], 1.0, 3.0)),
            "upstream" if reduction != Reduction::None => inputs.with(input.name, floats(&[], 1.0, 1.0)),
            "upstream" if loss.spec().name.ends_with("softmax") => inputs.with(input.name, floats(shape, 1.0, 0.5)),
            "upstream" => inputs.with(input.name, floats(&items, 1.0, 1.0)),
            other => panic!("{other}"),
        };
    }
    inputs
}

/// So long rows that few fit into a binding, and so many that their values of one an item do not start where a binding
/// may: of lengths at which rows start there or not, and of halves that share words.
#[test]
fn rows_are_split_wherever_one_fits() {
    let adapters: Vec<_> = adapters::every().iter().map(|gpu| (gpu, with_small_bindings(gpu))).collect();
    let shapes: [(DType, &[usize]); 8] = [
        (DType::F32, &[11, 3000]),
        (DType::F32, &[9, 3003]),
        (DType::F32, &[3, 16_384]),
        (DType::F16, &[11, 6000]),
        (DType::F16, &[11, 6001]),
        (DType::BF16, &[7, 6002]),
        (DType::F32, &[5, 300, 7]),
        (DType::F16, &[7, 301, 33]),
    ];
    let is_tried = |name, reduction| name == "cross_entropy" || reduction == Reduction::None;
    let calls = ["cross_entropy", "distillation", "softmax", "log_softmax"]
        .into_iter()
        .flat_map(|name| Reduction::ALL.map(|reduction| (name, reduction)))
        .filter(|&(name, reduction)| is_tried(name, reduction))
        .flat_map(|(name, reduction)| shapes.map(|(dtype, shape)| (name, reduction, dtype, shape)));
    for (turn, (name, reduction, dtype, shape)) in effort::some(calls, 0).enumerate() {
        let loss = AnyLoss::new(name, &[]).expect("a loss");
        for &rows in effort::taking_turns(&[RowKernel::Lane, RowKernel::Workgroup, RowKernel::Parts], turn) {
            // Each of these kernels meets each adapter.
            for (gpu, small) in effort::taking_turns(&adapters, turn + turn / 3) {
                // Some adapters bind ten buffers at most.
                let is_few = gpu.limits().max_storage_buffers_per_shader_stage < 14;
                let odd = turn % 2 == 1;
                let left_out = ["class_weight", "class_offset", if odd { "mask" } else { "weight" }];
                let left_out = if is_few { &left_out[..] } else { &[] };
                let inputs = rows_without(left_out, &loss, dtype, shape, reduction);
                let (log_sum_exp, argmax) = (!is_few || odd, !is_few || !odd);
                let statistics = Statistics { log_sum_exp, argmax, ..Statistics::default() };
                let options = Options { statistics, ..Options::new(reduction) };
                let mut tuning = gpu.tuning();
                tuning.rows = rows;
                let [gpu, small] = [*gpu, small].map(|gpu| gpu.with_tuning(tuning).expect("it runs it"));
                let split = evaluated(&small, &loss, &inputs, options);
                let whole = loss.eval_with(&gpu, &inputs, options).expect("it fits");
                let what = format!("{name} {dtype} {shape:?} {reduction} {rows} on {}", gpu.adapter_id());
                assert_eq!(split.items, whole.items, "{what}");
                assert!(split.gradients == whole.gradients || reduction != Reduction::None, "{what}");
            }
        }
    }
}

#[test]
fn the_first_offender_is_found_in_a_later_chunk() {
    for gpu in adapters::all() {
        let gpu = with_small_bindings(gpu);
        let logits = vec![0.5_f32; 50_000];
        let mut target = vec![1.0_f32; 50_000];
        for offender in [40_001, 40_002, 49_999] {
            target[offender] = 0.5;
        }
        let error = losses::Hinge.eval(&gpu, &logits, &target, Reduction::Mean).expect_err("0.5 is no sign");
        assert_eq!(out_of_range(&error), (losses::HINGE.name, 3, 40_001), "{}", gpu.adapter_id());

        let boxes = |values: &[f64]| HostTensor::rounded(values, DType::F32, [9001, 4]).expect("floats");
        let mut target = corners(36_004);
        for offender in [7003, 8000] {
            target[4 * offender + 3] = -2.0;
        }
        let error = losses::Giou::default().eval(&gpu, boxes(&corners(36_004)), boxes(&target), Reduction::Mean);
        let error = error.expect_err("they are upside down");
        assert_eq!(out_of_range(&error), ("giou", 2, 7003), "{}", gpu.adapter_id());

        for scope in ["all", "sample"] {
            let mut target = vec![2; 64 * 512];
            (target[40 * 512 + 7], target[40 * 512 + 8], target[63 * 512]) = (3, -1, 3);
            let logits = HostTensor::rounded(&values(96 << 10, 8.0), DType::F32, [64, 3, 16, 32]).expect("floats");
            let target = HostTensor::new(&target, [64, 16, 32]).expect("one a pixel");
            let error = dice(scope).eval(&gpu, logits, target, Reduction::Mean).expect_err("no class");
            assert_eq!(out_of_range(&error), (losses::DICE.name, 3, 20_487), "{}", gpu.adapter_id());
        }

        let logits = HostTensor::rounded(&values(4099 * 7, 8.0), DType::F32, [4099, 7]).expect("floats");
        let mut target = vec![6; 4099];
        (target[3500], target[4098]) = (7, -1);
        let error = losses::CrossEntropy::default().eval(&gpu, logits, &target, Reduction::Mean).expect_err("no class");
        assert_eq!(out_of_range(&error), (losses::CROSS_ENTROPY.name, 2, 3500), "{}", gpu.adapter_id());
    }
}

#[test]
fn what_cannot_be_split_names_the_limit() {
    for gpu in adapters::all() {
        let gpu = with_small_bindings(gpu);
        let rows = |shape: &[usize], items: &[usize]| {
            Named::new()
                .with("logits", TensorType::new(DType::F32, shape))
                .with("target", TensorType::new(DType::I32, items))
        };
        let strided = TensorType::new(DType::F32, [3, 10]).with_row_stride(20_000);
        let strided = Named::new().with("logits", strided).with("target", TensorType::new(DType::I32, [3]));
        // One row of logits, one sample, or one row with its gap is larger than a binding.
        for types in [rows(&[1, 20_000], &[1]), rows(&[2, 100, 200], &[2, 200]), strided] {
            let plan = Plan::new(&gpu, &losses::CrossEntropy::default(), &types, Reduction::Mean);
            let is_limit =
                matches!(plan, Err(Error::Limit { limit: "max_storage_buffer_binding_size", available: 65_536, .. }));
            assert!(is_limit, "{types:?} on {}: {plan:?}", gpu.adapter_id());
        }
        // Of one sample too large it says what to do.
        let types = rows(&[2, 100, 200], &[2, 200]);
        let error =
            Plan::new(&gpu, &losses::CrossEntropy::default(), &types, Reduction::Mean).expect_err("80,000 bytes");
        let message = error.to_string();
        assert!(message.contains("one sample of 200 items, needs 80"), "{message}");
        assert!(message.contains(" bytes, but max_storage_buffer_binding_size is 65536 on "), "{message}");
        assert!(message.contains("split it along its last axes into several calls"), "{message}");
        // One sample of regions, in each scope.
        let types = regions(&[2, 2, 100, 100], DType::F32, true).map(|host| host.ty().clone());
        for scope in ["all", "sample"] {
            let plan = Plan::new(&gpu, &dice(scope), &types, Reduction::Mean);
            let is_limit =
                matches!(plan, Err(Error::Limit { limit: "max_storage_buffer_binding_size", available: 65_536, .. }));
            assert!(is_limit, "{scope} on {}: {plan:?}", gpu.adapter_id());
        }
    }
}
