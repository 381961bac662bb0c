//! Policies and the log-probabilities of tokens, on every adapter.

use wgloss::{
    AnyLoss, DType, Error, Gradients, HostTensor, LinearPolicyClip, Loss, Named, Options, PolicyCispo, PolicyClip,
    PolicyClipOfLogits, PolicySapo, Reduction, Statistics, TokenLogProb, losses, parity, reference, spec::Driver,
};

use crate::common::{
    adapters,
    agreement::{assert_agree, evaluated, is_beyond_bindings, out_of_range},
    effort,
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
        let shapes = [(33, 5, 1), (3, 7, 11), (2, 900, 1), (2, 900, 3), (257, 3, 1)];
        for (turn, (samples, classes, places)) in shapes.into_iter().enumerate() {
            let inputs = tokens(samples, classes, places);
            for reduction in [Reduction::None, Reduction::Mean] {
                let expected = reference::evaluate(&loss, &inputs, &reduction.into()).unwrap();
                for gpu in effort::adapters(turn) {
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

/// The divergence times the ratio overflows to infinity, of finite values and of tokens that are impossible.
#[test]
fn a_corrected_divergence_beyond_f32_is_infinite() {
    let loss = PolicyClip { kl: 0.1, kl_correction: true, ..PolicyClip::default() };
    let by = |log_prob: f64, old: Option<f64>| {
        let inputs = Named::new()
            .with("log_prob", floats(&[log_prob], &[1]))
            .with("ref_log_prob", floats(&[-1.0], &[1]))
            .with("advantage", floats(&[1.0], &[1]));
        match old {
            Some(old) => inputs.with("old_log_prob", floats(&[old], &[1])),
            None => inputs,
        }
    };
    for gpu in adapters::all() {
        for inputs in [by(-5.0, Some(-100.0)), by(f64::NEG_INFINITY, None)] {
            let found = loss.eval_with(gpu, &inputs, Reduction::Sum).unwrap();
            assert_eq!(found.loss.item(), f64::INFINITY, "{gpu:?}");
            assert_eq!(found.gradients.get("log_prob").unwrap().to_f64(), [f64::NEG_INFINITY], "{gpu:?}");
        }
        // What is left of the product where the ratio is 0.
        let found = loss.eval_with(gpu, &by(f64::NEG_INFINITY, Some(-2.0)), Reduction::Sum).unwrap();
        approx::assert_relative_eq!(found.loss.item(), 0.1 * 1_f64.exp(), max_relative = 1e-6);
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
    let gpu = &adapters::every()[0];
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

const CLIPPED_AND_KL: Statistics = Statistics { clipped: true, kl: true, ..Options::new(Reduction::None).statistics };

/// The tokens by their log-probabilities.
fn by_log_probs(count: usize) -> Named<HostTensor<'static>> {
    let mut inputs = Named::new().with("log_prob", floats(&vec![-1.0; count], &[count]));
    for (name, host) in tokens(count, 5, 1).iter().filter(|(name, _)| !["logits", "target"].contains(name)) {
        inputs = inputs.with(name, host.clone());
    }
    inputs
}

/// The clip and the divergence of each token, of whole quads and what is left of them, in any storage type, and of
/// advantages that serve several tokens.
#[test]
fn tokens_tell_their_clip_and_their_divergence() {
    for (turn, count) in [1, 3, 64, 257, 20_011].into_iter().enumerate() {
        let dtype = DType::FLOATS[turn % 3];
        let inputs: Named<HostTensor<'static>> = by_log_probs(count)
            .iter()
            .map(|(name, host)| (name.to_string(), tensor(&host.to_f64(), dtype, &[count])))
            .collect();
        let kept: Vec<f64> = (0..count).map(|token| f64::from(u8::from(token % 6 != 4))).collect();
        let masked = inputs.clone().with("mask", floats(&kept, &[count]));
        for gpu in effort::adapters(turn) {
            for (inputs, reduction) in [(&inputs, Reduction::None), (&masked, Reduction::Mean)] {
                let options = Options { statistics: CLIPPED_AND_KL, ..Options::new(reduction) };
                if is_beyond_bindings(gpu, &PolicyClip::default(), inputs, options) {
                    continue;
                }
                evaluated(gpu, &PolicyClip { delta: 1.5, ..PolicyClip::default() }, inputs, options);
                evaluated(gpu, &PolicyCispo { eps_high: 1.25, ..PolicyCispo::default() }, inputs, options);
                let kl = Statistics { clipped: false, ..CLIPPED_AND_KL };
                evaluated(gpu, &PolicySapo::default(), inputs, Options { statistics: kl, ..options });
            }
        }
    }
    let inputs = Named::new()
        .with("log_prob", floats(&[-1.0, -0.5, -1.5, -1.0, -0.5, -1.5], &[2, 3]))
        .with("old_log_prob", floats(&[-1.0; 3], &[3]))
        .with("advantage", floats(&[1.0, -1.0], &[2, 1]));
    let options = Options { statistics: CLIPPED_AND_KL, ..Options::new(Reduction::Mean) };
    for gpu in adapters::all() {
        let found = evaluated(gpu, &PolicyClip::default(), &inputs, options);
        assert_eq!(found.clipped().unwrap().to_vec::<f32>(), Ok(vec![0.0, 1.0, 0.0, 0.0, 0.0, 1.0]), "{gpu:?}");
        assert_eq!(found.clipped().unwrap().shape(), [2, 3]);
        assert_eq!((found.clip_fraction(), found.mean_kl()), (Some(1.0 / 3.0), Some(0.0)));
    }
}

/// However rows are shared out, and of a head's logits too; what does not count is 0.
#[test]
fn rows_tell_the_clip_and_the_divergence_of_their_targets() {
    let loss = PolicyClipOfLogits { delta: 1.5, ..PolicyClipOfLogits::default() };
    for (turn, (samples, classes, places)) in
        [(33, 5, 1), (3, 7, 11), (2, 900, 1), (2, 900, 3), (257, 3, 1)].into_iter().enumerate()
    {
        let inputs = tokens(samples, classes, places);
        let statistics = Statistics { clipped: true, kl: turn % 2 == 0, ..Statistics::default() };
        let options = Options { statistics, ..Options::new(Reduction::Mean) };
        for gpu in adapters::all().iter().filter(|gpu| !is_beyond_bindings(gpu, &loss, &inputs, options)) {
            let found = evaluated(gpu, &loss, &inputs, options);
            let targets = inputs.get("target").unwrap();
            let clipped = found.clipped().unwrap();
            assert_eq!(clipped.shape(), targets.shape());
            let mut ignored = targets.to_f64().into_iter().zip(clipped.to_f64()).filter(|(target, _)| *target < 0.0);
            assert!(ignored.all(|(_, clipped)| clipped == 0.0), "{gpu:?}");
            let fraction = found.clip_fraction().unwrap();
            let sum: f64 = clipped.to_f64().iter().sum();
            assert!(fraction > 0.0 && fraction == sum / found.items as f64, "{gpu:?}: {fraction}");
            assert_eq!(found.mean_kl().is_some(), statistics.kl);
        }
    }
    let of_items = tokens(83, 5, 1);
    let given = of_items.iter().filter(|(name, _)| *name != "logits");
    let given = given.map(|(name, host)| (name.to_string(), host.clone())).collect::<Named<HostTensor<'static>>>();
    let hidden: Vec<f64> = (0..83 * 6).map(|i| (i * 29 % 17) as f64 / 8.0 - 1.0).collect();
    let weight: Vec<f64> = (0..13 * 6).map(|i| (i * 31 % 19) as f64 / 16.0 - 0.5).collect();
    let inputs = given.with("hidden", floats(&hidden, &[83, 6])).with("weight", floats(&weight, &[13, 6]));
    let linear = LinearPolicyClip::default();
    for panel_bytes in [0, 16 * 13 * 4] {
        let options = Options { panel_bytes, statistics: CLIPPED_AND_KL, ..Options::new(Reduction::Mean) };
        for gpu in adapters::all().iter().filter(|gpu| !is_beyond_bindings(gpu, &linear, &inputs, options)) {
            let found = evaluated(gpu, &linear, &inputs, options);
            assert!(found.clip_fraction().unwrap() > 0.0 && found.mean_kl().unwrap() > 0.0);
        }
    }
}

/// NaN shows in its own token alone, and of two infinities nothing is known.
#[test]
fn nan_shows_in_what_is_told_of_its_token() {
    let nan = f64::NAN;
    let inputs = changed(&by_log_probs(9), "advantage", &[(2, nan)]);
    let inputs = changed(&inputs, "ref_log_prob", &[(4, nan), (6, f64::NEG_INFINITY)]);
    let inputs = changed(&inputs, "log_prob", &[(5, nan), (7, f64::NEG_INFINITY)]);
    let inputs = changed(&inputs, "old_log_prob", &[(7, f64::NEG_INFINITY)]);
    let of_rows = changed(&tokens(9, 5, 1), "advantage", &[(2, nan)]);
    let of_rows = changed(&of_rows, "logits", &[(5 * 5 + 1, nan), (6 * 5 + 2, f64::INFINITY)]);
    let of_rows = changed(&of_rows, "ref_log_prob", &[(4, nan)]);
    let options = Options { statistics: CLIPPED_AND_KL, ..Options::new(Reduction::None) };
    for gpu in adapters::all() {
        let found = evaluated(gpu, &PolicyClip::default(), &inputs, options);
        let is_nan = |host: &HostTensor<'_>| -> Vec<usize> {
            host.to_f64().iter().enumerate().filter(|(_, x)| x.is_nan()).map(|(place, _)| place).collect()
        };
        assert_eq!(is_nan(found.clipped().unwrap()), [2, 4, 5, 7], "{gpu:?}");
        assert_eq!(is_nan(found.kl().unwrap()), [2, 4, 5], "{gpu:?}");
        assert_eq!([6, 7].map(|token| found.kl().unwrap().to_f64()[token]), [f64::INFINITY; 2], "{gpu:?}");
        assert!(found.clip_fraction().unwrap().is_nan() && found.mean_kl().unwrap().is_nan());
        if is_beyond_bindings(gpu, &PolicyClipOfLogits::default(), &of_rows, options) {
            continue;
        }
        let found = evaluated(gpu, &PolicyClipOfLogits::default(), &of_rows, options);
        for told in [found.clipped(), found.kl()] {
            assert_eq!(is_nan(told.unwrap()), [2, 4, 5, 6], "{gpu:?}");
        }
    }
}

/// Rounding of the ratio may put a token on either side of its bound, and nothing else is forgiven.
#[test]
fn a_clip_that_rounding_decides_is_in_doubt() {
    let options = Options { statistics: CLIPPED_AND_KL, ..Options::new(Reduction::None) };
    let gpu = &adapters::every()[0];
    let at_bound = -1.0 - f64::from(0.2_f32).ln_1p();
    let inputs = Named::new()
        .with("log_prob", floats(&[-1.0; 3], &[3]))
        .with("old_log_prob", floats(&[at_bound, at_bound - 1e-4, at_bound + 1e-4], &[3]))
        .with("advantage", floats(&[1.0; 3], &[3]));
    let expected = reference::evaluate(&PolicyClip::default(), &inputs, &options).unwrap();
    let found = PolicyClip::default().eval_with(gpu, &inputs, options).unwrap();
    let clipped = found.clipped().unwrap().to_f64();
    for (token, is_in_doubt) in [(0, true), (1, false), (2, false)] {
        let (mut other, mut changed) = (found.clone(), clipped.clone());
        changed[token] = 1.0 - changed[token];
        other.statistics = Named::new().with("clipped", floats(&changed, &[3])).with("kl", found.kl().unwrap().clone());
        let failures = parity::compare(&expected, &other).failures;
        assert_eq!(failures.is_empty(), is_in_doubt, "{failures:?}");
    }
    assert!(parity::compare(&expected, &found).failures.is_empty());
}
