//! Every bad input gives its own error, with the fields that say what is wrong.

use wgloss::{
    Adapter, AnyLoss, BceWithLogits, BoundPlan, BufferSlice, CrossEntropy, DType, Error, GaussianNll, Gpu, Gradients,
    Hinge, HostTensor, Huber, Loss, Mse, Named, Options, Plan, Quantile, Reduction, Tensor, TensorType, losses,
    reference,
    spec::{Domain, Driver, LossSpec, Rule, Value},
};

#[path = "common/adapters.rs"]
mod adapters;
#[path = "common/device.rs"]
mod device;

#[path = "common/inputs.rs"]
mod inputs;

use device::{buffer, started, submit, uploaded};
use inputs::{Inputs, changed, domain, sample, tensor};

/// Zeros of the given types, by name.
fn zeros(types: &[(&str, DType, &[usize])]) -> Inputs {
    let zeros = |&(name, dtype, shape): &(&str, DType, &[usize])| {
        (name.to_string(), tensor(&vec![0.0; shape.iter().product()], dtype, shape))
    };
    types.iter().map(zeros).collect()
}

/// The error of the reference, which every way of evaluating these inputs gives too, on every adapter.
#[track_caller]
fn refusal(loss: &impl Loss, inputs: &Inputs, options: impl Into<Options>) -> Error {
    let options = options.into();
    let expected = reference::evaluate(loss, inputs, &options).unwrap_err();
    for gpu in adapters::all() {
        let types = inputs.map(|host| host.ty().clone());
        let found = [
            loss.eval_with(gpu, inputs, options).unwrap_err(),
            pollster::block_on(loss.eval_async(gpu, inputs, options)).unwrap_err(),
            loss.run_with(gpu, &uploaded(gpu, inputs), options).unwrap_err(),
            Plan::new(gpu, loss, &types, options).unwrap_err(),
        ];
        for found in found {
            // Not the errors themselves: a NaN in a field differs from itself.
            assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{}", gpu.adapter_id());
        }
    }
    expected
}

#[test]
fn a_shape_that_does_not_fit_is_refused() {
    use DType::{F32, I32};
    #[track_caller]
    fn check(loss: &impl Loss, inputs: &[(&str, DType, &[usize])], tensor: &'static str, expected: &str) {
        let given = zeros(inputs);
        let found = given.get(tensor).unwrap().shape().to_vec();
        let expected = Error::Shape { loss: loss.spec().name, tensor, expected: expected.to_string(), found };
        assert_eq!(refusal(loss, &given, Reduction::None), expected);
    }
    let ce = CrossEntropy::default();
    check(&Mse, &[("prediction", F32, &[4]), ("target", F32, &[3])], "target", "[4]");
    check(&Mse, &[("prediction", F32, &[2, 2]), ("target", F32, &[4])], "target", "[2, 2]");
    check(&Mse, &[("prediction", F32, &[4]), ("target", F32, &[4]), ("weight", F32, &[1])], "weight", "[4]");
    check(&Mse, &[("prediction", F32, &[4]), ("target", F32, &[4]), ("upstream", F32, &[3])], "upstream", "[1] or [4]");
    check(
        &GaussianNll::default(),
        &[("prediction", F32, &[4]), ("target", F32, &[4]), ("variance", F32, &[1])],
        "variance",
        "[4]",
    );
    check(
        &BceWithLogits::default(),
        &[("logits", F32, &[2, 3]), ("target", F32, &[2, 3]), ("pos_weight", F32, &[2])],
        "pos_weight",
        "[3]",
    );
    for shape in [&[][..], &[4], &[2, 0], &[2, 3, 4]] {
        check(&ce, &[("logits", F32, shape), ("target", I32, &[2])], "logits", "[N, C] with C ≥ 1");
    }
    check(&ce, &[("logits", F32, &[2, 3]), ("target", I32, &[3])], "target", "[2]");
    check(&ce, &[("logits", F32, &[2, 3]), ("target", I32, &[2]), ("weight", F32, &[2, 3])], "weight", "[2]");
}

