//! Trains one network for three tasks at once: which shape each pixel of a scene belongs to, how far away it is, and a
//! box around it. The losses are weighed on the GPU by a joint plan: with fixed weights, with variances that are
//! learnt, and with weights that balance the norms of the tasks' gradients. Scenes and network are plain Rust.
//!
//! ```sh
//! cargo run --example multi_task
//! ```

#[path = "../common/chart.rs"]
mod chart;
#[path = "../common/mod.rs"]
mod common;
mod losses;
mod network;
mod plot;
mod scenes;
mod scores;

use std::{error::Error, path::PathBuf, process::ExitCode, time::Instant};

use clap::{Parser, value_parser};
use fastrand::Rng;
use wgloss::Gpu;

use common::{
    arguments::{Common, learning_rate},
    program::{exit, progress, write},
};
use losses::{Losses, Step, Weighting};
use network::Network;
use scenes::Scenes;
use scores::Scores;

/// Scenes that training never sees.
const HELD_OUT: usize = 300;
/// Steps from one look at them to the next.
const BETWEEN: u32 = 50;

/// Trains a network for three tasks, with losses weighed in three ways.
#[derive(Parser)]
struct Args {
    /// Steps of training
    #[arg(long, default_value_t = 1000, value_parser = value_parser!(u32).range(1..))]
    steps: u32,
    /// Scenes per step
    #[arg(long, default_value_t = 32, value_parser = value_parser!(u32).range(1..))]
    batch_size: u32,
    /// Features that the tasks share
    #[arg(long, default_value_t = 96, value_parser = value_parser!(u32).range(1..=1024))]
    features: u32,
    /// Step size of Adam
    #[arg(long, default_value = "0.003", value_parser = learning_rate)]
    learning_rate: f32,
    #[command(flatten)]
    common: Common,
    /// Where the curves go
    #[arg(long, default_value = "target/demo/multi_task.svg")]
    output: PathBuf,
}

/// How a training went.
#[derive(Default)]
struct Run {
    /// The weight of each task, step by step.
    weights: Vec<Vec<f32>>,
    /// The scores behind some of the steps.
    scores: Vec<(u32, Scores)>,
}

fn main() -> ExitCode {
    exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let gpu = args.common.gpu()?;
    println!("{} steps of {} scenes on {}\n", args.steps, args.batch_size, gpu.adapter_id());
    let columns = ["IoU of masks", "error of depths", "IoU of boxes"];
    print!("{:14}", "held out");
    columns.iter().for_each(|column| print!("{column:>18}"));
    println!("{:>16}", "training time");
    let mut runs = Vec::new();
    for weighting in Weighting::ALL {
        let start = Instant::now();
        let run = train(args, &gpu, weighting)?;
        let seconds = start.elapsed().as_secs_f64();
        if runs.is_empty() {
            print_scores("untrained", &run.scores[0].1, "");
        }
        print_scores(weighting.name(), &run.scores[run.scores.len() - 1].1, &format!("{seconds:>14.1} s"));
        runs.push((weighting, run));
    }
    write(&args.output, &plot::plot(&runs)?)?;
    println!("\ncurves in {}", args.output.display());
    Ok(())
}

fn print_scores(name: &str, &Scores { mask_iou, depth_error, box_iou }: &Scores, time: &str) {
    println!("{name:14}{mask_iou:>18.3}{depth_error:>18.4}{box_iou:>18.3}{time}");
}

/// Trains a network from its first random weights, which are the same for every weighting, as the scenes are.
fn train(args: &Args, gpu: &Gpu, weighting: Weighting) -> Result<Run, Box<dyn Error>> {
    let mut rng = Rng::with_seed(args.common.seed);
    let held_out = Scenes::draw(HELD_OUT, &mut rng);
    let mut network = Network::new(args.features as usize, &mut rng);
    let mut losses = Losses::new(gpu, weighting, args.batch_size as usize)?;
    let mut run = Run::default();
    let scores = |network: &Network| Scores::of(&network.forward(&held_out.images).0, &held_out);
    run.scores.push((0, scores(&network)));
    let progress = progress(args.steps, "step");
    for step in 1..=args.steps {
        let scenes = Scenes::draw(args.batch_size as usize, &mut rng);
        let (predictions, pass) = network.forward(&scenes.images);
        let Step { gradients, weights } = losses.evaluate(&predictions, &scenes)?;
        let norms = network.learn(&pass, gradients, args.learning_rate);
        losses.reweigh(&weights, norms)?;
        run.weights.push(weights);
        if step % BETWEEN == 0 || step == args.steps {
            run.scores.push((step, scores(&network)));
        }
        progress.set_message(weighting.name());
        progress.inc(1);
    }
    losses.check()?;
    progress.finish_and_clear();
    Ok(run)
}
