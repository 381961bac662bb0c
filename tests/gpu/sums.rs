//! Losses that are sums of others, on every adapter.

use wgloss::{
    AnyLoss, BufferSlice, DType, Error, GaussianKl, Gradients, Likelihood, Loss, Named, Options, Plan, Reduction,
    Tensor, Vae, WganCritic, reference,
};

use crate::common::{
    adapters,
    agreement::{assert_agree, evaluated, with_targets},
    caller,
    device::submit,
    inputs::{Inputs, changed, tensor},
};

fn drawn(count: usize, seed: u64) -> Vec<f64> {
    let mut rng = fastrand::Rng::with_seed(seed);
    (0..count).map(|_| 0.05 + 0.9 * rng.f64()).collect()
}

/// Reconstructions of a batch of three, whose latent variables are fewer.
fn autoencoded(dtype: DType) -> Inputs {
    Named::new()
        .with("reconstruction", tensor(&drawn(3 * 1031, 1), dtype, &[3, 1031]))
        .with("target", tensor(&drawn(3 * 1031, 2), DType::F32, &[3, 1031]))
        .with("mu", tensor(&drawn(3 * 17, 3), dtype, &[3, 17]))
        .with("logvar", tensor(&drawn(3 * 17, 4), DType::BF16, &[3, 17]))
}

fn scores(real: usize, fake: usize) -> Inputs {
    Named::new()
        .with("real", tensor(&drawn(real, 1), DType::F32, &[real]))
        .with("fake", tensor(&drawn(fake, 2), DType::F16, &[fake]))
}

const GAMES: [&str; 4] = ["gan_discriminator", "lsgan_discriminator", "hinge_gan_discriminator", "wgan_critic"];

#[test]
fn parts_have_lengths_of_their_own() {
    for gpu in adapters::all() {
        for name in GAMES {
            let loss = AnyLoss::new(name, &[]).unwrap();
            for (real, fake) in [(1, 1), (1, 70_001), (70_001, 2), (0, 3), (3, 0), (0, 0)] {
                for reduction in [Reduction::Mean, Reduction::Sum] {
                    let found = evaluated(gpu, &loss, &scores(real, fake), reduction);
                    assert_eq!(found.items, (real + fake) as u64);
                    let terms: Vec<f64> = found.terms().iter().map(|(_, &term)| f64::from(term)).collect();
                    let sum = f64::from((terms[0] + terms[1]) as f32);
                    let size = terms[0].abs() + terms[1].abs();
                    assert!((found.loss.item() - sum).abs() <= 1e-6 * size, "{name} {real} {fake} on {gpu:?}");
                }
            }
        }
    }
}

#[test]
fn every_treatment_of_gradients_is_that_of_the_parts() {
    for gpu in adapters::all() {
        for likelihood in [Likelihood::Bce, Likelihood::BceWithLogits, Likelihood::Mse] {
            let loss = Vae { beta: 0.25, likelihood };
            for dtype in DType::FLOATS {
                let inputs = autoencoded(dtype).with("upstream", tensor(&[-2.0], DType::F32, &[]));
                for gradients in [Gradients::Write, Gradients::Add { weight: 0.5 }, Gradients::InPlace, Gradients::Skip]
                {
                    let options = Options { gradients, ..Options::new(Reduction::BatchMean) };
                    let expected = reference::evaluate(&loss, &inputs, &options).unwrap();
                    let found = loss.eval_with(gpu, &with_targets(&loss, &inputs, options), options).unwrap();
                    assert_agree(&expected, &found, &format!("{likelihood} {dtype} {gradients:?} on {gpu:?}"));
                }
            }
        }
    }
}

#[test]
fn a_weight_of_0_leaves_nothing_of_a_part() {
    let loss = Vae { beta: 0.0, likelihood: Likelihood::Mse };
    for gpu in adapters::all() {
        let infinite = changed(&autoencoded(DType::F32), "mu", &[(0, f64::INFINITY)]);
        let found = evaluated(gpu, &loss, &infinite, Reduction::Sum);
        assert!(found.loss.item().is_finite(), "{gpu:?}");
        assert_eq!(*found.terms().get("gaussian_kl").unwrap(), f32::INFINITY);
        // But a NaN shows.
        let nan = changed(&autoencoded(DType::F32), "mu", &[(0, f64::NAN)]);
        assert!(evaluated(gpu, &loss, &nan, Reduction::Sum).loss.item().is_nan());
    }
}

