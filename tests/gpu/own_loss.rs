//! Losses that are defined outside the crate: their own WGSL, their own reference, and everything else as for ours.

use crate::common::{
    adapters,
    agreement::{assert_agree, evaluated, out_of_range},
    bound::{Buffers, evaluated_in_the_callers_buffers},
    device::uploaded,
    inputs::{changed, sample},
};
use wgloss::{
    AnyLoss, DType, Error, Huber, Loss, Options, Reduction, loss, losses, parity, reference,
    spec::{
        Domain, Driver, Family, Input, LossSpec, Param, Reference, Rows, Rule, ShaderFile, Shape, Values, WEIGHT, Word,
    },
    words,
};

words! {
    /// How fast the loss grows far from 0.
    pub enum Growth {
        /// As fast as the error.
        #[default]
        Linear = "linear",
        /// As its logarithm.
        Logarithmic = "logarithmic",
    }
}

loss! {
    /// A smooth relative of the catalogue's Huber loss, which has its name.
    pub struct PseudoHuber {
        /// Where the square turns into a line; above 0.
        pub delta: f32 = 1.0 => Rule::Positive;
        /// How fast it grows beyond.
        pub growth: Growth = Growth::Linear;
    }

    pub static PSEUDO_HUBER: LossSpec = {
        name: "huber",
        family: Family::Regression,
        formula: "delta²·(√(1 + (e/delta)²) − 1), or ½·delta²·log1p((e/delta)²)",
        notes: "",
        source: "Charbonnier et al. 1997; Black and Anandan 1996",
        driver: Driver::Elementwise,
        inputs: &[
            Input::differentiable("prediction", Shape::Items, Domain::Real),
            Input::constant("target", Shape::Items, Domain::Real),
            WEIGHT,
        ],
        shader: ShaderFile::new(
            "pseudo_huber.wgsl",
            "fn loss_and_grad(p: f32, t: f32) -> vec2<f32> {
                let e = p - t;
                let x = e / params.delta;
                if (params.growth == GROWTH_LOGARITHMIC) {
                    let logarithm = select(log1pf(x * x), logf(x * x), x * x > 1e30);
                    return vec2<f32>(0.5 * params.delta * params.delta * logarithm, e / (1.0 + x * x));
                }
                let root = sqrt(1.0 + x * x);
                return vec2<f32>(e * e / (1.0 + root), e / root);
            }",
        ),
        reference: Reference::Elementwise(|item, values| {
            let (e, delta) = (item["prediction"] - item["target"], values.number("delta"));
            let square = (e / delta).powi(2);
            match values.word("growth") {
                Growth::Linear => {
                    let root = (1.0 + square).sqrt();
                    reference::Term::new(e * e / (1.0 + root), [e / root])
                }
                Growth::Logarithmic => {
                    reference::Term::new(0.5 * delta * delta * square.ln_1p(), [e / (1.0 + square)])
                }
            }
        }),
    };
}

/// Generalised cross-entropy, as plain data: without a type, it is evaluated by [`AnyLoss`].
static GENERALISED_CROSS_ENTROPY: LossSpec = LossSpec {
    name: "generalised_cross_entropy",
    aliases: &["GCELoss"],
    family: Family::Multiclass,
    formula: "(1 − p_y^q)/q, p = softmax(x)",
    notes: "",
    source: "Zhang and Sabuncu 2018, arXiv 1805.07836",
    driver: Driver::Rows(Rows::SOFTMAX),
    inputs: &[
        Input::differentiable("logits", Shape::Rows, Domain::Real),
        Input::classes("target", Shape::Items),
        WEIGHT,
    ],
    params: &[Param::number("q", 0.7, Rule::Positive)],
    shader: ShaderFile::new(
        "generalised_cross_entropy.wgsl",
        "fn row_outcome(row: Row) -> Outcome {
            let log_p = -distance_of(row.target_logit, row.state.first.maximum) - row.log_norm;
            let power = expf(params.q * log_p);
            return Outcome(-expm1f(params.q * log_p) / params.q, vec3<f32>(power, power * expm1f(log_p), 0.0));
        }

        fn class_gradient(row: Row, cell: Cell) -> f32 {
            return select(row.factors.x * probability_of(row, cell), row.factors.y, cell.column == row.label);
        }",
    ),
    reference: Reference::Rows(generalised_cross_entropy),
};

