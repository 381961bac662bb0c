//! `wgloss diagnose`: what kinds of values the tensors of a file have.

use std::path::PathBuf;

use serde_json::{Value as Json, json};
use wgloss::{
    AnyTensor, DType, Error, HostTensor, Named, NumberType,
    ops::{Diagnose, Diagnosis, Operation},
    reference,
};

use crate::{engine::Engine, error::CliError, output, tensors::TensorFile};

const EXAMPLE: &str = "\
Extremes, mean and norm are of the finite values. Tensors of integers are left out, and so are those of F64.

Example, with gradients from Python:
  safetensors.torch.save_file({n: p.grad for n, p in model.named_parameters()}, 'gradients.safetensors')
  wgloss diagnose gradients.safetensors";

/// What to look at.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct Args {
    /// The safetensors file; `-` for standard input.
    #[arg(value_name = "FILE")]
    input: PathBuf,
    /// Part of an adapter's name, optionally with its backend (`vulkan:llvmpipe`), or `cpu` for the f64 reference
    /// [default: the most capable adapter]
    #[arg(long)]
    adapter: Option<String>,
    #[command(flatten)]
    pub format: output::Format,
}

/// Diagnoses the tensors of the file.
pub fn run(args: &Args, as_json: bool) -> Result<(), CliError> {
    let file = TensorFile::read(&args.input)?;
    let mut tensors = Named::<HostTensor<'_>>::new();
    for (name, tensor) in file.tensors()?.iter() {
        match dtype(tensor) {
            Some(dtype) => {
                let host = HostTensor::from_bytes(dtype, tensor.shape(), tensor.bytes().to_vec())?;
                tensors = tensors.with(name, host);
            }
            None => output::notice(format_args!("`{name}` is {}, and left out", tensor.number_type())),
        }
    }
    if tensors.iter().next().is_none() {
        return Err(Error::NoTensors { operation: "diagnose" }.into());
    }
    let engine = Engine::select(args.adapter.as_deref(), false)?;
    let found = match &engine {
        Engine::Gpu(gpu) => Diagnose.eval(gpu, &tensors)?.report,
        Engine::Reference => tensors.map(reference::diagnose),
    };
    match as_json {
        true => output::print_json(&json!({ "adapter": engine.name(), "tensors": described(&tensors, &found) })),
        false => output::print(table(&tensors, &found)),
    }
}

/// The storage type of the tensor, if it is one that is diagnosed.
fn dtype(tensor: &AnyTensor<'_>) -> Option<DType> {
    match tensor.number_type() {
        NumberType::F32 => Some(DType::F32),
        NumberType::F16 => Some(DType::F16),
        NumberType::BF16 => Some(DType::BF16),
        _ => None,
    }
}

fn described(tensors: &Named<HostTensor<'_>>, found: &Named<Diagnosis>) -> Vec<Json> {
    let number = |x: Option<f64>| x.map_or(Json::Null, output::json_number);
    let describe = |((name, host), (_, found)): ((&str, &HostTensor<'_>), (&str, &Diagnosis))| {
        json!({
            "name": name,
            "dtype": host.dtype().name(),
            "shape": host.shape(),
            "elements": found.elements,
            "nan": found.nan,
            "infinite": found.infinite,
            "zero": found.zero,
            "negative": found.negative,
            "min": number(found.min),
            "max": number(found.max),
            "mean": number(found.mean),
            "norm": output::json_number(found.norm),
        })
    };
    tensors.iter().zip(found.iter()).map(describe).collect()
}

fn table(tensors: &Named<HostTensor<'_>>, found: &Named<Diagnosis>) -> String {
    let number = |x: Option<f64>| x.map_or_else(|| "–".to_string(), output::digits);
    let headings = ["tensor", "type", "shape", "NaN", "infinite", "zero", "negative", "min", "max", "mean", "norm"];
    let mut table = output::table(headings);
    for ((name, host), (_, found)) in tensors.iter().zip(found.iter()) {
        let counts = [found.nan, found.infinite, found.zero, found.negative].map(|count| count.to_string());
        let numbers = [found.min, found.max, found.mean, Some(found.norm)].map(number);
        let kind = [name.to_string(), host.dtype().to_string(), format!("{:?}", host.shape())];
        table.add_row([&kind[..], &counts, &numbers].concat());
    }
    table.to_string()
}
