//! Losses of sequences of tokens, on every adapter.

use wgloss::{
    AnyLoss, CpoOfLogits, DType, Error, Gradients, HostTensor, KtoOfLogits, Loss, Named, Options, PolicySequence,
    Preference, PreferenceForm, PreferenceOfLogits, Reduction, Statistics, TokenLogProb, reference,
};

use crate::common::{
    adapters,
    agreement::{assert_agree, is_beyond_bindings, out_of_range},
    inputs::{Inputs, changed, tensor},
};

fn floats(values: &[f64], shape: &[usize]) -> HostTensor<'static> {
    tensor(values, DType::F32, shape)
}

fn indices(values: &[usize]) -> HostTensor<'static> {
    tensor(&values.iter().map(|&x| x as f64).collect::<Vec<_>>(), DType::I32, &[values.len()])
}

fn log_probs(count: usize, step: usize) -> HostTensor<'static> {
    floats(&(0..count).map(|i| -0.125 - (i * step % 17) as f64 / 16.0).collect::<Vec<_>>(), &[count])
}

/// Answers that end at these tokens, by their log-probabilities.
fn answers(offsets: &[usize]) -> Inputs {
    let tokens = *offsets.last().unwrap();
    let advantage: Vec<f64> = (1..offsets.len()).map(|answer| (answer % 5) as f64 - 1.5).collect();
    Named::new()
        .with("log_prob", log_probs(tokens, 5))
        .with("old_log_prob", log_probs(tokens, 3))
        .with("advantage", floats(&advantage, &[advantage.len()]))
        .with("offsets", indices(offsets))
}

/// The same by logits of five classes, for a loss of pairs.
fn pairs(offsets: &[usize]) -> Inputs {
    let tokens = *offsets.last().unwrap();
    let logits: Vec<f64> = (0..tokens * 5).map(|i| ((i * 37 + i / 7) % 23) as f64 / 4.0 - 2.5).collect();
    let target: Vec<usize> = (0..tokens).map(|token| token * 3 % 5).collect();
    let logits = floats(&logits, &[tokens, 5]);
    Named::new().with("logits", logits).with("target", indices(&target)).with("offsets", indices(offsets))
}

#[test]
fn answers_of_every_length_agree_with_the_reference() {
    let long: Vec<usize> = vec![0, 3, 3, 20_011, 20_011, 20_012, 20_400];
    let many: Vec<usize> = (0..=700).map(|answer| answer * answer / 300).collect();
    for (turn, offsets) in [vec![0, 1], vec![0, 0, 1], long, many].iter().enumerate() {
        let ratio = ["mean", "sum"][turn % 2];
        let loss = AnyLoss::new("policy_sequence", &[("ratio", ratio)]).unwrap();
        let tokens = *offsets.last().unwrap();
        let mask: Vec<f64> = (0..tokens).map(|token| f64::from(u8::from(token % 7 != 2))).collect();
        let inputs = answers(offsets).with("token_mask", floats(&mask, &[tokens]));
        let statistics = Statistics { clipped: true, ..Statistics::default() };
        for reduction in [Reduction::None, Reduction::Mean] {
            let options = Options { statistics, ..Options::new(reduction) };
            let expected = reference::evaluate(&loss, &inputs, &options).unwrap();
            for gpu in adapters::all() {
                let found = loss.eval_with(gpu, &inputs, options).unwrap();
                assert_agree(&expected, &found, &format!("{ratio} of {} answers on {gpu:?}", offsets.len() - 1));
                assert_eq!(found.clipped().unwrap().shape(), [offsets.len() - 1]);
            }
        }
    }
}

/// What `token_log_prob` gives is summed, goes through the loss of pairs, and comes back as its upstream.
#[test]
fn a_preference_of_logits_is_made_of_log_probabilities_and_a_preference() {
    let offsets = [0, 4, 9, 11, 11, 17, 24];
    let (pairs, items) = (pairs(&offsets), 3);
    let reference = [floats(&[-5.0, -8.0, -3.0], &[items]), floats(&[-1.0, -7.5, -9.0], &[items])];
    let whole = pairs.clone().with("ref_chosen", reference[0].clone()).with("ref_rejected", reference[1].clone());
    let form = PreferenceForm::Ipo;
    for gpu in adapters::all() {
        let loss = PreferenceOfLogits { form, ..PreferenceOfLogits::default() };
        if is_beyond_bindings(gpu, &loss, &whole, Reduction::Mean) {
            continue;
        }
        let joined = loss.eval_with(gpu, &whole, Reduction::Mean).unwrap();
        let named = |names: &[&str]| -> Inputs {
            let named = pairs.iter().filter(|(name, _)| names.contains(name));
            named.map(|(name, host)| (name.to_string(), host.clone())).collect()
        };
        let of_tokens = named(&["logits", "target"]);
        let log_probs = TokenLogProb::default().eval_with(gpu, &of_tokens, Reduction::None).unwrap().loss.to_f64();
        let sums: Vec<f64> = offsets.windows(2).map(|ends| log_probs[ends[0]..ends[1]].iter().sum()).collect();
        let lengths: Vec<f64> = offsets.windows(2).map(|ends| (ends[1] - ends[0]) as f64).collect();
        let of_items = Named::new()
            .with("chosen", floats(&sums[..items], &[items]))
            .with("rejected", floats(&sums[items..], &[items]))
            .with("ref_chosen", reference[0].clone())
            .with("ref_rejected", reference[1].clone())
            .with("chosen_length", floats(&lengths[..items], &[items]))
            .with("rejected_length", floats(&lengths[items..], &[items]));
        let loss = Preference { form, ..Preference::default() };
        let apart = loss.eval_with(gpu, &of_items, Reduction::Mean).unwrap();
        approx::assert_relative_eq!(joined.loss.item(), apart.loss.item(), max_relative = 1e-5);
        let slopes = ["chosen", "rejected"].map(|name| apart.gradients.get(name).unwrap().to_f64()).concat();
        let upstream: Vec<f64> =
            slopes.iter().zip(&lengths).flat_map(|(slope, &length)| vec![*slope; length as usize]).collect();
        let of_tokens = of_tokens.with("upstream", floats(&upstream, &[upstream.len()]));
        let back = TokenLogProb::default().eval_with(gpu, &of_tokens, Reduction::None).unwrap();
        let [found, expected] = [&joined, &back].map(|found| found.gradients.get("logits").unwrap().to_f64());
        for (found, expected) in found.iter().zip(&expected) {
            approx::assert_relative_eq!(found, expected, epsilon = 1e-5, max_relative = 1e-5);
        }
    }
}

