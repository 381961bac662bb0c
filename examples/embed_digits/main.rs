//! Learns where on a sphere handwritten digits lie, with one loss after the other: embeddings of three values of unit
//! length. Every step's loss, and its gradient with respect to the embeddings of the batch, comes from the GPU; the
//! network is plain Rust.
//!
//! ```sh
//! cargo run --release --example embed_digits -- --loss sup_con
//! ```
//!
//! Network, number of images and steps are the same for all losses. What differs is how a batch is drawn: see
//! [`Sampling`].

mod batches;
#[path = "../common/mod.rs"]
mod common;
mod neighbours;
mod scatter;
mod sphere;

use std::{error::Error, path::PathBuf, process::ExitCode, time::Instant};

use clap::{Parser, builder::PossibleValuesParser, value_parser};
use fastrand::Rng;
use wgloss::{AnyLoss, DType, Gpu, Gradients, Mining, Options, Reduction, TensorType, TripletBatchHard};

use batches::{Batch, IMAGES, Sampling};
use common::{
    arguments::Common,
    digits::{Digits, PIXELS},
    gpu_loss::GpuLoss,
    network::Network,
    program::{exit, progress, write},
};
use neighbours::{Labelled, NEIGHBOURS, accuracy};
use scatter::Panel;
use sphere::DIMENSIONS;

/// The losses to compare.
const CANDIDATES: [Candidate; 5] = [
    Candidate { name: "triplet_batch_hard", settings: &[("margin", "0.5")], sampling: Sampling::Balanced },
    Candidate { name: "triplet_semi_hard", settings: &[("margin", "0.5")], sampling: Sampling::Balanced },
    Candidate { name: "sup_con", settings: &[("temperature", "0.1")], sampling: Sampling::Balanced },
    Candidate { name: "contrastive", settings: &[], sampling: Sampling::Pairs },
    Candidate { name: "nt_xent", settings: &[("temperature", "0.3")], sampling: Sampling::Views },
];

/// A loss with parameters other than their defaults, and the batches that it takes.
struct Candidate {
    name: &'static str,
    settings: &'static [(&'static str, &'static str)],
    sampling: Sampling,
}

const HIDDEN: usize = 256;
/// Of the first step; it falls to 0 with the last.
const LEARNING_RATE: f32 = 0.006;

/// Embeds handwritten digits with losses of your choice.
#[derive(Parser)]
struct Args {
    /// A loss; may be repeated
    #[arg(
        long = "loss",
        default_values = CANDIDATES.map(|candidate| candidate.name),
        value_parser = PossibleValuesParser::new(CANDIDATES.map(|candidate| candidate.name)),
    )]
    losses: Vec<String>,
    /// Steps of training, each with a batch of 80 images
    #[arg(long, default_value_t = 1000, value_parser = value_parser!(u32).range(1..))]
    steps: u32,
    #[command(flatten)]
    common: Common,
    /// Where the maps of the held-out digits go
    #[arg(long, default_value = "target/demo/embed_digits.svg")]
    output: PathBuf,
}

fn main() -> ExitCode {
    exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let mut rng = Rng::with_seed(args.common.seed);
    let (training, held_out) = Digits::load()?.split(&mut rng);
    let first = Network::new([PIXELS, HIDDEN, DIMENSIONS], &mut rng);
    let gpu = args.common.gpu()?;
    let judge = Judge::new(&gpu, &training, &held_out)?;

    println!("{} steps of {IMAGES} images on {}\n", args.steps, gpu.adapter_id());
    println!(
        "{:20}{:>10}{:>18}{:>20}{:>20}{:>10}",
        "", "held out", "active triplets", "positive distance", "negative distance", "time"
    );
    let pixels = judge.accuracy(&training.images, &held_out.images);
    println!("{:20}{pixels:>8.1} %", "pixels");
    print_row("before training", &judge.verdict(&first)?, None, None);

    let mut panels = Vec::new();
    let is_chosen = |candidate: &Candidate| args.losses.iter().any(|chosen| chosen == candidate.name);
    for Candidate { name, settings, sampling } in CANDIDATES.into_iter().filter(is_chosen) {
        let loss = GpuLoss::new(&gpu, &AnyLoss::new(name, settings)?, &sampling.types(), Reduction::Mean)?;
        let start = Instant::now();
        let Trained { network, active } =
            train(args.steps, &loss, sampling, first.clone(), &training, &mut rng.clone())?;
        let seconds = start.elapsed().as_secs_f64();
        let verdict = judge.verdict(&network)?;
        print_row(name, &verdict, active, Some(seconds));
        panels.push(Panel {
            title: name.to_string(),
            note: format!("learnt {}; {:.1} % recognised", sampling.description(), verdict.accuracy),
            places: sphere::vectors(&embed(&network, &held_out.images)).to_vec(),
        });
    }
    let explanation = [
        format!("Each map shows {} held-out digits. Embeddings have unit length,", held_out.labels.len()),
        "so they lie on a sphere; the map shows all of it, areas as they are.".to_string(),
        "Numbers stand at the centres of the classes.".to_string(),
        format!("A digit is recognised by the {NEIGHBOURS} nearest training digits;"),
        format!("from its 64 pixels instead of the embedding, {pixels:.1} % are."),
    ];
    write(&args.output, &scatter::draw(&panels, &held_out.labels, &explanation))?;
    println!("\nmaps in {}", args.output.display());
    Ok(())
}

