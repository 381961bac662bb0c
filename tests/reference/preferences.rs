//! Policies and preferences: worked values, and what is finite where a step of the formula is not.

use wgloss::{AnyLoss, Reduction, reference::Evaluation};

use super::{assert_all_close, assert_close, evaluate, loss, tensor};

fn one(loss: &AnyLoss, inputs: &[(&str, f64)]) -> Evaluation {
    let inputs = inputs.iter().map(|&(name, value)| (name.to_string(), tensor(&[value], &[1])));
    evaluate(loss, &inputs.collect(), Reduction::None)
}

/// The loss and its gradients, behind each other.
fn assert_one(name: &str, settings: &[(&str, &str)], inputs: &[(&str, f64)], expected: &[f64]) {
    let result = one(&loss(name, settings), inputs);
    let what = format!("{name} {settings:?}");
    // Parameters and inputs are f32, and gradients are given with seven digits behind the point.
    assert_close(result.loss[0], expected[0], 3e-7 * expected[0].abs().max(0.05), &what);
    let gradients: Vec<f64> = result.gradients.iter().map(|(_, gradient)| gradient[0]).collect();
    let largest = gradients.iter().fold(0.5_f64, |largest, gradient| largest.max(gradient.abs()));
    assert_all_close(&gradients, &expected[1..], 3e-7 * largest, &what);
}

const PAIR: &[(&str, f64)] = &[("chosen", -10.0), ("rejected", -12.0), ("ref_chosen", -11.0), ("ref_rejected", -11.5)];

#[test]
fn worked_values_of_preferences() {
    let lengths = [PAIR, &[("chosen_length", 5.0), ("rejected_length", 8.0)]].concat();
    for (form, smoothing, expected) in [
        ("sigmoid", "0", [0.620957048, -0.0462570, 0.0462570]),
        ("sigmoid", "0.1", [0.635957048, -0.0362570, 0.0362570]),
        ("hinge", "0", [0.85, -0.1, 0.1]),
        ("exo", "0.1", [0.431388457, -0.0508938, 0.0508938]),
        ("nca", "0", [1.350824814, -0.0212531, 0.0243751]),
        ("robust", "0.1", [0.602207048, -0.0587570, 0.0587570]),
        ("bco", "0", [1.312856308, -0.0475021, 0.0487503]),
        ("sppo", "0", [36.25, -8.0, 9.0]),
        ("apo_zero", "0", [0.962523416, -0.0249376, 0.0249844]),
        ("apo_down", "0", [0.987549342, 0.0000777, 0.0248599]),
        ("discopop", "0", [0.849337579, -0.0625203, 0.0625203]),
    ] {
        assert_one("preference", &[("form", form), ("label_smoothing", smoothing)], PAIR, &expected);
    }
    assert_one("preference", &[("form", "ipo")], &lengths, &[22.443906250, -1.8950, 1.184375]);
    assert_one("preference", &[("form", "sigmoid_norm")], &lengths, &[0.680108311, -0.0098688, 0.0061680]);
}

#[test]
fn worked_values_of_the_others() {
    let means: &[(&str, f64)] = &[("chosen", -0.8), ("rejected", -1.4)];
    assert_one("orpo", &[], means, &[0.033728105, -0.0519896, 0.0379998]);
    assert_one("simpo", &[("beta", "2")], means, &[0.403186049, -0.6636245, 0.6636245]);
    let answer = |desirable| [("log_prob", -10.0), ("ref_log_prob", -11.0), ("desirable", desirable), ("kl", 0.3)];
    assert_one("kto", &[], &answer(1.0), &[0.482507142, -0.0249694]);
    assert_one("kto", &[], &answer(0.0), &[0.517492858, 0.0249694]);
    let rewards: &[(&str, f64)] = &[("chosen", 0.5), ("rejected", -0.25), ("margin", 0.2)];
    assert_one("reward_pair", &[("center", "0.01")], rewards, &[0.456117481, -0.3608644, 0.3708644]);
    let value = |returns| [("value", 1.0), ("old_value", 0.5), ("returns", returns)];
    assert_one("ppo_value", &[], &value(1.2), &[0.125, 0.0]);
    assert_one("ppo_value", &[], &value(0.2), &[0.32, 0.8]);
}

/// A margin that is left out is 0, not 1 as a weight.
#[test]
fn a_margin_may_be_left_out() {
    let rewards: &[(&str, f64)] = &[("chosen", 0.5), ("rejected", 0.5)];
    assert_one("reward_pair", &[], rewards, &[2.0_f64.ln(), -0.5, 0.5]);
}

/// An answer without tokens counts as one of one.
#[test]
fn an_empty_answer_has_a_length_of_one() {
    let ipo = loss("preference", &[("form", "ipo")]);
    let empty = [PAIR, &[("chosen_length", 0.0), ("rejected_length", 8.0)]].concat();
    let short = [PAIR, &[("chosen_length", 1.0), ("rejected_length", 8.0)]].concat();
    assert_eq!(one(&ipo, &empty), one(&ipo, &short));
}

/// `discopop` has exp(−X) times what vanishes faster, and `orpo` divides by what an answer leaves of 1.
#[test]
fn what_is_finite_stays_so() {
    let wrong: &[(&str, f64)] =
        &[("chosen", -9000.0), ("rejected", -10.0), ("ref_chosen", -10.0), ("ref_rejected", -10.0)];
    let discopop = one(&loss("preference", &[("form", "discopop")]), wrong);
    assert_close(discopop.loss[0], 899.0, 1e-4, "discopop");
    let sure: &[(&str, f64)] = &[("chosen", 0.0), ("rejected", -1.4)];
    let orpo = one(&loss("orpo", &[]), sure);
    assert_eq!(orpo.loss, [0.0]);
    // β·eˡ/(1 − eˡ), the odds of the other.
    let odds = 0.1 * (-1.4_f64).exp() / -(-1.4_f64).exp_m1();
    assert_close(orpo.gradients[0].1[0], -odds, 1e-8, "chosen");
    assert_eq!(orpo.gradients[1].1, [0.0]);
    let unlikely: &[(&str, f64)] = &[("chosen", -9000.0), ("rejected", -1e-6)];
    let orpo = one(&loss("orpo", &[]), unlikely);
    assert!(orpo.loss[0] > 900.0 && orpo.gradients.iter().all(|(_, gradient)| gradient[0].is_finite()), "{orpo:?}");
}
