//! Gradients times a number on the device.

use wgloss::{
    DType, Error, Named,
    ops::{Operation, ScaleGradients},
};

use super::{Lie, adapters, doubles, fifty, in_the_callers_buffers, slack, tensor};

#[test]
fn every_value_is_multiplied_and_the_factor_stays() {
    for factor in [0.25, -3.0, 0.0] {
        let before = fifty(2.0).with("factor", tensor(&[factor], DType::F32));
        for gpu in adapters::all() {
            for lie in [Lie::InOne, Lie::Tight] {
                let (after, ()) = in_the_callers_buffers(gpu, &ScaleGradients, &before, lie);
                assert_eq!(after.get("factor").unwrap().to_f64(), [factor], "{}", gpu.adapter_id());
                for ((name, before), (_, after)) in
                    before.iter().zip(after.iter()).filter(|((name, _), _)| *name != "factor")
                {
                    for (x, found) in before.to_f64().into_iter().zip(after.to_f64()) {
                        let expected = x * factor;
                        let slack = slack(expected, before.dtype());
                        assert!((found - expected).abs() <= slack, "{name}: {found} for {x} on {}", gpu.adapter_id());
                    }
                }
            }
        }
    }
}

#[test]
fn a_factor_of_one_writes_nothing() {
    let ends = [f64::NAN, f64::INFINITY, -0.0, 1e-6, 3.0];
    for dtype in DType::FLOATS {
        let before = Named::new().with("w", tensor(&ends, dtype)).with("factor", tensor(&[1.0], DType::F32));
        for gpu in adapters::all() {
            let scaled = ScaleGradients.eval(gpu, &before).unwrap();
            let bytes = before.get("w").unwrap().bytes();
            assert_eq!(scaled.tensors.get("w").unwrap().bytes(), bytes, "{dtype} on {}", gpu.adapter_id());
        }
    }
}

/// What is not finite stays so, and NaN takes hold of everything.
#[test]
fn what_is_not_finite_goes_through() {
    let before = tensor(&[f64::INFINITY, 2.0], DType::F32);
    for gpu in adapters::all() {
        let scaled = |factor: f64| {
            let tensors = Named::new().with("w", before.clone()).with("factor", tensor(&[factor], DType::F32));
            doubles(&ScaleGradients.eval(gpu, &tensors).unwrap().tensors).remove(0)
        };
        assert_eq!(scaled(-0.5), [f64::NEG_INFINITY, -1.0], "{}", gpu.adapter_id());
        assert!(scaled(f64::NAN).iter().all(|x| x.is_nan()), "{}", gpu.adapter_id());
    }
}

#[test]
fn the_factor_is_one_f32() {
    let gpu = &adapters::every()[0];
    let weight = || Named::new().with("w", tensor(&[1.0], DType::F32));
    let error = |factor| ScaleGradients.eval(gpu, &weight().with("factor", factor)).unwrap_err();
    assert!(
        matches!(ScaleGradients.eval(gpu, &weight()), Err(Error::MissingTensor { tensor, .. }) if tensor == "factor")
    );
    assert!(matches!(error(tensor(&[1.0], DType::F16)), Error::DType { found: DType::F16, .. }));
    assert!(matches!(error(tensor(&[1.0, 2.0], DType::F32)), Error::Shape { found, .. } if found == [2]));
    let alone = Named::new().with("factor", tensor(&[1.0], DType::F32));
    assert!(matches!(ScaleGradients.eval(gpu, &alone), Err(Error::NoTensors { .. })));
}
