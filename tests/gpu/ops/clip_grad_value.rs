//! Gradients held between two values.

use wgloss::{
    DType, Named,
    ops::{ClipGradValue, Operation},
};

use super::{Lie, Tensors, adapters, fifty, in_the_callers_buffers, tensor};

#[test]
fn values_beyond_the_limit_become_it_and_no_other_changes() {
    let mut before = fifty(2.0);
    for dtype in DType::FLOATS {
        let ends = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.5, -0.5, 0.0, -0.0, 1e4, -1e-6];
        before = before.with(format!("ends {dtype}"), tensor(&ends, dtype));
    }
    for gpu in adapters::all() {
        for lie in [Lie::InOne, Lie::Tight] {
            let clip = ClipGradValue { limit: 0.5 };
            let (after, ()) = in_the_callers_buffers(gpu, &clip, &before, lie);
            for ((name, before), (_, after)) in before.iter().zip(after.iter()) {
                for (x, found) in before.to_f64().into_iter().zip(after.to_f64()) {
                    let what = || format!("{name}: {found} for {x} on {}", gpu.adapter_id());
                    // f64's `clamp` keeps NaN too.
                    let expected = x.clamp(-0.5, 0.5);
                    assert!(found == expected || (found.is_nan() && x.is_nan()), "{}", what());
                    assert_eq!(found.is_sign_negative() && x == 0.0, x.is_sign_negative() && x == 0.0, "{}", what());
                }
            }
        }
    }
}

/// What a type cannot hold is rounded to it.
#[test]
fn the_limit_is_rounded_to_the_storage_type() {
    let before: Tensors = Named::new().with("w", tensor(&[1.0, -1.0], DType::BF16));
    for gpu in adapters::all() {
        let clipped = ClipGradValue { limit: 0.1 }.eval(gpu, &before).unwrap();
        let limit = f64::from(wgloss::half::bf16::from_f32(0.1));
        assert_eq!(clipped.tensors.get("w").unwrap().to_f64(), [limit, -limit], "{}", gpu.adapter_id());
    }
}
