//! A loss of one's own, written both ways: the asymmetric loss of multi-label classification, which forgives easy
//! negatives, as a `CustomLoss` that is made while the program runs, and declared by `loss!` with a type of its own.
//! Both run on the same data and agree; the parity check holds either to the same reference in f64.
//!
//! Of a label t and p = σ(x): −t·(1 − p)^γ₊·log p − (1 − t)·q^γ₋·log(1 − q), with q = max(p − clip, 0).

use std::{error::Error, process::ExitCode};

use wgloss::{
    CustomLoss, Evaluation, Gpu, HostTensor, Loss, Reduction,
    parity::{self, Effort},
    reference::{Item, Term},
    spec::{Domain, Driver, Family, Input, Reference, Rule, ShaderFile, Shape, Values, WEIGHT},
};

/// Loss and derivative of one label.
const HOOK: &str = "
// −(1 − p)^γ·log p of a label that is there; with u = 1 − p the derivative by x is −u^γ·(γ·p·(−log p) + u).
fn present(x: f32, p: f32, u: f32) -> vec2<f32> {
    let cross_entropy = softplus(-x);
    let power = powf(u, params.gamma_positive);
    let slope = params.gamma_positive * times(p, cross_entropy) + u;
    return vec2<f32>(times(power, cross_entropy), -power * slope);
}

// −q^γ·log(1 − q) of one that is not. The derivative by q is q^γ·(γ·(−log(1 − q))/q + 1/(1 − q)), and dq/dx is p·u.
fn absent(x: f32, p: f32, u: f32) -> vec2<f32> {
    // Of two forms the one whose terms are small.
    let q = select(p - params.clip, (1.0 - params.clip) - u, p > 0.5);
    if (q <= 0.0) {
        return vec2<f32>();
    }
    let rest = u + params.clip;
    // Where nothing is clipped 1 − q is u, whose logarithm is known where it vanishes.
    let log_rest = select(logf(rest), -softplus(x), params.clip == 0.0);
    let cross_entropy = select(-log1pf(-q), -log_rest, q > 0.5);
    let power = powf(q, params.gamma_negative);
    let slope = params.gamma_negative * times(p * u, cross_entropy) / q + select(p * (u / rest), 1.0, rest == 0.0);
    return vec2<f32>(times(power, cross_entropy), power * slope);
}

fn loss_and_grad(x: f32, t: f32) -> vec2<f32> {
    let p = sigmoid(x);
    let u = sigmoid(-x);
    let there = present(x, p, u);
    let not_there = absent(x, p, u);
    return vec2<f32>(times(t, there.x) + times(1.0 - t, not_there.x), t * there.y + (1.0 - t) * not_there.y);
}
";

const INPUTS: &[Input] = &[
    Input::differentiable("logits", Shape::Items, Domain::Real),
    Input::constant("target", Shape::Items, Domain::Probability),
    WEIGHT,
];

/// The same in f64, written from the formula and not from the hook.
fn asymmetric(item: &Item<'_>, values: &Values) -> Term {
    let (x, t) = (item["logits"], item["target"]);
    let [negative, positive, clip] = ["gamma_negative", "gamma_positive", "clip"].map(|name| values.number(name));
    let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
    let (p, u) = ((-softplus(-x)).exp(), (-softplus(x)).exp());
    // 0·∞ is 0: a label that is not there has no loss.
    let weighed = |factor: f64, x: f64| if factor == 0.0 { 0.0 } else { factor * x };

    let there = softplus(-x);
    let there_by_x = -u.powf(positive) * (positive * weighed(p, there) + u);
    let there = weighed(u.powf(positive), there);

    let q = (p - clip).max(0.0);
    // 1 − q is u where nothing is clipped, and keeps its digits there.
    let (log_rest, ratio) = if clip == 0.0 { (-softplus(x), 1.0) } else { ((-q).ln_1p(), u / (u + clip)) };
    let by_x = q.powf(negative) * (negative * weighed(p * u, -log_rest) / q + p * ratio);
    let not_there_by_x = if q == 0.0 { 0.0 } else { by_x };
    let not_there = if q == 0.0 { 0.0 } else { weighed(q.powf(negative), -log_rest) };
    Term::new(weighed(t, there) + weighed(1.0 - t, not_there), [t * there_by_x + (1.0 - t) * not_there_by_x])
}