#[test]
fn a_storage_type_that_does_not_fit_is_refused() {
    use DType::{F16, F32, I32};
    #[track_caller]
    fn check(loss: &impl Loss, inputs: &[(&str, DType, &[usize])], tensor: &str, expected: &str) {
        let given = zeros(inputs);
        let found = given.get(tensor).unwrap().dtype();
        let tensor = format!("{}: `{tensor}`", loss.spec().name);
        let expected = Error::DType { tensor, expected: expected.to_string(), found };
        assert_eq!(refusal(loss, &given, Reduction::Sum), expected);
    }
    let floats = "f32, f16 or bf16";
    check(&Mse, &[("prediction", I32, &[4]), ("target", F32, &[4])], "prediction", floats);
    check(&Mse, &[("prediction", F32, &[4]), ("target", I32, &[4])], "target", floats);
    check(&Mse, &[("prediction", F32, &[4]), ("target", F32, &[4]), ("weight", I32, &[4])], "weight", floats);
    check(&Mse, &[("prediction", F32, &[4]), ("target", F32, &[4]), ("upstream", I32, &[1])], "upstream", floats);
    check(&CrossEntropy::default(), &[("logits", F32, &[2, 3]), ("target", F32, &[2])], "target", "i32");
    check(&CrossEntropy::default(), &[("logits", F32, &[2, 3]), ("target", F16, &[2])], "target", "i32");
    check(&CrossEntropy::default(), &[("logits", I32, &[2, 3]), ("target", I32, &[2])], "logits", floats);
}

#[test]
fn a_missing_input_is_named() {
    let all = [("prediction", DType::F32, &[4][..]), ("target", DType::F32, &[4]), ("variance", DType::F32, &[4])];
    for (index, (name, ..)) in all.iter().enumerate() {
        let mut given = all.to_vec();
        given.remove(index);
        let expected = Error::MissingTensor { loss: "gaussian_nll", tensor: name.to_string() };
        assert_eq!(refusal(&GaussianNll::default(), &zeros(&given), Reduction::Mean), expected);
    }
}

#[test]
fn an_unexpected_or_repeated_input_is_named() {
    for tensor in ["wieght", "variance", "target", ""] {
        let given = [("prediction", DType::F32, &[4][..]), ("target", DType::F32, &[4]), (tensor, DType::F32, &[4])];
        let known = ["prediction", "target", "weight", "upstream"].map(str::to_string).to_vec();
        let expected = Error::UnexpectedTensor { loss: "mse", tensor: tensor.to_string(), known };
        assert_eq!(refusal(&Mse, &zeros(&given), Reduction::Mean), expected);
    }
}

#[test]
fn an_upstream_per_item_needs_the_reduction_none() {
    let given = [("prediction", DType::F32, &[4][..]), ("target", DType::F32, &[4]), ("upstream", DType::F32, &[4])];
    for reduction in Reduction::ALL.into_iter().filter(|&reduction| reduction != Reduction::None) {
        assert_eq!(refusal(&Mse, &zeros(&given), reduction), Error::UpstreamReduction { loss: "mse", reduction });
    }
}

fn pair() -> Inputs {
    zeros(&[("prediction", DType::F32, &[4]), ("target", DType::F32, &[4])])
}

#[test]
fn an_upstream_or_gradient_weight_that_is_not_finite_is_refused() {
    for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let with = |upstream, weight| Options {
            upstream,
            gradients: Gradients::Add { weight },
            ..Options::new(Reduction::Sum)
        };
        for (option, options) in [("upstream", with(wrong, 1.0)), ("gradients.weight", with(1.0, wrong))] {
            let expected = Error::Option { loss: "mse", option, found: wrong };
            assert_eq!(format!("{:?}", refusal(&Mse, &pair(), options)), format!("{expected:?}"));
        }
    }
}

/// A loss with parameters that nothing has checked.
struct Unchecked(&'static LossSpec, Vec<Value>);

impl Loss for Unchecked {
    fn spec(&self) -> &'static LossSpec {
        self.0
    }

    fn values(&self) -> Vec<Value> {
        self.1.clone()
    }
}

/// Numbers that break a rule.
fn forbidden(rule: Rule) -> Vec<f32> {
    let finite: &[f32] = match rule {
        Rule::Positive => &[0.0, -0.5],
        Rule::NonNegative => &[-0.5],
        Rule::OpenUnit => &[0.0, 1.0, -0.5, 1.5],
        Rule::HalfOpenUnit => &[1.0, -0.5],
        Rule::Finite | Rule::Flag | Rule::Integer => &[],
    };
    [finite, &[f32::NAN, f32::INFINITY, f32::NEG_INFINITY]].concat()
}

