//! Fits a curve to measurements of which one in five is far too high, with one loss after the other, and compares what
//! is learnt with the true curve. `mse` is drawn to the mean of what was measured, outliers included; `mae`, `huber`
//! and `log_cosh` hold on to what most measurements say.
//!
//! ```sh
//! cargo run --release --example convergence -- --outliers 0.3
//! ```
//!
//! Every step's loss and its gradient by the predictions come from one fused GPU kernel, through a plan that is bound
//! once; the network is plain Rust. The errors printed are those on measurements that training never saw, without noise
//! and without outliers.

#[path = "common/chart.rs"]
mod chart;
mod common;

use std::{error::Error, f32::consts::PI, path::PathBuf, process::ExitCode, time::Instant};

use clap::{Parser, builder::PossibleValuesParser, value_parser};
use fastrand::Rng;
use plotters::prelude::{RGBColor, SeriesLabelPosition};
use wgloss::{AnyLoss, DType, Gpu, Reduction, TensorType};

use chart::{Axis, COLORS, Panel, Series, Shape};
use common::{
    arguments::{Common, fraction, learning_rate},
    gpu_loss::GpuLoss,
    network::Network,
    program::{exit, progress, write},
    random::normal,
};

/// The losses to compare.
const LOSSES: [&str; 4] = ["mse", "mae", "huber", "log_cosh"];

const SAMPLES: usize = 512;
const HELD_OUT: usize = 256;
const BATCH: usize = 128;
const HIDDEN: usize = 32;

/// The standard deviation of the noise on every measurement, and by how much the outliers are too high.
const NOISE: f32 = 0.3;
const TOO_HIGH: [f32; 2] = [4.0, 8.0];

/// Steps between two looks at the held-out error.
const INTERVAL: u32 = 20;
/// Held-out errors, of a curve that goes up and down by 3.
const CLOSE: [f64; 2] = [1.0, 0.6];

/// Fits a curve in spite of outliers with losses of your choice.
#[derive(Parser)]
struct Args {
    /// A loss; may be repeated
    #[arg(long = "loss", default_values = LOSSES, value_parser = PossibleValuesParser::new(LOSSES))]
    losses: Vec<String>,
    /// Steps of training, each with 128 samples
    #[arg(long, default_value_t = 2000, value_parser = value_parser!(u32).range(1..))]
    steps: u32,
    /// The part of the measurements that are far too high
    #[arg(long, default_value = "0.2", value_parser = fraction)]
    outliers: f32,
    /// Step size of Adam at first; it falls to 0 with the last step
    #[arg(long, default_value = "0.003", value_parser = learning_rate)]
    learning_rate: f32,
    #[command(flatten)]
    common: Common,
    /// Where the curves go
    #[arg(long, default_value = "target/demo/convergence.svg")]
    output: PathBuf,
}

fn main() -> ExitCode {
    exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let mut rng = Rng::with_seed(args.common.seed);
    let measured = Measurements::draw(SAMPLES, args.outliers, &mut rng);
    let held_out = Measurements::clean(HELD_OUT);
    let first = Network::new([1, HIDDEN, HIDDEN, 1], &mut rng);

    let gpu = args.common.gpu()?;
    println!("{} steps on {}, {:.0} % outliers\n", args.steps, gpu.adapter_id(), 100.0 * args.outliers);
    println!("{:28}{:>24}", "", "steps until it stays below");
    println!("{:12}{:>16}{:>12}{:>12}{:>16}", "loss", "held-out error", CLOSE[0], CLOSE[1], "training time");
    println!("{:12}{:>16.3}", "untrained", held_out.error(&first));
    let mut runs = Vec::new();
    for name in LOSSES.iter().filter(|&name| args.losses.iter().any(|chosen| chosen == name)) {
        let loss = loss_of_batches(&gpu, name)?;
        let start = Instant::now();
        // Every loss starts from the same weights and sees the samples in the same order.
        let run = train(args, name, &loss, first.clone(), &measured, &held_out, &mut rng.clone())?;
        let seconds = start.elapsed().as_secs_f64();
        let [error, close, closer] = run.columns();
        println!("{name:12}{error:>16}{close:>12}{closer:>12}{seconds:>14.1} s");
        runs.push(run);
    }
    write(&args.output, &plot(args, &measured, &held_out, &runs)?)?;
    println!("\ncurves in {}", args.output.display());
    Ok(())
}

/// A loss on the GPU that compares the network's outputs with what was measured.
fn loss_of_batches(gpu: &Gpu, name: &str) -> Result<GpuLoss, wgloss::Error> {
    let values = TensorType::new(DType::F32, [BATCH]);
    GpuLoss::new(gpu, &AnyLoss::new(name, &[])?, &[values.clone(), values], Reduction::Mean)
}

