//! Safetensors files and the host tensors in them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use wgloss::{
    DType, Error, HostTensor, Named,
    spec::{Input, Kind, LossSpec},
};

use crate::error::CliError;

/// A safetensors file in memory.
pub struct TensorFile {
    path: PathBuf,
    bytes: Vec<u8>,
}

/// The inputs of a loss.
pub struct Inputs<'a> {
    /// The tensors, in types that the loss takes.
    pub tensors: Named<HostTensor<'a>>,
    /// What was lost where the file's types are wider.
    pub notices: Vec<String>,
}

impl TensorFile {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, CliError> {
        let bytes = fs::read(path).map_err(|source| CliError::Read { path: path.to_path_buf(), source })?;
        Ok(TensorFile { path: path.to_path_buf(), bytes })
    }

    /// The file's tensors as inputs of the loss: stored types as they are, f64 rounded to f32, labels converted.
    pub fn inputs(&self, spec: &LossSpec) -> Result<Inputs<'_>, CliError> {
        let invalid = |source| CliError::Invalid { path: self.path.clone(), source };
        let mut views = SafeTensors::deserialize(&self.bytes).map_err(invalid)?.tensors();
        // They come in no fixed order, and the first error should be the same every time.
        views.sort_by(|(a, _), (b, _)| a.cmp(b));

        let first = views.iter().find(|(name, _)| name == spec.inputs[0].name);
        let axes = first.map_or(0, |(_, view)| view.shape().len());
        let mut inputs = Inputs { tensors: Named::new(), notices: Vec::new() };
        for (name, view) in &views {
            let Some(input) = spec.input(name) else {
                let known = spec.all_inputs().map(|input| input.name.to_string()).collect();
                return Err(Error::UnexpectedTensor { loss: spec.name, tensor: name.clone(), known }.into());
            };
            let (tensor, lossy) = convert(spec, as_given(input, view, axes), view)?;
            inputs.tensors = inputs.tensors.with(name.as_str(), tensor);
            inputs.notices.extend(lossy);
        }
        Ok(inputs)
    }
}

/// Writes the tensors to a file: whole, or not at all.
pub fn write(path: &Path, tensors: &Named<HostTensor<'_>>) -> Result<(), CliError> {
    let failed = |source| CliError::Write { path: path.to_path_buf(), source };
    let views: Result<Vec<_>, _> = tensors
        .iter()
        .map(|(name, tensor)| {
            let (dtype, shape) = (file_type(tensor.dtype()), tensor.shape().to_vec());
            Ok((name, TensorView::new(dtype, shape, tensor.bytes())?))
        })
        .collect();
    // This writes a temporary file beside `path` and renames it.
    safetensors::serialize_to_file(views.map_err(failed)?, None, path).map_err(failed)
}

fn file_type(dtype: DType) -> Dtype {
    match dtype {
        DType::F32 => Dtype::F32,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::I32 => Dtype::I32,
    }
}

/// The form of the input that this tensor has, where the first one has so many axes: indices where it has integers and
/// no axis of classes. Integers with that axis are values, as those of a mask are.
fn as_given(input: &'static Input, view: &TensorView<'_>, axes: usize) -> &'static Input {
    let are_indices = matches!(view.dtype(), Dtype::U8 | Dtype::I32 | Dtype::I64) && view.shape().len() + 1 == axes;
    input.as_indices.filter(|_| are_indices).unwrap_or(input)
}

/// The tensor in a type that the input takes, and a notice if values may have changed.
fn convert<'a>(
    spec: &LossSpec,
    input: &Input,
    view: &TensorView<'a>,
) -> Result<(HostTensor<'a>, Option<String>), CliError> {
    let is_target = !input.differentiable && !input.optional;
    let shape = view.shape();
    match (input.kind, view.dtype()) {
        (Kind::Float | Kind::Label | Kind::Mask, Dtype::F32) => {
            Ok((HostTensor::from_bytes(DType::F32, shape, view.data())?, None))
        }
        (Kind::Float | Kind::Label | Kind::Mask, Dtype::F16) => {
            Ok((HostTensor::from_bytes(DType::F16, shape, view.data())?, None))
        }
        (Kind::Float | Kind::Label | Kind::Mask, Dtype::BF16) => {
            Ok((HostTensor::from_bytes(DType::BF16, shape, view.data())?, None))
        }
        (Kind::Index | Kind::Label | Kind::Mask, Dtype::I32) => {
            Ok((HostTensor::from_bytes(DType::I32, shape, view.data())?, None))
        }
        (Kind::Float | Kind::Label | Kind::Mask, Dtype::F64) => {
            let (elements, _) = view.data().as_chunks();
            let values: Vec<f64> = elements.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect();
            let overflowing = values.iter().filter(|x| x.is_finite() && (**x as f32).is_infinite()).count();
            let mut notice = format!("{}: `{}` is f64: its values are rounded to f32", spec.name, input.name);
            if overflowing > 0 {
                notice += &format!(", {overflowing} of them to infinity");
            }
            if input.differentiable {
                notice += ", its gradient is f32";
            }
            Ok((HostTensor::rounded(&values, DType::F32, shape)?, Some(notice)))
        }
        (Kind::Float, Dtype::BOOL | Dtype::U8 | Dtype::I32 | Dtype::I64) if is_target => {
            let labels = integers(view);
            let rounded = labels.iter().filter(|&&label| label as f32 as i128 != i128::from(label)).count();
            let notice = format!("{}: `{}`: {rounded} integers are rounded to f32", spec.name, input.name);
            let values: Vec<f64> = labels.iter().map(|&label| label as f64).collect();
            Ok((HostTensor::rounded(&values, DType::F32, shape)?, (rounded > 0).then_some(notice)))
        }
        (Kind::Index, Dtype::U8 | Dtype::I64) | (Kind::Label | Kind::Mask, Dtype::BOOL | Dtype::U8 | Dtype::I64) => {
            let mut bytes = Vec::with_capacity(4 * shape.iter().product::<usize>());
            for (index, value) in integers(view).into_iter().enumerate() {
                let (loss, tensor) = (spec.name, input.name);
                let narrowed = i32::try_from(value).map_err(|_| CliError::IndexRange { loss, tensor, index, value })?;
                bytes.extend(narrowed.to_le_bytes());
            }
            Ok((HostTensor::from_bytes(DType::I32, shape, bytes)?, None))
        }
        (kind, found) => {
            let expected = match kind {
                Kind::Label | Kind::Mask => "F32, F16, BF16, F64, I32, I64, U8 or BOOL",
                Kind::Float if is_target => "F32, F16, BF16, F64, I32, I64, U8 or BOOL",
                Kind::Float => "F32, F16, BF16 or F64",
                Kind::Index => "I32, I64 or U8",
            };
            Err(CliError::Type { loss: spec.name, tensor: input.name, expected, found })
        }
    }
}

/// The values of a tensor of integers.
fn integers(view: &TensorView<'_>) -> Vec<i64> {
    let data = view.data();
    match view.dtype() {
        Dtype::I64 => data.as_chunks().0.iter().map(|&bytes| i64::from_le_bytes(bytes)).collect(),
        Dtype::I32 => data.as_chunks().0.iter().map(|&bytes| i32::from_le_bytes(bytes).into()).collect(),
        _ => data.iter().map(|&byte| byte.into()).collect(),
    }
}