#[test]
fn a_parameter_outside_its_rule_is_refused() {
    for spec in losses::ALL {
        for (index, param) in spec.params.iter().enumerate() {
            let refused = |found| Error::Parameter { loss: spec.name, parameter: param.name, rule: param.rule, found };
            for wrong in forbidden(param.rule) {
                let mut values: Vec<Value> = spec.params.iter().map(|param| param.default).collect();
                values[index] = wrong.into();
                let expected = refused(Value::Number(wrong).to_string());
                assert_eq!(refusal(&Unchecked(spec, values), &Named::new(), Reduction::Sum), expected);
                let text = wrong.to_string();
                assert_eq!(AnyLoss::new(spec.name, &[(param.name, &text)]).unwrap_err(), refused(text));
            }
            for text in ["", "one", "1,5", "0x1"] {
                let found = AnyLoss::new(spec.name, &[(param.name, text)]).unwrap_err();
                assert_eq!(found, refused(text.to_string()));
            }
        }
    }
}

#[test]
fn the_parameters_of_a_typed_loss_are_checked() {
    let refused = |loss, parameter, rule, found: &str| Error::Parameter { loss, parameter, rule, found: found.into() };
    assert_eq!(
        refusal(&Huber { delta: -1.0 }, &pair(), Reduction::Mean),
        refused("huber", "delta", Rule::Positive, "-1")
    );
    assert_eq!(
        refusal(&Quantile { quantile: f32::NAN }, &pair(), Reduction::Mean),
        refused("quantile", "quantile", Rule::OpenUnit, "NaN")
    );
    assert_eq!(
        refusal(&GaussianNll { eps: f32::INFINITY, full: false }, &pair(), Reduction::Mean),
        refused("gaussian_nll", "eps", Rule::Positive, "inf")
    );
}

#[test]
fn as_many_parameter_values_as_parameters_are_needed() {
    for values in [vec![], vec![Value::Number(1.0); 2]] {
        let expected = Error::ParameterCount { loss: "huber", expected: 1, found: values.len() };
        assert_eq!(refusal(&Unchecked(&losses::HUBER, values), &pair(), Reduction::Sum), expected);
    }
}

#[test]
fn unknown_names_are_refused() {
    let (loss, parameter) = ("sigmoid_focal", "beta".to_string());
    let expected = Error::UnknownParameter { loss, parameter, known: vec!["alpha", "gamma"] };
    assert_eq!(AnyLoss::new(loss, &[("gamma", "1"), ("beta", "1")]).unwrap_err(), expected);
    assert_eq!(AnyLoss::new("mqe", &[]).unwrap_err(), Error::UnknownLoss { found: "mqe".to_string() });
    assert_eq!("Mean".parse::<Reduction>(), Err(Error::UnknownReduction { found: "Mean".to_string() }));
}

#[test]
fn as_many_values_as_the_shape_holds_are_needed() {
    let length = |shape: &[usize], expected, found| Error::Length { shape: shape.to_vec(), expected, found };
    assert_eq!(HostTensor::new(&[0.0_f32; 5], [2, 3]).unwrap_err(), length(&[2, 3], 6, 5));
    assert_eq!(HostTensor::new(&[0.0_f32; 1], [0, 3]).unwrap_err(), length(&[0, 3], 0, 1));
    assert_eq!(HostTensor::new::<f32>(&[], []).unwrap_err(), length(&[], 1, 0));
    assert_eq!(HostTensor::from_bytes(DType::F16, [3], vec![0; 4]).unwrap_err(), length(&[3], 3, 2));
    assert_eq!(HostTensor::rounded(&[0.0; 4], DType::BF16, [3]).unwrap_err(), length(&[3], 3, 4));
    // More elements than can be counted.
    let huge = [usize::MAX, usize::MAX];
    assert_eq!(HostTensor::new(&[0_i32], huge).unwrap_err(), length(&huge, usize::MAX, 1));
}

#[test]
fn values_are_neither_read_nor_rounded_as_another_type() {
    let wrong = |tensor: &str, expected: &str, found| Error::DType {
        tensor: tensor.to_string(),
        expected: expected.to_string(),
        found,
    };
    let halves = HostTensor::rounded(&[1.0], DType::F16, [1]).unwrap();
    assert_eq!(halves.to_vec::<f32>(), Err(wrong("the tensor to read", "f32", DType::F16)));
    let rounded = HostTensor::rounded(&[1.0], DType::I32, [1]);
    assert_eq!(rounded, Err(wrong("rounded values", "a floating type", DType::I32)));
}

