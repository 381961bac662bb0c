//! Trains a variational autoencoder of handwritten digits. Every step's loss, and its gradients by the reconstruction
//! and by the means and variances of the latent variables, comes from fused GPU kernels; both networks are plain Rust.
//!
//! ```sh
//! cargo run --release --example vae_digits -- --latent 2
//! ```
//!
//! The loss is the negative evidence lower bound (−ELBO): how many nats it takes to describe a digit. It is printed for
//! digits that training never sees, beside what it would be if each were described as the mean of those that training
//! sees, and if the decoder knew each digit. Pixels are shades of grey, so that takes nats too.

mod autoencoder;
#[path = "../common/mod.rs"]
mod common;
mod sheet;

use std::{error::Error, path::PathBuf, process::ExitCode, time::Instant};

use clap::{Parser, value_parser};
use fastrand::Rng;
use wgloss::{DType, Gpu, Gradients, Likelihood, Options, Reduction, TensorType, Vae};

use autoencoder::Autoencoder;
use common::{
    arguments::{Common, learning_rate, not_negative},
    digits::{CLASSES, Digits, PIXELS},
    gpu_loss::{GpuLoss, Step},
    program::{exit, progress, write},
    random::normal,
};

const BATCH: usize = 64;
/// Rows that are printed while training goes on.
const ROWS: u32 = 8;
/// Rows of ten digits in the picture.
const RECONSTRUCTED: usize = 4;
const SAMPLED: usize = 8;

/// Learns to reconstruct handwritten digits, and to draw new ones.
#[derive(Parser)]
struct Args {
    /// How often every training digit is seen
    #[arg(long, default_value_t = 150, value_parser = value_parser!(u32).range(1..))]
    epochs: u32,
    /// Latent variables
    #[arg(long, default_value_t = 4, value_parser = value_parser!(u32).range(1..=256))]
    latent: u32,
    /// Units of the hidden layer of either network
    #[arg(long, default_value_t = 128, value_parser = value_parser!(u32).range(1..=4096))]
    hidden: u32,
    /// The weight of the divergence of the latent variables from a standard normal distribution
    #[arg(long, default_value = "1", value_parser = not_negative)]
    beta: f32,
    /// Step size of Adam at first; it falls to 0 with the last epoch
    #[arg(long, default_value = "0.01", value_parser = learning_rate)]
    learning_rate: f32,
    #[command(flatten)]
    common: Common,
    /// Where the digits go, as a picture
    #[arg(long, default_value = "target/demo/vae_digits.svg")]
    output: PathBuf,
}

fn main() -> ExitCode {
    exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let mut rng = Rng::with_seed(args.common.seed);
    let (training, held_out) = Digits::load()?.split(&mut rng);
    let mut autoencoder = Autoencoder::new(args.hidden as usize, args.latent as usize, &mut rng);
    let gpu = args.common.gpu()?;
    let judge = Judge::new(&gpu, args, &held_out)?;

    println!("{} epochs on {}\n", args.epochs, gpu.adapter_id());
    println!(
        "{:24}{:>8}{:>18}{:>14}{:>14}",
        "held out, per digit", "−ELBO", "reconstruction", "divergence", "pixel error"
    );
    judge.of_images(&held_out.images)?.print("each digit itself");
    judge.of_images(&mean(&training).repeat(held_out.labels.len()))?.print("mean of the digits");
    judge.of(&autoencoder)?.print("untrained");
    let start = Instant::now();
    let gpu_loss = loss_of(&gpu, args, BATCH, Gradients::Write)?;
    let progress = progress(args.epochs, "epoch");
    for epoch in 0..args.epochs {
        let remaining = (args.epochs - epoch) as f32 / args.epochs as f32;
        let loss = train_epoch(&mut autoencoder, &training, &gpu_loss, args.learning_rate * remaining, &mut rng)?;
        if !loss.is_finite() {
            return Err(
                format!("the loss became {loss} in epoch {}; a lower --learning-rate may help", epoch + 1).into()
            );
        }
        progress.set_message(format!("loss {loss:.3}"));
        progress.inc(1);
        if (epoch + 1) % args.epochs.div_ceil(ROWS) == 0 || epoch + 1 == args.epochs {
            let verdict = judge.of(&autoencoder)?;
            progress.suspend(|| verdict.print(&format!("epoch {}", epoch + 1)));
        }
    }
    progress.finish_and_clear();
    println!("\ntrained in {:.1} s", start.elapsed().as_secs_f64());
    write(&args.output, &draw(args, &autoencoder, &held_out, &mut rng)?)?;
    println!("digits in {}", args.output.display());
    Ok(())
}

/// The loss of so many digits, on the GPU.
fn loss_of(gpu: &Gpu, args: &Args, digits: usize, gradients: Gradients) -> Result<GpuLoss, wgloss::Error> {
    let loss = Vae { beta: args.beta, likelihood: Likelihood::BceWithLogits };
    let images = TensorType::new(DType::F32, [digits, PIXELS]);
    let latent = TensorType::new(DType::F32, [digits, args.latent as usize]);
    let options = Options { gradients, ..Options::new(Reduction::BatchMean) };
    GpuLoss::new(gpu, &loss, &[images.clone(), images, latent.clone(), latent], options)
}