/// Offsets are known to the device alone: what does not rise from 0 to the number of tokens is told, and nothing is
/// read elsewhere.
#[test]
fn offsets_that_are_none_are_told() {
    let good = [0, 3, 5, 9];
    for (place, bad, count, first) in [
        (0, 1.0, 1, 0),
        (0, -1.0, 1, 0),
        (1, 7.0, 1, 1),
        (1, 1e9, 2, 0),
        (2, -5.0, 2, 1),
        (3, 8.0, 1, 2),
        (3, 10.0, 1, 2),
        (3, 2e9, 1, 2),
    ] {
        let inputs = changed(&answers(&good), "offsets", &[(place, bad)]);
        for gpu in adapters::all() {
            for gradients in [Gradients::Write, Gradients::Skip] {
                let options = Options { gradients, ..Options::new(Reduction::Mean) };
                let error = PolicySequence::default().eval_with(gpu, &inputs, options).unwrap_err();
                let what = format!("{place}: {bad} on {gpu:?}");
                assert_eq!(out_of_range(&error), ("policy_sequence", count, first), "{what}");
                assert!(error.to_string().contains("`offsets`"), "{error}");
                let expected = reference::evaluate(&PolicySequence::default(), &inputs, &options).unwrap_err();
                assert_eq!(out_of_range(&expected), ("policy_sequence", count, first), "{what}");
            }
        }
    }
}

/// A token with a value out of range leaves its item out, unless it does not count or the item does not.
#[test]
fn tokens_out_of_range_leave_out_their_item() {
    let offsets = [0, 4, 9, 11, 12, 17, 24];
    // Of the second pair's rejected answer, of an ignored one, and of the third pair, which is masked.
    let inputs = changed(&pairs(&offsets), "target", &[(13, 5.0), (2, -100.0), (20, -1.0)]);
    // Nothing of it reaches the others, a NaN neither.
    let inputs = changed(&inputs, "logits", &[(21 * 5, f64::NAN)]).with("mask", floats(&[1.0, 1.0, 0.0], &[3]));
    for gpu in adapters::all() {
        let error = CpoOfLogits::default().eval_with(gpu, &inputs, Reduction::Sum).unwrap_err();
        assert_eq!(out_of_range(&error), ("cpo_of_logits", 1, 1), "{gpu:?}");
        assert!(error.to_string().contains("`target`"), "{error}");
        let mended = changed(&inputs, "target", &[(13, 4.0)]);
        let found = CpoOfLogits::default().eval_with(gpu, &mended, Reduction::Sum).unwrap();
        let expected = reference::evaluate(&CpoOfLogits::default(), &mended, &Reduction::Sum.into()).unwrap();
        assert_eq!(found.items, 2);
        assert_agree(&expected, &found, &format!("{gpu:?}"));
    }
}

/// Whether its own values or its tokens' put it out of range.
#[test]
fn the_first_item_out_of_range_is_named() {
    for (desirable, target) in [([2.0, 1.0], [0.0, 99.0]), ([1.0, 2.0], [99.0, 0.0])] {
        let inputs = Named::new()
            .with("logits", floats(&[0.5, -0.5, 1.0, 0.25], &[2, 2]))
            .with("target", tensor(&target, DType::I32, &[2]))
            .with("ref_log_prob", floats(&[-1.0, -0.5], &[2]))
            .with("desirable", floats(&desirable, &[2]))
            .with("kl", floats(&[0.0], &[1]))
            .with("offsets", indices(&[0, 1, 2]));
        let loss = KtoOfLogits::default();
        let expected = reference::evaluate(&loss, &inputs, &Reduction::Sum.into()).unwrap_err();
        assert_eq!(out_of_range(&expected), ("kto_of_logits", 2, 0));
        for gpu in adapters::all() {
            let error = loss.eval_with(gpu, &inputs, Reduction::Sum).unwrap_err();
            assert_eq!(out_of_range(&error), ("kto_of_logits", 2, 0), "{gpu:?}");
        }
    }
}

#[test]
fn tokens_without_a_sequence_are_refused() {
    let gpu = &adapters::every()[0];
    let all = answers(&[0, 3]);
    let none = all.iter().filter(|(name, _)| !["offsets", "advantage"].contains(name));
    let none: Inputs = none.map(|(name, host)| (name.to_string(), host.clone())).collect();
    let inputs = none.with("offsets", indices(&[0])).with("advantage", floats(&[], &[0]));
    let error = PolicySequence::default().eval_with(gpu, &inputs, Reduction::Sum).unwrap_err();
    assert!(matches!(error, Error::Shape { tensor: "offsets", .. }), "{error}");
    let inputs = pairs(&[0, 3, 5, 6]);
    let error = CpoOfLogits::default().eval_with(gpu, &inputs, Reduction::Sum).unwrap_err();
    assert!(matches!(error, Error::Shape { tensor: "offsets", .. }), "{error}");
}
