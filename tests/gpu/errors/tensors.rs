//! Inputs, parameters and options that do not fit the loss.

use wgloss::{
    Activation, AnyLoss, BceWithLogits, CeDice, Contrastive, CrossEntropy, CrossEntropySoft, DType, Dice, Error,
    FocalDice, GaussianNll, Giou, Gradients, HostTensor, Huber, LogSoftmax, Loss, Mse, Named, Options, Plan, Quantile,
    Reduction, Scope, Signature, Smoothing, Softmax, Statistics, Tensor, TensorType, TripletMargin, losses, reference,
    spec::{Driver, Kind, LossSpec, Rule, Value},
};

use super::{adapters, device::uploaded, inputs::Inputs, pair, zeros};

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

/// A reduction that the loss has.
fn reduction_of(spec: &LossSpec) -> Reduction {
    let has_terms = spec.regions().is_some_and(|regions| regions.terms.is_some());
    if has_terms { Reduction::Mean } else { Reduction::None }
}

/// Checks that the shape of this tensor is refused, and what is expected instead.
#[track_caller]
fn check_shape(loss: &impl Loss, inputs: &[(&str, DType, &[usize])], tensor: &'static str, expected: &str) {
    let given = zeros(inputs);
    let found = given.get(tensor).unwrap().shape().to_vec();
    let expected = Error::Shape { loss: loss.spec().name, tensor, expected: expected.to_string(), found };
    assert_eq!(refusal(loss, &given, reduction_of(loss.spec())), expected);
}

#[test]
fn a_shape_that_does_not_fit_is_refused() {
    use DType::{F32, I32};
    use check_shape as check;
    let ce = CrossEntropy::default();
    let broadcast = |shape: &str| format!("{shape}, or the same from the last axis on with axes of length 1");
    let pair = |target| [("prediction", F32, &[4][..]), ("target", F32, target)];
    check(&Mse, &pair(&[3]), "target", &broadcast("[4]"));
    check(&Mse, &[("prediction", F32, &[2, 2]), ("target", F32, &[4])], "target", &broadcast("[2, 2]"));
    let with = |name, shape| [&pair(&[4])[..], &[(name, F32, shape)]].concat();
    check(&Mse, &with("weight", &[3]), "weight", &broadcast("[4]"));
    check(&Mse, &with("upstream", &[3]), "upstream", &broadcast("[1], [4]"));
    check(&GaussianNll::default(), &with("variance", &[3]), "variance", &broadcast("[4]"));
    check(
        &BceWithLogits::default(),
        &[("logits", F32, &[2, 3]), ("target", F32, &[2, 3]), ("pos_weight", F32, &[2])],
        "pos_weight",
        "[3]",
    );
    for shape in [&[0][..], &[2, 0], &[2, 0, 3]] {
        let expected = "[C], [N, C] or [N, C, d1, …] with C ≥ 1";
        check(&ce, &[("logits", F32, shape), ("target", I32, &[2])], "logits", expected);
    }
    // Nobody else is there to have a share.
    let others = CrossEntropy { smoothing: Smoothing::Others, ..ce };
    let expected = "[C], [N, C] or [N, C, d1, …] with C ≥ 2";
    check(&others, &[("logits", F32, &[]), ("target", I32, &[])], "logits", expected);
    check(&others, &[("logits", F32, &[3, 1]), ("target", I32, &[3])], "logits", expected);
    check(&ce, &[("logits", F32, &[4]), ("target", I32, &[2])], "target", "[] or [1]");
    check(&ce, &[("logits", F32, &[2, 3, 4]), ("target", I32, &[2])], "target", "[2, 4]");
    check(&ce, &[("logits", F32, &[2, 3]), ("target", I32, &[3])], "target", "[2]");
    check(&ce, &[("logits", F32, &[2, 3]), ("target", I32, &[2]), ("weight", F32, &[2, 3])], "weight", "[2]");
    for length in [2, 4] {
        let class_weight = ("class_weight", F32, &[length][..]);
        check(&ce, &[("logits", F32, &[2, 3]), ("target", I32, &[2]), class_weight], "class_weight", "[3] or [2, 3]");
    }
    let soft = CrossEntropySoft::default();
    let probabilities = "target_probabilities";
    check(&soft, &[("logits", F32, &[2, 3, 4]), (probabilities, F32, &[2, 4, 3])], probabilities, "[2, 3, 4]");
    check(&Softmax, &[("logits", F32, &[2, 3]), ("upstream", F32, &[2])], "upstream", "[1] or [2, 3]");
    let giou = Giou::default();
    for shape in [&[][..], &[3], &[2, 3], &[4, 2], &[2, 0], &[2, 4, 5]] {
        let expected = "[4], [N, 4] or [N, d1, …, 4]";
        check(&giou, &[("prediction", F32, shape), ("target", F32, shape)], "prediction", expected);
    }
    let contrastive = Contrastive::default();
    let pair = |x1, x2, label| [("x1", F32, x1), ("x2", F32, x2), ("label", F32, label)];
    for shape in [&[][..], &[0], &[2, 0], &[2, 3, 4]] {
        check(&contrastive, &pair(shape, shape, &[2]), "x1", "[D], [N, D] with D ≥ 1");
    }
    check(&contrastive, &pair(&[3], &[1, 3], &[]), "x2", "[3]");
    for shape in [&[2, 4][..], &[3, 3], &[6], &[2, 3, 1]] {
        check(&contrastive, &pair(&[2, 3], shape, &[2]), "x2", "[2, 3]");
        let triplet = [("anchor", F32, &[2, 3][..]), ("positive", F32, &[2, 3]), ("negative", F32, shape)];
        check(&TripletMargin::default(), &triplet, "negative", "[2, 3]");
    }
    for shape in [&[3][..], &[2, 1], &[]] {
        check(&contrastive, &pair(&[2, 3], &[2, 3], shape), "label", "[2]");
    }
    let boxes = |shape| [("prediction", F32, &[2, 3, 4][..]), ("target", F32, shape)];
    check(&giou, &boxes(&[6, 4]), "target", "[2, 3, 4]");
    for (name, expected) in [("weight", "[2, 3]"), ("upstream", "[1] or [2, 3]")] {
        for shape in [&[6][..], &[2, 3, 4], &[2]] {
            check(&giou, &[&boxes(&[2, 3, 4])[..], &[(name, F32, shape)]].concat(), name, expected);
        }
    }
}

