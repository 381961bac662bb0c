//! Losses made of a text while the program runs: what they compute, what parity says of them, and what is refused.

use std::num::NonZero;

use crate::common::{
    adapters,
    agreement::{assert_agree, evaluated},
    bound::{Buffers, evaluated_in_the_callers_buffers},
    effort,
    inputs::sample,
};
use wgloss::{
    CustomFault, CustomLoss, CustomLossBuilder, DType, Error, Gpu, Loss, Options, Reduction,
    parity::{self, Effort},
    reference::{self, Item, Term, ln_softmax},
    spec::{CLASS_WEIGHT, Domain, Input, MeanOver, Rule, Shape, Value, Values},
};

const CHARBONNIER: &str = "fn loss_and_grad(p: f32, t: f32) -> vec2<f32> {
    let e = p - t;
    let root = sqrt(e * e + params.epsilon * params.epsilon);
    return vec2<f32>(root, e / root);
}";

/// A polynomial of cross-entropy: −w·log p + ε·w·(1 − p).
const POLY: &str = "fn row_outcome(row: Row) -> Outcome {
    let log_p = -distance_of(row.target_logit, row.state.first.maximum) - row.log_norm;
    let missing = -expm1f(log_p);
    let slope = row.target_weight * (1.0 + params.epsilon * expf(log_p));
    let loss = times(row.target_weight, params.epsilon * missing - log_p);
    return Outcome(loss, vec3<f32>(slope, -slope * missing, 0.0));
}

fn class_gradient(row: Row, cell: Cell) -> f32 {
    return select(row.factors.x * probability_of(row, cell), row.factors.y, cell.column == row.label);
}";

/// A loss of elements with two gradients, an optional input and a flag: ½·e²·exp(−s) + ½·s, times a scale.
const HETEROSCEDASTIC: &str = "fn loss_and_grad(p: f32, s: f32, t: f32, scale: f32) -> vec3<f32> {
    let e = p - t;
    let inverse = expf(-s);
    let constant = select(0.0, 0.5, params.full != 0u);
    return scale * vec3<f32>(0.5 * e * e * inverse + 0.5 * s + constant, e * inverse, 0.5 - 0.5 * e * e * inverse);
}";

fn charbonnier() -> CustomLossBuilder {
    CustomLoss::elementwise("charbonnier", CHARBONNIER).param_within("epsilon", 0.5, Rule::Positive)
}

fn charbonnier_in_f64(item: &Item<'_>, values: &Values) -> Term {
    let (e, epsilon) = (item["prediction"] - item["target"], values.number("epsilon"));
    Term::new(e.hypot(epsilon), [e / e.hypot(epsilon)])
}

fn poly() -> CustomLossBuilder {
    CustomLoss::rows("poly", POLY).param_within("epsilon", 1.0, Rule::NonNegative).class_weight(MeanOver::ClassWeights)
}

fn poly_in_f64(item: &Item<'_>, values: &Values) -> Term {
    let (ln_p, y, epsilon) = (ln_softmax(item.row("logits")), item.class(), values.number("epsilon"));
    let weight = item.row("class_weight")[y];
    let loss = -ln_p[y] - epsilon * ln_p[y].exp_m1();
    let slope = weight * (1.0 + epsilon * ln_p[y].exp());
    let gradient = |c: usize| slope * if c == y { ln_p[c].exp_m1() } else { ln_p[c].exp() };
    let loss = if weight == 0.0 { 0.0 } else { weight * loss };
    Term::new(loss, (0..ln_p.len()).map(gradient).collect::<Vec<_>>())
}

/// ½·e²/exp(s) + ½·s of a prediction and the logarithm of its variance.
fn heteroscedastic(hook: &str) -> CustomLossBuilder {
    CustomLoss::elementwise("heteroscedastic", hook).param("full", false).inputs(&[
        Input::differentiable("prediction", Shape::Items, Domain::Real),
        Input::differentiable("log_variance", Shape::Items, Domain::LogRate),
        Input::constant("target", Shape::Items, Domain::Real),
        Input { domain: Domain::Weight, ..Input::optional("scale", Shape::LastAxis) },
    ])
}