/// Trains a network.
fn train(
    args: &Args,
    name: &'static str,
    loss: &GpuLoss,
    mut network: Network,
    measured: &Measurements,
    held_out: &Measurements,
    rng: &mut Rng,
) -> Result<Run, Box<dyn Error>> {
    let mut errors = vec![(0, held_out.error(&network))];
    let progress = progress(args.steps, "step");
    for step in 0..args.steps {
        let batch = measured.batch(rng);
        loss.target.write(&batch.y)?;
        let pass = network.forward(&batch.x);
        let result = loss.evaluate(pass.outputs())?;
        if !result.loss.is_finite() {
            return Err(format!("the loss became {} in step {}", result.loss, step + 1).into());
        }
        let remaining = (args.steps - step) as f32 / args.steps as f32;
        network.learn(&pass, &result.gradient, args.learning_rate * remaining);
        if (step + 1) % INTERVAL == 0 || step + 1 == args.steps {
            errors.push((step + 1, held_out.error(&network)));
        }
        progress.set_message(format!("loss {:.4}", result.loss));
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(Run { loss: name, errors, network })
}

/// How training with a loss went.
struct Run {
    loss: &'static str,
    /// Steps, and the held-out error after them.
    errors: Vec<(u32, f64)>,
    network: Network,
}

impl Run {
    fn error(&self) -> f64 {
        self.errors[self.errors.len() - 1].1
    }

    /// The error at the end, and after how many steps it came close and stayed so.
    fn columns(&self) -> [String; 3] {
        let stays = |close| {
            let far = self.errors.iter().rposition(|&(_, error)| error > close).map_or(0, |last| last + 1);
            self.errors.get(far).map_or("never".to_string(), |(step, _)| step.to_string())
        };
        let [close, closer] = CLOSE.map(stays);
        [format!("{:.3}", self.error()), close, closer]
    }
}

/// Places and what was measured there.
struct Measurements {
    x: Vec<f32>,
    y: Vec<f32>,
}

/// Where measurements are.
const RANGE: f32 = 2.0;

/// The curve that is to be found.
fn truth(x: f32) -> f32 {
    3.0 * (0.75 * PI * x).sin() + 0.5 * x
}

impl Measurements {
    /// Noisy measurements at random places, some of which are outliers.
    fn draw(count: usize, outliers: f32, rng: &mut Rng) -> Self {
        let x: Vec<f32> = (0..count).map(|_| RANGE * (2.0 * rng.f32() - 1.0)).collect();
        let mut measure = |&x: &f32| {
            let value = truth(x) + NOISE * normal(rng);
            let [least, most] = TOO_HIGH;
            if rng.f32() < outliers { value + least + (most - least) * rng.f32() } else { value }
        };
        let y = x.iter().map(&mut measure).collect();
        Measurements { x, y }
    }

    /// The true values at equal distances.
    fn clean(count: usize) -> Self {
        let x = (0..count).map(|index| RANGE * (2.0 * (index as f32 + 0.5) / count as f32 - 1.0));
        let x: Vec<f32> = x.collect();
        Measurements { y: x.iter().copied().map(truth).collect(), x }
    }

    /// Some of the measurements.
    fn batch(&self, rng: &mut Rng) -> Self {
        let samples = rng.choose_multiple(0..self.x.len(), BATCH);
        let of = |values: &[f32]| samples.iter().map(|&sample| values[sample]).collect();
        Measurements { x: of(&self.x), y: of(&self.y) }
    }

    /// The root of the mean squared error of a network here.
    fn error(&self, network: &Network) -> f64 {
        let pass = network.forward(&self.x);
        let squares = pass.outputs().iter().zip(&self.y).map(|(prediction, y)| f64::from(prediction - y).powi(2));
        (squares.sum::<f64>() / self.y.len() as f64).sqrt()
    }

    fn points(&self) -> Vec<(f64, f64)> {
        self.x.iter().zip(&self.y).map(|(&x, &y)| (x.into(), y.into())).collect()
    }
}

const MEASURED: RGBColor = RGBColor(170, 170, 170);
const TRUTH: RGBColor = RGBColor(90, 90, 90);

/// The held-out errors over steps, and the curves that were found, as the text of an SVG.
fn plot(args: &Args, measured: &Measurements, held_out: &Measurements, runs: &[Run]) -> chart::Drawn<String> {
    let curves = |label: fn(&Run) -> Option<String>, points: &dyn Fn(&Run) -> Vec<(f64, f64)>| -> Vec<Series> {
        let runs = runs.iter().zip(COLORS);
        runs.map(|(run, color)| Series { label: label(run), color, shape: Shape::Line, points: points(run) }).collect()
    };
    let highest = runs.iter().flat_map(|run| &run.errors).fold(0.0, |highest, &(_, error)| error.max(highest));
    let errors = |run: &Run| run.errors.iter().map(|&(step, error)| (step.into(), error)).collect();
    let training = Panel {
        x: Axis::new("step", 0.0..args.steps.into()),
        y: Axis::new("held-out error", 0.0..1.05 * highest),
        series: curves(|run| Some(run.loss.to_string()), &errors),
        legend: Some(SeriesLabelPosition::UpperRight),
    };

    let found = |run: &Run| {
        let pass = run.network.forward(&held_out.x);
        held_out.x.iter().zip(pass.outputs()).map(|(&x, &y)| (x.into(), y.into())).collect()
    };
    let series = |label: &str, color, shape, points| Series { label: Some(label.to_string()), color, shape, points };
    let mut all = vec![series("measured", MEASURED, Shape::Points, measured.points())];
    all.extend(curves(|_| None, &found));
    all.push(series("truth", TRUTH, Shape::Dashed, held_out.points()));
    let (low, high) = measured.y.iter().fold((0.0_f32, 0.0_f32), |(low, high), &y| (low.min(y), high.max(y)));
    let results = Panel {
        x: Axis::new("place", (-RANGE).into()..RANGE.into()),
        // Room for the legend.
        y: Axis::new("value", f64::from(low) - 0.5..f64::from(high) + 2.5),
        series: all,
        legend: Some(SeriesLabelPosition::UpperRight),
    };
    chart::draw("A curve found in spite of outliers", 2, &[training, results])
}
