//! Forward and backward pass of a loss with wgloss and with Burn's own loss, in turns on Burn's default device.
//!
//! ```sh
//! cargo bench --manifest-path burn/Cargo.toml -- --json loss.json
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
use wgloss_burn::{CrossEntropyLossConfig, Reduction};

use time::{median, time};

/// Logits `[N, C]`: small ones, where it counts how little a call costs; a batch of images; the tokens of a language
/// model.
const SHAPES: [[usize; 2]; 4] = [[64, 10], [512, 1000], [4096, 1000], [512, 32_000]];

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
    shape: [usize; 2],
    wgloss: Vec<f64>,
    burn: Vec<f64>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let device = wgloss_burn::device()?.autodiff();
    let adapter = wgloss_burn::gpu(&device)?.adapter_id().to_string();
    println!("{adapter}, {} turns, medians", args.rounds);
    println!("{:16}{:>14}{:>14}{:>14}{:>10}", "loss", "logits", "wgloss", "Burn", "ratio");
    let mut cases = Vec::new();
    for shape in SHAPES {
        let case = run(shape, args.rounds, &device)?;
        case.print();
        cases.push(case);
    }
    if let Some(path) = &args.json {
        let json = serde_json::json!({ "adapter": adapter, "cases": cases });
        std::fs::write(path, serde_json::to_string_pretty(&json)?)?;
    }
    Ok(())
}

fn run(shape: [usize; 2], rounds: usize, device: &Device) -> Result<Case, Box<dyn Error>> {
    let [rows, classes] = shape;
    let logits = Tensor::<2>::random(shape, Distribution::Normal(0.0, 2.0), &device.clone().inner());
    let targets = (0..rows).map(|row| (row * 7919 % classes) as i32).collect();
    let targets = Tensor::<1, Int>::from_data(TensorData::new::<i32, _>(targets, [rows]), device);
    let ours = CrossEntropyLossConfig::new().init();
    let burns = loss::CrossEntropyLossConfig::new().init(device);
    let leaf = || Tensor::from_inner(logits.clone()).require_grad();
    let ours = || drop(ours.forward(leaf(), targets.clone(), Reduction::Mean).backward());
    let burns = || drop(burns.forward(leaf(), targets.clone()).backward());
    let mut case = Case { loss: "cross_entropy", shape, wgloss: Vec::new(), burn: Vec::new() };
    for _ in 0..rounds {
        case.wgloss.push(time(device, &ours)?);
        case.burn.push(time(device, &burns)?);
    }
    Ok(case)
}

impl Case {
    fn print(&self) {
        let mut ratios: Vec<f64> = self.burn.iter().zip(&self.wgloss).map(|(burn, wgloss)| burn / wgloss).collect();
        let [rows, classes] = self.shape;
        println!(
            "{:16}{:>14}{:>11.3} ms{:>11.3} ms{:>9.1}×",
            self.loss,
            format!("{rows}×{classes}"),
            1e3 * median(&mut self.wgloss.clone()),
            1e3 * median(&mut self.burn.clone()),
            median(&mut ratios)
        );
    }
}