#[test]
fn a_tensor_takes_only_values_of_its_type_and_length() {
    for gpu in adapters::all() {
        let tensor = Tensor::from_host(gpu, &[1.0_f32, 2.0, 3.0]).unwrap();
        let wrong_type = tensor.write(&[1_i32, 2, 3]).unwrap_err();
        let what = "what is written to a tensor".to_string();
        assert_eq!(wrong_type, Error::DType { tensor: what, expected: "f32".to_string(), found: DType::I32 });
        for length in [2, 4] {
            let wrong_length = tensor.write(&vec![0.0_f32; length]).unwrap_err();
            assert_eq!(wrong_length, Error::Length { shape: vec![3], expected: 3, found: length });
        }
        assert_eq!(tensor.read_blocking().unwrap().to_vec(), Ok(vec![1.0_f32, 2.0, 3.0]));
    }
}

#[test]
fn an_adapter_that_does_not_exist_is_refused_with_those_there_are() {
    let asked = "vulkan:no such adapter";
    let found: Vec<String> = adapters::all().iter().map(Gpu::adapter_id).collect();
    let expected = Error::NoAdapter { asked: asked.to_string(), found };
    assert_eq!(Gpu::find_blocking(asked).unwrap_err(), expected);
    assert_eq!(pollster::block_on(Adapter::find(asked)).unwrap_err(), expected);
}

/// Another device of the same adapter.
fn opened_again(gpu: &Gpu) -> Gpu {
    Gpu::find_blocking(&gpu.adapter_id()).unwrap()
}

/// Another device of the same adapter, with these limits.
fn opened_with(gpu: &Gpu, change: impl FnOnce(&mut wgpu::Limits)) -> Result<Gpu, Error> {
    let adapter = pollster::block_on(Adapter::find(&gpu.adapter_id())).unwrap();
    let mut limits = adapter.limits();
    change(&mut limits);
    pollster::block_on(adapter.open_with_limits(limits))
}

#[test]
fn limits_beyond_the_adapters_give_no_device() {
    for gpu in adapters::all() {
        let refused = opened_with(gpu, |limits| limits.max_bind_groups += 1).unwrap_err();
        assert!(matches!(refused, Error::NoDevice { adapter, .. } if adapter == gpu.adapter_id()));
    }
}

#[test]
fn a_limit_that_cannot_be_kept_is_named() {
    for gpu in adapters::all() {
        let adapter = gpu.adapter_id();
        let limit = |what: &str, limit, needed, available| {
            let (what, adapter) = (what.to_string(), adapter.clone());
            Error::Limit { what, limit, needed, available, adapter }
        };
        let pair = zeros(&[("prediction", DType::F32, &[3000]), ("target", DType::F32, &[3000])]);

        let small = opened_with(gpu, |limits| limits.max_buffer_size = 1 << 13).unwrap();
        let found = Mse.eval_with(&small, &pair, Reduction::Sum).unwrap_err();
        assert_eq!(found, limit("a tensor", "max_buffer_size", 12000, 1 << 13));

        let few = opened_with(gpu, |limits| limits.max_storage_buffers_per_shader_stage = 3).unwrap();
        let found = Mse.eval_with(&few, &pair, Reduction::Sum).unwrap_err();
        assert_eq!(found, limit("mse", "max_storage_buffers_per_shader_stage", 4, 3));

        // What every item needs, and a row, cannot be split.
        let short = opened_with(gpu, |limits| limits.max_storage_buffer_binding_size = 1 << 13).unwrap();
        let with_pos_weight = zeros(&[
            ("logits", DType::F32, &[1, 3000]),
            ("target", DType::F32, &[1, 3000]),
            ("pos_weight", DType::F32, &[3000]),
        ]);
        let found = BceWithLogits::default().eval_with(&short, &with_pos_weight, Reduction::Sum).unwrap_err();
        let what = "bce_with_logits: `pos_weight`";
        assert_eq!(found, limit(what, "max_storage_buffer_binding_size", 12000, 1 << 13));
        let rows = zeros(&[("logits", DType::F32, &[3, 3000]), ("target", DType::I32, &[3])]);
        let found = CrossEntropy::default().eval_with(&short, &rows, Reduction::Sum).unwrap_err();
        assert!(
            matches!(&found, Error::Limit { what, limit: "max_storage_buffer_binding_size", needed, available: 8192, .. }
                if what.starts_with("cross_entropy: `logits`") && *needed >= 12000),
            "{found:?}"
        );
    }
}