fn generalised_cross_entropy(item: &reference::Item<'_>, values: &Values) -> reference::Term {
    let (ln_p, class, q) = (reference::ln_softmax(item.row("logits")), item.class(), values.number("q"));
    let by_ln_p: Vec<f64> = (0..ln_p.len()).map(|c| if c == class { -(q * ln_p[c]).exp() } else { 0.0 }).collect();
    reference::Term::new(-(q * ln_p[class]).exp_m1() / q, reference::ln_softmax_pullback(&ln_p, &by_ln_p))
}

const SHAPE: [usize; 2] = [5, 3];

/// Losses of our own with different parameters.
fn own_losses() -> Vec<AnyLoss> {
    [
        (&PSEUDO_HUBER, vec![]),
        (&PSEUDO_HUBER, vec![("delta", "0.25"), ("growth", "logarithmic")]),
        (&GENERALISED_CROSS_ENTROPY, vec![]),
        (&GENERALISED_CROSS_ENTROPY, vec![("q", "2")]),
    ]
    .map(|(spec, settings)| AnyLoss::of(spec, &settings).unwrap())
    .into()
}

#[test]
fn the_declaration_makes_a_loss() {
    let loss = PseudoHuber { delta: 2.0, growth: Growth::Logarithmic };
    assert_eq!(loss.spec().params[1].default, Growth::Linear.into());
    assert_eq!(loss.values(), [2.0.into(), Growth::Logarithmic.into()]);
    assert_eq!(PseudoHuber::default(), PseudoHuber { delta: 1.0, growth: Growth::find("linear").unwrap() });
    assert!(!loss.spec().shader.is_built_in() && Huber::default().spec().shader.is_built_in());
}

#[test]
fn kernels_of_own_losses_agree_with_their_references() {
    for gpu in adapters::all() {
        for loss in own_losses() {
            for reduction in [Reduction::None, Reduction::Mean] {
                evaluated(gpu, &loss, &sample(&loss, &SHAPE, DType::F32, true), reduction);
            }
        }
    }
}

#[test]
fn plans_of_own_losses_run_in_the_callers_buffers() {
    for gpu in adapters::all() {
        for loss in own_losses() {
            let (inputs, options) = (sample(&loss, &SHAPE, DType::F16, false), Options::new(Reduction::Sum));
            let expected = reference::evaluate(&loss, &inputs, &options).unwrap();
            for buffers in [Buffers::One, Buffers::Roomy, Buffers::Tight] {
                let found = evaluated_in_the_callers_buffers(gpu, &loss, &inputs, options, buffers, 0);
                assert_agree(&expected, &found, loss.spec().name);
            }
        }
    }
}

#[test]
fn targets_of_own_losses_are_checked() {
    let loss = AnyLoss::of(&GENERALISED_CROSS_ENTROPY, &[]).unwrap();
    let inputs = changed(&sample(&loss, &SHAPE, DType::F32, true), "target", &[(1, 3.0), (4, -1.0)]);
    let expected = ("generalised_cross_entropy", 2, 1);
    let error = reference::evaluate(&loss, &inputs, &Reduction::Sum.into()).unwrap_err();
    assert_eq!(out_of_range(&error), expected);
    for gpu in adapters::all() {
        let output = loss.run_with(gpu, &uploaded(gpu, &inputs), Reduction::Sum).unwrap();
        let error = output.read_blocking().unwrap_err();
        assert_eq!(out_of_range(&error), expected, "{}", gpu.adapter_id());
    }
}

/// One adapter is enough: that the kernels are right is known from the other tests.
#[test]
fn own_losses_pass_the_parity_check() {
    let gpu = &adapters::every()[0];
    for spec in [&PSEUDO_HUBER, &GENERALISED_CROSS_ENTROPY] {
        let report = parity::check(gpu, spec, parity::Effort::Quick, &mut |_, _| {}).unwrap();
        assert!(report.passed(), "{} on {}: {:?}", spec.name, gpu.adapter_id(), report.failures.first());
    }
}

