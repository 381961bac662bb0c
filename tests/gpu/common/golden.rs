//! Reads the golden cases: what PyTorch and others compute in float64 (see `tests/golden/README.md`).

use std::{fs, path::Path};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde_json::Value as Json;
use wgloss::{AnyLoss, DType, HostTensor, Named, Reduction};

/// One loss of one set of inputs, with its expected results.
pub struct Case {
    pub name: String,
    pub loss: AnyLoss,
    pub reduction: Reduction,
    /// Exact in f32.
    pub inputs: Named<HostTensor<'static>>,
    pub expected_loss: Vec<f64>,
    pub expected_shape: Vec<usize>,
    /// By the name of the input.
    pub expected_gradients: Named<Vec<f64>>,
}

/// Every case of every file.
pub fn cases() -> Vec<Case> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut paths: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "safetensors"));
    paths.sort();
    paths.iter().flat_map(|path| read(&fs::read(path).unwrap())).collect()
}

fn read(file: &[u8]) -> Vec<Case> {
    let (_, header) = SafeTensors::read_metadata(file).unwrap();
    let cases: Json = serde_json::from_str(&header.metadata().as_ref().unwrap()["cases"]).unwrap();
    let tensors = SafeTensors::deserialize(file).unwrap();
    cases.as_object().unwrap().iter().map(|(name, described)| case(name, described, &tensors)).collect()
}

fn case(name: &str, described: &Json, tensors: &SafeTensors<'_>) -> Case {
    let params = described["params"].as_object().unwrap();
    let settings: Vec<_> = params.iter().map(|(key, value)| (key.as_str(), value.as_str().unwrap())).collect();
    let loss = AnyLoss::new(described["loss"].as_str().unwrap(), &settings).unwrap();
    let reduction = described["reduction"].as_str().unwrap().parse().unwrap();

    let (mut inputs, mut expected_loss, mut expected_gradients) = (Named::new(), None, Named::new());
    for (full_name, tensor) in tensors.iter() {
        match full_name.rsplit_once(':') {
            Some((of, "loss")) if of == name => expected_loss = Some((doubles(&tensor), tensor.shape().to_vec())),
            Some((of, tensor_name)) if of == name => match tensor_name.strip_prefix("grad.") {
                Some(input) => expected_gradients = expected_gradients.with(input, doubles(&tensor)),
                None => inputs = inputs.with(tensor_name, host(&tensor)),
            },
            _ => {}
        }
    }
    let (expected_loss, expected_shape) = expected_loss.unwrap();
    Case { name: name.to_string(), loss, reduction, inputs, expected_loss, expected_shape, expected_gradients }
}

fn host(tensor: &TensorView<'_>) -> HostTensor<'static> {
    let dtype = match tensor.dtype() {
        Dtype::F32 => DType::F32,
        Dtype::I32 => DType::I32,
        other => panic!("no input is stored as {other:?}"),
    };
    HostTensor::from_bytes(dtype, tensor.shape(), tensor.data().to_vec()).unwrap()
}

fn doubles(tensor: &TensorView<'_>) -> Vec<f64> {
    assert_eq!(tensor.dtype(), Dtype::F64);
    let (elements, _) = tensor.data().as_chunks();
    elements.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect()
}