wgloss::loss! {
    /// Asymmetric loss.
    pub struct Asymmetric {
        /// γ₋, by which easy labels that are not there are forgiven; 0 or above.
        pub gamma_negative: f32 = 4.0 => Rule::NonNegative;
        /// γ₊, the same of labels that are there; 0 or above.
        pub gamma_positive: f32 = 1.0 => Rule::NonNegative;
        /// The probability up to which a label that is not there costs nothing; from 0 to 1.
        pub clip: f32 = 0.05 => Rule::Unit;
    }

    pub static ASYMMETRIC: LossSpec = {
        name: "asymmetric_multi_label",
        family: Family::Binary,
        formula: "−t·(1 − p)^γ₊·log p − (1 − t)·q^γ₋·log(1 − q), q = max(p − clip, 0)",
        notes: "",
        source: "Ridnik et al. 2021, arXiv 2009.14119",
        driver: Driver::Elementwise,
        inputs: INPUTS,
        shader: ShaderFile::new("asymmetric.wgsl", HOOK),
        reference: Reference::Elementwise(asymmetric),
    };
}

/// The same loss without a type.
fn of_text() -> Result<CustomLoss, wgloss::Error> {
    CustomLoss::elementwise("asymmetric_multi_label", HOOK)
        .inputs(INPUTS)
        .param_within("gamma_negative", 4.0, Rule::NonNegative)
        .param_within("gamma_positive", 1.0, Rule::NonNegative)
        .param_within("clip", 0.05, Rule::Unit)
        .reference(asymmetric)
        .build()
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let gpu = Gpu::new_blocking()?;
    // Two pictures, and which of four things are in them.
    let logits = HostTensor::new(&[2.5_f32, -1.0, -4.0, 0.5, -3.5, 1.5, -2.0, -0.25], [2, 4])?;
    let labels = HostTensor::new(&[1.0_f32, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0], [2, 4])?;

    println!("{:>14} {:>14} {:>6} {:>12} {:>12}", "gamma_negative", "gamma_positive", "clip", "CustomLoss", "loss!");
    let custom = of_text()?;
    let mut all_agree = true;
    for (gamma_negative, gamma_positive, clip) in [(4.0, 1.0, 0.05), (0.0, 0.0, 0.0), (2.0, 0.0, 0.2)] {
        let with_values = custom.with("gamma_negative", gamma_negative)?.with("gamma_positive", gamma_positive)?;
        let made = with_values.with("clip", clip)?.eval(&gpu, &logits, &labels, Reduction::Sum)?;
        let declared =
            Asymmetric { gamma_negative, gamma_positive, clip }.eval(&gpu, &logits, &labels, Reduction::Sum)?;
        let [loss, same] = [&made, &declared].map(|result| result.loss.item());
        println!("{gamma_negative:>14} {gamma_positive:>14} {clip:>6} {loss:>12.6} {same:>12.6}");
        all_agree &= loss == same && gradient(&made) == gradient(&declared);
    }
    println!("losses and gradients {}", if all_agree { "are the same" } else { "DIFFER" });

    let mut all_pass = true;
    for (form, spec) in [("CustomLoss", custom.spec()), ("loss!", &ASYMMETRIC)] {
        let report = parity::check(&gpu, spec, Effort::Quick, &mut |_, _| {})?;
        println!(
            "{form} beside its reference in f64, {} cases: loss within {:.1e}, gradient within {:.1e}: {}",
            report.cases,
            report.loss_error.relative,
            report.gradient_error.relative,
            if report.passed() { "pass" } else { "FAIL" },
        );
        report.failures.iter().take(3).for_each(|failure| println!("  {failure}"));
        all_pass &= report.passed();
    }
    Ok(if all_agree && all_pass { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The gradient of the logits.
fn gradient(result: &Evaluation) -> Vec<f64> {
    result.gradients.get("logits").map(HostTensor::to_f64).unwrap_or_default()
}
