//! Trains a small transformer to foretell the next character of this project's documentation, wholly on the GPU. The
//! network is Burn's, the loss wgloss's, and for comparison Burn's own.
//!
//! ```sh
//! cargo run --release --example language_model -- --steps 2000
//! ```

#[path = "../common/mod.rs"]
mod common;
mod losses;
mod network;
mod text;

use std::{error::Error, path::PathBuf, process::ExitCode};

use burn::{
    module::Module,
    optim::{AdamWConfig, GradientsParams},
    tensor::{Device, Int, Tensor, TensorData, activation::softmax},
};
use clap::{Parser, value_parser};
use fastrand::Rng;
use plotters::prelude::{BLACK, SeriesLabelPosition};
use wgloss_burn::{CrossEntropyLossConfig, Inputs, Reduction, Statistics, clip_grad_norm};

use common::{
    arguments::learning_rate,
    chart::{self, Axis, COLORS, Panel, Series, Shape},
    program::{exit, progress, write},
    report::{Row, print_difference, print_header},
    tensors::{floats, number},
    watch::{Costs, Watch},
};
use losses::{Kind, Loss};
use network::{CONTEXT, LanguageModel};
use text::Text;

/// Passages that the network is judged by.
const HELD_OUT: usize = 64;

/// Trains a language model of characters with Burn.
#[derive(Parser)]
struct Args {
    /// Steps of training
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..))]
    steps: u32,
    /// Passages of 64 characters per step
    #[arg(long, default_value_t = 8, value_parser = value_parser!(u32).range(1..=1024))]
    batch_size: u32,
    /// Step size of AdamW
    #[arg(long, default_value = "0.002", value_parser = learning_rate)]
    learning_rate: f32,
    /// What the norm of the gradients is at most
    #[arg(long, default_value = "1", value_parser = learning_rate)]
    max_norm: f32,
    /// Characters to write at the end
    #[arg(long, default_value_t = 200)]
    characters: u32,
    /// Seed of all that is random
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where the curves go
    #[arg(long, default_value = "target/demo/burn_language_model.svg")]
    output: PathBuf,
}

fn main() -> ExitCode {
    exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let text = Text::load();
    println!(
        "{} steps of {} passages; {} characters of text, {} different ones",
        args.steps,
        args.batch_size,
        text.len(),
        text.vocabulary.len()
    );
    print_header("held out");
    let mut series = Vec::new();
    let mut written = String::new();
    for (kind, color) in Kind::ALL.into_iter().zip(COLORS) {
        let mut curves = Vec::new();
        for loss in [Loss::wgloss, Loss::burn] {
            let trained = train(args, &text, kind, loss)?;
            trained.row(kind).print();
            // That of Burn's own loss is black above the other, where one should lie on the other.
            let (color, shape) = if curves.is_empty() { (color, Shape::Line) } else { (BLACK, Shape::Dashed) };
            let label = Some(format!("{}, {}", kind.name(), trained.by));
            let points = (1..).map(f64::from).zip(trained.losses.iter().copied()).collect();
            series.push(Series { label, color, shape, points });
            curves.push(trained.losses);
            if curves.len() == 1 {
                written = trained.written;
            }
        }
        print_difference(&curves[0], &curves[1]);
    }
    let highest = series.iter().flat_map(|series| &series.points).map(|(_, y)| *y).fold(0.0, f64::max);
    let panel = Panel {
        x: Axis::new("step", 0.0..f64::from(args.steps)),
        y: Axis::new("training loss (nats per character)", 0.0..1.05 * highest),
        series,
        legend: Some(SeriesLabelPosition::UpperRight),
    };
    write(&args.output, &chart::draw("A language model of characters", 1, &[panel])?)?;
    println!("\nwhat it writes:\n{written}\n\ncurves in {}", args.output.display());
    Ok(())
}

/// How training went.
struct Trained {
    by: &'static str,
    losses: Vec<f64>,
    judgement: Judgement,
    costs: Costs,
    written: String,
}

