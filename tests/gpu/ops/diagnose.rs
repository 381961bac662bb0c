//! Diagnoses of tensors.

use wgloss::{
    DType, Gpu, Named,
    ops::{Diagnose, Diagnosis, Operation},
    reference,
};

use super::{Lie, Tensors, adapters, fifty, in_the_callers_buffers, tensor};

/// That a diagnosis is the reference's: counts and extremes are the same, sums to rounding.
#[track_caller]
fn assert_diagnosed(gpu: &Gpu, tensors: &Tensors, found: &Named<Diagnosis>) {
    for (name, host) in tensors.iter() {
        let (expected, found) = (reference::diagnose(host), found.get(name).unwrap());
        let what = format!("{name} on {}: {found:?}, not {expected:?}", gpu.adapter_id());
        let counts = |of: &Diagnosis| [of.elements, of.nan, of.infinite, of.zero, of.negative, of.finite()];
        assert_eq!(counts(found), counts(&expected), "{what}");
        assert_eq!((found.min, found.max), (expected.min, expected.max), "{what}");
        assert!((found.norm - expected.norm).abs() <= 1e-6 * expected.norm, "{what}");
        // The mean's error is relative to the values, which may cancel.
        let finite = host.to_f64().into_iter().filter(|x| x.is_finite());
        let magnitude = finite.map(f64::abs).sum::<f64>() / expected.finite().max(1) as f64;
        match (found.mean, expected.mean) {
            (Some(found), Some(mean)) => assert!((found - mean).abs() <= 1e-6 * magnitude, "{what}"),
            (found, expected) => assert_eq!(found, expected, "{what}"),
        }
    }
}

#[test]
fn every_kind_of_value_is_counted() {
    let mut tensors = fifty(3.0);
    for dtype in DType::FLOATS {
        let value = |i: usize| match i % 101 {
            3 => f64::NAN,
            10 | 11 => f64::INFINITY,
            20 => f64::NEG_INFINITY,
            30..40 => 0.0,
            40 => -0.0,
            i => (i as f64 - 60.0) / 8.0,
        };
        for count in [1, 4, 6, 101, 20_011] {
            let values: Vec<f64> = (0..count).map(value).collect();
            tensors = tensors.with(format!("{dtype} {count}"), tensor(&values, dtype));
        }
        tensors = tensors.with(format!("{dtype} nan"), tensor(&[f64::NAN; 5], dtype));
        tensors = tensors.with(format!("{dtype} infinite"), tensor(&[f64::INFINITY, f64::NEG_INFINITY], dtype));
    }
    for gpu in adapters::all() {
        let found = Diagnose.eval(gpu, &tensors).unwrap();
        assert_diagnosed(gpu, &tensors, &found.report);
        assert_eq!(found.tensors.iter().count(), 0);
        for lie in [Lie::InOne, Lie::Tight] {
            let (after, found) = in_the_callers_buffers(gpu, &Diagnose, &tensors, lie);
            assert_diagnosed(gpu, &tensors, &found);
            for ((name, before), (_, after)) in tensors.iter().zip(after.iter()) {
                assert!(before.bytes() == after.bytes(), "{name} has changed");
            }
        }
    }
}

#[test]
fn sums_of_huge_and_tiny_values_are_right() {
    let alternating: Vec<f64> = (0..5000).map(|i| if i % 3 == 0 { -3e38 } else { 2e38 }).collect();
    let tensors: Tensors = Named::new()
        .with("huge", tensor(&[3e38; 5000], DType::F32))
        .with("alternating", tensor(&alternating, DType::F32))
        .with("tiny", tensor(&[2e-38; 5000], DType::F32))
        .with("both", tensor(&[1e30, 1e-30, -1e-30, 0.0, 1e-30], DType::F32))
        .with("largest", tensor(&[f32::MAX.into(), f32::MIN.into()], DType::F32));
    for gpu in adapters::all() {
        assert_diagnosed(gpu, &tensors, &Diagnose.eval(gpu, &tensors).unwrap().report);
    }
}

#[test]
fn a_diagnosis_is_printed_in_words() {
    let found = reference::diagnose(&tensor(&[1.0, -3.0, f64::NAN], DType::F32));
    let text = "3 values: 1 NaN, 0 infinite, 0 zero, 1 negative; from -3.0 to 1.0, mean -1.0, norm ";
    assert_eq!(found.to_string(), format!("{text}{:?}", 10_f64.sqrt()));
    let nothing = reference::diagnose(&tensor(&[], DType::F32));
    assert_eq!(nothing.to_string(), "0 values: 0 NaN, 0 infinite, 0 zero, 0 negative");
}