/// Elements of the tensors that are bound, and their bytes: more than any adapter's alignment.
const ELEMENTS: usize = 192;
const BYTES: u64 = 4 * ELEMENTS as u64;

/// Where in one buffer the tensors of a loss lie, with room between them.
const PLACES: [(&str, u64); 4] = [("prediction", 0), ("target", 1024), ("grad.prediction", 2048), ("loss", 3072)];
const STORAGE: wgpu::BufferUsages = wgpu::BufferUsages::STORAGE;

fn plan(gpu: &Gpu) -> Plan {
    let ty = TensorType::new(DType::F32, [ELEMENTS]);
    Plan::new(gpu, &Mse, &Named::new().with("prediction", ty.clone()).with("target", ty), Reduction::Sum).unwrap()
}

/// What binding gives where one of the tensors lies in another place.
fn bound<'a>(
    gpu: &Gpu,
    buffer: &'a wgpu::Buffer,
    tensor: &str,
    place: impl Into<BufferSlice<'a>>,
) -> Result<BoundPlan, Error> {
    let place = place.into();
    let moved = |(name, offset)| if name == tensor { place } else { BufferSlice { buffer, offset } };
    plan(gpu).bind(&PLACES.map(|(name, offset)| (name.to_string(), moved((name, offset)))).into_iter().collect())
}

#[test]
fn every_input_and_output_must_be_bound_and_nothing_else() {
    for gpu in adapters::all() {
        let buffer = buffer(gpu, 4096, STORAGE);
        let places = PLACES.map(|(name, offset)| (name.to_string(), BufferSlice { buffer: &buffer, offset }));
        assert!(plan(gpu).bind(&places.iter().cloned().collect()).is_ok());
        for left_out in &places {
            let others = places.iter().filter(|place| place.0 != left_out.0).cloned().collect();
            let expected = Error::MissingTensor { loss: "mse", tensor: left_out.0.clone() };
            assert_eq!(plan(gpu).bind(&others).unwrap_err(), expected);
        }
        for tensor in ["weight", "grad.target", "loss"] {
            let more = places.iter().cloned().collect::<Named<_>>().with(tensor, (&buffer, 3584));
            let known = ["prediction", "grad.prediction", "target", "loss"].map(str::to_string).to_vec();
            let expected = Error::UnexpectedTensor { loss: "mse", tensor: tensor.to_string(), known };
            assert_eq!(plan(gpu).bind(&more).unwrap_err(), expected);
        }
    }
}

#[test]
fn a_buffer_that_ends_before_the_tensor_is_refused() {
    for gpu in adapters::all() {
        let (own, other) = (buffer(gpu, 4096, STORAGE), buffer(gpu, 1024, STORAGE));
        for (tensor, needed) in [("prediction", BYTES), ("target", BYTES), ("grad.prediction", BYTES), ("loss", 4)] {
            assert!(bound(gpu, &own, tensor, (&other, 256)).is_ok());
            let (loss, name) = ("mse", tensor.to_string());
            // The last: beyond the end, by as much as there is.
            for offset in [1024, 2048, u64::MAX] {
                let found = bound(gpu, &own, tensor, (&other, offset)).unwrap_err();
                let tensor = name.clone();
                assert_eq!(found, Error::BufferTooSmall { loss, tensor, offset, needed, available: 0 });
            }
            if needed > 4 {
                let found = bound(gpu, &own, tensor, (&other, 512)).unwrap_err();
                assert_eq!(found, Error::BufferTooSmall { loss, tensor: name, offset: 512, needed, available: 512 });
            }
        }
    }
}

