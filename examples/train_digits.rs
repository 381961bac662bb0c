//! Trains a small classifier of handwritten digits with one loss after the other. Every step's loss, and its gradient
//! with respect to the network's outputs, comes from one fused GPU kernel; the network itself is plain Rust.
//!
//! ```sh
//! cargo run --example train_digits -- --loss focal --loss sigmoid_focal
//! ```
//!
//! [`GpuLoss`] is what a training program needs of wgloss: a plan bound once, recorded at every step.

mod common;

use std::{error::Error, ops::Range, path::PathBuf, process::ExitCode, time::Instant};

use clap::{Parser, value_parser};
use fastrand::Rng;
use indicatif::{ProgressBar, ProgressStyle};
use plotters::{coord::Shift, prelude::*};
use wgloss::{AnyLoss, Gpu};

use common::{
    digits::{CLASSES, Digits, PIXELS},
    gpu_loss::GpuLoss,
    network::Network,
    training::{loss_of_batches, train_epoch},
    write,
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
    #[arg(long, default_value_t = 0.005)]
    learning_rate: f32,
    /// Seed of the split, of the first weights and of the order of the samples
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// A part of the adapter's name, as `llvmpipe` or `vulkan:`; any adapter if empty
    #[arg(long, default_value = "")]
    adapter: String,
    /// Where the curves go
    #[arg(long, default_value = "target/demo/train_digits.svg")]
    output: PathBuf,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let mut rng = Rng::with_seed(args.seed);
    let (training, held_out) = Digits::load()?.split(&mut rng);
    if args.batch_size as usize > training.labels.len() {
        return Err(format!("--batch-size can be at most {}, the training samples", training.labels.len()).into());
    }
    if !(args.learning_rate > 0.0 && args.learning_rate.is_finite()) {
        return Err("--learning-rate must be a finite number above 0".into());
    }

    let gpu = Gpu::find_blocking(&args.adapter)?;
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
    let progress = ProgressBar::new(args.epochs.into());
    progress.set_style(ProgressStyle::with_template("{bar:30} epoch {pos}/{len}  {msg}")?);
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

type Plotted<T> = Result<T, DrawingAreaErrorKind<std::io::Error>>;

/// A colour for each of the losses offered.
const COLORS: [RGBColor; 6] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 96, 32),
    RGBColor(44, 140, 70),
    RGBColor(148, 103, 189),
    RGBColor(140, 86, 75),
    RGBColor(90, 90, 90),
];

/// Training loss and accuracy side by side, with a curve for every loss, as the text of an SVG.
fn plot(runs: &[(&str, Curves)]) -> Plotted<String> {
    let highest_loss = runs.iter().flat_map(|(_, run)| &run.loss).copied().fold(0.0, f64::max);
    let lowest_accuracy = runs.iter().flat_map(|(_, run)| &run.accuracy).copied().fold(90.0, f64::min);
    let training = Panel {
        axis: "training loss",
        range: 0.0..1.05 * highest_loss,
        values: |run| &run.loss,
        legend_position: SeriesLabelPosition::UpperRight,
    };
    let held_out = Panel {
        axis: "held-out accuracy (%)",
        range: lowest_accuracy.floor()..100.0,
        values: |run| &run.accuracy,
        legend_position: SeriesLabelPosition::LowerRight,
    };
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (960, 440)).into_drawing_area();
        root.fill(&WHITE)?;
        let panels = root.margin(12, 4, 4, 4).titled("Handwritten digits", ("sans-serif", 24))?.split_evenly((1, 2));
        training.draw(&panels[0], runs)?;
        held_out.draw(&panels[1], runs)?;
        root.present()?;
    }
    Ok(svg)
}

/// One kind of curve with its axes.
struct Panel {
    axis: &'static str,
    range: Range<f64>,
    values: fn(&Curves) -> &[f64],
    legend_position: SeriesLabelPosition,
}

impl Panel {
    fn draw(self, area: &DrawingArea<SVGBackend<'_>, Shift>, runs: &[(&str, Curves)]) -> Plotted<()> {
        let epochs = runs.iter().map(|(_, run)| run.loss.len()).max().unwrap_or(0);
        let mut chart = ChartBuilder::on(area)
            .margin(16)
            .x_label_area_size(40)
            .y_label_area_size(52)
            .build_cartesian_2d(0..epochs, self.range)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .axis_style(BLACK.mix(0.5))
            .label_style(("sans-serif", 14))
            .x_desc("epoch")
            .y_desc(self.axis)
            .draw()?;
        for ((loss, run), color) in runs.iter().zip(COLORS.iter().cycle()) {
            let style = color.filled().stroke_width(2);
            let points = (1..).zip((self.values)(run).iter().copied());
            chart
                .draw_series(LineSeries::new(points, style).point_size(2))?
                .label(*loss)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], style));
        }
        chart
            .configure_series_labels()
            .position(self.legend_position)
            .label_font(("sans-serif", 14))
            .background_style(WHITE)
            .border_style(BLACK.mix(0.3))
            .draw()
    }
}
