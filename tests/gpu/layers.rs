//! Losses of several layers, on every adapter.

use wgloss::{AnyLoss, DType, Error, Gradients, Loss, Mse, Named, Options, Perceptual, Reduction, Style, reference};

use crate::common::{
    adapters,
    agreement::{assert_agree, evaluated, with_targets},
    inputs::{Inputs, changed, tensor},
};

fn drawn(count: usize, seed: u64) -> Vec<f64> {
    let mut rng = fastrand::Rng::with_seed(seed);
    (0..count).map(|_| 4.0 * rng.f64() - 2.0).collect()
}

/// Features of layers of these shapes, each stored as another type than the last.
fn features(shapes: &[&[usize]], first: usize) -> Inputs {
    let layers = shapes.iter().enumerate().flat_map(|(layer, &shape)| {
        let dtype = move |place: usize| DType::FLOATS[(first + layer + place) % 3];
        ["features", "target_features"].into_iter().enumerate().map(move |(place, name)| {
            let values = drawn(shape.iter().product(), (2 * layer + place) as u64);
            (format!("{name}.{layer}"), tensor(&values, dtype(place), shape))
        })
    });
    layers.collect()
}

fn weighted(inputs: Inputs, weights: &[f64], dtype: DType) -> Inputs {
    inputs.with("layer_weights", tensor(weights, dtype, &[weights.len()]))
}

/// Rows of whole quads, of pairs and of odd lengths; more channels than a tile has, and one; more columns than a slice.
const LAYERS: [&[usize]; 5] = [&[2, 6, 3, 4], &[1, 9, 7], &[3, 17, 2], &[2, 1, 4099], &[1, 33, 5, 10]];

const LOSSES: [&str; 2] = ["perceptual", "style"];

#[test]
fn layers_have_shapes_and_types_of_their_own() {
    for gpu in adapters::all() {
        for name in LOSSES {
            let loss = AnyLoss::new(name, &[]).unwrap();
            for (first, count) in [(0, 1), (1, 2), (2, 5), (0, 5)] {
                let inputs = features(&LAYERS[LAYERS.len() - count..], first);
                for reduction in [Reduction::Mean, Reduction::Sum] {
                    evaluated(gpu, &loss, &inputs, reduction);
                    let weights: Vec<f64> = (0..count).map(|layer| 0.25 * layer as f64 - 0.5).collect();
                    evaluated(gpu, &loss, &weighted(inputs.clone(), &weights, DType::FLOATS[first]), reduction);
                }
            }
        }
    }
}

#[test]
fn every_treatment_of_gradients_is_that_of_the_layers() {
    for gpu in adapters::all() {
        for name in LOSSES {
            let loss = AnyLoss::new(name, &[]).unwrap();
            for dtype in DType::FLOATS {
                let inputs = weighted(features(&LAYERS[..3], 1), &[0.5, 2.0, -0.75], dtype);
                let inputs = inputs.with("upstream", tensor(&[-2.0], DType::F32, &[]));
                for gradients in [Gradients::Write, Gradients::Add { weight: 0.5 }, Gradients::InPlace, Gradients::Skip]
                {
                    let options = Options { gradients, upstream: 0.75, ..Options::new(Reduction::Mean) };
                    let expected = reference::evaluate(&loss, &inputs, &options).unwrap();
                    let found = loss.eval_with(gpu, &with_targets(&loss, &inputs, options), options).unwrap();
                    assert_agree(&expected, &found, &format!("{name} {dtype} {gradients:?} on {gpu:?}"));
                }
            }
        }
    }
}

/// What a program would write without it: the errors of each layer, weighted by hand.
#[test]
fn a_perceptual_loss_is_the_mean_of_the_layers_errors() {
    let inputs = weighted(features(&LAYERS[..2], 0), &[0.5, 3.0], DType::F32);
    for gpu in adapters::all() {
        let found = Perceptual.eval_with(gpu, &inputs, Reduction::Mean).unwrap();
        let layer = |layer: usize, weight: f32| {
            let of = |name: &str| inputs.get(&format!("{name}.{layer}")).unwrap().clone();
            let options = Options { upstream: weight / 2.0, ..Options::new(Reduction::Mean) };
            Mse.eval(gpu, of("features"), of("target_features"), options).unwrap()
        };
        let layers = [layer(0, 0.5), layer(1, 3.0)];
        let expected = 0.25 * layers[0].loss.item() + 1.5 * layers[1].loss.item();
        assert!((found.loss.item() - expected).abs() < 1e-6 * expected);
        for (number, alone) in layers.iter().enumerate() {
            let gradient = found.gradients.get(&format!("features.{number}"));
            assert_eq!(gradient, alone.gradients.get("prediction"), "{gpu:?}");
        }
        let slopes = found.gradients.get("layer_weights").unwrap().to_f64();
        assert!(slopes.iter().zip(&layers).all(|(slope, alone)| (slope - 0.5 * alone.loss.item()).abs() < 1e-6));
    }
}

#[test]
fn what_is_no_number_shows_and_leaves_the_other_layers() {
    for gpu in adapters::all() {
        for name in LOSSES {
            let loss = AnyLoss::new(name, &[]).unwrap();
            let good = weighted(features(&LAYERS[..2], 0), &[1.0, 0.0], DType::F32);
            let good_found = evaluated(gpu, &loss, &good, Reduction::Mean);
            for (layer, value) in [(0, f64::NAN), (1, f64::NAN), (1, f64::INFINITY)] {
                let bad = changed(&good, &format!("features.{layer}"), &[(5, value)]);
                let found = loss.eval_with(gpu, &bad, Reduction::Mean).unwrap();
                // A weight of 0 leaves nothing of a layer, were it infinite, but a NaN of it shows.
                let is_hidden = layer == 1 && value.is_infinite();
                assert_eq!(found.loss.item().is_finite(), is_hidden, "{name} {layer} {value} on {gpu:?}");
                let other = format!("features.{}", 1 - layer);
                assert_eq!(found.gradients.get(&other), good_found.gradients.get(&other), "{name} {layer} on {gpu:?}");
            }
        }
    }
}

