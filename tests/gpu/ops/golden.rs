//! What PyTorch makes of operations: see `tests/golden/ops.py`.

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use wgloss::{
    DType, HostTensor, Named,
    ops::{ClipGradNorm, GradNorm, Norm, Operation},
    reference,
};

use super::{Tensors, adapters, doubles, grad_norm::golden_tasks, slack};

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

const STEPS: &[u8] = include_bytes!("../../golden/ops/grad_norm.safetensors");

#[test]
fn the_weights_of_tasks_are_those_of_autograd() {
    let file = SafeTensors::deserialize(STEPS).unwrap();
    for case in 0..5 {
        let read = |name: &str| stored(&file.tensor(&format!("{case}:{name}")).unwrap());
        let found_by_pytorch = |name: &str| expected(&file, &format!("{case}:{name}"));
        let tasks = golden_tasks(read);
        let [alpha, learning_rate] = read("options").to_vec::<f32>().unwrap()[..] else { panic!("two options") };
        let operation = GradNorm { alpha, learning_rate };
        let values = |name: &str| tasks.get(name).unwrap().to_f64();
        let step = reference::grad_norm(
            &operation,
            &values("losses"),
            &values("initial_losses"),
            &values("gradient_norms"),
            &values("weights"),
        );
        let step = step.unwrap();
        let near = |found: &[f64], expected: &[f64], within: f64, what: &str| {
            assert_eq!(found.len(), expected.len(), "{what}");
            let is_near = |(a, b): (&f64, &f64)| (a - b).abs() <= within * b.abs();
            assert!(found.iter().zip(expected).all(is_near), "case {case}, {what}: {found:?} for {expected:?}");
        };
        near(&[step.loss], &found_by_pytorch("loss"), 1e-12, "the reference's loss");
        near(&step.gradient, &found_by_pytorch("grad.weights"), 1e-12, "the reference's gradient");
        near(&step.weights, &found_by_pytorch("weights.after"), 1e-12, "the reference's weights");
        for gpu in adapters::all() {
            let found = operation.eval(gpu, &tasks).unwrap();
            let on = gpu.adapter_id();
            near(&[found.report.loss.into()], &found_by_pytorch("loss"), 1e-5, &on);
            near(&found.tensors.get("weights").unwrap().to_f64(), &found_by_pytorch("weights.after"), 1e-5, &on);
        }
    }
}