#[test]
fn an_offset_that_is_not_aligned_is_refused() {
    for gpu in adapters::all() {
        let (own, other) = (buffer(gpu, 4096, STORAGE), buffer(gpu, 2048, STORAGE));
        let alignment = u64::from(gpu.limits().min_storage_buffer_offset_alignment);
        for (tensor, _) in PLACES {
            for offset in [2, 4, alignment / 2, alignment + 4] {
                let expected = Error::BufferAlignment { loss: "mse", tensor: tensor.to_string(), offset, alignment };
                assert_eq!(bound(gpu, &own, tensor, (&other, offset)).unwrap_err(), expected);
            }
        }
    }
}

#[test]
fn a_buffer_that_is_no_storage_is_refused() {
    for gpu in adapters::all() {
        let found = wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let (own, other) = (buffer(gpu, 4096, STORAGE), buffer(gpu, 1024, found));
        for (tensor, _) in PLACES {
            let expected = Error::BufferUsage { loss: "mse", tensor: tensor.to_string(), needed: STORAGE, found };
            assert_eq!(bound(gpu, &own, tensor, &other).unwrap_err(), expected);
        }
    }
}

#[test]
fn an_output_that_overlaps_anything_is_refused() {
    for gpu in adapters::all() {
        let own = buffer(gpu, 4096, STORAGE);
        let overlap = |output: &str, other: &str| {
            let (output, other) = (output.to_string(), other.to_string());
            Err(Error::BufferOverlap { loss: "mse", output, other })
        };
        let bound = |tensor, offset| bound(gpu, &own, tensor, (&own, offset)).map(drop);
        assert_eq!(bound("grad.prediction", 0), overlap("grad.prediction", "prediction"));
        assert_eq!(bound("grad.prediction", 512), overlap("grad.prediction", "prediction"));
        assert_eq!(bound("grad.prediction", 1536), overlap("grad.prediction", "target"));
        assert_eq!(bound("grad.prediction", 2560), overlap("grad.prediction", "loss"));
        assert_eq!(bound("prediction", 2560), overlap("grad.prediction", "prediction"));
        assert_eq!(bound("loss", 512), overlap("loss", "prediction"));
        assert_eq!(bound("loss", 2048 + 512), overlap("grad.prediction", "loss"));
        // Side by side is no overlap, and inputs may be the same.
        assert_eq!(bound("loss", 2048 + BYTES), Ok(()));
        assert_eq!(bound("grad.prediction", 1024 + BYTES), Ok(()));
        assert_eq!(bound("target", 0), Ok(()));
        assert_eq!(bound("target", 512), Ok(()));
    }
}

#[test]
fn a_tensor_of_another_device_is_refused() {
    for gpu in adapters::all() {
        let adapter = pollster::block_on(Adapter::find(&gpu.adapter_id())).unwrap();
        let twins = [adapter.open_blocking().unwrap(), adapter.open_blocking().unwrap()];
        // Devices of one instance of wgpu, and of two.
        for (own, other) in [(&twins[0], &twins[1]), (&twins[0], gpu), (gpu, &twins[0])] {
            let (ours, theirs) =
                (Tensor::from_host(own, &[1.0_f32]).unwrap(), Tensor::from_host(other, &[2.0_f32]).unwrap());
            let refused = |tensor: &str| Err(Error::OtherDevice { loss: "mse", tensor: tensor.to_string() });
            assert_eq!(Mse.run(own, &theirs, &ours, Reduction::Sum).map(drop), refused("prediction"));
            assert_eq!(Mse.run(own, &ours, &theirs, Reduction::Sum).map(drop), refused("target"));
            // The same device with another layout of its kernels.
            let same = own.with_tuning(own.tuning());
            assert_eq!(Mse.run(&same, &ours, &ours, Reduction::Sum).map(drop), Ok(()));
        }
        let (own, foreign) = (buffer(&twins[0], 4096, STORAGE), buffer(&twins[1], 1024, STORAGE));
        let found = bound(&twins[0], &own, "target", &foreign).unwrap_err();
        assert!(matches!(found, Error::Refused { .. }), "{found:?}");
    }
}

