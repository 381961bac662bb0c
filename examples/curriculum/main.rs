//! Trains a classifier of digits that are the more often labelled wrong, the harder they are to read: with all of them
//! from the start, with the easy ones first, and, to see what the order does, with the hard ones first. The weight of
//! each sample comes from its difficulty, on the GPU, where the loss takes it; the network is plain Rust.
//!
//! What there is to see: with easy ones first a network learns as fast as with all, from far fewer samples; with hard
//! ones first it learns next to nothing until easy ones come in. At the end the orders are near each other.
//!
//! ```sh
//! cargo run --example curriculum
//! ```

#[path = "../common/chart.rs"]
mod chart;
#[path = "../common/mod.rs"]
mod common;
mod losses;
mod plot;
mod samples;

use std::{error::Error, path::PathBuf, process::ExitCode};

use clap::{Parser, value_parser};
use fastrand::Rng;

use common::{
    arguments::{Common, fraction, learning_rate},
    digits::{CLASSES, Digits, PIXELS},
    network::Network,
    program::{exit, progress, write},
};
use losses::Losses;
use samples::Samples;

const BATCH: usize = 64;

/// Compares orders in which samples of different difficulty come into training.
#[derive(Parser)]
struct Args {
    /// How often every training sample is seen
    #[arg(long, default_value_t = 30, value_parser = value_parser!(u32).range(1..))]
    epochs: u32,
    /// The part of the epochs after which all samples count
    #[arg(long, default_value = "0.75", value_parser = fraction)]
    ramp: f32,
    /// How many trainings of each kind, each with a split, noise and first weights of its own
    #[arg(long, default_value_t = 8, value_parser = value_parser!(u32).range(1..))]
    seeds: u32,
    /// Units of the hidden layer
    #[arg(long, default_value_t = 128, value_parser = value_parser!(u32).range(1..=4096))]
    hidden: u32,
    /// Step size of Adam
    #[arg(long, default_value = "0.006", value_parser = learning_rate)]
    learning_rate: f32,
    #[command(flatten)]
    common: Common,
    /// Where the curves go
    #[arg(long, default_value = "target/demo/curriculum.svg")]
    output: PathBuf,
}

/// The order in which samples come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    All,
    EasyFirst,
    HardFirst,
}

impl Order {
    const EVERY: [Order; 3] = [Order::All, Order::EasyFirst, Order::HardFirst];

    fn name(self) -> &'static str {
        match self {
            Order::All => "all from the start",
            Order::EasyFirst => "easy first",
            Order::HardFirst => "hard first",
        }
    }

    /// What the curriculum takes for the difficulty of samples.
    fn rank(self, difficulty: &[f32]) -> Vec<f32> {
        match self {
            Order::All | Order::EasyFirst => difficulty.to_vec(),
            Order::HardFirst => difficulty.iter().map(|difficulty| 1.0 - difficulty).collect(),
        }
    }

    /// The progress in an epoch, from 0: from a quarter of the samples to all of them.
    fn progress(self, epoch: u32, args: &Args) -> f32 {
        let ramp = args.ramp * args.epochs as f32;
        match self {
            Order::All => 1.0,
            _ if epoch as f32 >= ramp => 1.0,
            _ => 0.25 + 0.75 * epoch as f32 / ramp,
        }
    }
}

/// The held-out accuracies of trainings of one kind, in percent: a training each, epoch by epoch.
struct Runs {
    order: Order,
    accuracy: Vec<Vec<f64>>,
}

impl Runs {
    /// The mean over the trainings in an epoch, and the standard error of that mean.
    fn at(&self, epoch: usize) -> (f64, f64) {
        mean_and_error(self.accuracy.iter().map(|run| run[epoch]).collect())
    }

    /// The same of what the trainings are better by than those of another order, each beside the one with the same
    /// samples and first weights.
    fn gain(&self, other: &Runs, epoch: usize) -> (f64, f64) {
        mean_and_error(
            self.accuracy.iter().zip(&other.accuracy).map(|(run, other)| run[epoch] - other[epoch]).collect(),
        )
    }
}

/// The mean of values, and its standard error.
fn mean_and_error(values: Vec<f64>) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    (mean, (variance / count).sqrt())
}

fn main() -> ExitCode {
    exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let digits = Digits::load()?;
    let gpu = args.common.gpu()?;
    println!("{} epochs, {} trainings each, on {}\n", args.epochs, args.seeds, gpu.adapter_id());
    let last = args.epochs as usize - 1;
    let looks = [("sixth", last / 6), ("half", last / 2), ("end", last)];
    print!("{:20}", "held-out accuracy");
    looks.iter().for_each(|(name, _)| print!("{name:>18}"));
    println!("{:>42}", "gain at each over the first row");
    let losses = Losses::new(&gpu, BATCH)?;
    let progress = progress(args.seeds.saturating_mul(Order::EVERY.len() as u32), "training");
    let mut kinds = Vec::new();
    for order in Order::EVERY {
        let mut runs = Runs { order, accuracy: Vec::new() };
        for seed in 0..args.seeds {
            // Every order sees the same samples and the same first weights.
            let seed = args.common.seed.wrapping_add(seed.into());
            runs.accuracy.push(train(args, &losses, &digits, order, seed)?);
            progress.inc(1);
        }
        kinds.push(runs);
    }
    progress.finish_and_clear();
    for runs in &kinds {
        let accuracy = looks.map(|(_, epoch)| runs.at(epoch)).map(|(mean, error)| format!("{mean:.1} ± {error:.1} %"));
        let gain = looks.map(|(_, epoch)| runs.gain(&kinds[0], epoch));
        let gain = gain.map(|(mean, error)| format!("{mean:+.1} ± {error:.1}")).join(", ");
        let [sixth, half, end] = accuracy;
        println!("{:20}{sixth:>18}{half:>18}{end:>18}{gain:>42}", runs.order.name());
    }
    println!("± is the standard error of the mean of {} trainings", args.seeds);
    write(&args.output, &plot::plot(&kinds)?)?;
    println!("\ncurves in {}", args.output.display());
    Ok(())
}

/// Trains a network; gives the percentage of held-out digits, which are all as they were scanned, that it recognises
/// after each epoch.
fn train(args: &Args, losses: &Losses, digits: &Digits, order: Order, seed: u64) -> Result<Vec<f64>, Box<dyn Error>> {
    let mut rng = Rng::with_seed(seed);
    let (training, held_out) = digits.split(&mut rng);
    let Samples { digits: training, difficulty } = Samples::spoil(training, &mut rng);
    let rank = order.rank(&difficulty);
    let mut network = Network::new([PIXELS, args.hidden as usize, CLASSES], &mut rng);
    let mut places: Vec<usize> = (0..training.labels.len()).collect();
    let mut accuracy = Vec::new();
    for epoch in 0..args.epochs {
        losses.set_progress(order.progress(epoch, args))?;
        rng.shuffle(&mut places);
        // A plan is for one shape, so the samples that do not fill a last batch wait for another epoch.
        for places in places.chunks_exact(BATCH) {
            let batch = training.select(places);
            let rank: Vec<f32> = places.iter().map(|&place| rank[place]).collect();
            let pass = network.forward(&batch.images);
            let gradient = losses.gradient(pass.outputs(), &batch.labels, &rank)?;
            network.learn(&pass, &gradient, args.learning_rate);
        }
        let predicted = network.predict(&held_out.images);
        let right = predicted.iter().zip(&held_out.labels).filter(|&(&class, &label)| class == label as usize).count();
        accuracy.push(100.0 * right as f64 / held_out.labels.len() as f64);
    }
    Ok(accuracy)
}
