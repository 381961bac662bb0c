//! Policies and the log-probabilities of tokens, on every adapter.

use wgloss::{
    AnyLoss, DType, Error, Gradients, HostTensor, Loss, Named, Options, PolicyClip, PolicyClipOfLogits, Reduction,
    TokenLogProb, losses, reference, spec::Driver,
};

use crate::common::{
    adapters,
    agreement::{assert_agree, is_beyond_bindings, out_of_range},
    inputs::{changed, tensor},
};

fn floats(values: &[f64], shape: &[usize]) -> HostTensor<'static> {
    tensor(values, DType::F32, shape)
}

fn indices(values: &[f64], shape: &[usize]) -> HostTensor<'static> {
    tensor(values, DType::I32, shape)
}

/// Tokens with logits of `[samples, classes, places]`, and what another policy makes of them.
fn tokens(samples: usize, classes: usize, places: usize) -> Named<HostTensor<'static>> {
    let items = samples * places;
    let logits: Vec<f64> = (0..items * classes).map(|i| ((i * 37 + i / 7) % 23) as f64 / 4.0 - 2.5).collect();
    let (shape, of_items) = match places {
        1 => (vec![samples, classes], vec![samples]),
        _ => (vec![samples, classes, places], vec![samples, places]),
    };
    let each = |value: &dyn Fn(usize) -> f64| (0..items).map(value).collect::<Vec<f64>>();
    let target = each(&|item| if item % 7 == 3 { -100.0 } else { (item * 5 % classes) as f64 });
    Named::new()
        .with("logits", floats(&logits, &shape))
        .with("target", indices(&target, &of_items))
        .with("advantage", floats(&each(&|item| (item % 5) as f64 - 1.75), &of_items))
        .with("old_log_prob", floats(&each(&|item| -0.25 - (item % 9) as f64 / 2.0), &of_items))
        .with("ref_log_prob", floats(&each(&|item| -0.5 - (item % 8) as f64 / 2.0), &of_items))
}

/// Each row finds its own values, however rows are shared out and wherever their classes lie.
#[test]
fn each_row_gets_its_own_values() {
    let named = losses::ALL.iter().filter(|spec| spec.name.starts_with("policy_") && spec.name.ends_with("_of_logits"));
    for spec in named.filter(|spec| matches!(spec.driver, Driver::Rows(_))) {
        let loss = AnyLoss::new(spec.name, &[("kl", "0.25"), ("kl_correction", "true")]).unwrap();
        for (samples, classes, places) in [(33, 5, 1), (3, 7, 11), (2, 900, 1), (2, 900, 3), (257, 3, 1)] {
            let inputs = tokens(samples, classes, places);
            for reduction in [Reduction::None, Reduction::Mean] {
                let expected = reference::evaluate(&loss, &inputs, &reduction.into()).unwrap();
                for gpu in adapters::all() {
                    if is_beyond_bindings(gpu, &loss, &inputs, reduction) {
                        continue;
                    }
                    let found = loss.eval_with(gpu, &inputs, reduction).unwrap();
                    assert_agree(&expected, &found, &format!("{loss} of {samples}×{classes}×{places} on {gpu:?}"));
                }
            }
        }
    }
}

/// The two forms of a policy are one loss: of the log-probabilities that `token_log_prob` gives, and with their
/// gradient as its upstream.
#[test]
fn a_policy_of_logits_is_that_of_their_log_probabilities() {
    let inputs = tokens(33, 5, 1);
    let only = |names: &[&str]| -> Named<HostTensor<'static>> {
        inputs
            .iter()
            .filter(|(name, _)| names.contains(name))
            .map(|(name, host)| (name.to_string(), host.clone()))
            .collect()
    };
    let parameters = PolicyClip { kl: 0.25, delta: 2.0, ..PolicyClip::default() };
    let PolicyClip { eps_low, eps_high, delta, kl, kl_correction } = parameters;
    let joined = PolicyClipOfLogits { eps_low, eps_high, delta, kl, kl_correction, ..PolicyClipOfLogits::default() };
    for gpu in adapters::all() {
        let whole = joined.eval_with(gpu, &inputs, Reduction::None).unwrap();
        let log_probs = TokenLogProb::default().eval_with(gpu, &only(&["logits", "target"]), Reduction::None).unwrap();
        let given = only(&["advantage", "old_log_prob", "ref_log_prob"]);
        let apart = parameters.eval_with(gpu, &given.with("log_prob", log_probs.loss), Reduction::None).unwrap();
        let upstream = apart.gradients.get("log_prob").unwrap().clone();
        let of_tokens = only(&["logits", "target"]).with("upstream", upstream);
        let apart_gradients = TokenLogProb::default().eval_with(gpu, &of_tokens, Reduction::None).unwrap();
        let targets = inputs.get("target").unwrap().to_f64();
        let losses = whole.loss.to_f64().into_iter().zip(apart.loss.to_f64()).zip(targets);
        for ((found, expected), target) in losses {
            let expected = if target < 0.0 { 0.0 } else { expected };
            approx::assert_relative_eq!(found, expected, epsilon = 1e-6, max_relative = 2e-6);
        }
        let [whole, apart] = [&whole, &apart_gradients].map(|found| found.gradients.get("logits").unwrap().to_f64());
        for (found, expected) in whole.iter().zip(&apart) {
            approx::assert_abs_diff_eq!(found, expected, epsilon = 1e-5);
        }
    }
}