/// One pass over the training digits in random order; gives the mean of the batches' losses.
fn train_epoch(
    autoencoder: &mut Autoencoder,
    training: &Digits,
    loss: &GpuLoss,
    learning_rate: f32,
    rng: &mut Rng,
) -> Result<f64, wgloss::Error> {
    let batches = training.batches(BATCH, rng);
    let mut total = 0.0;
    for batch in &batches {
        let way = autoencoder.forward(&batch.images, rng);
        loss.target.write(&batch.images)?;
        let step = loss.evaluate(&way.predictions())?;
        autoencoder.learn(&way, &step.gradient, learning_rate);
        total += step.loss;
    }
    Ok(total / batches.len() as f64)
}

/// The mean of all digits.
fn mean(digits: &Digits) -> Vec<f32> {
    let sum = |pixel| digits.images.iter().skip(pixel).step_by(PIXELS).sum::<f32>();
    (0..PIXELS).map(|pixel| sum(pixel) / digits.labels.len() as f32).collect()
}

/// Held-out digits and their loss.
struct Judge<'a> {
    held_out: &'a Digits,
    loss: GpuLoss,
}

/// What it takes to describe a held-out digit, in nats.
struct Verdict {
    reconstruction: f64,
    divergence: f64,
    /// How far pixels, from 0 to 1, are from those of the digit.
    pixel_error: f64,
}

impl<'a> Judge<'a> {
    fn new(gpu: &Gpu, args: &Args, held_out: &'a Digits) -> Result<Self, wgloss::Error> {
        let loss = loss_of(gpu, args, held_out.labels.len(), Gradients::Skip)?;
        loss.target.write(&held_out.images)?;
        Ok(Judge { held_out, loss })
    }

    fn of(&self, autoencoder: &Autoencoder) -> Result<Verdict, wgloss::Error> {
        // The same noise each time, so that only what was learnt makes a difference.
        let way = autoencoder.forward(&self.held_out.images, &mut Rng::with_seed(0));
        self.verdict(&way.predictions(), &autoencoder.reconstruct(&self.held_out.images))
    }

    /// Of pictures that take no latent variables.
    fn of_images(&self, images: &[f32]) -> Result<Verdict, wgloss::Error> {
        // No pixel is sure to be paper or ink.
        let logit = |pixel: &f32| {
            let pixel = pixel.clamp(1e-4, 1.0 - 1e-4);
            (pixel / (1.0 - pixel)).ln()
        };
        let mut predictions: Vec<f32> = images.iter().map(logit).collect();
        // The latent variables are as the prior has them.
        predictions.resize(self.loss.predictions(), 0.0);
        self.verdict(&predictions, images)
    }

    fn verdict(&self, predictions: &[f32], reconstruction: &[f32]) -> Result<Verdict, wgloss::Error> {
        let Step { terms, .. } = self.loss.evaluate(predictions)?;
        let term = |name| terms.get(name).copied().map(f64::from).expect("the loss has this term");
        let images = &self.held_out.images;
        let distance = images.iter().zip(reconstruction).map(|(a, b)| f64::from((a - b).abs())).sum::<f64>();
        Ok(Verdict {
            reconstruction: term("reconstruction"),
            divergence: term("gaussian_kl"),
            pixel_error: distance / images.len() as f64,
        })
    }
}

impl Verdict {
    fn elbo(&self) -> f64 {
        -self.reconstruction - self.divergence
    }

    fn print(&self, name: &str) {
        let Verdict { reconstruction, divergence, pixel_error } = self;
        println!("{name:24}{:>8.2}{reconstruction:>18.2}{divergence:>14.2}{pixel_error:>14.3}", -self.elbo());
    }
}

/// Held-out digits beside their reconstructions, and digits that were never written, as the text of an SVG.
fn draw(
    args: &Args,
    autoencoder: &Autoencoder,
    held_out: &Digits,
    rng: &mut Rng,
) -> Result<String, png::EncodingError> {
    // Of each row the digits 0 to 9.
    let nth = |row: usize, class: usize| {
        let of_class = (0..held_out.labels.len()).filter(move |&sample| held_out.labels[sample] == class as i32);
        of_class.cycle().nth(row)
    };
    let mut reconstructed = Vec::new();
    for row in 0..RECONSTRUCTED {
        let samples: Vec<usize> = (0..CLASSES).filter_map(|class| nth(row, class)).collect();
        let images = held_out.select(&samples).images;
        reconstructed.extend([images.clone(), autoencoder.reconstruct(&images)]);
    }
    let values: Vec<f32> = (0..SAMPLED * CLASSES * args.latent as usize).map(|_| normal(rng)).collect();
    sheet::draw(&[
        sheet::Sheet {
            title: "Held out, and below each its reconstruction".to_string(),
            images: reconstructed.concat(),
        },
        sheet::Sheet { title: "Decoded from random latent variables".to_string(), images: autoencoder.decode(&values) },
    ])
}
