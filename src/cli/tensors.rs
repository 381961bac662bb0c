//! Safetensors files and the tensors in them.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use wgloss::{AnyTensor, DType, HostTensor, Named, NumberType};

use crate::{error::CliError, output};

/// A safetensors file in memory.
pub struct TensorFile {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl TensorFile {
    /// Reads a file, or standard input where the path is `-`.
    pub fn read(path: &Path) -> Result<Self, CliError> {
        let (path, bytes) = if output::is_standard(path) {
            let mut bytes = Vec::new();
            (PathBuf::from("standard input"), io::stdin().read_to_end(&mut bytes).map(|_| bytes))
        } else {
            (path.to_path_buf(), fs::read(path))
        };
        match bytes {
            Ok(bytes) => Ok(TensorFile { path, bytes }),
            Err(source) => Err(CliError::Read { path, source }),
        }
    }

    /// The file's tensors by name.
    pub fn tensors(&self) -> Result<Named<AnyTensor<'_>>, CliError> {
        let invalid = |source| CliError::Invalid { path: self.path.clone(), source };
        let mut views = SafeTensors::deserialize(&self.bytes).map_err(invalid)?.tensors();
        // They come in no fixed order, and the first error should be the same every time.
        views.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut tensors = Named::new();
        for (name, view) in views {
            let Some(number) = number_type(view.dtype()) else {
                return Err(CliError::Type { path: self.path.clone(), tensor: name, found: view.dtype() });
            };
            tensors = tensors.with(name, AnyTensor::from_bytes(number, view.shape(), view.data())?);
        }
        Ok(tensors)
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

/// The type of a file's numbers; `None` for those that no loss takes.
fn number_type(dtype: Dtype) -> Option<NumberType> {
    Some(match dtype {
        Dtype::BOOL => NumberType::Bool,
        Dtype::I8 => NumberType::I8,
        Dtype::I16 => NumberType::I16,
        Dtype::I32 => NumberType::I32,
        Dtype::I64 => NumberType::I64,
        Dtype::U8 => NumberType::U8,
        Dtype::U16 => NumberType::U16,
        Dtype::U32 => NumberType::U32,
        Dtype::U64 => NumberType::U64,
        Dtype::F16 => NumberType::F16,
        Dtype::BF16 => NumberType::BF16,
        Dtype::F32 => NumberType::F32,
        Dtype::F64 => NumberType::F64,
        _ => return None,
    })
}