#[test]
fn a_shape_that_does_not_fit_regions_is_refused() {
    use DType::{F32, I32};
    use check_shape as check;
    let dice = Dice::default();
    let regions = |dtype, target| [("prediction", F32, &[2, 3, 4][..]), ("target", dtype, target)];
    for shape in [&[][..], &[4], &[2, 0], &[2, 0, 3]] {
        let expected = "[N, C] or [N, C, d1, …] with C ≥ 1";
        check(&dice, &[("prediction", F32, shape), ("target", F32, shape)], "prediction", expected);
    }
    // The softmax of one class is 1, whatever its logits.
    let expected = "[N, C] or [N, C, d1, …] with C ≥ 2 for a softmax";
    let single = [("prediction", F32, &[2, 1, 4][..]), ("target", I32, &[2, 4])];
    check(&Dice { activation: Activation::Softmax, ..dice }, &single, "prediction", expected);
    check(&CeDice::default(), &single, "prediction", expected);
    // Indices have the shape of the pixels, values that of the prediction.
    for shape in [&[8][..], &[2, 1, 4]] {
        check(&dice, &regions(I32, shape), "target", "[2, 4]");
    }
    let indices = "[2, 4], class indices; values for each class are floats";
    check(&dice, &regions(I32, &[2, 3, 4]), "target", indices);
    for shape in [&[2, 4][..], &[2, 4, 3], &[24]] {
        check(&dice, &regions(F32, shape), "target", "[2, 3, 4]");
    }
    for length in [2, 4] {
        let class_weight = ("class_weight", F32, &[length][..]);
        check(&dice, &[&regions(I32, &[2, 4])[..], &[class_weight]].concat(), "class_weight", "[3]");
    }
    for (scope, include_background, expected) in [
        (Scope::All, true, "[1] or []"),
        (Scope::Class, true, "[1] or [3]"),
        (Scope::Class, false, "[1] or [2]"),
        (Scope::SampleClass, true, "[1] or [2, 3]"),
        (Scope::SampleClass, false, "[1] or [2, 2]"),
        (Scope::Sample, true, "[1] or [2]"),
    ] {
        for shape in [&[2, 4][..], &[6]] {
            let upstream = [&regions(I32, &[2, 4])[..], &[("upstream", F32, shape)]].concat();
            check(&Dice { scope, include_background, ..dice }, &upstream, "upstream", expected);
        }
    }
}

