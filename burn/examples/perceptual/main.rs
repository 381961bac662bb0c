//! Fits a picture to a photograph by what a frozen network of convolutions sees in both: at early, at deep and at all
//! layers, whose weights are learnt with the picture. The network is Burn's, the loss `perceptual`.
//!
//! ```sh
//! cargo run --release --example perceptual -- --checkpoint vgg16.safetensors --smaller 1
//! ```

#[path = "../common/mod.rs"]
mod common;
mod losses;
mod photo;
mod vgg;

use std::{error::Error, path::PathBuf, process::ExitCode};

use burn::{
    module::{Module, Param},
    optim::{AdamConfig, GradientsParams},
    tensor::{Device, Distribution, Tensor},
};
use clap::{Parser, value_parser};

use common::{
    arguments::{learning_rate, not_negative},
    program::{exit, progress, write},
    report::{Row, print_header},
    tensors::{floats, number},
    watch::Watch,
};
use losses::Loss;
use photo::{Panel, photo, side_by_side};
use vgg::{Layer, RELU2_2, RELU3_3, RELU4_3, Vgg};

/// Fits a picture to a photograph by features.
#[derive(Parser)]
struct Args {
    /// A checkpoint of torchvision's VGG16 in safetensors, in place of random weights
    #[arg(long)]
    checkpoint: Option<PathBuf>,
    /// Channels of the first convolutions without a checkpoint; VGG16 has 64
    #[arg(long, default_value_t = 16, value_parser = value_parser!(u32).range(1..=64))]
    width: u32,
    /// How much smaller than 192×128 pixels the picture is
    #[arg(long, default_value_t = 3, value_parser = value_parser!(u32).range(1..=8))]
    smaller: u32,
    /// Steps of fitting
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..))]
    steps: u32,
    /// Step size of Adam in the first step; it falls to 0 with the last
    #[arg(long, default_value = "0.1", value_parser = learning_rate)]
    learning_rate: f32,
    /// Weight of the squared differences of neighbouring pixels: features say little of noise
    #[arg(long, default_value = "4", value_parser = not_negative)]
    smoothness: f32,
    /// Seed of all that is random
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where the pictures go
    #[arg(long, default_value = "target/demo/burn_perceptual.svg")]
    output: PathBuf,
}

/// Layers to fit a picture at.
struct Choice {
    name: &'static str,
    layers: &'static [Layer],
}

const CHOICES: [Choice; 3] = [
    Choice { name: "early layers alone", layers: &[RELU2_2] },
    Choice { name: "deep layers alone", layers: &[RELU4_3] },
    Choice { name: "all, with learnt weights", layers: &[RELU2_2, RELU3_3, RELU4_3] },
];

fn main() -> ExitCode {
    exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let weights = match &args.checkpoint {
        Some(path) => format!("the weights of {}", path.display()),
        None => format!("random weights, {} channels and up", args.width),
    };
    println!("{} steps by features of VGG16 with {weights}", args.steps);
    print_header("error of a pixel");
    let mut panels = Vec::new();
    for choice in &CHOICES {
        for loss in [Loss::wgloss(), Loss::burn()] {
            let (panel, target) = fit(args, choice, &loss)?;
            if let Loss::Wgloss(_) = loss {
                if panels.is_empty() {
                    panels.push(target);
                }
                panels.push(panel);
            }
        }
    }
    write(&args.output, &side_by_side(&panels))?;
    println!("\npictures in {}", args.output.display());
    Ok(())
}

/// What is learnt: the picture, and the logarithms of the variances of the layers' losses.
#[derive(Module, Debug)]
struct Fit {
    picture: Param<Tensor<4>>,
    log_vars: Param<Tensor<1>>,
}

impl Fit {
    /// A picture of noise.
    fn new(shape: [usize; 4], layers: usize, device: &Device) -> Self {
        let noise = Tensor::random(shape, Distribution::Uniform(0.4, 0.6), device);
        Fit { picture: Param::from_tensor(noise), log_vars: Param::from_tensor(Tensor::zeros([layers], device)) }
    }

