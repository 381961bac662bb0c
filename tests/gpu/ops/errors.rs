//! Bad input of operations, each with its own error.

use wgloss::{
    BufferSlice, DType, Error, Gpu, Named, Tensor, TensorType,
    ops::{ClipGradNorm, ClipGradValue, Diagnose, Norm, Operation},
    spec::Rule,
};

use super::{adapters, tensor};
use crate::common::{caller::buffer, device::uploaded};

const OPERATION: &str = "clip_grad_norm";
const CLIP: ClipGradNorm = ClipGradNorm::new(1.0);

fn types(types: &[(&str, DType, &[usize])]) -> Named<TensorType> {
    types.iter().map(|&(name, dtype, shape)| (name.to_string(), TensorType::new(dtype, shape))).collect()
}

/// Two gradients of 192 f32 each, which are more than any adapter's alignment.
fn two() -> Named<TensorType> {
    types(&[("a", DType::F32, &[192]), ("b", DType::F32, &[192])])
}

#[test]
fn limits_are_finite_and_above_0() {
    for gpu in adapters::all() {
        for found in [0.0, -1.0, f32::NAN, f32::INFINITY, -0.0] {
            let refused =
                |loss, parameter| Error::Parameter { loss, parameter, rule: Rule::Positive, found: found.to_string() };
            let clip = ClipGradNorm { norm: Norm::Max, ..ClipGradNorm::new(found) };
            assert_eq!(clip.plan(gpu, &two()).map(drop), Err(refused(OPERATION, "max_norm")));
            let clip = ClipGradValue { limit: found };
            assert_eq!(clip.plan(gpu, &two()).map(drop), Err(refused("clip_grad_value", "limit")));
        }
    }
}

#[test]
fn an_operation_needs_tensors() {
    for gpu in adapters::all() {
        let nothing = |operation| Err(Error::NoTensors { operation });
        assert_eq!(CLIP.plan(gpu, &Named::new()).map(drop), nothing(OPERATION));
        assert_eq!(ClipGradValue { limit: 1.0 }.run(gpu, &Named::new()).map(drop), nothing("clip_grad_value"));
        assert_eq!(Diagnose.eval(gpu, &Named::new()).map(drop), nothing("diagnose"));
    }
}

#[test]
fn a_tensor_that_an_operation_cannot_take_is_refused() {
    for gpu in adapters::all() {
        let (tensor, expected) = ("diagnose: `labels`".to_string(), "f32, f16 or bf16".to_string());
        let found = Diagnose.plan(gpu, &types(&[("labels", DType::I32, &[3])])).map(drop);
        assert_eq!(found, Err(Error::DType { tensor, expected, found: DType::I32 }));

        let refused = |types: Named<TensorType>| match CLIP.plan(gpu, &types) {
            Err(Error::Operand { operation: OPERATION, tensor, rule, found }) => (tensor, rule, found),
            other => panic!("{other:?}"),
        };
        let (tensor, rule, found) = refused(types(&[("total_norm", DType::F32, &[3])]));
        assert_eq!((&*tensor, &*rule), ("total_norm", "have another name than the output"));
        assert_eq!(found, "f32 [3]");
        let strided = TensorType::new(DType::F16, [4, 3]).with_row_stride(8);
        let (tensor, rule, found) = refused(Named::new().with("a", strided));
        assert_eq!((&*tensor, &*rule), ("a", "have its rows side by side"));
        assert_eq!(found, "f16 [4, 3] with a row stride of 8");
        let (tensor, rule, _) = refused(types(&[("a", DType::F32, &[1 << 30, 1 << 30])]));
        assert!(tensor == "a" && rule.starts_with("have at most "), "{rule}");

        let twice = types(&[("a", DType::F32, &[3]), ("a", DType::F16, &[3])]);
        assert!(matches!(CLIP.plan(gpu, &twice), Err(Error::UnexpectedTensor { tensor, .. }) if tensor == "a"));
        // Longer than a buffer may be.
        let long = types(&[("a", DType::F32, &[1 << 39])]);
        assert!(matches!(CLIP.plan(gpu, &long), Err(Error::Limit { limit: "max_buffer_size", .. })));
    }
}

/// What binding gives for `a`, `b` and more at these places of one buffer.
fn bound(gpu: &Gpu, own: &wgpu::Buffer, places: &[(&str, u64)]) -> Result<(), Error> {
    let places = places.iter().map(|&(name, offset)| (name.to_string(), BufferSlice { buffer: own, offset }));
    CLIP.plan(gpu, &two()).unwrap().bind(&places.collect()).map(drop)
}