#[test]
fn a_tensor_that_the_plan_was_not_made_for_is_refused() {
    for gpu in adapters::all() {
        let bind = |target: Tensor| {
            let prediction = Tensor::zeros(gpu, TensorType::new(DType::F32, [ELEMENTS])).unwrap();
            let inputs = Named::new().with("prediction", prediction).with("target", target);
            plan(gpu).bind_tensors(&inputs).unwrap_err()
        };
        for shape in [vec![ELEMENTS - 1], vec![1, ELEMENTS]] {
            let target = Tensor::zeros(gpu, TensorType::new(DType::F32, shape.clone())).unwrap();
            let (tensor, expected) = ("target", format!("[{ELEMENTS}]"));
            assert_eq!(bind(target), Error::Shape { loss: "mse", tensor, expected, found: shape });
        }
        let target = Tensor::zeros(gpu, TensorType::new(DType::BF16, [ELEMENTS])).unwrap();
        let (tensor, expected) = ("mse: `target`".to_string(), "f32".to_string());
        assert_eq!(bind(target), Error::DType { tensor, expected, found: DType::BF16 });
    }
}

#[test]
fn what_the_device_refuses_is_an_error_and_spoils_nothing() {
    for gpu in adapters::all() {
        let tensor =
            |buffer: &wgpu::Buffer| Tensor::from_buffer(gpu, buffer.clone(), 0, TensorType::new(DType::F32, [4]));
        let bare = tensor(&buffer(gpu, 16, STORAGE));
        assert!(matches!(bare.write(&[0.0_f32; 4]), Err(Error::Refused { .. })));
        assert!(matches!(bare.read_blocking(), Err(Error::Refused { .. })));
        let destroyed = buffer(gpu, 16, STORAGE);
        destroyed.destroy();
        let found = Mse.run(gpu, &bare, &tensor(&destroyed), Reduction::Sum);
        assert!(matches!(found, Err(Error::Refused { .. })), "{found:?}");
        assert_eq!(Mse.eval(gpu, &[3.0_f32], &[1.0_f32], Reduction::Sum).unwrap().loss.item(), 4.0);
    }
}

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
        let shape: &[usize] = if loss.spec().driver == Driver::Rows { &[3001, 5] } else { &[3001] };
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

/// Everything that can be asked of a device, each as what came of it.
fn everything(gpu: &Gpu) -> impl FnOnce() -> Vec<(&'static str, Result<(), Error>)> + use<> {
    let gpu = gpu.clone();
    let values = tensor(&[1.0, 2.0], DType::F32, &[2]);
    let inputs: Inputs = Named::new().with("prediction", values.clone()).with("target", values.clone());
    let types = inputs.map(|host| host.ty().clone());
    let tensors = uploaded(&gpu, &inputs);
    let [prediction, target] = ["prediction", "target"].map(|name| tensors.get(name).unwrap().clone());
    let plan = Plan::new(&gpu, &Mse, &types, Reduction::Sum).unwrap();
    let output = plan.bind_tensors(&tensors).unwrap();
    let gradient = output.gradients.get("prediction").unwrap().clone();
    let loss = output.loss.clone();
    move || {
        let places = Named::<BufferSlice>::new()
            .with("prediction", &prediction)
            .with("target", &target)
            .with("grad.prediction", &gradient)
            .with("loss", &loss);
        let bound = plan.bind(&places);
        submit(&gpu, |encoder| output.record(encoder));
        vec![
            ("eval", Mse.eval(&gpu, &values, &values, Reduction::Sum).map(drop)),
            ("eval_async", pollster::block_on(Mse.eval_async(&gpu, &inputs, Reduction::Sum)).map(drop)),
            ("run", Mse.run(&gpu, &prediction, &target, Reduction::Sum).map(drop)),
            ("a known kernel", Plan::new(&gpu, &Mse, &types, Reduction::Sum).map(drop)),
            ("a new kernel", Plan::new(&gpu, &Huber::default(), &types, Reduction::None).map(drop)),
            ("bind", bound.map(drop)),
            ("bind_tensors", plan.bind_tensors(&tensors).map(drop)),
            ("Output::read", pollster::block_on(output.read()).map(drop)),
            ("Output::read_blocking", output.read_blocking().map(drop)),
            ("Tensor::read", pollster::block_on(loss.read()).map(drop)),
            ("Tensor::read_blocking", loss.read_blocking().map(drop)),
            ("Tensor::write", target.write(&values)),
            ("Tensor::zeros", Tensor::zeros(&gpu, TensorType::new(DType::F32, [2])).map(drop)),
        ]
    }
}

