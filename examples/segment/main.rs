//! Trains a small model of pixels with one loss after the other, to tell the table, the cup, the coffee and the spoon
//! in a photograph apart. Every step's loss, and its gradient with respect to the logits of all pixels, comes from one
//! fused GPU kernel; the features and the network are plain Rust.
//!
//! ```sh
//! cargo run --release --example segment -- --loss cross_entropy
//! ```
//!
//! Training sees every second block of the picture, as on a chequerboard. The target of the others is `ignore_index`,
//! and how well the model does there is told apart.

#[path = "../common/mod.rs"]
mod common;
mod features;
mod scene;
mod strip;

use std::{error::Error, path::PathBuf, process::ExitCode, time::Instant};

use clap::{Parser, builder::PossibleValuesParser, value_parser};
use fastrand::Rng;
use wgloss::{AnyLoss, DType, Gpu, Reduction, TensorType};

use common::{
    arguments::Common,
    gpu_loss::{GpuLoss, Step},
    network::Network,
    program::{exit, progress, write},
};
use features::{features, transpose};
use scene::{CLASSES, Scene};

/// The losses to compare, with parameters other than their defaults.
const LOSSES: [(&str, &[(&str, &str)]); 8] = [
    ("cross_entropy", &[]),
    ("focal", &[]),
    ("dice", &[SOFTMAX, PER_CLASS]),
    ("tversky", &[SOFTMAX, PER_CLASS, ("alpha", "0.3"), ("beta", "0.7")]),
    ("focal_tversky", &[SOFTMAX, PER_CLASS, ("alpha", "0.3"), ("beta", "0.7")]),
    ("jaccard", &[SOFTMAX, PER_CLASS]),
    ("ce_dice", &[]),
    ("focal_dice", &[]),
];
const SOFTMAX: (&str, &str) = ("activation", "softmax");
const PER_CLASS: (&str, &str) = ("scope", "class");

/// The target of pixels that training does not see.
const IGNORE_INDEX: i32 = -100;

const HIDDEN: usize = 16;
const LEARNING_RATE: f32 = 0.02;

/// Segments a photograph with losses of your choice.
#[derive(Parser)]
struct Args {
    /// A loss; may be repeated
    #[arg(
        long = "loss",
        default_values = LOSSES.map(|(name, _)| name),
        value_parser = PossibleValuesParser::new(LOSSES.map(|(name, _)| name)),
    )]
    losses: Vec<String>,
    /// Steps of training, each over the whole picture
    #[arg(long, default_value_t = 200, value_parser = value_parser!(u32).range(1..))]
    steps: u32,
    #[command(flatten)]
    common: Common,
    /// Where the predictions go, as a picture
    #[arg(long, default_value = "target/demo/segment.svg")]
    output: PathBuf,
}

fn main() -> ExitCode {
    exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let scene = Scene::load()?;
    let features = features(&scene);
    let gpu = args.common.gpu()?;
    println!("{} steps on {}\n", args.steps, gpu.adapter_id());
    print!("{:16}{:10}", "IoU", "pixels");
    CLASSES.iter().for_each(|class| print!("{class:>8}"));
    println!("{:>8}{:>16}", "mean", "training time");

    let mut predictions = Vec::new();
    for (name, settings) in LOSSES.into_iter().filter(|(name, _)| args.losses.iter().any(|chosen| chosen == name)) {
        let loss = loss_of_scene(&gpu, name, settings, &scene)?;
        let start = Instant::now();
        let network = train(args, &loss, &features)?;
        let seconds = start.elapsed().as_secs_f64();

        let prediction: Vec<u8> = network.predict(&features).into_iter().map(|class| class as u8).collect();
        let trained = iou(&scene, &prediction, true);
        let held_out = iou(&scene, &prediction, false);
        println!("{name:16}{:10}{}{seconds:>14.1} s", "trained", columns(&trained));
        println!("{:16}{:10}{}", "", "held out", columns(&held_out));
        let rarest = CLASSES.len() - 1;
        let note = format!("IoU {:.3}, {} {:.3}", mean(&held_out), CLASSES[rarest], held_out[rarest]);
        predictions.push((name.to_string(), note, prediction));
    }
    write(&args.output, &strip::draw(&scene, &predictions)?)?;
    println!("\npredictions in {}", args.output.display());
    Ok(())
}

/// A loss on the GPU that compares logits with the part of the mask that training sees.
fn loss_of_scene(gpu: &Gpu, name: &str, settings: &[(&str, &str)], scene: &Scene) -> Result<GpuLoss, wgloss::Error> {
    let ignore_index = IGNORE_INDEX.to_string();
    let loss = AnyLoss::new(name, &[settings, &[("ignore_index", &ignore_index)]].concat())?;
    let logits = TensorType::new(DType::F32, [1, CLASSES.len(), scene.height, scene.width]);
    let target = TensorType::new(DType::I32, [1, scene.height, scene.width]);
    let loss = GpuLoss::new(gpu, &loss, &[logits, target], Reduction::Mean)?;

    let classes = scene.mask.iter().enumerate();
    let target = classes.map(|(pixel, &class)| if scene.is_trained(pixel) { class.into() } else { IGNORE_INDEX });
    loss.target.write(&target.collect::<Vec<i32>>())?;
    Ok(loss)
}

/// Trains a network from its first random weights, the same for every loss.
fn train(args: &Args, loss: &GpuLoss, features: &[f32]) -> Result<Network, Box<dyn Error>> {
    let pixels = loss.target.shape().iter().product::<usize>();
    let mut network =
        Network::new([features.len() / pixels, HIDDEN, CLASSES.len()], &mut Rng::with_seed(args.common.seed));
    let progress = progress(args.steps, "step");
    for step in 1..=args.steps {
        let pass = network.forward(features);
        let Step { loss: value, gradient, .. } = loss.evaluate(&transpose(pass.outputs(), CLASSES.len()))?;
        if !value.is_finite() {
            return Err(format!("the loss became {value} in step {step}").into());
        }
        network.learn(&pass, &transpose(&gradient, pixels), LEARNING_RATE);
        progress.set_message(format!("loss {value:.4}"));
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(network)
}

/// Intersection over union for each class, over the pixels that training saw or over the others.
fn iou(scene: &Scene, prediction: &[u8], trained: bool) -> Vec<f64> {
    let pixels: Vec<(u8, u8)> = (0..prediction.len())
        .filter(|&pixel| scene.is_trained(pixel) == trained)
        .map(|pixel| (prediction[pixel], scene.mask[pixel]))
        .collect();
    let of_class = |class| {
        let intersection = pixels.iter().filter(|&&pixel| pixel == (class, class)).count();
        let union = pixels.iter().filter(|&&(predicted, actual)| predicted == class || actual == class).count();
        intersection as f64 / union as f64
    };
    (0..CLASSES.len() as u8).map(of_class).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The values and their mean, as columns of a table.
fn columns(values: &[f64]) -> String {
    values.iter().chain([&mean(values)]).map(|value| format!("{value:>8.3}")).collect()
}