#[test]
fn buffers_that_do_not_fit_are_refused() {
    for gpu in adapters::all() {
        let own = buffer(gpu, 4096, wgpu::BufferUsages::STORAGE);
        let (loss, alignment) = (OPERATION, u64::from(gpu.limits().min_storage_buffer_offset_alignment));
        let name = |name: &str| name.to_string();
        assert_eq!(bound(gpu, &own, &[("a", 0), ("b", 1024)]), Ok(()));
        assert_eq!(bound(gpu, &own, &[("a", 0), ("b", 1024), ("total_norm", 2048)]), Ok(()));
        assert_eq!(bound(gpu, &own, &[("a", 0)]), Err(Error::MissingTensor { loss, tensor: name("b") }));
        let known = vec![name("a"), name("b")];
        let unexpected = Err(Error::UnexpectedTensor { loss, tensor: name("c"), known });
        assert_eq!(bound(gpu, &own, &[("a", 0), ("b", 1024), ("c", 2048)]), unexpected);
        let small = Error::BufferTooSmall { loss, tensor: name("b"), offset: 3584, needed: 768, available: 512 };
        assert_eq!(bound(gpu, &own, &[("a", 0), ("b", 3584)]), Err(small));
        let unaligned = Error::BufferAlignment { loss, tensor: name("b"), offset: 1028, alignment };
        assert_eq!(bound(gpu, &own, &[("a", 0), ("b", 1028)]), Err(unaligned));
        let overlap = |output: &str, other: &str| {
            Err(Error::BufferOverlap { loss, output: output.to_string(), other: other.to_string() })
        };
        assert_eq!(bound(gpu, &own, &[("a", 0), ("b", 512)]), overlap("a", "b"));
        assert_eq!(bound(gpu, &own, &[("a", 0), ("b", 1024), ("total_norm", 256)]), overlap("a", "total_norm"));

        let (needed, found) = (wgpu::BufferUsages::STORAGE, wgpu::BufferUsages::COPY_DST);
        let other = buffer(gpu, 4096, found);
        let usage = Error::BufferUsage { loss, tensor: name("a"), needed, found };
        assert_eq!(bound(gpu, &other, &[("a", 0), ("b", 1024)]), Err(usage));
        // What is only read may be bound twice.
        let places = Named::<BufferSlice<'_>>::new().with("a", &own).with("b", (&own, 512));
        assert!(Diagnose.plan(gpu, &two()).unwrap().bind(&places).is_ok());
    }
}

#[test]
fn tensors_that_the_plan_was_not_made_for_are_refused() {
    for gpu in adapters::all() {
        let plan = ClipGradNorm::new(1.0).plan(gpu, &types(&[("a", DType::F32, &[4])])).unwrap();
        let bind = |gpu: &Gpu, name: &str, dtype, shape: &[usize]| {
            let tensor = Tensor::zeros(gpu, TensorType::new(dtype, shape)).unwrap();
            plan.bind_tensors(&Named::new().with(name, tensor)).map(drop)
        };
        assert_eq!(bind(gpu, "a", DType::F32, &[2, 2]), Ok(()));
        let (tensor, expected) = ("clip_grad_norm: `a`".to_string(), "f32".to_string());
        assert_eq!(bind(gpu, "a", DType::F16, &[4]), Err(Error::DType { tensor, expected, found: DType::F16 }));
        let found = bind(gpu, "a", DType::F32, &[5]);
        assert!(
            matches!(&found, Err(Error::Operand { rule, .. }) if rule == "have 4 elements side by side"),
            "{found:?}"
        );
        let found = bind(gpu, "total_norm", DType::F32, &[2]);
        assert!(
            matches!(&found, Err(Error::Operand { rule, .. }) if rule == "have 1 elements side by side"),
            "{found:?}"
        );
        let twin = Gpu::find_blocking(&gpu.adapter_id()).unwrap();
        let other = Err(Error::OtherDevice { loss: OPERATION, tensor: "a".to_string() });
        assert_eq!(bind(&twin, "a", DType::F32, &[4]), other);
    }
}

#[test]
fn empty_tensors_have_the_norm_0() {
    for gpu in adapters::all() {
        let empty = Named::new().with("a", tensor(&[], DType::F32)).with("b", tensor(&[], DType::BF16));
        for norm in [Norm::L1, Norm::L2, Norm::Max] {
            let report =
                ClipGradNorm { norm, ..CLIP }.run(gpu, &uploaded(gpu, &empty)).unwrap().read_blocking().unwrap();
            assert_eq!((report.norm, report.coefficient, report.nonfinite), (0.0, 1.0, None));
        }
        ClipGradValue { limit: 1.0 }.run(gpu, &uploaded(gpu, &empty)).unwrap().read_blocking().unwrap();
        let found = Diagnose.eval(gpu, &empty).unwrap().report;
        assert_eq!(found.get("b").map(|found| (found.elements, found.mean)), Some((0, None)));
    }
}