#[test]
fn nan_of_one_part_is_in_the_sum_and_leaves_the_gradients_of_the_other() {
    for gpu in adapters::all() {
        let good = evaluated(gpu, &WganCritic, &scores(5, 4), Reduction::Mean);
        let found = evaluated(gpu, &WganCritic, &changed(&scores(5, 4), "real", &[(2, f64::NAN)]), Reduction::Mean);
        assert!(found.loss.item().is_nan());
        assert_eq!(found.gradients.get("fake"), good.gradients.get("fake"));
    }
}

/// Of the first part alone values are checked, and a message says what the sum calls them.
#[test]
fn values_out_of_range_are_named_as_the_sum_calls_them() {
    for gpu in adapters::all() {
        for (input, places) in [("reconstruction", [2000, 1500]), ("target", [1, 0])] {
            let bad = changed(&autoencoded(DType::F32), input, &places.map(|place| (place, 1.5)));
            let first = *places.iter().min().unwrap() as u64;
            let expected = reference::evaluate(&Vae::default(), &bad, &Reduction::Sum.into()).unwrap_err();
            assert!(
                matches!(&expected, Error::Target { loss: "vae", count: 2, first: found, offender: Some(offender), .. }
                    if *found == first && offender.tensor == input),
                "{expected}"
            );
            assert_eq!(Vae::default().eval_with(gpu, &bad, Reduction::Sum).unwrap_err(), expected);
        }
    }
}

/// One plan bound to one buffer of the caller's, recorded twice into one encoder.
#[test]
fn a_sum_is_recorded_into_the_callers_buffer() {
    for gpu in adapters::all() {
        let inputs = autoencoded(DType::F32);
        let plan = Plan::new(gpu, &Vae::default(), &inputs.map(|host| host.ty().clone()), Reduction::Sum).unwrap();
        let mut places: Vec<(String, u64)> = Vec::new();
        let mut size = 0;
        for (name, ty) in plan.inputs().iter().chain(plan.outputs().iter()) {
            places.push((name.to_string(), size));
            size += ty.buffer_size().next_multiple_of(256);
        }
        let usage = wgloss::wgpu::BufferUsages::STORAGE
            | wgloss::wgpu::BufferUsages::COPY_SRC
            | wgloss::wgpu::BufferUsages::COPY_DST;
        let buffer = caller::buffer(gpu, size, usage);
        for (name, offset) in &places {
            if let Some(host) = inputs.get(name) {
                let mut bytes = host.bytes().to_vec();
                bytes.resize(bytes.len().next_multiple_of(4), 0);
                gpu.queue().write_buffer(&buffer, *offset, &bytes);
            }
        }
        let slices: Named<BufferSlice<'_>> =
            places.iter().map(|(name, offset)| (name.clone(), BufferSlice::from((&buffer, *offset)))).collect();
        let bound = plan.bind(&slices).unwrap();
        submit(gpu, |encoder| {
            bound.record(encoder);
            bound.record(encoder);
        });
        let expected = evaluated(gpu, &Vae::default(), &inputs, Reduction::Sum);
        let status = bound.read_status_blocking().unwrap();
        assert_eq!((status.items, status.terms()), (expected.items, expected.terms()));
        let of = |name: &str, ty| {
            let offset = places.iter().find(|(known, _)| known == name).unwrap().1;
            Tensor::from_buffer(gpu, buffer.clone(), offset, ty).read_blocking().unwrap()
        };
        for (name, ty) in plan.outputs().iter() {
            let found = of(name, ty.clone());
            let expected = match name.strip_prefix("grad.") {
                Some(input) => expected.gradients.get(input).unwrap(),
                None => &expected.loss,
            };
            assert_eq!(found.to_f64(), expected.to_f64(), "{name}");
        }
    }
}

/// The digits next to 0 are those of the divergence alone.
#[test]
fn a_divergence_next_to_0_keeps_its_digits() {
    for gpu in adapters::all() {
        for size in [1e-2, 1e-4, 1e-6] {
            let given = |seed| drawn(64, seed).iter().map(|x| size * (x - 0.5)).collect::<Vec<_>>();
            let inputs = Named::new()
                .with("mu", tensor(&[0.0; 64], DType::F32, &[64]))
                .with("logvar", tensor(&given(5), DType::F32, &[64]));
            evaluated(gpu, &GaussianKl, &inputs, Reduction::None);
        }
    }
}
