//! Losses of generative models, in the reference alone.

use wgloss::{AnyLoss, Error, HostTensor, Named, Reduction, reference};

use super::{evaluate, tensor};

fn loss(name: &str, settings: &[(&str, &str)]) -> AnyLoss {
    AnyLoss::new(name, settings).unwrap()
}

fn scores(real: &[f64], fake: &[f64]) -> Named<HostTensor<'static>> {
    Named::new().with("real", tensor(real, &[real.len()])).with("fake", tensor(fake, &[fake.len()]))
}

#[test]
fn worked_values_of_games() {
    let inputs = scores(&[0.0, 2.0], &[0.0, -1.0, 4.0]);
    let softplus = |x: f64| x.exp().ln_1p();
    let logistic = 0.5 * (softplus(0.0) + softplus(-2.0)) + (softplus(0.0) + softplus(-1.0) + softplus(4.0)) / 3.0;
    for (name, expected) in [
        ("gan_discriminator", logistic),
        ("lsgan_discriminator", 0.25 * (1.0 + 1.0) + (0.0 + 1.0 + 16.0) / 6.0),
        ("hinge_gan_discriminator", 0.5 + (1.0 + 0.0 + 5.0) / 3.0),
        ("wgan_critic", 1.0 - 1.0),
    ] {
        let found = evaluate(&loss(name, &[]), &inputs, Reduction::Mean);
        assert!((found.loss[0] - expected).abs() < 1e-14, "{name}: {} is not {expected}", found.loss[0]);
        assert_eq!((found.items, found.terms.len()), (5, 2), "{name}");
        assert!((found.terms.iter().sum::<f64>() - expected).abs() < 1e-14, "{name}");
    }
    // At the hinge there is no gradient.
    let found = evaluate(&loss("hinge_gan_discriminator", &[]), &scores(&[1.0, 0.0], &[-1.0]), Reduction::Sum);
    assert_eq!(found.gradients, [("real", vec![0.0, -1.0]), ("fake", vec![0.0])]);
}

/// The generator's logit of 1,000 is as good as certain, and of the minimax game there is then no gradient left.
#[test]
fn sure_discriminators_leave_a_gradient_in_one_form_alone() {
    let fake = |x: f64| Named::new().with("fake", tensor(&[x], &[1]));
    let found = |x: f64, saturating| {
        let found = evaluate(&loss("gan_generator", &[("saturating", saturating)]), &fake(x), Reduction::Sum);
        (found.loss[0], found.gradients[0].1[0])
    };
    assert_eq!(found(-1000.0, "false"), (1000.0, -1.0));
    assert_eq!(found(-1000.0, "true"), (0.0, 0.0));
    assert_eq!(found(1000.0, "true"), (-1000.0, -1.0));
}

#[test]
fn a_normal_distribution_is_at_no_distance_from_itself() {
    for logvar in [0.0, 1e-8, -1e-5, 9e-4, 1.1e-3, -0.5, 3.0] {
        let inputs = Named::new().with("mu", tensor(&[0.0], &[1])).with("logvar", tensor(&[logvar], &[1]));
        let found = evaluate(&loss("gaussian_kl", &[]), &inputs, Reduction::Sum);
        // The series, which has all digits where it converges.
        let x = f64::from(logvar as f32);
        let (mut term, mut series) = (x, 0.0);
        for n in 2..60 {
            term *= x / f64::from(n);
            series += term;
        }
        assert!((found.loss[0] - 0.5 * series).abs() <= 1e-12 * series, "{logvar}: {}", found.loss[0]);
        assert!((found.gradients[1].1[0] - 0.5 * x.exp_m1()).abs() <= 1e-15, "{logvar}");
    }
}