    /// The mean squared differences of neighbours, below and beside each other.
    fn roughness(&self) -> Tensor<1> {
        let picture = self.picture.val();
        let [_, _, height, width] = picture.dims();
        let square = |axis, size: usize| {
            let ahead = picture.clone().narrow(axis, 1, size - 1);
            (ahead - picture.clone().narrow(axis, 0, size - 1)).square().mean()
        };
        square(2, height) + square(3, width)
    }

    /// The loss of the layers, each divided by its variance, and what large variances cost (Kendall, Gal and Cipolla,
    /// 2018). One layer has nothing to be weighed against.
    fn loss(&self, network: &Vgg, targets: &[Tensor<4>], choice: &Choice, loss: &Loss) -> Tensor<1> {
        let features = network.features(self.picture.val(), choice.layers);
        self.weighed(features, targets, choice, loss)
    }

    fn weighed(&self, features: Vec<Tensor<4>>, targets: &[Tensor<4>], choice: &Choice, loss: &Loss) -> Tensor<1> {
        let value = loss.of(features, targets.to_vec(), self.weights(choice));
        match choice.layers {
            [_] => value,
            _ => value + self.log_vars.val().mean(),
        }
    }

    /// The weights of the layers.
    fn weights(&self, choice: &Choice) -> Tensor<1> {
        match choice.layers {
            [_] => self.log_vars.val().detach().ones_like(),
            _ => self.log_vars.val().neg().exp(),
        }
    }
}

/// A picture fitted to the photograph, and the photograph.
fn fit(args: &Args, choice: &Choice, loss: &Loss) -> Result<(Panel, Panel), Box<dyn Error>> {
    let device = wgloss_burn::device()?.autodiff();
    let mut watch = Watch::new(&device);
    device.seed(args.seed);
    let network = match &args.checkpoint {
        Some(path) => Vgg::load(path, &device)?,
        None => Vgg::random(args.width as usize, &device),
    };
    let target = photo(args.smaller as usize, &device)?;
    let targets: Vec<Tensor<4>> =
        network.features(target.clone(), choice.layers).into_iter().map(Tensor::detach).collect();
    let mut fit = Fit::new(target.dims(), choice.layers.len(), &device);
    let mut adam = AdamConfig::new().init();
    let progress = progress(args.steps, "step");
    let mut value = f64::NAN;
    for step in 0..args.steps {
        let rate = f64::from(args.learning_rate) * f64::from(args.steps - step) / f64::from(args.steps);
        let last;
        (fit, last) = watch.step(|| {
            let value = fit.loss(&network, &targets, choice, loss);
            // As much beside layers of large weights.
            let weight = fit.weights(choice).detach().mean() * args.smoothness;
            let all = value.clone() + fit.roughness() * weight;
            let gradients = GradientsParams::from_grads(all.backward(), &fit);
            (adam.step(rate, fit, gradients), value)
        })?;
        value = number(last)?;
        progress.set_message(format!("loss {value:.4}"));
        progress.inc(1);
    }
    progress.finish_and_clear();
    if !value.is_finite() {
        return Err(format!("the loss became {value}; a lower --learning-rate may help").into());
    }

    let features: Vec<Tensor<4>> =
        network.features(fit.picture.val(), choice.layers).into_iter().map(Tensor::detach).collect();
    let costs = watch.costs(
        || fit.loss(&network, &targets, choice, loss),
        || {
            let features = features.iter().map(|features| features.clone().require_grad()).collect();
            drop(fit.weighed(features, &targets, choice, loss).backward());
        },
    )?;
    let picture = fit.picture.val().inner();
    let target = target.inner();
    let error = number((picture.clone().clamp(0.0, 1.0) - target.clone()).square().mean().sqrt())?;
    Row { loss: choice.name, by: loss.by(), value, score: format!("{error:.3}"), costs }.print();
    let mut note: Vec<String> = choice.layers.iter().map(|layer| layer.name.to_string()).collect();
    if choice.layers.len() > 1 {
        let weights = floats(fit.weights(choice))?;
        note = note.iter().zip(weights).map(|(name, weight)| format!("{name} × {weight:.0}")).collect();
    }
    Ok((
        Panel::new(choice.name, note.join(", "), picture)?,
        Panel::new("photograph", "what is to be seen".to_string(), target)?,
    ))
}
