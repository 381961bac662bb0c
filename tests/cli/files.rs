//! Safetensors files for the command, and evaluations of them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use bytemuck::Pod;
use safetensors::{
    Dtype::{self, F32},
    SafeTensors,
    tensor::TensorView,
};
use tempfile::TempDir;
use wgloss::Adapter;

use crate::command::{Run, command, run};

/// Type, shape and bytes.
pub type Tensor = (Dtype, Vec<usize>, Vec<u8>);

pub fn tensor<T: Pod>(dtype: Dtype, shape: &[usize], values: &[T]) -> Tensor {
    assert_eq!(dtype.bitsize(), 8 * size_of::<T>());
    (dtype, shape.to_vec(), bytemuck::cast_slice(values).to_vec())
}

/// A directory with an input file.
pub struct Files {
    pub directory: TempDir,
}

impl Files {
    pub fn new(tensors: &[(&str, Tensor)]) -> Self {
        let files = Files { directory: tempfile::tempdir().unwrap() };
        let views = tensors
            .iter()
            .map(|(name, (dtype, shape, bytes))| (*name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
        fs::write(files.input(), safetensors::serialize(views, None).unwrap()).unwrap();
        files
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn input(&self) -> PathBuf {
        self.path("input.safetensors")
    }

    pub fn output(&self) -> PathBuf {
        self.path("output.safetensors")
    }

    /// Evaluates the input by the reference.
    pub fn eval(&self, args: &str) -> Run {
        self.eval_on("cpu", args)
    }

    pub fn eval_on(&self, adapter: &str, args: &str) -> Run {
        let mut command = command(&["eval", "--adapter", adapter, "--input"]);
        run(command.arg(self.input()).args(args.split_whitespace()))
    }

    /// Evaluates the input and checks it, if not by the reference.
    pub fn eval_checked(&self, adapter: &str, args: &str) -> Run {
        self.eval_on(adapter, &if adapter == "cpu" { args.to_string() } else { format!("{args} --check") })
    }

    /// Evaluates the input by the reference and gives the tensors of the output file.
    #[track_caller]
    pub fn eval_to_file(&self, args: &str) -> BTreeMap<String, Tensor> {
        self.eval_to_file_on("cpu", args)
    }

    #[track_caller]
    pub fn eval_to_file_on(&self, adapter: &str, args: &str) -> BTreeMap<String, Tensor> {
        let mut command = command(&["eval", "--adapter", adapter, "--input"]);
        command.arg(self.input()).arg("--output").arg(self.output()).args(args.split_whitespace());
        let run = run(&mut command);
        assert_eq!(run.code, 0, "{}", run.stderr);
        tensors(&self.output())
    }
}

pub fn tensors(path: &Path) -> BTreeMap<String, Tensor> {
    let bytes = fs::read(path).unwrap();
    let views = SafeTensors::deserialize(&bytes).unwrap();
    views
        .iter()
        .map(|(name, view)| (name.to_string(), (view.dtype(), view.shape().to_vec(), view.data().to_vec())))
        .collect()
}

pub fn floats((dtype, _, bytes): &Tensor) -> Vec<f32> {
    assert_eq!(*dtype, F32);
    bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}

/// The reference, and the default adapter where there is one.
pub fn adapters() -> Vec<String> {
    let default = Adapter::all_blocking().first().map(Adapter::id);
    ["cpu".to_string()].into_iter().chain(default).collect()
}

pub fn mse() -> Files {
    Files::new(&[
        ("prediction", tensor(F32, &[2, 2], &[2.5_f32, 0.0, 2.0, 8.0])),
        ("target", tensor(F32, &[2, 2], &[3.0_f32, -0.5, 2.0, 7.0])),
    ])
}
