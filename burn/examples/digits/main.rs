//! Trains two networks on handwritten digits, wholly on the GPU: layers and optimiser are Burn's, the loss is wgloss's,
//! and for comparison Burn's own. Both begin with the same weights and see the same samples.
//!
//! ```sh
//! cargo run --release --example digits -- --network mlp
//! ```

#[path = "../common/mod.rs"]
mod common;
mod losses;
mod networks;

use std::{error::Error, path::PathBuf, process::ExitCode};

use burn::{
    optim::{AdamConfig, GradientsParams},
    tensor::{Device, Int, Tensor},
};
use clap::{Parser, ValueEnum, value_parser};
use fastrand::Rng;
use plotters::prelude::{BLACK, RGBColor, SeriesLabelPosition};

use common::{
    arguments::learning_rate,
    chart::{self, Axis, COLORS, Panel, Series, Shape},
    digits::{CLASSES, Digits},
    program::{exit, progress, write},
    report::{Row, print_difference, print_header},
    tensors::{digits, number},
    watch::{Costs, Watch},
};
use losses::{Kind, Loss};
use networks::{ConvNet, Mlp, Network};

/// Trains networks on handwritten digits with Burn.
#[derive(Parser)]
struct Args {
    /// A network; may be repeated
    #[arg(long = "network", default_values = ["mlp", "convnet"])]
    networks: Vec<Which>,
    /// How often every training sample is seen
    #[arg(long, default_value_t = 8, value_parser = value_parser!(u32).range(1..))]
    epochs: u32,
    /// Samples per step
    #[arg(long, default_value_t = 64, value_parser = value_parser!(u32).range(1..=1024))]
    batch_size: u32,
    /// Step size of Adam
    #[arg(long, default_value = "0.005", value_parser = learning_rate)]
    learning_rate: f32,
    /// Seed of all that is random
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where the curves go
    #[arg(long, default_value = "target/demo/burn_digits.svg")]
    output: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Which {
    Mlp,
    #[value(name = "convnet")]
    ConvNet,
}

fn main() -> ExitCode {
    exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let (training, held_out) = Digits::load()?.split(&mut Rng::with_seed(args.seed));
    let data = Data { class_weights: class_weights(&training), training, held_out };
    let mut panels = Vec::new();
    for network in &args.networks {
        let title = match network {
            Which::Mlp => "a network of two layers",
            Which::ConvNet => "a network of convolutions",
        };
        println!("{title}, {} epochs", args.epochs);
        print_header("held-out accuracy");
        let mut series = Vec::new();
        for (kind, color) in Kind::ALL.into_iter().zip(COLORS) {
            let mut curves = Vec::new();
            for loss in [Loss::wgloss, Loss::burn] {
                let run = match network {
                    Which::Mlp => train::<Mlp>(args, &data, kind, loss)?,
                    Which::ConvNet => train::<ConvNet>(args, &data, kind, loss)?,
                };
                run.row(kind).print();
                curves.push(run);
            }
            print_difference(&curves[0].losses, &curves[1].losses);
            series.extend(curves.iter().map(|run| run.series(kind, color)));
        }
        println!();
        let highest = series.iter().flat_map(|series| &series.points).map(|(_, y)| *y).fold(0.0, f64::max);
        panels.push(Panel {
            x: Axis::new("step", 0.0..series.iter().map(|series| series.points.len()).max().unwrap_or(1) as f64),
            y: Axis::new(format!("training loss, {title}"), 0.0..1.05 * highest),
            series,
            legend: Some(SeriesLabelPosition::UpperRight),
        });
    }
    write(&args.output, &chart::draw("Digits learnt with Burn", panels.len(), &panels)?)?;
    println!("curves in {}", args.output.display());
    Ok(())
}

/// What is learnt, and what tells whether it was.
struct Data {
    training: Digits,
    held_out: Digits,
    /// Rarer digits weigh more.
    class_weights: Vec<f32>,
}

/// The weights with which every class weighs the same in all.
fn class_weights(digits: &Digits) -> Vec<f32> {
    let count = |class| digits.labels.iter().filter(|&&label| label == class).count().max(1);
    let even = digits.labels.len() as f32 / CLASSES as f32;
    (0..CLASSES as i32).map(|class| even / count(class) as f32).collect()
}

/// How training went.
struct Trained {
    by: &'static str,
    losses: Vec<f64>,
    /// The percentage of held-out digits that are told right.
    accuracy: f64,
    costs: Costs,
}

fn train<N: Network>(
    args: &Args,
    data: &Data,
    kind: Kind,
    loss: fn(Kind, &[f32], &Device) -> Loss,
) -> Result<Trained, Box<dyn Error>> {
    let device = wgloss_burn::device()?.autodiff();
    let mut watch = Watch::new(&device);
    device.seed(args.seed);
    let mut rng = Rng::with_seed(args.seed);
    let loss = loss(kind, &data.class_weights, &device);
    let mut network = N::new(&device);
    let mut adam = AdamConfig::new().init();
    let mut losses = Vec::new();
    let progress = progress(args.epochs, "epoch");
    let mut last = None;
    for _ in 0..args.epochs {
        for batch in data.training.batches(args.batch_size as usize, &mut rng) {
            let (images, labels) = digits(&batch, &device);
            let value;
            (network, value) = watch.step(|| {
                let value = loss.of(network.logits(images.clone()), labels.clone());
                let gradients = GradientsParams::from_grads(value.backward(), &network);
                (adam.step(f64::from(args.learning_rate), network, gradients), value)
            })?;
            let value = number(value)?;
            if !value.is_finite() {
                return Err(format!("the loss became {value}; a lower --learning-rate may help").into());
            }
            losses.push(value);
            last = Some((images, labels));
        }
        progress.set_message(format!("loss {:.4}", losses.last().copied().unwrap_or(f64::NAN)));
        progress.inc(1);
    }
    progress.finish_and_clear();

    let (images, labels) = last.ok_or("there is less than a batch of digits")?;
    let logits = network.logits(images.clone()).detach();
    let costs = watch.costs(
        || loss.of(network.logits(images), labels.clone()),
        || drop(loss.of(logits.clone().require_grad(), labels.clone()).backward()),
    )?;
    let accuracy = accuracy(&network.valid(), &data.held_out, &device.clone().inner())?;
    Ok(Trained { by: loss.by(), losses, accuracy, costs })
}

fn accuracy<N: Network>(network: &N, held_out: &Digits, device: &Device) -> Result<f64, Box<dyn Error>> {
    let (images, labels) = digits(held_out, device);
    let count = held_out.labels.len();
    let classes: Tensor<1, Int> = network.logits(images).argmax(1).squeeze_dim(1);
    let right = number(classes.equal(labels).float().sum())?;
    Ok(100.0 * right / count as f64)
}

impl Trained {
    fn row(&self, kind: Kind) -> Row<'_> {
        Row {
            loss: kind.name(),
            by: self.by,
            value: self.losses.last().copied().unwrap_or(f64::NAN),
            score: format!("{:.2} %", self.accuracy),
            costs: self.costs,
        }
    }

    /// The losses: those of Burn's own loss in black above the others, where one should lie on the other.
    fn series(&self, kind: Kind, color: RGBColor) -> Series {
        let points = (1..).map(f64::from).zip(self.losses.iter().copied()).collect();
        let (color, shape) = if self.by == losses::WGLOSS { (color, Shape::Line) } else { (BLACK, Shape::Dashed) };
        Series { label: Some(format!("{}, {}", kind.name(), self.by)), color, shape, points }
    }
}