#[test]
fn a_vae_is_the_sum_of_its_terms() {
    let inputs = Named::<HostTensor>::new()
        .with("reconstruction", tensor(&[0.25, 0.5, 0.75, 0.5, 0.125, 0.875], &[2, 3]))
        .with("target", tensor(&[0.0, 1.0, 1.0, 0.5, 0.0, 1.0], &[2, 3]))
        .with("mu", tensor(&[0.5, -1.0], &[2, 1]))
        .with("logvar", tensor(&[0.25, -0.75], &[2, 1]));
    for likelihood in ["bce", "bce_with_logits", "mse"] {
        let vae = loss("vae", &[("likelihood", likelihood), ("beta", "0.5")]);
        let part = |name: &str, names: [(&str, &str); 2]| {
            let inputs = names.map(|(own, of_sum)| (own.to_string(), inputs.get(of_sum).unwrap().clone()));
            evaluate(&loss(name, &[]), &inputs.into_iter().collect(), Reduction::BatchMean)
        };
        let first = if likelihood == "bce_with_logits" { "logits" } else { "prediction" };
        let fit = part(likelihood, [(first, "reconstruction"), ("target", "target")]);
        let divergence = part("gaussian_kl", [("mu", "mu"), ("logvar", "logvar")]);
        let found = evaluate(&vae, &inputs, Reduction::BatchMean);
        assert_eq!(found.loss[0], fit.loss[0] + 0.5 * divergence.loss[0], "{likelihood}");
        assert_eq!(found.terms, [fit.loss[0], divergence.loss[0]], "{likelihood}");
        assert_eq!(found.gradients[0].1, fit.gradients[0].1, "{likelihood}");
        let half = |gradient: &[f64]| gradient.iter().map(|x| 0.5 * x).collect::<Vec<_>>();
        assert_eq!(found.gradients[1].1, half(&divergence.gradients[0].1), "{likelihood}");
        assert_eq!(found.gradients[2].1, half(&divergence.gradients[1].1), "{likelihood}");
    }
    let error = reference::evaluate(&loss("vae", &[]), &inputs, &Reduction::Mean.into()).unwrap_err();
    let known = &[Reduction::Sum, Reduction::BatchMean];
    assert_eq!(error, Error::TermsReduction { loss: "vae", reduction: Reduction::Mean, known });
}

/// What does not fit is named as the sum calls it.
#[test]
fn bad_inputs_of_sums_are_named() {
    let good = || {
        Named::<HostTensor>::new()
            .with("reconstruction", tensor(&[0.25; 6], &[2, 3]))
            .with("target", tensor(&[0.0; 6], &[2, 3]))
            .with("mu", tensor(&[0.5; 4], &[2, 2]))
            .with("logvar", tensor(&[0.25; 4], &[2, 2]))
    };
    let replaced = |name: &str, values: &[f64], shape: &[usize]| -> Named<HostTensor<'static>> {
        let given = tensor(values, shape);
        good()
            .iter()
            .map(|(known, host)| (known.to_string(), if known == name { given.clone() } else { host.clone() }))
            .collect()
    };
    let refused = |inputs: &Named<HostTensor<'_>>| {
        reference::evaluate(&loss("vae", &[]), inputs, &Reduction::Sum.into()).unwrap_err()
    };
    for (name, shape, expected) in
        [("target", vec![3, 2], "[2, 3]"), ("mu", vec![3, 2], "[2, …]"), ("logvar", vec![2, 3], "[2, 2]")]
    {
        let error = refused(&replaced(name, &[0.5; 6], &shape));
        let expected = Error::Shape { loss: "vae", tensor: name, expected: expected.to_string(), found: shape };
        assert_eq!(error, expected);
    }
    let error = refused(&replaced("reconstruction", &[0.5, 0.5, 0.5, 0.5, 1.5, 0.5], &[2, 3]));
    let text = error.to_string();
    assert!(
        text.contains(
            "1 item out of range, the first at index 4, [1, 1]: `reconstruction` must be in [0, 1], found 1.5"
        ),
        "{text}"
    );
    let masked = good().with("mask", tensor(&[1.0; 6], &[2, 3]));
    assert!(matches!(refused(&masked), Error::UnexpectedTensor { loss: "vae", .. }));
    let error = reference::evaluate(&loss("gan_discriminator", &[]), &scores(&[1.0], &[1.0]), &Reduction::None.into());
    assert!(matches!(error, Err(Error::TermsReduction { loss: "gan_discriminator", .. })));
}