/// exp(r) − 1 − r is r²/2 of policies that hardly differ, and keeps its digits.
#[test]
fn policies_that_nearly_agree_have_an_exact_divergence() {
    let loss = PolicyClip { kl: 1.0, ..PolicyClip::default() };
    for exponent in [2, 6, 10, 13] {
        let lead = 2f64.powi(-exponent);
        let inputs = Named::new()
            .with("log_prob", floats(&[-0.5, -0.5 - lead], &[2]))
            .with("ref_log_prob", floats(&[-0.5 - lead, -0.5], &[2]))
            .with("advantage", floats(&[0.0, 0.0], &[2]));
        for gpu in adapters::all() {
            let found = loss.eval_with(gpu, &inputs, Reduction::None).unwrap();
            let slopes = found.gradients.get("log_prob").unwrap().to_f64();
            for (place, r) in [-lead, lead].into_iter().enumerate() {
                let exact = 2.0 * (0.5 * r).sinh().powi(2) + (r.sinh() - r);
                approx::assert_relative_eq!(found.loss.to_f64()[place], exact, max_relative = 1e-6);
                approx::assert_relative_eq!(slopes[place], -r.exp_m1(), max_relative = 1e-6);
            }
        }
    }
}

/// What overflows shows, and pulls no class whose probability is 0.
#[test]
fn ratios_beyond_f32_are_infinite() {
    let inputs = |advantage: f64| {
        Named::new()
            .with("logits", floats(&[0.0, -300.0, 0.0], &[1, 3]))
            .with("target", indices(&[0.0], &[1]))
            .with("advantage", floats(&[advantage], &[1]))
            .with("old_log_prob", floats(&[-200.0], &[1]))
    };
    for gpu in adapters::all() {
        let found = PolicyClipOfLogits::default().eval_with(gpu, &inputs(-1.0), Reduction::Sum).unwrap();
        assert_eq!(found.loss.item(), f64::INFINITY);
        let expected = [f64::INFINITY, 0.0, f64::NEG_INFINITY];
        assert_eq!(found.gradients.get("logits").unwrap().to_f64(), expected, "{gpu:?}");
        // A better token than expected is clipped.
        let found = PolicyClipOfLogits::default().eval_with(gpu, &inputs(1.0), Reduction::Sum).unwrap();
        approx::assert_relative_eq!(found.loss.item(), -1.2, max_relative = 1e-6);
        assert_eq!(found.gradients.get("logits").unwrap().to_f64(), [0.0; 3], "{gpu:?}");
    }
}

/// Values of a row that a loss may not have leave the row out and are told, unless the row is not looked at.
#[test]
fn log_probabilities_of_other_policies_are_checked() {
    let mut inputs = tokens(8, 5, 1);
    for (name, item, value) in [("old_log_prob", 5, 0.5), ("ref_log_prob", 2, 2.0), ("old_log_prob", 3, 7.0)] {
        inputs = changed(&inputs, name, &[(item, value)]);
    }
    for ignore_index in [-100, -1] {
        let inputs = changed(&inputs, "target", &[(3, f64::from(ignore_index))]);
        let loss = PolicyClipOfLogits { ignore_index, ..PolicyClipOfLogits::default() };
        for gpu in adapters::all() {
            // Row 3 is ignored.
            let error = loss.eval_with(gpu, &inputs, Reduction::Mean).unwrap_err();
            assert_eq!(out_of_range(&error), ("policy_clip_of_logits", 2, 2), "{gpu:?}");
            let Error::Target { offender: Some(offender), rule, .. } = &error else { panic!("{error}") };
            assert_eq!((offender.tensor, offender.value), ("ref_log_prob", 2.0));
            assert!(rule.contains("at most 0"), "{rule}");
        }
    }
}

#[test]
fn ill_shaped_values_of_rows_are_refused_by_name() {
    let gpu = &adapters::all()[0];
    let all = tokens(8, 5, 1);
    let without = all.iter().filter(|(name, _)| *name != "advantage");
    let without: Named<HostTensor> = without.map(|(name, host)| (name.to_string(), host.clone())).collect();
    let inputs = without.clone().with("advantage", floats(&[1.0; 5], &[5]));
    let options = Options { gradients: Gradients::Skip, ..Options::new(Reduction::Mean) };
    let error = PolicyClipOfLogits::default().eval_with(gpu, &inputs, options).unwrap_err();
    assert!(matches!(error, Error::Shape { tensor: "advantage", .. }), "{error}");
    let error = PolicyClipOfLogits::default().eval_with(gpu, &without, options).unwrap_err();
    assert!(matches!(error, Error::MissingTensor { .. }), "{error}");
}