#[test]
fn a_value_per_class_has_no_reduction() {
    let logits = zeros(&[("logits", DType::F32, &[2, 3])]);
    for reduction in Reduction::ALL.into_iter().filter(|&reduction| reduction != Reduction::None) {
        let expected = |loss| Error::PerClassReduction { loss, reduction };
        assert_eq!(refusal(&Softmax, &logits, reduction), expected("softmax"));
        assert_eq!(refusal(&LogSoftmax, &logits, reduction), expected("log_softmax"));
    }
}

#[test]
fn a_sum_of_terms_has_no_list_of_items_and_no_weights() {
    let inputs = zeros(&[("prediction", DType::F32, &[2, 3]), ("target", DType::I32, &[2])]);
    for reduction in [Reduction::None, Reduction::WeightedMean] {
        let known = &[Reduction::Mean, Reduction::Sum, Reduction::BatchMean];
        let expected = |loss| Error::TermsReduction { loss, reduction, known };
        assert_eq!(refusal(&CeDice::default(), &inputs, reduction), expected("ce_dice"));
        assert_eq!(refusal(&FocalDice::default(), &inputs, reduction), expected("focal_dice"));
    }
}

#[test]
fn a_statistic_that_the_loss_does_not_have_is_refused() {
    let clips = ["policy_clip", "policy_cispo", "policy_sequence"];
    for spec in losses::ALL {
        let loss = AnyLoss::new(spec.name, &[]).unwrap();
        let policy = spec.name.trim_start_matches("linear_").trim_end_matches("_of_logits");
        let diverges = ["policy_clip", "policy_cispo", "policy_sapo"].contains(&policy);
        // Of a linear loss, those of the row loss that it has.
        let of_rows = match spec.driver {
            Driver::Linear(linear) => linear.rows,
            _ => spec,
        };
        let rows = of_rows.rows();
        let softmax = rows.is_some_and(|rows| !rows.softmax_of.is_empty());
        let of_target = softmax && of_rows.inputs.iter().any(|input| !input.optional && input.kind == Kind::Index);
        for (statistic, has_it, statistics) in [
            ("log_sum_exp", softmax, Statistics { log_sum_exp: true, ..Statistics::default() }),
            ("argmax", rows.is_some(), Statistics { argmax: true, ..Statistics::default() }),
            ("entropy", softmax, Statistics { entropy: true, ..Statistics::default() }),
            ("log_prob", of_target, Statistics { log_prob: true, ..Statistics::default() }),
            ("clipped", clips.contains(&policy), Statistics { clipped: true, ..Statistics::default() }),
            ("kl", diverges, Statistics { kl: true, ..Statistics::default() }),
        ] {
            let options = Options { statistics, ..Options::new(reduction_of(spec)) };
            let expected = Error::Statistic { loss: spec.name, statistic };
            let refused = refusal(&loss, &Named::new(), options);
            assert_eq!(refused == expected, !has_it, "{}: {refused}", spec.name);
        }
    }
}

