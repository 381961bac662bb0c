//! Gradients clipped by their norm.

use wgloss::{
    Adapter, DType, Gpu, HostTensor, Named, Tensor, TensorType,
    ops::{ClipGradNorm, ClippedNorm, NonFinite, Norm, Operation},
    reference,
};

use super::{Lie, Tensors, adapters, doubles, fifty, in_the_callers_buffers, slack, tensor};
use crate::common::device::uploaded;

const NORMS: [Norm; 3] = [Norm::L1, Norm::L2, Norm::Max];

/// That gradients were clipped as in f64.
#[track_caller]
fn assert_clipped(gpu: &Gpu, clip: ClipGradNorm, before: &Tensors, after: &Tensors, found: &ClippedNorm) {
    let what = format!("{clip:?} on {}", gpu.adapter_id());
    let (norm, coefficient) = reference::clip_grad_norm(&doubles(before), clip.max_norm.into(), clip.norm);
    assert!((f64::from(found.norm) - norm).abs() <= 1e-6 * norm, "{what}: {} for {norm}", found.norm);
    assert!((f64::from(found.coefficient) - coefficient).abs() <= 2e-6 * coefficient, "{what}: {found:?}");
    assert_eq!(found.nonfinite, None, "{what}");
    for ((name, before), (_, after)) in before.iter().zip(after.iter()) {
        assert_eq!((before.dtype(), before.shape()), (after.dtype(), after.shape()));
        if coefficient == 1.0 {
            assert!(before.bytes() == after.bytes(), "{what}: {name} has changed");
        }
        for (x, found) in before.to_f64().into_iter().zip(after.to_f64()) {
            let expected = x * coefficient;
            // A coefficient is off by a few places.
            let slack = slack(expected, before.dtype()) + 2e-6 * expected.abs();
            assert!((found - expected).abs() <= slack, "{what}: {name}: {found} for {expected}");
        }
    }
}

#[test]
fn fifty_gradients_of_mixed_sizes_and_types_are_clipped_together() {
    let before = fifty(2.0);
    for gpu in adapters::all() {
        for norm in NORMS {
            for max_norm in [0.25, 1e9] {
                let clip = ClipGradNorm { norm, ..ClipGradNorm::new(max_norm) };
                let clipped = clip.eval(gpu, &before).unwrap();
                assert_clipped(gpu, clip, &before, &clipped.tensors, &clipped.report);
            }
        }
    }
}

#[test]
fn nothing_behind_the_gradients_changes_in_the_callers_buffers() {
    let before = fifty(2.0);
    for gpu in adapters::all() {
        for lie in [Lie::InOne, Lie::Tight] {
            let clip = ClipGradNorm::new(0.5);
            let (after, report) = in_the_callers_buffers(gpu, &clip, &before, lie);
            assert_clipped(gpu, clip, &before, &after, &report);
        }
    }
}

#[test]
fn the_norm_is_right_wherever_it_is_an_f32() {
    let of = |count: usize, x: f64, dtype| tensor(&vec![x; count], dtype);
    // Powers of two from the least to the largest normal number, of which the largest alone count.
    let powers: Vec<f64> = (-126..=126).map(|exponent| 2_f64.powi(exponent)).collect();
    let mut reversed = powers.clone();
    reversed.reverse();
    for (name, tensors) in [
        ("huge", vec![of(5000, 1e30, DType::F32), of(3, 1e30, DType::BF16)]),
        ("tiny", vec![of(5000, 1e-30, DType::F32), of(3, 1e-30, DType::BF16)]),
        ("the largest", vec![of(1, 3e38, DType::F32)]),
        ("the least", vec![of(40_000, 1.2e-38, DType::F32)]),
        ("powers", vec![tensor(&powers, DType::F32)]),
        ("powers, falling", vec![tensor(&reversed, DType::F32), of(1, 1.0, DType::F16)]),
        ("next to the first end", vec![of(9000, 2_f64.powi(-49), DType::F32), of(9000, 2_f64.powi(-50), DType::F32)]),
        ("next to the last end", vec![of(9000, 2_f64.powi(43), DType::F32), of(9000, 2_f64.powi(45), DType::F32)]),
        ("huge and usual", vec![of(9000, 1e25, DType::F32), of(9000, 1.0, DType::F16)]),
        ("small and smaller", vec![of(90_000, 3e-15, DType::F32), of(500, 2e-13, DType::F32)]),
        ("zeros", vec![of(9000, 0.0, DType::F32), of(7, 0.0, DType::F16)]),
    ] {
        let before: Tensors = tensors.into_iter().enumerate().map(|(i, t)| (i.to_string(), t)).collect();
        for gpu in adapters::all() {
            let expected = reference::clip_grad_norm(&doubles(&before), 1.0, Norm::L2).0;
            // So large that the coefficient is a normal number.
            let clip = ClipGradNorm::new(1e10);
            let found = clip.eval(gpu, &before).unwrap();
            let norm = f64::from(found.report.norm);
            assert!((norm - expected).abs() <= 1e-6 * expected, "{name} on {}: {norm:e}", gpu.adapter_id());
            assert_clipped(gpu, clip, &before, &found.tensors, &found.report);
        }
    }
}

