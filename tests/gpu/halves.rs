//! Half-precision storage to the last bit: kernels read and round f16 and bf16 as the `half` crate does.

use half::{bf16, f16};
use wgloss::{DType, Element, Gpu, HostTensor, Loss, Mae, Mse, Reduction};

use crate::common::adapters;

/// Every f16 and every bf16, read by `mae` against 0: the loss is the magnitude, the gradient the sign.
#[test]
fn every_half_is_read_exactly() {
    for gpu in adapters::all() {
        every_value_is_read(gpu, f16::from_bits, f16::to_f32);
        every_value_is_read(gpu, bf16::from_bits, bf16::to_f32);
    }
}

fn every_value_is_read<T: Element>(gpu: &Gpu, from_bits: fn(u16) -> T, to_f32: fn(T) -> f32) {
    // Subnormal f32 values, which bf16 has, may be flushed to 0.
    let is_kept = |x: f32| x.is_finite() && (x == 0.0 || x.is_normal());
    let values: Vec<T> = (0..=u16::MAX).map(from_bits).collect();
    let target = vec![0.0_f32; values.len()];
    let result = Mae.eval(gpu, &values, &target, Reduction::None).expect("mae of halves");
    let losses: Vec<f32> = result.loss.to_vec().expect("losses are f32");
    let gradients = result.gradients.get("prediction").expect("mae has a gradient").to_f64();
    for ((&value, &loss), &gradient) in values.iter().zip(&losses).zip(&gradients) {
        let value = to_f32(value);
        let place = format!("{} {value:e} of {}", T::DTYPE, gpu.adapter_id());
        if is_kept(value) {
            assert_eq!(loss, value.abs(), "{place}");
            assert_eq!(gradient, if value == 0.0 { 0.0 } else { f64::from(value.signum()) }, "{place}");
        } else if value.is_finite() {
            assert!(loss == 0.0 || loss == value.abs(), "{place}: {loss:e}");
        } else {
            // Of an infinity the gradient has a limit.
            let is_right = if value.is_nan() { gradient.is_nan() } else { gradient == f64::from(value.signum()) };
            assert_eq!(loss.is_nan(), value.is_nan(), "{place}: {loss}");
            assert!(!loss.is_finite() && is_right, "{place}: {loss}, {gradient}");
        }
    }
}

/// Gradients of `mse` at a half prediction of 0 are −2·target for any f32 target, so any f32 can be made to be rounded.
#[test]
fn gradients_are_rounded_to_the_nearest_half() {
    let mut rng = fastrand::Rng::with_seed(3);
    let mut targets: Vec<f32> = Vec::new();
    // Ties and their neighbours, between all f16 values and all bf16 values.
    for bits in 0..=u16::MAX {
        for value in [f16::from_bits(bits).to_f32(), bf16::from_bits(bits).to_f32()] {
            let half_step = if rng.bool() { 1 << 12 } else { 1 << 15 };
            let near = value.to_bits().wrapping_add(half_step).wrapping_add_signed(rng.i32(-1..=1));
            targets.extend([value, f32::from_bits(near)]);
        }
    }
    // The ends of f16's range, normal and subnormal.
    targets
        .extend([65504.0, 65519.99, 65520.0, 65536.0, 6.1e-5, 5.96e-8, 2.98e-8, 2.9e-8, 8.9e-8].map(|x: f32| x / -2.0));
    targets.retain(|&target| target.is_finite() && (target == 0.0 || target.is_normal()) && (2.0 * target).is_finite());
    for gpu in adapters::all() {
        rounds_like(gpu, &targets, f16::from_f32, f16::to_bits);
        rounds_like(gpu, &targets, bf16::from_f32, bf16::to_bits);
    }
}

fn rounds_like<T: Element>(gpu: &Gpu, targets: &[f32], from_f32: fn(f32) -> T, to_bits: fn(T) -> u16) {
    let prediction = vec![from_f32(0.0); targets.len()];
    let result = Mse.eval(gpu, &prediction, targets, Reduction::None).expect("mse of halves");
    let gradient: &HostTensor = result.gradients.get("prediction").expect("mse has a gradient");
    assert_eq!(gradient.dtype(), T::DTYPE);
    let gradients: Vec<T> = gradient.to_vec().expect("the gradient has the prediction's type");
    for (&target, &found) in targets.iter().zip(&gradients) {
        let expected = to_bits(from_f32(-2.0 * target));
        // The sign of zero does not matter.
        let same = to_bits(found) == expected || (to_bits(found) | expected) & 0x7fff == 0;
        assert!(
            same,
            "{} of {:e} on {}: {:#06x}, not {expected:#06x}",
            T::DTYPE,
            -2.0 * target,
            gpu.adapter_id(),
            to_bits(found)
        );
    }
}

#[test]
fn dtypes_have_their_sizes() {
    let sizes = [DType::F32, DType::F16, DType::BF16, DType::I32].map(|dtype| (dtype.size(), dtype.buffer_size(3)));
    assert_eq!(sizes, [(4, 12), (2, 8), (2, 8), (4, 12)]);
}