fn train(args: &Args, text: &Text, kind: Kind, loss: fn(Kind, &Device) -> Loss) -> Result<Trained, Box<dyn Error>> {
    let device = wgloss_burn::device()?.autodiff();
    let mut watch = Watch::new(&device);
    device.seed(args.seed);
    let mut rng = Rng::with_seed(args.seed);
    let loss = loss(kind, &device);
    let mut network = LanguageModel::new(text.vocabulary.len(), &device);
    let mut adam = AdamWConfig::new().init();
    let mut losses = Vec::new();
    let mut last = None;
    let progress = progress(args.steps, "step");
    for step in 1..=args.steps {
        let [characters, next] = text.passages(args.batch_size as usize, CONTEXT, &mut rng, &device);
        let next: Tensor<1, Int> = next.flatten(0, 1);
        let value;
        (network, value) = watch.step(|| {
            let value = loss.of(network.logits(characters.clone()), next.clone());
            let mut gradients = value.backward();
            clip_grad_norm(&network, &mut gradients, args.max_norm);
            let gradients = GradientsParams::from_grads(gradients, &network);
            (adam.step(f64::from(args.learning_rate), network, gradients), value)
        })?;
        let value = number(value)?;
        if !value.is_finite() {
            return Err(format!("the loss became {value} in step {step}; a lower --learning-rate may help").into());
        }
        losses.push(value);
        last = Some((characters, next));
        progress.set_message(format!("loss {value:.3}"));
        progress.inc(1);
    }
    progress.finish_and_clear();

    let (characters, next) = last.ok_or("there was no step")?;
    let logits = network.logits(characters.clone()).detach();
    let costs = watch.costs(
        || loss.of(network.logits(characters), next.clone()),
        || drop(loss.of(logits.clone().require_grad(), next.clone()).backward()),
    )?;
    let (network, device) = (network.valid(), device.inner());
    let judgement = Judgement::of(&network, text, &device)?;
    let written = continued(args, &network, text, &mut rng, &device)?;
    Ok(Trained { by: loss.by(), losses, judgement, costs, written })
}

impl Trained {
    fn row(&self, kind: Kind) -> Row<'_> {
        let Judgement { bits, right } = self.judgement;
        Row {
            loss: kind.name(),
            by: self.by,
            value: self.losses.last().copied().unwrap_or(f64::NAN),
            score: format!("{bits:.2} bits, {right:.1} %"),
            costs: self.costs,
        }
    }
}

/// What is held out, by the network.
struct Judgement {
    /// What a character takes.
    bits: f64,
    /// The percentage of characters that the network would have written too.
    right: f64,
}

impl Judgement {
    fn of(network: &LanguageModel, text: &Text, device: &Device) -> Result<Self, Box<dyn Error>> {
        let [characters, next] = text.held_out(HELD_OUT, CONTEXT, device);
        let next: Tensor<1, Int> = next.flatten(0, 1);
        let count = next.dims()[0] as f64;
        let inputs = Inputs::new().with("logits", network.logits(characters)).with("target", next);
        let entropy = CrossEntropyLossConfig::new().init();
        let evaluated = entropy.forward_with(inputs, Reduction::Mean, Statistics::default());
        let right = number(evaluated.try_correct()?.float())?;
        Ok(Judgement { bits: number(evaluated.try_loss()?)? / std::f64::consts::LN_2, right: 100.0 * right / count })
    }
}

/// What the network writes behind a few characters of its text.
fn continued(
    args: &Args,
    network: &LanguageModel,
    text: &Text,
    rng: &mut Rng,
    device: &Device,
) -> Result<String, Box<dyn Error>> {
    let mut written: Vec<i32> = "# Losses of ".chars().filter_map(|character| text.number(character)).collect();
    for _ in 0..args.characters {
        let seen = &written[written.len().saturating_sub(CONTEXT)..];
        let last = seen.len() - 1;
        // What stands behind the last one is not seen; with it all passages have one length.
        let mut passage = seen.to_vec();
        passage.resize(CONTEXT, 0);
        let logits = network.logits(Tensor::from_data(TensorData::new(passage, [1, CONTEXT]), device));
        // A little less than it allows itself: what is hardly likely goes.
        let probabilities = floats(softmax(logits.narrow(0, last, 1) * 1.5, 1))?;
        let mut left = rng.f32();
        let chosen = probabilities.iter().position(|probability| {
            left -= probability;
            left < 0.0
        });
        written.push(chosen.unwrap_or(text.vocabulary.len() - 1) as i32);
    }
    Ok(written.into_iter().map(|number| text.vocabulary[number as usize]).collect())
}
