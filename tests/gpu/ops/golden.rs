//! What PyTorch's `clip_grad_norm_` makes of 50 gradients: see `tests/golden/ops.py`.

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use wgloss::{
    DType, HostTensor, Named,
    ops::{ClipGradNorm, Norm, Operation},
    reference,
};

use super::{Tensors, adapters, doubles, slack};

const FILE: &[u8] = include_bytes!("../../golden/ops/clip_grad_norm.safetensors");
/// What the file was made with.
const MAX_NORM: f32 = 1.5;

fn stored(view: &TensorView<'_>) -> HostTensor<'static> {
    let dtype = match view.dtype() {
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        other => panic!("no gradient is stored as {other:?}"),
    };
    HostTensor::from_bytes(dtype, view.shape(), view.data().to_vec()).unwrap()
}

fn expected(file: &SafeTensors<'_>, name: &str) -> Vec<f64> {
    let view = file.tensor(name).unwrap();
    assert_eq!(view.dtype(), Dtype::F64);
    view.data().as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect()
}

#[test]
fn the_norm_and_the_gradients_are_pytorchs() {
    let file = SafeTensors::deserialize(FILE).unwrap();
    let names: Vec<String> = (0..50).map(|number| format!("grad.{number:02}")).collect();
    let before: Tensors = names.iter().map(|name| (name.clone(), stored(&file.tensor(name).unwrap()))).collect();
    for (p, norm) in [("1", Norm::L1), ("2", Norm::L2), ("inf", Norm::Max)] {
        let total = expected(&file, &format!("p={p}:norm"))[0];
        let after: Named<Vec<f64>> =
            names.iter().map(|name| (name.clone(), expected(&file, &format!("p={p}:{name}")))).collect();
        let (of_reference, coefficient) = reference::clip_grad_norm(&doubles(&before), MAX_NORM.into(), norm);
        assert!((of_reference - total).abs() <= 1e-12 * total, "{p}: {of_reference}");
        for gpu in adapters::all() {
            let clip = ClipGradNorm { norm, ..ClipGradNorm::new(MAX_NORM) };
            let clipped = clip.eval(gpu, &before).unwrap();
            let what = format!("p = {p} on {}", gpu.adapter_id());
            assert!((f64::from(clipped.report.norm) - total).abs() <= 1e-6 * total, "{what}: {:?}", clipped.report);
            for ((name, before), (_, after)) in before.iter().zip(after.iter()) {
                let found = clipped.tensors.get(name).unwrap().to_f64();
                assert_eq!(found.len(), after.len());
                for ((x, expected), found) in before.to_f64().into_iter().zip(after).zip(found) {
                    assert!((x * coefficient - expected).abs() <= 1e-12 * expected.abs(), "{what}: the reference");
                    let error = (found - expected).abs();
                    assert!(error <= slack(*expected, before.dtype()), "{what}: {name}: {found} for {expected}");
                }
            }
        }
    }
}