#[test]
fn a_row_stride_that_a_tensor_cannot_have_is_refused() {
    let ty = |dtype, shape: &[usize]| TensorType::new(dtype, shape);
    let rows = |shape: &[usize], items: &[usize]| {
        Named::new().with("logits", ty(DType::F32, shape)).with("target", ty(DType::I32, items))
    };
    let strided = |types: &Named<TensorType>, of: &str, stride| {
        let types = types.iter().map(|(name, ty)| match name == of {
            true => (name.to_string(), ty.clone().with_row_stride(stride)),
            false => (name.to_string(), ty.clone()),
        });
        types.collect::<Named<_>>()
    };
    let matrix = rows(&[4, 3], &[4]).with("weight", ty(DType::F32, &[4])).with("class_weight", ty(DType::F32, &[3]));
    let pair = Named::new().with("prediction", ty(DType::F32, &[4, 3])).with("target", ty(DType::F32, &[4, 3]));
    let ce = CrossEntropy::default();
    let boxes = Named::new().with("prediction", ty(DType::F32, &[3, 4])).with("target", ty(DType::F32, &[3, 4]));
    // Losses of regions take dense tensors only.
    let regions = pair.clone().with("class_weight", ty(DType::F32, &[3]));
    let dice = Dice::default();
    let refusals: [(&dyn Loss, _, &str, usize, usize); 12] = [
        (&ce, &matrix, "logits", 2, 3),
        (&ce, &matrix, "logits", 0, 3),
        (&ce, &matrix, "target", 8, 3),
        (&ce, &matrix, "weight", 8, 3),
        (&ce, &matrix, "class_weight", 8, 3),
        (&ce, &rows(&[4, 3, 2], &[4, 2]), "logits", 8, 3),
        (&Mse, &pair, "prediction", 8, 1),
        (&Mse, &pair, "target", 8, 1),
        (&Giou::default(), &boxes, "prediction", 8, 4),
        (&dice, &regions, "prediction", 8, 3),
        (&dice, &regions, "target", 8, 3),
        (&dice, &regions, "class_weight", 8, 3),
    ];
    for gpu in adapters::all() {
        for (loss, types, name, found, least) in refusals {
            let tensor = loss.spec().input(name).unwrap().name;
            let expected = Error::RowStride { loss: loss.spec().name, tensor, found, least };
            assert_eq!(Plan::new(gpu, loss, &strided(types, name, found), Reduction::Sum).unwrap_err(), expected);
        }
        assert!(Plan::new(gpu, &ce, &strided(&matrix, "logits", 3), Reduction::Sum).is_ok());
    }
}

#[test]
fn a_tensor_with_gaps_between_its_rows_is_not_written_to() {
    for gpu in adapters::all() {
        let whole = Tensor::from_host(gpu, &[0.5_f32; 8]).unwrap();
        let ty = TensorType::new(DType::F32, [2, 3]).with_row_stride(4);
        let part = Tensor::from_buffer(gpu, whole.buffer().clone(), 0, ty);
        let expected = Error::Strided { shape: vec![2, 3], row_stride: 4 };
        assert_eq!(part.write(&[1.0_f32; 6]), Err(expected));
        assert_eq!(part.read_blocking().unwrap(), HostTensor::new(&[0.5_f32; 6], [2, 3]).unwrap());
    }
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
    check(&Dice::default(), &[("prediction", I32, &[2, 3]), ("target", I32, &[2])], "prediction", floats);
    let pair = [("x1", F32, &[2, 3][..]), ("x2", I32, &[2, 3]), ("label", I32, &[2])];
    check(&Contrastive::default(), &pair, "x2", floats);
    let indices = [("prediction", F32, &[2, 3][..]), ("target", I32, &[2]), ("class_weight", I32, &[3])];
    check(&Dice::default(), &indices, "class_weight", floats);
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
        let known = ["prediction", "target", "weight", "mask", "upstream", "divisor"].map(str::to_string).to_vec();
        let expected = Error::UnexpectedTensor { loss: "mse", tensor: tensor.to_string(), known };
        assert_eq!(refusal(&Mse, &zeros(&given), Reduction::Mean), expected);
    }
}

