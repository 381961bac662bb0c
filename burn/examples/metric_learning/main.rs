//! Learns embeddings of handwritten digits with the hardest triplets of each batch: the network is Burn's, the loss
//! wgloss's, and for comparison the same loss of Burn's tensor operations, for Burn has none of its own.
//!
//! ```sh
//! cargo run --release --example metric_learning
//! ```

#[path = "../common/mod.rs"]
mod common;
mod losses;

use std::{error::Error, process::ExitCode};

use burn::{
    module::Module,
    nn::{Linear, LinearConfig},
    optim::{AdamConfig, GradientsParams},
    tensor::{Device, Int, Tensor, activation::relu},
};
use clap::{Parser, value_parser};
use fastrand::Rng;

use common::{
    arguments::learning_rate,
    digits::{CLASSES, Digits, PIXELS},
    program::{exit, progress},
    report::{Row, print_header},
    tensors::{digits, number},
    watch::Watch,
};
use losses::Loss;

/// Images of each digit in a batch.
const IMAGES_PER_DIGIT: usize = 8;
/// Values of an embedding.
const DIMENSIONS: usize = 16;

/// Learns embeddings of handwritten digits with Burn.
#[derive(Parser)]
struct Args {
    /// Steps of training, each with a batch of 80 images
    #[arg(long, default_value_t = 300, value_parser = value_parser!(u32).range(1..))]
    steps: u32,
    /// Step size of Adam
    #[arg(long, default_value = "0.002", value_parser = learning_rate)]
    learning_rate: f32,
    /// Seed of all that is random
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

fn main() -> ExitCode {
    exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let (training, held_out) = Digits::load()?.split(&mut Rng::with_seed(args.seed));
    println!("{} steps of {} images", args.steps, CLASSES * IMAGES_PER_DIGIT);
    println!("An image is told right if the nearest training image shows the same digit.\n");
    print_header("held-out accuracy");
    for loss in [Loss::wgloss(), Loss::Operations] {
        train(args, &loss, &training, &held_out)?;
    }
    Ok(())
}

fn train(args: &Args, loss: &Loss, training: &Digits, held_out: &Digits) -> Result<(), Box<dyn Error>> {
    let device = wgloss_burn::device()?.autodiff();
    let mut watch = Watch::new(&device);
    device.seed(args.seed);
    let mut rng = Rng::with_seed(args.seed);
    let mut network = Network::new(&device);
    let before = accuracy(&network.valid(), training, held_out, &device.clone().inner())?;
    let mut adam = AdamConfig::new().init();
    let mut last = None;
    let progress = progress(args.steps, "step");
    for _ in 0..args.steps {
        let (images, labels) = digits(&balanced(training, &mut rng), &device);
        let value;
        (network, value) = watch.step(|| {
            let value = loss.of(network.embed(images.clone()), labels.clone());
            let gradients = GradientsParams::from_grads(value.backward(), &network);
            (adam.step(f64::from(args.learning_rate), network, gradients), value)
        })?;
        progress.inc(1);
        last = Some((images, labels, value));
    }
    progress.finish_and_clear();
    let (images, labels, value) = last.ok_or("there was no step")?;
    let value = number(value)?;
    if !value.is_finite() {
        return Err(format!("the loss became {value}; a lower --learning-rate may help").into());
    }
    let embeddings = network.embed(images.clone()).detach();
    let costs = watch.costs(
        || loss.of(network.embed(images), labels.clone()),
        || drop(loss.of(embeddings.clone().require_grad(), labels.clone()).backward()),
    )?;
    let after = accuracy(&network.valid(), training, held_out, &device.clone().inner())?;
    let score = format!("{before:.2} → {after:.2} %");
    Row { loss: "triplet_batch_hard", by: loss.by(), value, score, costs }.print();
    if let Some(active) = loss.active(&device)? {
        let [first, last] = active;
        println!("{:40}active triplets: {first:.0} % of the first batch, {last:.0} % of the last", "");
    }
    Ok(())
}

/// As many images of each digit: every anchor has positives and negatives.
fn balanced(digits: &Digits, rng: &mut Rng) -> Digits {
    let of_class = |class| (0..digits.labels.len()).filter(move |&sample| digits.labels[sample] == class);
    let samples: Vec<usize> =
        (0..CLASSES as i32).flat_map(|class| rng.choose_multiple(of_class(class), IMAGES_PER_DIGIT)).collect();
    digits.select(&samples)
}

/// Two layers, and embeddings of unit length.
#[derive(Module, Debug)]
struct Network {
    hidden: Linear,
    output: Linear,
}

impl Network {
    fn new(device: &Device) -> Self {
        const HIDDEN: usize = 128;
        Network {
            hidden: LinearConfig::new(PIXELS, HIDDEN).init(device),
            output: LinearConfig::new(HIDDEN, DIMENSIONS).init(device),
        }
    }

    fn embed(&self, images: Tensor<4>) -> Tensor<2> {
        let embeddings = self.output.forward(relu(self.hidden.forward(images.flatten(1, 3))));
        let lengths = embeddings.clone().square().sum_dim(1).sqrt().clamp_min(1e-6);
        embeddings / lengths
    }
}

/// The percentage of held-out digits whose nearest training digit is the same.
fn accuracy(network: &Network, training: &Digits, held_out: &Digits, device: &Device) -> Result<f64, Box<dyn Error>> {
    let (gallery, known) = digits(training, device);
    let (queries, labels) = digits(held_out, device);
    let cosines = network.embed(queries).matmul(network.embed(gallery).transpose());
    let nearest: Tensor<1, Int> = cosines.argmax(1).squeeze_dim(1);
    let right = number(known.select(0, nearest).equal(labels).float().sum())?;
    Ok(100.0 * right / held_out.labels.len() as f64)
}