/// In `make test` of every sixth kernel: what is looked for here is in each.
fn report(gpu: &Gpu, loss: &CustomLoss) -> parity::Report {
    let sixth = Effort::Part { number: 0, of: NonZero::new(6).unwrap() };
    let effort = if effort::is_full() { Effort::Quick } else { sixth };
    parity::check(gpu, loss.spec(), effort, &mut |_, _| {}).unwrap()
}

/// What is wrong with a loss that cannot be made.
#[track_caller]
fn fault(loss: CustomLossBuilder) -> CustomFault {
    match loss.build() {
        Err(Error::Custom { fault, .. }) => *fault,
        other => panic!("{other:?}"),
    }
}

/// Where and why the WGSL of a loss does not compile.
#[track_caller]
fn refused(loss: CustomLossBuilder) -> (String, String) {
    match loss.build() {
        Err(Error::Shader { built_in: false, location, message, .. }) => (location, message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_text_makes_a_loss() {
    let loss = CustomLoss::new("charbonnier", CHARBONNIER, &[("epsilon", 4.0)]).unwrap();
    for gpu in adapters::all() {
        let result = loss.eval(gpu, &[4.0_f32, 1.0], &[1.0_f32, 1.0], Reduction::Sum).unwrap();
        assert_eq!(result.loss.item(), 9.0, "{gpu:?}");
        let gradient = result.gradients.get("prediction").unwrap().to_f64();
        approx::assert_abs_diff_eq!(gradient[..], [0.6, 0.0], epsilon = 1e-7);
    }
    // Rows are told by their hooks.
    assert!(CustomLoss::new("poly", POLY, &[("epsilon", 1.0)]).unwrap().spec().rows().is_some());
}

#[test]
fn another_value_of_a_parameter_compiles_nothing() {
    let loss = charbonnier().build().unwrap();
    for gpu in adapters::all() {
        let gpu = &gpu.with_tuning(gpu.tuning()).unwrap();
        let eval = |loss: &CustomLoss| loss.eval(gpu, &[3.0_f32], &[0.0_f32], Reduction::Sum).unwrap().loss.item();
        eval(&loss);
        let kernels = gpu.compiled_kernels();
        assert_eq!(eval(&loss.with("epsilon", 4.0).unwrap()), 5.0);
        assert_eq!(eval(&loss.with("epsilon", 4).unwrap()), 5.0);
        assert_eq!(gpu.compiled_kernels(), kernels, "{gpu:?}");
    }
    assert_eq!(loss.with("epsilon", 0.25).unwrap().to_string(), "charbonnier epsilon=0.25");
    assert!(matches!(loss.with("epsilon", 0.0), Err(Error::Parameter { parameter: "epsilon", .. })));
    assert!(matches!(loss.with("epsilon", true), Err(Error::Parameter { parameter: "epsilon", .. })));
    assert!(matches!(loss.with("delta", 0.5), Err(Error::UnknownParameter { .. })));
}

#[test]
fn losses_made_of_the_same_are_one() {
    let spec = |loss: CustomLossBuilder| std::ptr::from_ref(loss.build().unwrap().spec());
    assert_eq!(spec(charbonnier()), spec(charbonnier()));
    assert_eq!(spec(charbonnier().reference(charbonnier_in_f64)), spec(charbonnier().reference(charbonnier_in_f64)));
    let one = spec(charbonnier());
    let half = |_: &Item<'_>, _: &Values| Term::new(0.5, [0.5]);
    for other in [
        charbonnier().reference(charbonnier_in_f64),
        charbonnier().reference(half),
        charbonnier().target(Domain::Probability),
        charbonnier().param("other", 1.0),
        charbonnier().file("elsewhere.wgsl"),
        CustomLoss::elementwise("charbonnier", CHARBONNIER).param_within("epsilon", 0.25, Rule::Positive),
        CustomLoss::elementwise("other", CHARBONNIER).param_within("epsilon", 0.5, Rule::Positive),
    ] {
        assert_ne!(one, spec(other));
    }
    // What a closure holds is not known.
    let [first, second] = [1.0, 2.0].map(|loss| spec(charbonnier().reference(move |_, _| Term::new(loss, [0.0]))));
    assert_ne!(first, second);
}

#[test]
fn kernels_agree_with_closures() {
    let losses =
        [charbonnier().reference(charbonnier_in_f64).build().unwrap(), poly().reference(poly_in_f64).build().unwrap()];
    for gpu in adapters::all() {
        for loss in &losses {
            for (dtype, reduction) in [
                (DType::F32, Reduction::None),
                (DType::F32, Reduction::Mean),
                (DType::F16, Reduction::Sum),
                (DType::BF16, Reduction::WeightedMean),
                (DType::F32, Reduction::BatchMean),
            ] {
                evaluated(gpu, loss, &sample(loss, &[5, 3], dtype, true), reduction);
            }
            let (inputs, options) = (sample(loss, &[5, 3], DType::F16, false), Options::new(Reduction::Sum));
            let expected = reference::evaluate(loss, &inputs, &options).unwrap();
            let found = evaluated_in_the_callers_buffers(gpu, loss, &inputs, options, Buffers::Roomy, 0);
            assert_agree(&expected, &found, loss.spec().name);
        }
    }
}

#[test]
fn a_target_out_of_its_domain_is_an_error() {
    let loss = charbonnier().target(Domain::Probability).build().unwrap();
    for gpu in adapters::all() {
        let error = loss.eval(gpu, &[0.5_f32, 0.5], &[0.5_f32, 1.5], Reduction::Sum).unwrap_err();
        assert!(matches!(error, Error::Target { count: 1, first: 1, .. }), "{error}");
    }
}

/// One adapter is enough: that the kernels are right is known from the other tests.
#[test]
fn closures_pass_the_parity_check() {
    let gpu = &adapters::every()[0];
    for loss in [charbonnier().reference(charbonnier_in_f64), poly().reference(poly_in_f64)] {
        let report = report(gpu, &loss.build().unwrap());
        assert!(report.passed() && report.differences.is_none(), "{:?}", report.failures.first());
    }
}

#[test]
fn losses_without_a_reference_are_held_to_differences() {
    for (turn, loss) in [charbonnier(), poly(), heteroscedastic(HETEROSCEDASTIC)].into_iter().enumerate() {
        let loss = loss.build().unwrap();
        for gpu in effort::adapters(turn) {
            let report = report(gpu, &loss);
            assert!(report.passed(), "{loss} on {gpu:?}: {:?}", &report.failures[..report.failures.len().min(3)]);
            let differences = report.differences.unwrap();
            assert!(differences.error < 0.2 * parity::DIFFERENCE_TOLERANCE, "{loss} on {gpu:?}: {differences:?}");
            assert!(differences.judged > 4 * differences.skipped, "{loss} on {gpu:?}: {differences:?}");
        }
    }
}

#[test]
fn wrong_gradients_are_seen_without_a_reference() {
    let gpu = &adapters::every()[0];
    let changed = |hook: &str, right: &str, wrong: &str| {
        assert!(hook.contains(right), "{right}");
        hook.replace(right, wrong)
    };
    let charbonnier = |wrong: &str| {
        let hook = changed(CHARBONNIER, "e / root)", wrong);
        CustomLoss::elementwise("charbonnier", &hook).param_within("epsilon", 0.5, Rule::Positive)
    };
    let poly = |right: &str, wrong: &str| {
        CustomLoss::rows("poly", &changed(POLY, right, wrong))
            .param_within("epsilon", 1.0, Rule::NonNegative)
            .class_weight(MeanOver::Rows)
    };
    for (loss, input) in [
        (charbonnier("-e / root)"), "prediction"),
        (charbonnier("1.01 * e / root)"), "prediction"),
        (charbonnier("0.0)"), "prediction"),
        (charbonnier("e / (root + 0.01))"), "prediction"),
        (charbonnier("e / 0.0)"), "prediction"),
        (poly("1.0 + params.epsilon * expf(log_p)", "1.0"), "logits"),
        (poly("cell.column == row.label", "cell.column + 1u == row.label"), "logits"),
        (heteroscedastic(&changed(HETEROSCEDASTIC, "0.5 - 0.5", "0.5 - 0.45")), "log_variance"),
        (heteroscedastic(&changed(HETEROSCEDASTIC, "e * inverse,", "e,")), "prediction"),
    ] {
        let report = report(gpu, &loss.build().unwrap());
        let place = format!("grad.{input}[");
        let is_named = |failure: &String| failure.contains("gradient off by") && failure.contains(&place);
        assert!(report.failures.iter().any(is_named), "{input}: {:?}", report.failures.first());
    }
}

#[test]
fn what_differences_cannot_judge_is_told() {
    let gpu = &adapters::every()[0];
    let of_hook = |name: &str, hook: &str| report(gpu, &CustomLoss::new(name, hook, &[]).unwrap());
    // A kink, next to which some gradients are.
    let hinge = "fn loss_and_grad(p: f32, t: f32) -> vec2<f32> {
        return select(vec2<f32>(), vec2<f32>(p - t, 1.0), p > t);
    }";
    let report = of_hook("kink", hinge);
    assert!(report.passed(), "{:?}", report.failures.first());
    assert!(report.differences.unwrap().judged > 200);
    // A slope that drowns in the rounding of what it is added to.
    let drowned = "fn loss_and_grad(p: f32, t: f32) -> vec2<f32> { return vec2<f32>(1e6 + p - t, 1.0); }";
    let report = of_hook("drowned", drowned);
    let told = "can be judged by differences";
    assert!(report.failures.iter().any(|failure| failure.contains(told)), "{:?}", report.failures.first());
}

#[test]
fn the_reference_of_a_loss_without_one_is_an_error() {
    let loss = CustomLoss::new("plain", "fn loss_and_grad(p: f32, t: f32) -> vec2<f32> { return vec2f(p, 1.0); }", &[]);
    let loss = loss.unwrap();
    let inputs = sample(&loss, &[3], DType::F32, false);
    let error = reference::evaluate(&loss, &inputs, &Reduction::Sum.into()).unwrap_err();
    assert_eq!(error, Error::NoReference { loss: "plain" });
}

#[test]
fn errors_in_a_text_are_reported_with_its_line_and_column() {
    let hook = |body: &str| {
        CustomLoss::elementwise("mine", &format!("fn loss_and_grad(p: f32, t: f32) -> vec2<f32> {{\n    {body}\n}}"))
    };
    for (body, location, said) in [
        ("return vec2<f32>(p - t, 1.0)", "mine.wgsl:3:1", "expected"),
        ("let ä = 1.0; let y = ; return vec2f();", "mine.wgsl:2:26", "expected"),
        ("return vec2<f32>(p - u, 1.0);", "mine.wgsl:2:26", "no definition in scope for identifier: `u`"),
        ("return vec2<f32>(huber(p - t), 1.0);", "mine.wgsl:2:22", "`huber`"),
        ("let x: i32 = p; return vec2f();", "mine.wgsl:2:9", "type"),
        ("return vec2<f32>(p * 1u, 1.0);", "mine.wgsl:2:22", "type"),
        ("return p;", "mine.wgsl:1:18", "return"),
        ("return vec2f(array<f32, 2>(p, t)[5], 1.0);", "mine.wgsl:2:18", "Accessing index 5 is out of bounds"),
        ("return vec2f(p * 2i, 1.0);", "mine.wgsl:2:18", "(of type f32) and (of type i32)"),
        ("return vec2f(select(1.0, 2.0, p), 1.0);", "mine.wgsl:2:18", "Expected selection condition to be a boolean"),
        // It is the function that calls this one which is to be refused.
        ("return vec2f(dpdx(p), 1.0);", "mine.wgsl:1:4", "Uses operations forbidden at this stage"),
        // What follows shows it.
        ("return vec2f(p, t); } const one = 1.0; const k = /* {", "", "never closed"),
    ] {
        let (found, message) = match hook(body).build() {
            Err(Error::Custom { fault, .. }) => (String::new(), fault.to_string()),
            _ => refused(hook(body)),
        };
        assert!(found == location && message.contains(said) && !message.contains('\n'), "{body}: {found}: {message}");
        // Nothing of how a compiler counts or writes what it is given.
        assert!(!message.contains('[') && !message.contains("Scalar"), "{message}");
    }
    let unfinished = format!("{CHARBONNIER}\nconst one =\n");
    let (found, message) = refused(CustomLoss::elementwise("mine", &unfinished.replace("params.epsilon", "1.0")));
    let line = CHARBONNIER.lines().count() + 1;
    assert_eq!(found, format!("mine.wgsl:{line}:11"), "{message}");
    let (found, _) = refused(hook("let x = ;").file("folder/loss.wgsl"));
    assert_eq!(found, "folder/loss.wgsl:2:13");
    let (found, message) =
        refused(CustomLoss::rows("mine", &POLY.replace("params.epsilon", "1.0").replace("times", "mul")));
    assert!(found == "mine.wgsl:5:16" && message.contains("`mul`"), "{found}: {message}");
}

#[test]
fn hooks_that_do_not_fit_their_driver_are_refused() {
    let missing = |file: &str, signature: &str| CustomFault::MissingHook {
        file: file.to_string(),
        signature: signature.to_string(),
    };
    let elementwise = "fn loss_and_grad(p: f32, t: f32) -> vec2<f32>";
    for text in ["", "// fn loss_and_grad()", "fn loss(p: f32, t: f32) -> vec2<f32> { return vec2f(); }"] {
        assert_eq!(fault(CustomLoss::elementwise("mine", text)), missing("mine.wgsl", elementwise), "{text}");
    }
    for (text, location, sign) in [
        ("fn loss_and_grad(p: f32, t: f32) -> vec2<f32> {\n  return vec2f(p, t);\n", "mine.wgsl:1:47", "{"),
        ("\n/* fn loss_and_grad(p: f32, t: f32) -> vec2<f32> { return vec2f(p, t); }", "mine.wgsl:2:1", "/*"),
    ] {
        let (location, sign) = (location.to_string(), sign.to_string());
        assert_eq!(fault(CustomLoss::elementwise("mine", text)), CustomFault::Unclosed { location, sign });
    }
    // What a compiler would go down into until its stack ends.
    let hook = |body: &str| format!("fn loss_and_grad(p: f32, t: f32) -> vec2<f32> {{\n  {body}\n}}");
    let sum = |terms: usize| hook(&format!("return vec2f({}, t);", vec!["p"; terms].join(" + ")));
    let elses =
        |count: usize| hook(&format!("if p > 1.0 {{ }} {} return vec2f(p, t);", "else if p > 2.0 { }".repeat(count)));
    assert!(CustomLoss::elementwise("mine", &sum(400)).build().is_ok());
    assert!(CustomLoss::elementwise("mine", &elses(200)).build().is_ok());
    for (text, location, what, most) in
        [(sum(100_000), "mine.wgsl:2:3", "a statement", 1000), (elses(20_000), "", "a chain of `else`", 250)]
    {
        let CustomFault::TooLong { location: found, what: found_what, most: found_most } =
            fault(CustomLoss::elementwise("mine", &text))
        else {
            panic!("{what} is taken")
        };
        assert_eq!((found_what, found_most), (what, most));
        assert!(found.starts_with("mine.wgsl:2:") && (location.is_empty() || found == location), "{found}");
    }
    let half = POLY.split("fn class_gradient").next().unwrap();
    let signature = "fn class_gradient(row: Row, cell: Cell) -> f32";
    assert_eq!(fault(CustomLoss::rows("mine", half)), missing("mine.wgsl", signature));

    let unfit = |text: &str, location: &str, hook: &'static str, signature: &str| {
        let loss = if hook == "loss_and_grad" {
            CustomLoss::elementwise("mine", text)
        } else {
            CustomLoss::rows("mine", text)
        };
        let (location, signature) = (location.to_string(), signature.to_string());
        assert_eq!(fault(loss), CustomFault::Signature { location, hook, signature }, "{text}");
    };
    for text in [
        "fn loss_and_grad(p: f32) -> vec2<f32> { return vec2f(p); }",
        "fn loss_and_grad(p: f32, t: f32, w: f32) -> vec2<f32> { return vec2f(p); }",
        "fn loss_and_grad(p: f32, t: i32) -> vec2<f32> { return vec2f(p); }",
        "fn loss_and_grad(p: f32, t: f32) -> vec3<f32> { return vec3f(p); }",
        "fn loss_and_grad(p: f32, t: f32) -> f32 { return p; }",
    ] {
        unfit(text, "mine.wgsl:1:4", "loss_and_grad", elementwise);
    }
    let text = "fn row_outcome(row: Row) -> Outcome { return Outcome(); }
fn class_gradient(row: Row) -> f32 { return 0.0; }";
    unfit(text, "mine.wgsl:2:4", "class_gradient", signature);
    let text = "fn row_outcome(row: Row) -> f32 { return 0.0; }
fn class_gradient(row: Row, cell: Cell) -> f32 { return 0.0; }";
    unfit(text, "mine.wgsl:1:4", "row_outcome", "fn row_outcome(row: Row) -> Outcome");
    let of_three = heteroscedastic(CHARBONNIER).param("epsilon", 1.0);
    let CustomFault::Signature { signature, .. } = fault(of_three) else { panic!() };
    assert_eq!(signature, "fn loss_and_grad(p: f32, l: f32, t: f32, s: f32) -> vec3<f32>");
}

#[test]
fn compilers_say_nothing_of_themselves() {
    let refused = |value: &str| {
        let hook = format!("fn loss_and_grad(p: f32, t: f32) -> vec2<f32> {{\n return vec2<f32>({value}, p); }}");
        refused(CustomLoss::elementwise("mine", &hook))
    };
    assert_eq!(refused("f32(1 / 0)"), ("mine.wgsl:2:23".to_string(), "Division by zero".to_string()));
    let (_, message) = refused("f32(textureDimensions(t).x)");
    assert!(!message.contains('['), "{message}");
    // No loss may enable anything.
    let (location, message) = refused("f32(2.0h)");
    assert_eq!(location, "mine.wgsl:2:23");
    assert!(message.contains("f16") && !message.contains("by adding"), "{message}");
}

#[test]
fn what_is_for_whole_shaders_is_refused() {
    let hook = "fn loss_and_grad(p: f32, t: f32) -> vec2<f32> { return vec2f(p - t, 1.0); }";
    for (text, sign) in [
        ("enable f16;", "enable"),
        ("requires readonly_and_readwrite_storage_textures;", "requires"),
        ("diagnostic(off, derivative_uniformity);", "diagnostic"),
        ("override k: f32 = 1.0;", "override"),
        ("@id(1) override k: f32 = 1.0;", "id"),
        ("@group(1) @binding(0) var<storage, read> q: array<f32>;", "group"),
        ("var<workgroup> q: array<f32, 4>;", "var"),
        ("var q: f32;", "var"),
        ("@compute @workgroup_size(1) fn other() {}", "compute"),
    ] {
        for (text, location) in [
            (format!("\n {text}{hook}"), "mine.wgsl:2:2".to_string()),
            (format!("{hook}\n{text}"), "mine.wgsl:2:1".to_string()),
        ] {
            let sign = sign.to_string();
            assert_eq!(fault(CustomLoss::elementwise("mine", &text)), CustomFault::WholeShader { location, sign });
        }
    }
    // What all lanes call together; lanes call hooks at different times.
    for sign in ["workgroupBarrier", "storageBarrier", "subgroupElect", "subgroupAdd", "quadSwapX"] {
        let text = format!("fn other() {{\n  _ = {sign} ();\n}}\n{hook}");
        let (location, sign) = ("mine.wgsl:2:7".to_string(), sign.to_string());
        assert_eq!(fault(CustomLoss::elementwise("mine", &text)), CustomFault::WholeShader { location, sign });
    }
    // A comment ends with its line, whatever that ends with.
    for end in ["\n", "\r\n", "\r", "\u{b}", "\u{c}", "\u{85}", "\u{2028}", "\u{2029}"] {
        assert!(CustomLoss::elementwise("mine", &format!("// {{{end}{hook}")).build().is_ok(), "{end:?}");
        let text = format!("// {end}@compute @workgroup_size(1) fn other() {{}} {hook}");
        assert!(matches!(fault(CustomLoss::elementwise("mine", &text)), CustomFault::WholeShader { .. }), "{end:?}");
    }
    // Words of the same kind within functions, and variables of the text's own, are its own affair.
    let own = "var<private> total: f32 = 0.0; @must_use fn twice(x: f32) -> f32 { var group = x; return group + x; }";
    assert!(CustomLoss::elementwise("mine", &format!("{own} {hook}")).build().is_ok());
}

#[test]
fn names_that_others_use_are_refused() {
    let hook = "fn loss_and_grad(p: f32, t: f32) -> vec2<f32> { return vec2f(p - t, 1.0); }";
    for (declaration, name, by) in [
        ("fn expf(x: f32) -> f32 { return x; }", "expf", "lib/math.wgsl"),
        ("fn exp(x: f32) -> f32 { return x; }", "exp", "WGSL itself"),
        ("alias f32 = i32;", "f32", "WGSL itself"),
        ("fn evaluate() {}", "evaluate", "drivers/elementwise/evaluate.wgsl"),
        ("const BLOCK = 1u;", "BLOCK", "generated header"),
        ("struct Params { x: f32 }", "Params", "generated header"),
        ("var<private> params: f32;", "params", "generated header"),
        // Of halves alone.
        ("fn pack_bf16(x: f32) -> f32 { return x; }", "pack_bf16", "lib/tensor/bf16.wgsl"),
    ] {
        let loss = CustomLoss::elementwise("mine", &format!("{hook}\n  {declaration}")).param("x", 1.0);
        let CustomFault::Redefined { location, name: found, by: found_by } = fault(loss) else {
            panic!("{declaration}")
        };
        assert_eq!((&*found, &*found_by), (name, by));
        assert!(location.starts_with("mine.wgsl:2:"), "{location}");
    }
    // Names of one's own are one's own.
    let own = format!("{hook} fn halve(x: f32) -> f32 {{ let expf = 0.5; return expf * x; }}");
    assert!(CustomLoss::elementwise("mine", &own).build().is_ok());
}

#[test]
fn parameters_are_declared() {
    let undeclared = |loss: CustomLossBuilder, known: &[&str]| {
        let known = known.iter().map(ToString::to_string).collect();
        let (location, parameter) = ("charbonnier.wgsl:3:36".to_string(), "epsilon".to_string());
        assert_eq!(fault(loss), CustomFault::UndeclaredParameter { location, parameter, known });
    };
    let bare = || CustomLoss::elementwise("charbonnier", CHARBONNIER);
    undeclared(bare(), &[]);
    undeclared(bare().param("delta", 1.0).param("smooth", 1.0), &["delta", "smooth_"]);
    // Nobody has to read what is declared.
    assert!(charbonnier().param("unread", 1).build().is_ok());

    for name in ["", "2a", "a b", "a-b", "é", "__a", "a.b"] {
        let fault = fault(charbonnier().param(name, 1.0));
        assert!(matches!(&fault, CustomFault::ParameterName { parameter, .. } if parameter == name), "{fault}");
    }
    assert!(matches!(fault(charbonnier().param("epsilon", 1.0)), CustomFault::ParameterName { .. }));
    for (default, rule) in [
        (Value::Number(-1.0), Rule::Positive),
        (Value::Number(f32::NAN), Rule::Finite),
        (Value::Integer(1), Rule::Positive),
        (Value::Word("a"), Rule::Word(&["b"])),
    ] {
        let fault = fault(charbonnier().param_within("other", default, rule));
        assert!(matches!(&fault, CustomFault::Default { parameter, .. } if parameter == "other"), "{fault}");
    }
    assert!(matches!(fault(charbonnier().param("word", "a")), CustomFault::Default { .. }));
}

#[test]
fn names_of_losses_are_their_own_and_identifiers() {
    let named = |name: &str| CustomLoss::elementwise(name, CHARBONNIER).param("epsilon", 1.0);
    for name in ["", "my loss", "my-loss", "2nd", "größe", "a/b", "_"] {
        assert_eq!(fault(named(name)), CustomFault::Name, "{name}");
    }
    for spec in wgloss::losses::ALL {
        assert_eq!(fault(named(spec.name)), CustomFault::BuiltIn);
    }
}

#[test]
fn inputs_that_a_driver_does_not_take_are_refused() {
    let (real, items) = (Domain::Real, Shape::Items);
    let first = Input::differentiable("prediction", items, real);
    let elementwise = |inputs: &[Input]| fault(charbonnier().inputs(inputs));
    for inputs in [
        vec![Input::constant("prediction", items, real)],
        vec![Input { optional: true, ..first }],
        vec![Input::differentiable("logits", Shape::Rows, real)],
        vec![first, first],
        vec![first, Input::constant("mask", items, real)],
        vec![first, Input::constant("weight", items, real)],
        vec![first, Input::constant("my target", items, real)],
        vec![first, Input::constant("target", Shape::Boxes, real)],
        vec![first, Input::classes("target", items)],
        vec![first, Input::label("target", Domain::Sign)],
        vec![first, CLASS_WEIGHT],
        vec![first, Input::constant("target", items, Domain::TargetBox)],
        vec![first, Input::constant("target", items, Domain::Where("on", &Domain::Real, &Domain::Class))],
        vec![first, Input { optional: true, ..Input::differentiable("scale", items, real) }],
        ["a", "b", "c", "d"].map(|name| Input::differentiable(name, items, real)).to_vec(),
    ] {
        let fault = elementwise(&inputs);
        assert!(matches!(fault, CustomFault::Input { .. }), "{inputs:?}: {fault}");
    }
    let (rows, target) = (Shape::Rows, Input::classes("target", items));
    let logits = Input::differentiable("logits", rows, real);
    let second = Input::constant("second", rows, real);
    for inputs in [
        vec![first],
        vec![Input::constant("logits", rows, real)],
        vec![Input { domain: Domain::Sign, ..logits }],
        vec![logits, Input::constant("other", Shape::LastAxis, real)],
        vec![logits, Input::constant("margin", items, real)],
        vec![logits, Input::classes("label", items)],
        vec![logits, second, Input { name: "third", ..second }],
        vec![logits, Input { differentiable: true, ..second }],
        vec![logits, Input { optional: true, ..target }],
        vec![logits, target, Input { domain: Domain::Real, ..CLASS_WEIGHT }],
    ] {
        assert!(matches!(fault(poly().inputs(&inputs)), CustomFault::Input { .. }), "{inputs:?}");
    }
    // What the driver reads by its name.
    let (on, off) = (&Domain::Probability, &Domain::Real);
    let unknown = Input::constant("target", items, Domain::Where("soft", on, off));
    for loss in [charbonnier().inputs(&[]), charbonnier().inputs(&[first, unknown]), poly().inputs(&[logits, target])] {
        assert!(matches!(loss.build(), Err(Error::Spec { .. })));
    }
    assert!(charbonnier().inputs(&[first, unknown]).param("soft", true).build().is_ok());
}

#[test]
fn comments_declare_parameters_and_the_target() {
    let text = |comments: &str| format!("{comments}\n{}", CHARBONNIER.replace("epsilon", "eps"));
    let loss = |comments: &str| CustomLoss::annotated("mine", "mine.wgsl", &text(comments));
    let made = loss("// param eps = 1e-3 above 0\n// param on = true\n// target at least 0\n// a loss of mine");
    let made = made.unwrap().build().unwrap();
    assert_eq!(made.to_string(), "mine eps=0.001 on=true");
    assert_eq!(made.spec().params[0].rule, Rule::Positive);
    assert_eq!(made.spec().inputs[1].domain, Domain::NonNegative);
    for bad in ["eps 1", "eps =", "eps = big", "eps = 1 below 0", "eps = true above 0", "eps = 1 2"] {
        let error = loss(&format!("// mine\n\t// param {bad}")).err().expect("it declares nothing");
        let Error::Custom { fault, .. } = error else { panic!("{error}") };
        let CustomFault::Annotation { location, .. } = *fault else { panic!("{fault}") };
        assert_eq!(location, "mine.wgsl:2:2", "{bad}");
    }
    assert!(loss("// target above 7").is_err());
    // Of two lines, one would be without effect.
    assert!(loss("// target at least 0\n// target -1 or 1").is_err());
    // What stands in another comment, or behind something, declares nothing.
    let made = loss("/*\n// param on = true\n*/\nconst one = 1.0; // param two = 2\n// param eps = 1");
    assert_eq!(made.unwrap().build().unwrap().to_string(), "mine eps=1");
}

#[test]
fn what_is_wrong_is_said_in_one_line() {
    let texts = [
        (CustomLoss::new("huber", CHARBONNIER, &[]), "huber: the catalogue has a loss of this name"),
        (
            CustomLoss::new("mine", "", &[]),
            "mine: mine.wgsl: there is no `fn loss_and_grad(p: f32, t: f32) -> vec2<f32>`",
        ),
        (
            CustomLoss::new("mine", CHARBONNIER, &[("delta", 1.0)]),
            "mine: mine.wgsl:3:36: no parameter is called `epsilon`; declared are `delta`",
        ),
    ];
    for (made, text) in texts {
        assert_eq!(made.unwrap_err().to_string(), text);
    }
}