/// A loss may have the name of one of the catalogue, and either keeps its own kernel.
#[test]
fn a_loss_with_a_name_of_the_catalogue_leaves_that_loss_alone() {
    let (own, ours) = (AnyLoss::of(&PSEUDO_HUBER, &[]).unwrap(), AnyLoss::of(&losses::HUBER, &[]).unwrap());
    for gpu in adapters::all() {
        let inputs = sample(&own, &SHAPE, DType::F32, false);
        for loss in [&own, &ours, &own, &ours] {
            evaluated(gpu, loss, &inputs, Reduction::Mean);
        }
    }
}

/// What is wrong with a reference is said by the name of the loss and of what it asked for.
#[test]
#[should_panic(expected = "the parameters of mse have no number called `delta`: it has none")]
fn a_parameter_that_is_not_there_is_named() {
    losses::MSE.values(&[]).unwrap().number("delta");
}

#[test]
#[should_panic(expected = "the parameters of huber have no whole number called `delta`: it has delta (")]
fn a_parameter_of_another_kind_is_named() {
    PSEUDO_HUBER.values(&[]).unwrap().integer("delta");
}

/// A loss of the catalogue with another entry.
fn changed_spec(spec: &LossSpec, change: impl FnOnce(&mut LossSpec)) -> &'static LossSpec {
    let &LossSpec { name, family, formula, notes, source, driver, inputs, params, shader, reference, aliases } = spec;
    let mut own = LossSpec { name, family, formula, notes, source, driver, inputs, params, shader, reference, aliases };
    change(&mut own);
    Box::leak(Box::new(own))
}

/// What a driver reads by its name, and a spec does not have: neither a shader's error nor a panic.
#[test]
fn a_spec_that_lacks_what_its_driver_reads_is_refused() {
    let without_param = |spec: &LossSpec, name: &str| {
        let params: Vec<Param> = spec.params.iter().copied().filter(|param| param.name != name).collect();
        assert_eq!(params.len() + 1, spec.params.len(), "{name}");
        changed_spec(spec, |own| own.params = params.leak())
    };
    let without_input = |spec: &LossSpec, name: &str| {
        let inputs: Vec<Input> = spec.inputs.iter().copied().filter(|input| input.name != name).collect();
        changed_spec(spec, |own| own.inputs = inputs.leak())
    };
    let not_compiled = |spec: &LossSpec, name: &str| {
        let change = |param: &Param| Param { compiled: param.compiled && param.name != name, ..*param };
        changed_spec(spec, |own| own.params = spec.params.iter().map(change).collect::<Vec<_>>().leak())
    };
    let refused = [
        (without_param(&losses::DICE, "smooth"), "`smooth`"),
        (without_param(&losses::DICE, "squared"), "`squared`"),
        (not_compiled(&losses::DICE, "squared"), "`squared`"),
        (without_param(&losses::DICE, "include_background"), "`include_background`"),
        (without_input(&losses::DICE, "class_weight"), "`CLASS_WEIGHT`"),
        (without_param(&losses::CE_DICE, "ce_weight"), "weights of its terms"),
        (without_param(&losses::TRIPLET_BATCH_ALL, "margin"), "`margin`"),
        (without_param(&losses::TRIPLET_BATCH_HARD, "distance"), "`distance`"),
        (not_compiled(&losses::TRIPLET_SEMI_HARD, "distance"), "`distance`"),
        (without_input(&losses::SUP_CON, "labels"), "`labels`"),
        (without_param(&losses::NT_XENT, "temperature"), "`temperature`"),
        (without_input(&losses::CLIP, "logit_scale"), "`logit_scale`"),
        (without_param(&losses::GIOU, "eps"), "`eps`"),
        (changed_spec(&losses::MSE, |own| own.reference = losses::CROSS_ENTROPY.reference), "`reference`"),
        (changed_spec(&losses::DICE, |own| own.reference = losses::CE_DICE.reference), "`reference`"),
        (changed_spec(&losses::MSE, |own| own.inputs = &[]), "differentiable"),
    ];
    for (spec, named) in refused {
        match AnyLoss::of(spec, &[]) {
            Err(Error::Spec { loss, rule }) => assert!(loss == spec.name && rule.contains(named), "{loss}: {rule}"),
            other => panic!("{} without {named}: {other:?}", spec.name),
        }
    }
    for spec in losses::ALL {
        assert!(AnyLoss::of(changed_spec(spec, |_| {}), &[]).is_ok(), "{}", spec.name);
    }
}
