//! Kernels that are wrong where it is hard to see: the parity check must fail each of them.

use std::num::NonZero;

use crate::common::adapters;
use wgloss::{
    losses, parity, reference,
    spec::{
        CLASS_WEIGHT, Domain, Driver, Family, Input, Item, LossSpec, Reference, Rows, ShaderFile, Shape, Term, Values,
        WEIGHT,
    },
};

/// A cross-entropy as the recipe for hooks has it.
const CROSS_ENTROPY: LossSpec = LossSpec {
    name: "recipe",
    aliases: &[],
    family: Family::Multiclass,
    formula: "−w_y·log p_y, p = softmax(x)",
    notes: "",
    source: "the textbook",
    driver: Driver::Rows(Rows::SOFTMAX),
    inputs: &[
        Input::differentiable("logits", Shape::Rows, Domain::Real),
        Input::classes("target", Shape::Items),
        CLASS_WEIGHT,
        WEIGHT,
    ],
    params: &[],
    shader: ShaderFile::new("recipe.wgsl", HOOKS),
    reference: Reference::Rows(cross_entropy),
};

const HOOKS: &str = "fn row_outcome(row: Row) -> Outcome {
    let log_p = -distance_of(row.target_logit, row.state.first.maximum) - row.log_norm;
    let weight = row.target_weight;
    return Outcome(times(weight, -log_p), vec3<f32>(weight, weight * expm1f(log_p), 0.0));
}

fn class_gradient(row: Row, cell: Cell) -> f32 {
    return select(row.factors.x * probability_of(row, cell), row.factors.y, cell.column == row.label);
}";

fn cross_entropy(item: &Item<'_>, _: &Values) -> Term {
    let (ln_p, class) = (reference::ln_softmax(item.row("logits")), item.class());
    let weight = item.row("class_weight")[class];
    let by_ln_p: Vec<f64> = (0..ln_p.len()).map(|c| if c == class { -weight } else { 0.0 }).collect();
    let loss = if weight == 0.0 { 0.0 } else { -weight * ln_p[class] };
    Term::new(loss, reference::ln_softmax_pullback(&ln_p, &by_ln_p))
}

const BCE_WITH_LOGITS: &str = include_str!("../../shaders/losses/binary/bce_with_logits.wgsl");
const MSE: &str = include_str!("../../shaders/losses/regression/mse.wgsl");

/// The loss with a part of its hooks changed.
fn mutant(loss: &LossSpec, hooks: &str, right: &str, wrong: &str) -> &'static LossSpec {
    assert!(hooks.contains(right), "{right} is not in the hooks of {}", loss.name);
    let text = Box::leak(hooks.replace(right, wrong).into_boxed_str());
    Box::leak(Box::new(LossSpec { shader: ShaderFile::new("mutant.wgsl", text), ..loss.clone() }))
}

/// What fails, a part of the kernels after the other. One adapter is enough: what the check draws is the same on all.
fn failures(spec: &'static LossSpec) -> impl Iterator<Item = Vec<String>> {
    let of = const { NonZero::new(6).unwrap() };
    let part = move |number| parity::Effort::Part { number, of };
    let report = move |effort| parity::check(&adapters::every()[0], spec, effort, &mut |_, _| {}).unwrap();
    (0..of.get()).map(move |number| report(part(number)).failures)
}

#[track_caller]
fn assert_fails(mutant: &'static LossSpec, situation: &str) {
    let mut all = failures(mutant).flatten();
    assert!(all.any(|failure| failure.contains(situation)), "no {situation}: {:?}", failures(mutant).next());
}

#[test]
fn the_recipe_is_right() {
    let mut failures = failures(mutant(&CROSS_ENTROPY, HOOKS, HOOKS, HOOKS)).flatten();
    assert_eq!(failures.next(), None);
}

/// 1 − p of a probability that is rounded to 1.
#[test]
fn a_gradient_that_is_0_in_sure_rows() {
    assert_fails(mutant(&CROSS_ENTROPY, HOOKS, "expm1f(log_p)", "(expf(log_p) - 1.0)"), "sure values");
}

#[test]
fn a_loss_that_is_0_in_sure_rows() {
    assert_fails(mutant(&CROSS_ENTROPY, HOOKS, "-log_p)", "-logf(expf(log_p)))"), "sure values");
}

/// 0·∞ where a class without weight is masked.
#[test]
fn a_weight_of_0_times_an_infinite_loss() {
    assert_fails(
        mutant(&CROSS_ENTROPY, HOOKS, "times(weight, -log_p)", "weight * -log_p"),
        "masked and infinite values",
    );
}

#[test]
fn a_weight_that_is_dropped() {
    assert_fails(mutant(&CROSS_ENTROPY, HOOKS, "weight * expm1f(log_p)", "expm1f(log_p)"), "gradient off");
}

#[test]
fn a_gradient_that_is_a_little_off() {
    let wrong = "1.001 * row.factors.x * probability_of(row, cell)";
    assert_fails(mutant(&CROSS_ENTROPY, HOOKS, "row.factors.x * probability_of(row, cell)", wrong), "gradient off");
}

/// σ(x) − t of a σ that is rounded to 1.
#[test]
fn an_elementwise_gradient_that_is_0_where_sure() {
    let right = "logistic_loss(x, positive, 1.0 - t)";
    let wrong = "vec2<f32>(logistic_loss(x, positive, 1.0 - t).x, (positive + 1.0 - t) * sigmoid(x) - positive)";
    assert_fails(mutant(&losses::BCE_WITH_LOGITS, BCE_WITH_LOGITS, right, wrong), "sure values");
}

#[test]
fn a_square_that_cancels() {
    assert_fails(mutant(&losses::MSE, MSE, "e * e", "p * p - 2.0 * p * t + t * t"), "nearly equal values");
}

#[test]
fn a_square_that_is_rooted_and_vanishes() {
    assert_fails(mutant(&losses::MSE, MSE, "2.0 * e", "2.0 * sign(e) * sqrt(e * e)"), "tiny values");
}