fn print_row(name: &str, verdict: &Verdict, active: Option<[f64; 2]>, seconds: Option<f64>) {
    let active = active.map(|[first, last]| format!("{:.0} → {:.0} %", 100.0 * first, 100.0 * last));
    let Mining { positive_distance, negative_distance, .. } = verdict.mining;
    println!(
        "{name:20}{:>8.1} %{:>18}{positive_distance:>20.2}{negative_distance:>20.2}{:>10}",
        verdict.accuracy,
        active.unwrap_or_default(),
        seconds.map(|seconds| format!("{seconds:.1} s")).unwrap_or_default()
    );
}

struct Trained {
    network: Network,
    /// Of a triplet loss, the fraction of active triplets in the first and in the last tenth of the steps.
    active: Option<[f64; 2]>,
}

/// Trains a network.
fn train(
    steps: u32,
    loss: &GpuLoss,
    sampling: Sampling,
    mut network: Network,
    training: &Digits,
    rng: &mut Rng,
) -> Result<Trained, Box<dyn Error>> {
    let mut active = Vec::new();
    let progress = progress(steps, "step");
    for step in 0..steps {
        let Batch { images, target } = sampling.draw(training, rng);
        if let Some(target) = target {
            loss.target.write(&target)?;
        }
        let pass = network.forward(&images);
        let result = loss.evaluate(&sphere::normalize(pass.outputs()))?;
        if !result.loss.is_finite() {
            return Err(format!("the loss became {} in step {}", result.loss, step + 1).into());
        }
        let gradient = sphere::normalize_gradient(pass.outputs(), &result.gradient);
        let remaining = (steps - step) as f32 / steps as f32;
        network.learn(&pass, &gradient, LEARNING_RATE * remaining);
        active.extend(result.mining.map(|mining| mining.active_fraction()));
        progress.set_message(format!("loss {:.4}", result.loss));
        progress.inc(1);
    }
    progress.finish_and_clear();
    let tenth = active.len().div_ceil(10);
    let mean = |fractions: &[f64]| fractions.iter().sum::<f64>() / fractions.len() as f64;
    let active = (tenth > 0).then(|| [mean(&active[..tenth]), mean(&active[active.len() - tenth..])]);
    Ok(Trained { network, active })
}

/// The embeddings of images, of unit length.
fn embed(network: &Network, images: &[f32]) -> Vec<f32> {
    sphere::normalize(network.forward(images).outputs())
}

/// What a network is judged by, and with.
struct Judge<'a> {
    training: &'a Digits,
    held_out: &'a Digits,
    /// A triplet loss of all held-out digits, for the distances that it measures.
    distances: GpuLoss,
}

struct Verdict {
    /// The percentage of held-out digits that their neighbours among the training digits tell.
    accuracy: f64,
    /// Of the held-out digits.
    mining: Mining,
}

impl<'a> Judge<'a> {
    fn new(gpu: &Gpu, training: &'a Digits, held_out: &'a Digits) -> Result<Self, wgloss::Error> {
        let count = held_out.labels.len();
        let types = [TensorType::new(DType::F32, [count, DIMENSIONS]), TensorType::new(DType::I32, [count])];
        let options = Options { gradients: Gradients::Skip, ..Options::new(Reduction::Mean) };
        let distances = GpuLoss::new(gpu, &TripletBatchHard::default(), &types, options)?;
        distances.target.write(&held_out.labels)?;
        Ok(Judge { training, held_out, distances })
    }

    fn accuracy(&self, gallery: &[f32], queries: &[f32]) -> f64 {
        let gallery = Labelled { rows: gallery, labels: &self.training.labels };
        accuracy(&gallery, &Labelled { rows: queries, labels: &self.held_out.labels })
    }

    fn verdict(&self, network: &Network) -> Result<Verdict, wgloss::Error> {
        let held_out = embed(network, &self.held_out.images);
        let accuracy = self.accuracy(&embed(network, &self.training.images), &held_out);
        let mining = self.distances.evaluate(&held_out)?.mining.expect("a triplet loss mines");
        Ok(Verdict { accuracy, mining })
    }
}