/// As PyTorch's `clip_grad_norm_` does with and without `error_if_nonfinite`.
#[test]
fn a_norm_that_is_not_finite_is_told_and_scales_nothing_unless_asked() {
    let with = |x: f64, dtype: DType| -> Tensors {
        let mut values = vec![1.0; 5003];
        values[4001] = x;
        Named::new()
            .with("first", tensor(&[1.0, -2.0], DType::F32))
            .with("empty", tensor(&[], DType::F32))
            .with("second", tensor(&values, dtype))
            .with("third", tensor(&[x, 1.0, 0.0], DType::F32))
    };
    for gpu in adapters::all() {
        let what = gpu.adapter_id();
        for norm in NORMS {
            for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                for dtype in DType::FLOATS {
                    let before = with(x, dtype);
                    let keep = ClipGradNorm { norm, ..ClipGradNorm::new(0.5) };
                    let kept = keep.eval(gpu, &before).unwrap();
                    assert_eq!(kept.report.nonfinite.as_deref(), Some("second"), "{x} {dtype} on {what}");
                    assert_eq!((kept.report.norm.is_nan(), kept.report.coefficient), (x.is_nan(), 1.0), "{what}");
                    assert!(!kept.report.is_finite());
                    for ((_, before), (name, after)) in before.iter().zip(kept.tensors.iter()) {
                        assert!(before.bytes() == after.bytes(), "{name}: {x} {dtype} on {what}");
                    }
                    let scaled = ClipGradNorm { nonfinite: NonFinite::Scale, ..keep }.eval(gpu, &before).unwrap();
                    assert_eq!(scaled.report.nonfinite.as_deref(), Some("second"), "{x} {dtype} on {what}");
                    for ((_, before), (name, after)) in before.iter().zip(scaled.tensors.iter()) {
                        for (before, after) in before.to_f64().into_iter().zip(after.to_f64()) {
                            let is_lost = x.is_nan() || before.is_infinite();
                            let is_right = if is_lost { after.is_nan() } else { after == 0.0 };
                            assert!(is_right, "{name}: {before} became {after}, {x} {dtype} on {what}");
                        }
                    }
                }
            }
        }
        // Finite values whose norm is not.
        let beyond: Tensors = Named::new().with("w", tensor(&[3e38; 9], DType::F32));
        for norm in [Norm::L1, Norm::L2] {
            let keep = ClipGradNorm { norm, ..ClipGradNorm::new(1.0) };
            let kept = keep.eval(gpu, &beyond).unwrap();
            assert_eq!((kept.report.norm, kept.report.coefficient), (f32::INFINITY, 1.0), "{what}");
            assert_eq!(kept.report.nonfinite, None, "{what}");
            assert_eq!(kept.tensors, beyond, "{what}");
            let scaled = ClipGradNorm { nonfinite: NonFinite::Scale, ..keep }.eval(gpu, &beyond).unwrap();
            assert_eq!(scaled.tensors.get("w").unwrap().to_f64(), [0.0; 9], "{what}");
        }
    }
}

#[test]
fn the_norm_stays_on_the_device() {
    for gpu in adapters::all() {
        let norm = Tensor::zeros(gpu, TensorType::new(DType::F32, [1])).unwrap();
        let host: Tensors = Named::new().with("a", tensor(&[3.0], DType::F16)).with("b", tensor(&[4.0; 1], DType::F32));
        let tensors = uploaded(gpu, &host).with("total_norm", norm.clone());
        let bound = ClipGradNorm::new(1.0).run(gpu, &tensors).unwrap();
        assert_eq!(norm.read_blocking().unwrap().item(), 5.0, "{}", gpu.adapter_id());
        assert_eq!(pollster::block_on(bound.read()).unwrap().norm, 5.0);
        assert_eq!(bound.plan().tensors().iter().count(), 2);
    }
}

#[test]
fn the_same_call_gives_the_same_bits() {
    let before = fifty(1.0);
    for gpu in adapters::all() {
        let clip = || ClipGradNorm::new(0.1).eval(gpu, &before).unwrap();
        assert_eq!(clip(), clip(), "{}", gpu.adapter_id());
        let later = pollster::block_on(ClipGradNorm::new(0.1).eval_async(gpu, &before)).unwrap();
        assert_eq!(later, clip(), "{}", gpu.adapter_id());
    }
}

#[test]
fn gradients_larger_than_a_binding_are_split() {
    for gpu in adapters::all() {
        let adapter = pollster::block_on(Adapter::find(&gpu.adapter_id())).unwrap();
        let limits = wgpu::Limits { max_storage_buffer_binding_size: 16 << 10, ..adapter.limits() };
        let small = pollster::block_on(adapter.open_with_limits(limits)).unwrap();
        let before: Tensors = Named::new()
            .with("long", tensor(&(0..30_001).map(|i| f64::from(i % 7) - 3.0).collect::<Vec<_>>(), DType::F32))
            .with("halves", tensor(&(0..20_003).map(|i| f64::from(i % 5) - 2.0).collect::<Vec<_>>(), DType::BF16))
            .with("short", HostTensor::from(&[2.0_f32]));
        let clip = ClipGradNorm::new(0.5);
        let clipped = clip.eval(&small, &before).unwrap();
        assert_clipped(&small, clip, &before, &clipped.tensors, &clipped.report);
    }
}
