//! Trains a small classifier of handwritten digits with one loss after the other. Every step's loss, and its gradient
//! with respect to the network's outputs, comes from one fused GPU kernel; the network itself is plain Rust.
//!
//! ```sh
//! cargo run --example train_digits -- --loss focal --loss sigmoid_focal
//! ```
//!
//! [`GpuLoss`] is what a training program needs of wgloss: a plan bound once, recorded at every step.

#[path = "common/chart.rs"]
mod chart;
mod common;

use std::{error::Error, path::PathBuf, process::ExitCode, time::Instant};

use chart::{Axis, COLORS, Panel, Series, Shape};
use clap::{Parser, value_parser};
use fastrand::Rng;
use plotters::prelude::{RGBColor, SeriesLabelPosition};
use wgloss::AnyLoss;

use common::{
    arguments::{Common, learning_rate},
    digits::{CLASSES, Digits, PIXELS},
    gpu_loss::GpuLoss,
    network::Network,
    program::{exit, progress, write},
    training::{loss_of_batches, train_epoch},
};

/// Trains a classifier of handwritten digits with losses of your choice.
#[derive(Parser)]
struct Args {
    /// A loss, with parameters other than their defaults; may be repeated. The last three compare the outputs with
    /// one-hot targets
    #[arg(
        long = "loss",
        default_values = ["cross_entropy", "cross_entropy,label_smoothing=0.1", "focal"],
        value_parser = [
            "cross_entropy",
            "cross_entropy,label_smoothing=0.1",
            "focal",
            "bce_with_logits",
            "sigmoid_focal",
            "mse",
        ],
    )]
    losses: Vec<String>,
    /// How often every training sample is seen
    #[arg(long, default_value_t = 30, value_parser = value_parser!(u32).range(1..))]
    epochs: u32,
    /// Samples per step
    #[arg(long, default_value_t = 64, value_parser = value_parser!(u32).range(1..))]
    batch_size: u32,
    /// Units of the hidden layer
    #[arg(long, default_value_t = 64, value_parser = value_parser!(u32).range(1..=4096))]
    hidden: u32,
    /// Step size of Adam
    #[arg(long, default_value = "0.005", value_parser = learning_rate)]
    learning_rate: f32,
    #[command(flatten)]
    common: Common,
    /// Where the curves go
    #[arg(long, default_value = "target/demo/train_digits.svg")]
    output: PathBuf,
}

fn main() -> ExitCode {
    exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let mut rng = Rng::with_seed(args.common.seed);
    let (training, held_out) = Digits::load()?.split(&mut rng);
    if args.batch_size as usize > training.labels.len() {
        return Err(format!("--batch-size can be at most {}, the training samples", training.labels.len()).into());
    }

    let gpu = args.common.gpu()?;
    println!("{} epochs on {}\n", args.epochs, gpu.adapter_id());
    println!("{:36}{:>13}{:>20}{:>16}", "loss", "training loss", "held-out accuracy", "training time");
    let mut runs = Vec::new();
    for name in &args.losses {
        let loss = loss_of_batches(&gpu, &parse(name)?, args.batch_size as usize)?;
        let start = Instant::now();
        // Every loss starts from the same weights and sees the samples in the same order.
        let run = train(args, &loss, &training, &held_out, &mut rng.clone())?;
        let seconds = start.elapsed().as_secs_f64();
        println!("{name:36}{:>13.5}{:>18.2} %{seconds:>14.1} s", last(&run.loss), last(&run.accuracy));
        runs.push((name.as_str(), run));
    }
    write(&args.output, &plot(&runs)?)?;
    println!("\ncurves in {}", args.output.display());
    Ok(())
}

/// The loss of a name and its settings. A program with one loss of its own writes `CrossEntropy::default()` instead.
fn parse(text: &str) -> Result<AnyLoss, wgloss::Error> {
    let mut parts = text.split(',');
    let name = parts.next().unwrap_or_default();
    AnyLoss::new(name, &parts.filter_map(|setting| setting.split_once('=')).collect::<Vec<_>>())
}

/// Trains a network from its first random weights; gives how that went.
fn train(
    args: &Args,
    loss: &GpuLoss,
    training: &Digits,
    held_out: &Digits,
    rng: &mut Rng,
) -> Result<Curves, Box<dyn Error>> {
    let mut network = Network::new([PIXELS, args.hidden as usize, CLASSES], rng);
    let mut curves = Curves::default();
    let progress = progress(args.epochs, "epoch");
    for epoch in 1..=args.epochs {
        let mean = train_epoch(&mut network, training, loss, args.batch_size as usize, args.learning_rate, rng)?;
        if !mean.is_finite() {
            return Err(format!("the loss became {mean} in epoch {epoch}; a lower --learning-rate may help").into());
        }
        let accuracy = accuracy(&network, held_out);
        curves.loss.push(mean);
        curves.accuracy.push(accuracy);
        progress.set_message(format!("loss {mean:.4}  held-out accuracy {accuracy:.2} %"));
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(curves)
}

/// The percentage of digits whose largest logit is the right one.
fn accuracy(network: &Network, digits: &Digits) -> f64 {
    let classes = network.predict(&digits.images);
    let right = classes.iter().zip(&digits.labels).filter(|&(&class, &label)| class == label as usize).count();
    100.0 * right as f64 / digits.labels.len() as f64
}

/// What training is judged by, one value per epoch.
#[derive(Default)]
struct Curves {
    loss: Vec<f64>,
    accuracy: Vec<f64>,
}

fn last(values: &[f64]) -> f64 {
    values[values.len() - 1]
}

/// Training loss and held-out accuracy with a curve for every loss, as the text of an SVG.
fn plot(runs: &[(&str, Curves)]) -> chart::Drawn<String> {
    let highest_loss = runs.iter().flat_map(|(_, run)| &run.loss).copied().fold(0.0, f64::max);
    let lowest_accuracy = runs.iter().flat_map(|(_, run)| &run.accuracy).copied().fold(90.0, f64::min);
    let epochs = runs.iter().map(|(_, run)| run.loss.len()).max().unwrap_or(0);
    let panel = |label, range, values: fn(&Curves) -> &[f64], legend| Panel {
        x: Axis::new("epoch", 0.0..epochs as f64),
        y: Axis::new(label, range),
        series: runs.iter().zip(COLORS).map(|((loss, run), color)| curve(loss, color, values(run))).collect(),
        legend: Some(legend),
    };
    let panels = [
        panel("training loss", 0.0..1.05 * highest_loss, |run| &run.loss, SeriesLabelPosition::UpperRight),
        panel(
            "held-out accuracy (%)",
            lowest_accuracy.floor()..100.0,
            |run| &run.accuracy,
            SeriesLabelPosition::LowerRight,
        ),
    ];
    chart::draw("Handwritten digits", panels.len(), &panels)
}

fn curve(loss: &str, color: RGBColor, values: &[f64]) -> Series {
    let points = (1..).map(f64::from).zip(values.iter().copied()).collect();
    Series { label: Some(loss.to_string()), color, shape: Shape::Dotted, points }
}