#[test]
fn a_lost_device_is_an_error_of_everything() {
    for gpu in adapters::all() {
        for (what, result) in everything(gpu)() {
            assert_eq!(result, Ok(()), "{what} on {}", gpu.adapter_id());
        }
        let (ours, other) = (opened_again(gpu), opened_again(gpu));
        let callers = Gpu::from_device(other.device().clone(), other.queue().clone());
        for doomed in [ours, callers] {
            let everything = everything(&doomed);
            doomed.device().destroy();
            for (what, result) in everything() {
                let lost = matches!(result, Err(Error::DeviceLost { .. }));
                assert!(lost, "{what} on {}: {result:?}", gpu.adapter_id());
            }
        }
    }
}

#[test]
fn a_device_lost_while_it_is_read_ends_the_reading() {
    for gpu in adapters::all() {
        let doomed = opened_again(gpu);
        let output = Mse
            .run(
                &doomed,
                &Tensor::from_host(&doomed, &[1.0_f32]).unwrap(),
                &Tensor::from_host(&doomed, &[3.0_f32]).unwrap(),
                Reduction::Sum,
            )
            .unwrap();
        let reading = started(output.read());
        doomed.device().destroy();
        match pollster::block_on(reading) {
            Ok(evaluation) => assert_eq!(evaluation.loss.item(), 4.0),
            Err(error) => assert!(matches!(error, Error::DeviceLost { .. }), "{error:?}"),
        }
    }
}

#[test]
fn a_future_dropped_while_it_reads_leaves_the_device_usable() {
    for gpu in adapters::all() {
        let [prediction, target] = [1.0_f32, 3.0].map(|value| Tensor::from_host(gpu, &[value; 1000]).unwrap());
        let output = Mse.run(gpu, &prediction, &target, Reduction::Mean).unwrap();
        for _ in 0..10 {
            drop(started(output.read()));
            drop(started(output.loss.read()));
        }
        assert_eq!(pollster::block_on(output.read()).unwrap().loss.item(), 4.0);
        assert_eq!(output.read_blocking().unwrap().loss.item(), 4.0);
    }
}

/// In a process of its own with few addresses, because drivers of CPU adapters promise more memory than there is.
/// Not on GL: wgpu does not ask it whether there was memory.
#[cfg(target_os = "linux")]
#[test]
fn running_out_of_memory_is_an_error_after_which_the_device_still_works() {
    const INSIDE: &str = "WGLOSS_TEST_FEW_ADDRESSES";
    if std::env::var_os(INSIDE).is_none() {
        let name = "running_out_of_memory_is_an_error_after_which_the_device_still_works";
        let script = r#"ulimit -v 2500000 && exec "$0" --exact "$1""#;
        let mut command = std::process::Command::new("sh");
        command.args(["-c", script]).arg(std::env::current_exe().unwrap()).arg(name).env(INSIDE, "1");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    let of_cpu =
        |info: &wgpu::AdapterInfo| info.device_type == wgpu::DeviceType::Cpu && info.backend == wgpu::Backend::Vulkan;
    for adapter in Adapter::all_blocking().iter().filter(|adapter| of_cpu(adapter.info())) {
        let gpu = adapter.open_blocking().unwrap();
        let half_a_gib = || Tensor::zeros(&gpu, TensorType::new(DType::F32, [1 << 27]));
        let tensors: Vec<_> = (0..5).map(|_| half_a_gib()).collect();
        let error = tensors.iter().find_map(|tensor| tensor.as_ref().err());
        assert_eq!(error, Some(&Error::OutOfMemory { what: "a tensor".to_string() }), "{}", gpu.adapter_id());
        drop(tensors);
        assert_eq!(Mse.eval(&gpu, &[3.0_f32], &[1.0_f32], Reduction::Sum).unwrap().loss.item(), 4.0);
        assert!(half_a_gib().is_ok());
    }
}

#[test]
fn an_error_of_the_callers_own_on_our_device_is_reported_once() {
    for gpu in adapters::all() {
        let gpu = opened_again(gpu);
        // A buffer needs a usage.
        let _ = buffer(&gpu, 4, wgpu::BufferUsages::empty());
        let values = HostTensor::from(&[1.0_f32, 2.0]);
        let first = Tensor::from_host(&gpu, &values);
        assert!(matches!(first, Err(Error::Refused { .. })), "{}: {first:?}", gpu.adapter_id());
        let second = Tensor::from_host(&gpu, &values).expect("the device is well");
        assert_eq!(second.read_blocking(), Ok(values), "{}", gpu.adapter_id());
    }
}