/// In a style loss a value that is not finite spoils its own sample alone.
#[test]
fn a_spoilt_sample_leaves_the_other() {
    for gpu in adapters::all() {
        let inputs = features(&[&[2, 6, 12]], 0);
        let good = evaluated(gpu, &Style, &inputs, Reduction::Mean).gradients.get("features.0").unwrap().to_f64();
        let spoilt = changed(&inputs, "features.0", &[(3, f64::NAN)]);
        let found = Style.eval_with(gpu, &spoilt, Reduction::Mean).unwrap();
        let found = found.gradients.get("features.0").unwrap().to_f64();
        assert!(found[..72].iter().all(|x| x.is_nan()), "{gpu:?}");
        assert_eq!(found[72..], good[72..], "{gpu:?}");
    }
}

/// Of such layers there is nothing to multiply, so that there may be more channels than have a square.
#[test]
fn channels_without_positions_have_no_products() {
    let shape = [2, 1 << 36, 0];
    let none = features(&[&shape], 0);
    for gpu in adapters::all() {
        let found = evaluated(gpu, &Style, &none, Reduction::Sum);
        assert_eq!(found.loss.item(), 0.0, "{gpu:?}");
    }
}

#[test]
fn what_layers_cannot_be_is_refused() {
    let tensor = |shape: &[usize]| tensor(&drawn(shape.iter().product(), 1), DType::F32, shape);
    let pair = |layer: usize, shape: &[usize], target: &[usize]| {
        Named::new()
            .with(format!("features.{layer}"), tensor(shape))
            .with(format!("target_features.{layer}"), tensor(target))
    };
    for gpu in adapters::all() {
        for name in LOSSES {
            let loss = AnyLoss::new(name, &[]).unwrap();
            let name = loss.spec().name;
            let refused = |inputs: &Inputs| {
                let error = reference::evaluate(&loss, inputs, &Reduction::Mean.into()).unwrap_err();
                assert_eq!(loss.eval_with(gpu, inputs, Reduction::Mean).unwrap_err(), error);
                error
            };
            let missing = |tensor: &str| Error::MissingTensor { loss: name, tensor: tensor.to_string() };
            // No layer at all.
            assert_eq!(refused(&Named::new()), missing("features.0"));
            assert_eq!(refused(&Named::new().with("layer_weights", tensor(&[1]))), missing("features.0"));
            // A layer without its target.
            let alone = pair(0, &[2, 3], &[2, 3]).with("features.1", tensor(&[2, 3]));
            assert_eq!(refused(&alone), missing("target_features.1"));
            // Layers that are not alike.
            let unequal = Error::Shape {
                loss: name,
                tensor: "target_features.0",
                expected: "[2, 3]".to_string(),
                found: vec![3, 2],
            };
            assert_eq!(refused(&pair(0, &[2, 3], &[3, 2])), unequal);
            // A number is left out, or written otherwise than it is counted.
            for other in [2, 7] {
                let gap: Inputs = pair(0, &[2, 3], &[2, 3])
                    .iter()
                    .chain(pair(other, &[2, 3], &[2, 3]).iter())
                    .map(|(name, host)| (name.to_string(), host.clone()))
                    .collect();
                let error = refused(&gap);
                assert!(
                    matches!(&error, Error::UnexpectedTensor { tensor, known, .. }
                    if *tensor == format!("features.{other}") && known.contains(&"features.1".to_string())),
                    "{error}"
                );
            }
            for odd in ["features.00", "features.+1", "features.", "features.-1", "features.k", "features"] {
                let error = refused(&pair(0, &[2, 3], &[2, 3]).with(odd, tensor(&[2, 3])));
                assert!(matches!(&error, Error::UnexpectedTensor { tensor, .. } if tensor == odd), "{error}");
            }
            // Weights for another number of layers.
            let weights =
                Error::Shape { loss: name, tensor: "layer_weights", expected: "[1]".to_string(), found: vec![2] };
            assert_eq!(refused(&pair(0, &[2, 3], &[2, 3]).with("layer_weights", tensor(&[2]))), weights);
            // There are no items to weigh or to leave out.
            for other in ["weight", "mask"] {
                let given = pair(0, &[2, 3], &[2, 3]).with(other, tensor(&[2, 3]));
                assert!(matches!(refused(&given), Error::UnexpectedTensor { .. }));
            }
        }
        // Gram matrices are of channels.
        for (layer, shape) in [(0, vec![4]), (0, vec![3, 0, 2]), (1, vec![4])] {
            let mut given = pair(0, &[2, 3], &[2, 3]);
            for (name, host) in pair(layer, &shape, &shape).iter() {
                given = given
                    .iter()
                    .filter(|(known, _)| *known != name)
                    .map(|(name, host)| (name.to_string(), host.clone()))
                    .collect::<Inputs>()
                    .with(name, host.clone());
            }
            let error = Style.eval_with(gpu, &given, Reduction::Mean).unwrap_err();
            assert!(
                matches!(&error, Error::Shape { tensor, expected, .. }
                if *tensor == format!("features.{layer}") && expected.contains("[N, C]")),
                "{error}"
            );
        }
    }
}
