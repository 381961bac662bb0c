//! Tokens and policies: worked values, and what is finite where a step of the formula is not.

use std::f64::consts::LN_2;

use wgloss::{AnyLoss, Error, HostTensor, Named, Options, Reduction, Statistics, reference, reference::Evaluation};

use super::{assert_all_close, assert_close, classes, evaluate, loss, out_of_range, tensor};

type Inputs<'a> = &'a [(&'a str, f64)];

fn one(loss: &AnyLoss, inputs: Inputs<'_>) -> Evaluation {
    let inputs = inputs.iter().map(|&(name, value)| (name.to_string(), tensor(&[value], &[1])));
    evaluate(loss, &inputs.collect(), Reduction::None)
}

/// The same token by logits of two classes, the first of which is the target.
fn of_logits(loss: &AnyLoss, log_prob: f64, inputs: Inputs<'_>) -> Evaluation {
    // ln p − ln(1 − p).
    let lead = log_prob - (-log_prob.exp()).ln_1p();
    let given = inputs.iter().map(|&(name, value)| (name.to_string(), tensor(&[value], &[1])));
    let given: Named<HostTensor> = given.collect();
    evaluate(
        loss,
        &given.with("logits", tensor(&[lead, 0.0], &[1, 2])).with("target", classes(&[0], &[1])),
        Reduction::None,
    )
}

fn of_log_prob(name: &str, settings: &[(&str, &str)], log_prob: f64, inputs: Inputs<'_>, [value, slope]: [f64; 2]) {
    let found = one(&loss(name, settings), &[inputs, &[("log_prob", log_prob)]].concat());
    let what = format!("{name} {settings:?}");
    // Inputs and parameters are f32.
    assert_close(found.loss[0], value, 3e-7 * value.abs().max(0.5), &what);
    assert_close(found.gradients[0].1[0], slope, 3e-7 * slope.abs().max(0.5), &what);
}

/// A token by its log-probability and by logits.
fn token(name: &str, settings: &[(&str, &str)], log_prob: f64, inputs: Inputs<'_>, [value, slope]: [f64; 2]) {
    of_log_prob(name, settings, log_prob, inputs, [value, slope]);
    let what = format!("{name} of logits {settings:?}");
    let found = of_logits(&loss(&format!("{name}_of_logits"), settings), log_prob, inputs);
    assert_close(found.loss[0], value, 1e-6 * value.abs().max(0.5), &what);
    let rest = -slope * log_prob.exp_m1();
    assert_all_close(&found.gradients[0].1, &[rest, -rest], 1e-6 * slope.abs().max(0.5), &what);
}

fn policy(old: f64, reference: f64, advantage: f64) -> [(&'static str, f64); 3] {
    [("old_log_prob", old), ("ref_log_prob", reference), ("advantage", advantage)]
}

#[test]
fn worked_values_of_clipped_tokens() {
    let kl = ("kl", "0.04");
    for (settings, log_prob, old, advantage, expected) in [
        (&[kl][..], -1.0, -1.1, 1.0, [-1.104421688, -1.0979201]),
        (&[kl], -1.0, -1.5, 1.0, [-1.199250770, 0.0072508]),
        (&[kl], -1.0, -1.5, -1.0, [1.649470501, 1.6559720]),
        (&[kl], -1.5, -1.0, -2.0, [1.601994352, -0.0139944]),
        (&[kl, ("delta", "4")], -1.0, -2.8, -1.0, [4.000749230, 0.0072508]),
    ] {
        token("policy_clip", settings, log_prob, &policy(old, -1.2, advantage), expected);
    }
}

#[test]
fn the_other_policies_are_what_their_formulas_say() {
    let ratio = 0.5_f64.exp();
    token("policy_cispo", &[], -1.0, &policy(-1.5, -1.2, 2.0), [2.0 * ratio, -2.0 * ratio]);
    token("policy_cispo", &[("eps_high", "1.25")], -1.0, &policy(-1.5, -1.2, 2.0), [2.5, -2.5]);
    for (advantage, tau) in [(2.0, 1.0), (-2.0, f64::from(1.05_f32))] {
        let gate = 1.0 / (1.0 + (-tau * (ratio - 1.0)).exp());
        let expected = [-4.0 / tau * gate * advantage, -4.0 * gate * (1.0 - gate) * ratio * advantage];
        token("policy_sapo", &[], -1.0, &policy(-1.5, -1.2, advantage), expected);
    }
    // The importance multiplies the surrogate, not the divergence.
    let weighed = [&policy(-1.0, -1.5, 2.0)[..], &[("importance", 0.25)]].concat();
    let apart = (-0.5_f64).exp() - 0.5;
    token("policy_clip", &[("kl", "1")], -1.0, &weighed, [-0.5 + apart, -0.5 - (-0.5_f64).exp_m1()]);
    // With the ratio e^½ it is e^½·(e^−½ − ½), whose slope is −ρ·r.
    let corrected = [("kl", "1"), ("kl_correction", "true")];
    token("policy_clip", &corrected, -1.0, &policy(-1.5, -1.5, 0.0), [1.0 - 0.5 * ratio, 0.5 * ratio]);
}

/// On a bound the ratio is free, as in PyTorch, where half of the gradient comes by either branch.
#[test]
fn a_ratio_on_its_bound_is_free() {
    for (settings, advantage) in [
        (&[("eps_high", "0")][..], 2.0),
        (&[("eps_low", "0")], -2.0),
        (&[("eps_low", "0"), ("eps_high", "0"), ("delta", "1")], -2.0),
    ] {
        of_log_prob("policy_clip", settings, -1.0, &policy(-1.0, -1.0, advantage), [-advantage, -advantage]);
    }
}

/// Without an old policy the ratio is 1 and has its gradient all the same; without a reference nothing diverges.
#[test]
fn a_policy_is_its_own_old_one_and_its_own_reference() {
    let alone: Inputs = &[("advantage", 2.0)];
    for settings in [&[("kl", "1")][..], &[("kl", "1"), ("kl_correction", "true")]] {
        token("policy_clip", settings, -1.0, alone, [-2.0, -2.0]);
        token("policy_cispo", settings, -1.0, alone, [2.0, -2.0]);
        token("policy_sapo", settings, -1.0, alone, [-4.0, -2.0]);
    }
}

/// An impossible token has no ratio, and infinitely little of what the reference has.
#[test]
fn impossible_tokens_have_limits() {
    let [plain, corrected] = [vec![("kl", "1")], vec![("kl", "1"), ("kl_correction", "true")]]
        .map(|settings| loss("policy_clip", &settings));
    let given = [&policy(-1.0, -1.5, 1.0)[..], &[("log_prob", f64::NEG_INFINITY)]].concat();
    let found = one(&plain, &given);
    assert_eq!((found.loss[0], found.gradients[0].1[0]), (f64::INFINITY, f64::NEG_INFINITY));
    // ρ·eʳ is the ratio of reference and old policy.
    let found = one(&corrected, &given);
    assert_close(found.loss[0], (-0.5_f64).exp(), 1e-12, "the limit");
    assert_eq!(found.gradients[0].1[0], 0.0);
}

#[test]
fn worked_values_of_log_probabilities() {
    let inputs = Named::new()
        .with("logits", tensor(&[1.0, 1.0, 3.0, 0.0, 9.0, 9.0, 200.0, 0.0], &[4, 2]))
        .with("target", classes(&[0, 1, -100, 0], &[4]));
    let found = evaluate(&loss("token_log_prob", &[]), &inputs, Reduction::None);
    let lse = (3_f64.exp() + 1.0).ln();
    assert_all_close(&found.loss, &[-LN_2, -lse, 0.0, -(-200_f64).exp()], 1e-12, "log p");
    let p = 3_f64.exp() / (3_f64.exp() + 1.0);
    let rest = (-200_f64).exp();
    assert_all_close(&found.gradients[0].1, &[0.5, -0.5, -p, p, 0.0, 0.0, rest, -rest], 1e-12, "its slopes");
    assert_eq!(found.items, 3);
}

#[test]
fn log_probabilities_above_0_are_out_of_range() {
    let policy_clip = loss("policy_clip", &[]);
    for bad in ["log_prob", "old_log_prob", "ref_log_prob"] {
        let value = |name: &str| if name == bad { [-1.0, 0.5, -1.0, 0.25] } else { [-1.0; 4] };
        let names = ["log_prob", "advantage", "old_log_prob", "ref_log_prob"];
        let inputs: Named<HostTensor> =
            names.into_iter().map(|name| (name.to_string(), tensor(&value(name), &[4]))).collect();
        let error = reference::evaluate(&policy_clip, &inputs, &Reduction::Sum.into()).unwrap_err();
        assert_eq!(out_of_range(&error), ("policy_clip", 2, 1));
        let Error::Target { offender: Some(offender), .. } = error else { panic!("{error}") };
        assert_eq!((offender.tensor, offender.value), (bad, 0.5));
    }
}

/// By log-probabilities, and by logits of two classes that give them.
fn told(
    name: &str,
    settings: &[(&str, &str)],
    tokens: &[[f64; 4]],
    others: &Named<HostTensor<'static>>,
) -> [Evaluation; 2] {
    let count = [tokens.len()];
    let column = |place: usize| tensor(&tokens.iter().map(|token| token[place]).collect::<Vec<_>>(), &count);
    let given =
        Named::new().with("old_log_prob", column(1)).with("ref_log_prob", column(2)).with("advantage", column(3));
    let given = others.iter().fold(given, |given, (name, host)| given.with(name, host.clone()));
    let logits: Vec<f64> = tokens.iter().flat_map(|&[x, ..]| [x - (-x.exp()).ln_1p(), 0.0]).collect();
    let logits = given
        .clone()
        .with("logits", tensor(&logits, &[tokens.len(), 2]))
        .with("target", classes(&vec![0; tokens.len()], &count));
    let statistics = Statistics { clipped: name != "policy_sapo", kl: true, ..Statistics::default() };
    let options = Options { statistics, ..Options::new(Reduction::Mean) };
    [
        evaluate(&loss(name, settings), &given.with("log_prob", column(0)), options),
        evaluate(&loss(&format!("{name}_of_logits"), settings), &logits, options),
    ]
}

/// Tokens with the ratios e^½, e^−½ and 1, and NaN for an advantage.
const TOLD: [[f64; 4]; 8] = [
    [-1.0, -1.5, -1.0, 1.0],
    [-1.0, -1.5, -1.5, -1.0],
    [-1.0, -0.5, -0.25, -1.0],
    [-1.0, -0.5, -3.0, 1.0],
    [-1.0, -1.5, -1.0, 0.0],
    [-1.0, -1.0, -1.0, 1.0],
    [-1.0, -1.5, -1.5, f64::NAN],
    [-1.0, -1.5, -1.5, 1.0],
];

#[test]
fn the_clip_binds_beyond_the_bound_that_the_advantage_has() {
    let kept = tensor(&[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0], &[8]);
    let others = Named::new().with("mask", kept);
    let nan = f64::NAN;
    for (name, settings, expected) in [
        ("policy_clip", &[][..], [1.0, 0.0, 1.0, 0.0, 0.0, 0.0, nan, 0.0]),
        ("policy_clip", &[("delta", "1.5")], [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, nan, 0.0]),
        ("policy_clip", &[("eps_low", "0.5")], [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, nan, 0.0]),
        ("policy_clip", &[("eps_high", "0.75")], [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, nan, 0.0]),
        ("policy_cispo", &[], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, nan, 0.0]),
        ("policy_cispo", &[("eps_high", "1.5")], [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, nan, 0.0]),
        ("policy_cispo", &[("eps_high", "0.5")], [1.0, 0.0, 0.0, 1.0, 0.0, 1.0, nan, 0.0]),
    ] {
        for found in told(name, settings, &TOLD, &others) {
            assert_all_close(&found.clipped, &expected, 0.0, &format!("{name} {settings:?}"));
            assert!(found.clip_margins.iter().all(|&margin| margin > 1e-3), "{name}: {:?}", found.clip_margins);
        }
    }
}

/// exp(r) − 1 − r, whatever the loss has of it.
#[test]
fn the_divergence_is_told_whatever_its_weight() {
    let of = |r: f64| r.exp() - 1.0 - r;
    let expected = [0.0, of(-0.5), of(0.75), of(-2.0), 0.0, 0.0, f64::NAN, of(-0.5)];
    let none = Named::new();
    for settings in [&[][..], &[("kl", "2")], &[("kl", "2"), ("kl_correction", "true")]] {
        for name in ["policy_clip", "policy_cispo", "policy_sapo"] {
            for found in told(name, settings, &TOLD, &none) {
                assert_all_close(&found.kl, &expected, 2e-7, &format!("{name} {settings:?}"));
            }
        }
    }
}

/// A token that the policy finds impossible, and of which the old one says nothing.
#[test]
fn a_corrected_divergence_without_an_old_policy_is_infinite_where_the_plain_one_is() {
    for settings in [&[("kl", "1")][..], &[("kl", "1"), ("kl_correction", "true")]] {
        let inputs = Named::new()
            .with("log_prob", tensor(&[f64::NEG_INFINITY], &[1]))
            .with("ref_log_prob", tensor(&[-1.0], &[1]))
            .with("advantage", tensor(&[1.0], &[1]));
        let found = evaluate(&loss("policy_clip", settings), &inputs, Reduction::Sum);
        assert_eq!(found.loss, [f64::INFINITY]);
        assert_eq!(found.gradients[0].1, [f64::NEG_INFINITY]);
    }
}

/// Of a policy that is its own old one and its own reference, and of tokens that both find impossible.
#[test]
fn what_is_not_known_of_a_token_is_nan_and_what_is_left_out_is_nothing() {
    let statistics = Statistics { clipped: true, kl: true, ..Statistics::default() };
    let options = Options { statistics, ..Options::new(Reduction::None) };
    let policy_clip = loss("policy_clip", &[("eps_high", "0")]);
    let alone = Named::new().with("log_prob", tensor(&[-1.0], &[1])).with("advantage", tensor(&[1.0], &[1]));
    let found = evaluate(&policy_clip, &alone, options);
    assert_eq!((found.clipped, found.kl), (vec![0.0], vec![0.0]));
    let infinite = tensor(&[f64::NEG_INFINITY, f64::NEG_INFINITY, -1.0], &[3]);
    let inputs = Named::new()
        .with("log_prob", tensor(&[f64::NEG_INFINITY, -1.0, f64::NEG_INFINITY], &[3]))
        .with("old_log_prob", infinite.clone())
        .with("ref_log_prob", infinite)
        .with("advantage", tensor(&[1.0, 1.0, -1.0], &[3]));
    let found = evaluate(&policy_clip, &inputs, options);
    assert_all_close(&found.clipped, &[f64::NAN, 1.0, 1.0], 0.0, "clipped");
    assert_all_close(&found.kl, &[f64::NAN, f64::INFINITY, f64::INFINITY], 0.0, "kl");
}

#[test]
fn answers_are_clipped_by_the_ratio_of_all_their_tokens() {
    let inputs = Named::new()
        .with("log_prob", tensor(&[-1.0, -0.5, -2.0, -2.0, -1.0], &[5]))
        .with("old_log_prob", tensor(&[-1.5, -1.0, -2.0, -1.5, -1.125], &[5]))
        .with("advantage", tensor(&[1.0, -1.0, 1.0, 1.0, f64::NAN], &[5]))
        .with("offsets", classes(&[0, 2, 4, 5, 5, 5], &[6]));
    let statistics = Statistics { clipped: true, ..Statistics::default() };
    let options = Options { statistics, ..Options::new(Reduction::Mean) };
    for (ratio, expected) in [("mean", [1.0, 1.0, 0.0, 0.0, f64::NAN]), ("sum", [1.0, 1.0, 0.0, 0.0, f64::NAN])] {
        let found = evaluate(&loss("policy_sequence", &[("ratio", ratio)]), &inputs, options);
        assert_all_close(&found.clipped, &expected, 0.0, ratio);
    }
}