#[test]
fn an_upstream_per_item_needs_the_reduction_none() {
    let given = [("prediction", DType::F32, &[4][..]), ("target", DType::F32, &[4]), ("upstream", DType::F32, &[4])];
    for reduction in Reduction::ALL.into_iter().filter(|&reduction| reduction != Reduction::None) {
        assert_eq!(refusal(&Mse, &zeros(&given), reduction), Error::UpstreamReduction { loss: "mse", reduction });
        let given =
            [("prediction", DType::F32, &[2, 3][..]), ("target", DType::I32, &[2]), ("upstream", DType::F32, &[3])];
        let by_class = Dice { scope: Scope::Class, ..Dice::default() };
        assert_eq!(refusal(&by_class, &zeros(&given), reduction), Error::UpstreamReduction { loss: "dice", reduction });
    }
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
        Rule::Unit => &[-0.5, 1.5],
        Rule::BelowHalf => &[-0.5, 0.5, 1.0],
        Rule::Part => &[0.0, -0.5, 1.5],
        Rule::Natural => &[-1.0],
        Rule::Finite | Rule::Flag | Rule::Integer => &[],
        Rule::OneOf(_) | Rule::Word(_) => &[],
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
        refused("quantile", "quantile", Rule::Unit, "NaN")
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
    let (found, known) = ("mqe".to_string(), losses::ALL.iter().map(|spec| spec.name).collect());
    assert_eq!(AnyLoss::new("mqe", &[]).unwrap_err(), Error::UnknownLoss { found, known });
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

/// Every loss with first inputs whose counts overflow somewhere, or nearly: an error that says so, or for nothing at
/// all a plan.
#[test]
fn counts_that_overflow_are_refused_where_a_shape_enters() {
    let gpu = &adapters::every()[0];
    let most = 1 << 40;
    for spec in losses::ALL {
        let loss = AnyLoss::of(spec, &[]).unwrap();
        let values = spec.values(&[]).unwrap();
        let tail: &[usize] = if matches!(spec.driver, Driver::Boxes) { &[4] } else { &[] };
        for shape in [
            &[1 << 62, 1][..],
            &[1, 1 << 62],
            &[0, 1 << 62],
            &[1 << 62, 0],
            &[1 << 32, 1 << 32],
            &[0, 1, 1 << 32, 1 << 62],
            &[1 << 20, 1 << 20],
            &[1 << 40, 1],
            &[1, 1 << 40],
            &[0, 1 << 40],
            &[0, 3, 1 << 33],
            &[1, 3, 1 << 38],
            &[1 << 33, 3],
            &[3, 1 << 33],
        ] {
            let shape = [shape, tail].concat();
            let what = format!("{} {shape:?}", spec.name);
            let filled = shape.iter().fold(1_u64, |count, &axis| count.saturating_mul(axis.max(1) as u64));
            let signature = match Signature::of_shape(&values, &shape) {
                Ok(signature) => signature,
                Err(Error::Elements { shape: found, .. }) => {
                    assert!(filled > most && found == shape, "{what}");
                    continue;
                }
                Err(Error::Shape { .. }) => continue,
                Err(error) => panic!("{what}: {error:?}"),
            };
            assert!(filled <= most, "{what}");
            let required = spec.inputs.iter().filter(|input| !input.optional);
            let types = required.map(|input| {
                let dtype = if input.kind == Kind::Index { DType::I32 } else { DType::F32 };
                (input.name.to_string(), TensorType::new(dtype, signature.shape_of(input)))
            });
            let is_empty = shape.contains(&0);
            let reduction = spec.reductions().last().unwrap();
            match Plan::new(gpu, &loss, &types.collect(), reduction) {
                Ok(_) => assert!(is_empty, "{what}"),
                Err(Error::Limit { needed, available, .. }) => assert!(needed > available, "{what}"),
                // A head has a row of as many elements for each class.
                Err(Error::Elements { tensor, .. }) => assert_ne!(tensor, spec.inputs[0].name, "{what}"),
                Err(Error::Shape { .. }) => assert!(is_empty && spec.inputs[0].needs_values, "{what}"),
                Err(error) => panic!("{what}: {error:?}"),
            }
        }
    }
}

#[test]
fn a_stride_that_leads_to_no_row_is_none() {
    let softmax = Softmax;
    for gpu in adapters::all() {
        for stride in [1 << 33, 1 << 62, usize::MAX] {
            let one = Tensor::from_host(gpu, HostTensor::new(&[3.0_f32], [1, 1]).unwrap()).unwrap();
            let ty = TensorType::new(DType::F32, [1, 1]).with_row_stride(stride);
            assert_eq!(ty.buffer_size(), 4);
            let logits = Tensor::from_buffer(gpu, one.buffer().clone(), 0, ty.clone());
            assert_eq!(logits.read_blocking().unwrap().to_f64(), [3.0]);
            let output = softmax.run_with(gpu, &Named::new().with("logits", logits), Reduction::None).unwrap();
            assert_eq!(output.read_blocking().unwrap().loss.to_f64(), [1.0]);

            // Between two rows it is more than there is.
            let two = Named::new().with("logits", TensorType { shape: vec![2, 1], ..ty });
            match Plan::new(gpu, &softmax, &two, Reduction::None) {
                Err(Error::Limit { needed, available, .. }) => assert!(stride == 1 << 33 && needed > available),
                Err(Error::Elements { tensor: "logits", shape, .. }) => assert_eq!(shape, [2, 1]),
                other => panic!("{other:?}"),
            }
        }
    }
}
