//! Forward and backward pass of a loss with wgloss and with Burn's own loss, in turns on Burn's default device.
//!
//! ```sh
//! cargo bench --manifest-path burn/Cargo.toml --features autotune -- --json loss.json
//! ```

#[path = "../examples/common/time.rs"]
mod time;

use std::{error::Error, path::PathBuf};

use burn::{
    nn::loss,
    tensor::{Device, Distribution, Int, Tensor, TensorData},
};
use clap::Parser;
use serde::Serialize;
use wgloss_burn::{CrossEntropyLossConfig, LinearCrossEntropyLossConfig, Reduction, memory_cleanup};

use time::{median, time};

/// Logits `[N, C]`: small ones, where it counts how little a call costs; a batch of images; the tokens of a language
/// model.
const LOGITS: [[usize; 2]; 4] = [[64, 10], [512, 1000], [4096, 1000], [512, 32_000]];

/// Tokens, the length of their hidden states, and the classes of the head: a small model's, and a part of its classes.
/// The logits of more tokens are larger than what llvmpipe binds, 128 MiB, where Burn ends at once, without an error.
const HEADS: [[usize; 3]; 2] = [[512, 256, 8000], [1024, 256, 32_000]];

/// Times the loss part of a step beside Burn's own.
#[derive(Parser)]
struct Args {
    /// Turns of both
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Where the times go as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// What cargo adds
    #[arg(long, hide = true)]
    bench: bool,
}

/// The times of a case, in seconds, a value for each turn.
#[derive(Serialize)]
struct Case {
    loss: &'static str,
    shape: Vec<usize>,
    wgloss: Vec<f64>,
    burn: Vec<f64>,
    /// Bytes that the device has allocated for a step more than before it.
    wgloss_bytes: u64,
    burn_bytes: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let device = wgloss_burn::device()?.autodiff();
    let adapter = wgloss_burn::gpu(&device)?.adapter_id().to_string();
    println!("{adapter}, {} turns, medians", args.rounds);
    println!(
        "{:22}{:>16}{:>14}{:>14}{:>10}{:>12}{:>12}",
        "loss", "shape", "wgloss", "Burn", "ratio", "wgloss MiB", "Burn MiB"
    );
    let mut cases = Vec::new();
    for shape in LOGITS {
        cases.push(cross_entropy(shape, args.rounds, &device)?);
    }
    for shape in HEADS {
        cases.push(linear_cross_entropy(shape, args.rounds, &device)?);
    }
    if let Some(path) = &args.json {
        let json = serde_json::json!({ "adapter": adapter, "cases": cases });
        std::fs::write(path, serde_json::to_string_pretty(&json)?)?;
    }
    Ok(())
}

fn random<const D: usize>(shape: [usize; D], deviation: f64, device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, deviation), &device.clone().inner())
}

fn targets([rows, classes]: [usize; 2], device: &Device) -> Tensor<1, Int> {
    let targets = (0..rows).map(|row| (row * 7919 % classes) as i32).collect();
    Tensor::from_data(TensorData::new::<i32, _>(targets, [rows]), device)
}

fn cross_entropy(shape: [usize; 2], rounds: usize, device: &Device) -> Result<Case, Box<dyn Error>> {
    let (logits, targets) = (random(shape, 2.0, device), targets(shape, device));
    let ours = CrossEntropyLossConfig::new().init();
    let burns = loss::CrossEntropyLossConfig::new().init(device);
    let leaf = || Tensor::from_inner(logits.clone()).require_grad();
    let ours = || ours.forward(leaf(), targets.clone(), Reduction::Mean);
    let burns = || burns.forward(leaf(), targets.clone());
    Case::run("cross_entropy", &shape, rounds, device, &ours, &burns)
}

/// Burn makes the logits by a product, and has them and their gradient in memory.
fn linear_cross_entropy(
    [rows, dimensions, classes]: [usize; 3],
    rounds: usize,
    device: &Device,
) -> Result<Case, Box<dyn Error>> {
    let hidden = random([rows, dimensions], 1.0, device);
    let weight = random([classes, dimensions], 0.05, device);
    let targets = targets([rows, classes], device);
    let ours = LinearCrossEntropyLossConfig::new().init();
    let burns = loss::CrossEntropyLossConfig::new().init(device);
    let leaf = |of: &Tensor<2>| Tensor::from_inner(of.clone()).require_grad();
    let ours = || ours.forward(leaf(&hidden), leaf(&weight), targets.clone(), Reduction::Mean);
    let burns = || burns.forward(leaf(&hidden).matmul(leaf(&weight).transpose()), targets.clone());
    Case::run("linear_cross_entropy", &[rows, dimensions, classes], rounds, device, &ours, &burns)
}

impl Case {
    fn run(
        loss: &'static str,
        shape: &[usize],
        rounds: usize,
        device: &Device,
        ours: &impl Fn() -> Tensor<1>,
        burns: &impl Fn() -> Tensor<1>,
    ) -> Result<Case, Box<dyn Error>> {
        // The first step compiles, and Burn looks for its fastest product.
        let values = (value(ours()), value(burns()));
        if (values.0 - values.1).abs() > 1e-3 * values.0.abs() {
            return Err(format!("{loss} of {shape:?} is {} in wgloss, {} in Burn", values.0, values.1).into());
        }
        let (ours, burns) = (&|| drop(ours().backward()), &|| drop(burns().backward()));
        ours();
        burns();
        let (wgloss_bytes, burn_bytes) = (allocated(device, ours)?, allocated(device, burns)?);
        let mut case =
            Case { loss, shape: shape.to_vec(), wgloss: Vec::new(), burn: Vec::new(), wgloss_bytes, burn_bytes };
        for _ in 0..rounds {
            case.wgloss.push(time(device, ours)?);
            case.burn.push(time(device, burns)?);
        }
        case.print();
        Ok(case)
    }

    fn print(&self) {
        let mut ratios: Vec<f64> = self.burn.iter().zip(&self.wgloss).map(|(burn, wgloss)| burn / wgloss).collect();
        let shape: Vec<String> = self.shape.iter().map(usize::to_string).collect();
        let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        println!(
            "{:22}{:>16}{:>11.3} ms{:>11.3} ms{:>9.1}×{:>12.1}{:>12.1}",
            self.loss,
            shape.join("×"),
            1e3 * median(&mut self.wgloss.clone()),
            1e3 * median(&mut self.burn.clone()),
            median(&mut ratios),
            mebibytes(self.wgloss_bytes),
            mebibytes(self.burn_bytes)
        );
    }
}

fn value(loss: Tensor<1>) -> f32 {
    loss.into_scalar()
}

/// The bytes that the device allocates for a step.
fn allocated(device: &Device, run: &impl Fn()) -> Result<u64, Box<dyn Error>> {
    let total = || -> Result<u64, Box<dyn Error>> {
        device.sync()?;
        let report = wgloss_burn::gpu(device)?.device().generate_allocator_report();
        Ok(report.map_or(0, |report| report.total_allocated_bytes))
    };
    memory_cleanup(device)?;
    let before = total()?;
    run();
    let after = total()?;
    memory_cleanup(device)?;
    Ok(after.saturating_sub(before))
}
