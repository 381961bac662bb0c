//! Trains a small classifier of handwritten digits with one loss after the other. Every step's loss, and its gradient
//! with respect to the network's outputs, comes from one fused GPU kernel; the network itself is plain Rust.
//!
//! ```sh
//! cargo run --example train_digits -- --loss focal --loss sigmoid_focal
//! ```
//!
//! [`GpuLoss`] is what a training program needs of wgloss: a [`Plan`] bound once, recorded at every step.

use std::{
    error::Error,
    io::Read,
    iter,
    ops::Range,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use clap::{Parser, value_parser};
use fastrand::Rng;
use indicatif::{ProgressBar, ProgressStyle};
use plotters::{coord::Shift, prelude::*};
use wgloss::{AnyLoss, DType, Gpu, Loss, Named, Output, Plan, Reduction, Tensor, TensorType, spec::Kind};

const PIXELS: usize = 64;
const CLASSES: usize = 10;

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
        let loss = GpuLoss::new(&gpu, &parse(name)?, args.batch_size as usize)?;
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
    let mut network = Network::new(args.hidden as usize, rng);
    let mut curves = Curves::default();
    let progress = ProgressBar::new(args.epochs.into());
    progress.set_style(ProgressStyle::with_template("{bar:30} epoch {pos}/{len}  {msg}")?);
    for epoch in 1..=args.epochs {
        let mean = train_epoch(&mut network, training, loss, args.learning_rate, rng)?;
        if !mean.is_finite() {
            return Err(format!("the loss became {mean} in epoch {epoch}; a lower --learning-rate may help").into());
        }
        let accuracy = network.accuracy(held_out);
        curves.loss.push(mean);
        curves.accuracy.push(accuracy);
        progress.set_message(format!("loss {mean:.4}  held-out accuracy {accuracy:.2} %"));
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(curves)
}

/// One pass over the training samples in random order; gives the mean of the batches' losses.
fn train_epoch(
    network: &mut Network,
    training: &Digits,
    loss: &GpuLoss,
    learning_rate: f32,
    rng: &mut Rng,
) -> Result<f64, wgloss::Error> {
    let mut order: Vec<usize> = (0..training.labels.len()).collect();
    rng.shuffle(&mut order);
    let mut total = 0.0;
    // A plan is for one shape, so the samples that do not fill a last batch wait for another epoch.
    let batches = order.chunks_exact(loss.batch_size());
    let steps = batches.len() as f64;
    for batch in batches {
        let batch = training.select(batch);
        let (hidden, logits) = network.forward(&batch.images);
        let (value, gradient) = loss.evaluate(&logits, &batch.labels)?;
        network.backward(&batch.images, &hidden, &gradient, learning_rate);
        total += value;
    }
    Ok(total / steps)
}

/// A loss on the GPU for batches of one size: its plan, bound to tensors that stay there for the whole training.
struct GpuLoss {
    gpu: Gpu,
    logits: Tensor,
    target: Tensor,
    output: Output,
}

impl GpuLoss {
    fn new(gpu: &Gpu, loss: &dyn Loss, batch_size: usize) -> Result<Self, wgloss::Error> {
        let [first, second, ..] = loss.spec().inputs else { unreachable!("every loss offered has two inputs") };
        let per_class = TensorType::new(DType::F32, [batch_size, CLASSES]);
        let target_type = match second.kind {
            Kind::Index => TensorType::new(DType::I32, [batch_size]),
            Kind::Float => per_class.clone(),
        };

        // The sum over a sample's classes, the mean over the samples: gradients of one scale, whatever the loss and the
        // batch size.
        let types = Named::new().with(first.name, per_class.clone()).with(second.name, target_type.clone());
        let plan = Plan::new(gpu, loss, &types, Reduction::BatchMean)?;

        // A framework with buffers of its own binds those with `Plan::bind`.
        let logits = Tensor::zeros(gpu, per_class)?;
        let target = Tensor::zeros(gpu, target_type)?;
        let inputs = Named::new().with(first.name, logits.clone()).with(second.name, target.clone());
        Ok(GpuLoss { gpu: gpu.clone(), logits, target, output: plan.bind_tensors(&inputs)? })
    }

    fn batch_size(&self) -> usize {
        self.logits.shape()[0]
    }

    /// The loss of a batch, and its gradient with respect to the logits.
    fn evaluate(&self, logits: &[f32], labels: &[i32]) -> Result<(f64, Vec<f32>), wgloss::Error> {
        self.logits.write(logits)?;
        match self.target.dtype() {
            DType::I32 => self.target.write(labels)?,
            _ => self.target.write(&one_hot(labels))?,
        }
        // If the network ran on the GPU too, its passes would go into this encoder, and the gradient would never be
        // read.
        let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
        self.output.record(&mut encoder);
        self.gpu.queue().submit([encoder.finish()]);
        let result = self.output.read_blocking()?;
        let (_, gradient) = result.gradients.iter().next().expect("the first input has a gradient");
        Ok((result.loss.item(), gradient.to_vec()?))
    }
}

/// Rows with 1 at the label and 0 elsewhere.
fn one_hot(labels: &[i32]) -> Vec<f32> {
    labels.iter().flat_map(|&label| (0..CLASSES as i32).map(move |class| f32::from(class == label))).collect()
}

/// Handwritten digits: rows of 64 pixels from 0 to 1, and which digit each row shows.
struct Digits {
    images: Vec<f32>,
    labels: Vec<i32>,
}

impl Digits {
    fn load() -> Result<Self, Box<dyn Error>> {
        let mut text = String::new();
        flate2::read::GzDecoder::new(&include_bytes!("data/digits.csv.gz")[..]).read_to_string(&mut text)?;
        let mut digits = Digits { images: Vec::new(), labels: Vec::new() };
        for line in text.lines() {
            let values = line.split(',').map(str::parse).collect::<Result<Vec<u8>, _>>()?;
            digits.images.extend(values[..PIXELS].iter().map(|&pixel| f32::from(pixel) / 16.0));
            digits.labels.push(values[PIXELS].into());
        }
        Ok(digits)
    }

    /// Four fifths to train with, and a fifth that training never sees.
    fn split(&self, rng: &mut Rng) -> (Digits, Digits) {
        let mut order: Vec<usize> = (0..self.labels.len()).collect();
        rng.shuffle(&mut order);
        let (held_out, training) = order.split_at(order.len() / 5);
        (self.select(training), self.select(held_out))
    }

    fn select(&self, samples: &[usize]) -> Digits {
        Digits {
            images: samples.iter().flat_map(|&sample| &self.images[sample * PIXELS..][..PIXELS]).copied().collect(),
            labels: samples.iter().map(|&sample| self.labels[sample]).collect(),
        }
    }
}

/// Pixels → hidden units with ReLU → one logit per class. Matrices are row-major, with a sample in each row.
struct Network {
    hidden: Layer,
    output: Layer,
}

impl Network {
    fn new(hidden: usize, rng: &mut Rng) -> Self {
        Network { hidden: Layer::new(PIXELS, hidden, rng), output: Layer::new(hidden, CLASSES, rng) }
    }

    /// The hidden units and the logits.
    fn forward(&self, images: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let mut hidden = self.hidden.forward(images);
        hidden.iter_mut().for_each(|unit| *unit = unit.max(0.0));
        let logits = self.output.forward(&hidden);
        (hidden, logits)
    }

    /// Takes one step down the gradient with respect to the logits.
    fn backward(&mut self, images: &[f32], hidden: &[f32], logits_gradient: &[f32], learning_rate: f32) {
        let mut hidden_gradient = self.output.input_gradient(logits_gradient);
        for (gradient, &unit) in hidden_gradient.iter_mut().zip(hidden) {
            // ReLU passes no gradient where it cut off.
            if unit == 0.0 {
                *gradient = 0.0;
            }
        }
        let output = self.output.weight_gradient(hidden, logits_gradient);
        self.output.step(&output, learning_rate);
        let hidden = self.hidden.weight_gradient(images, &hidden_gradient);
        self.hidden.step(&hidden, learning_rate);
    }

    /// The percentage of digits whose largest logit is the right one.
    fn accuracy(&self, digits: &Digits) -> f64 {
        let (_, logits) = self.forward(&digits.images);
        let classes = logits.chunks_exact(CLASSES).map(|row| (0..CLASSES).max_by(|&a, &b| row[a].total_cmp(&row[b])));
        let right = classes.zip(&digits.labels).filter(|&(class, &label)| class == Some(label as usize)).count();
        100.0 * right as f64 / digits.labels.len() as f64
    }
}

/// A dense layer that learns with Adam.
struct Layer {
    inputs: usize,
    outputs: usize,
    /// A row per input, then the biases: the row of an input that is always 1.
    weights: Vec<f32>,
    /// Running averages of the gradient and of its square, and how many gradients went into them.
    mean: Vec<f32>,
    square: Vec<f32>,
    steps: i32,
}

impl Layer {
    fn new(inputs: usize, outputs: usize, rng: &mut Rng) -> Self {
        // He's range, which keeps the scale of what passes through a ReLU; biases start at 0.
        let range = (6.0 / inputs as f32).sqrt();
        let mut weights: Vec<f32> = (0..inputs * outputs).map(|_| range * (2.0 * rng.f32() - 1.0)).collect();
        weights.resize((inputs + 1) * outputs, 0.0);
        let zeros = vec![0.0; weights.len()];
        Layer { inputs, outputs, weights, mean: zeros.clone(), square: zeros, steps: 0 }
    }

    fn forward(&self, inputs: &[f32]) -> Vec<f32> {
        let mut outputs = vec![0.0; inputs.len() / self.inputs * self.outputs];
        for (input, output) in inputs.chunks_exact(self.inputs).zip(outputs.chunks_exact_mut(self.outputs)) {
            for (&x, weights) in input.iter().chain(iter::once(&1.0)).zip(self.weights.chunks_exact(self.outputs)) {
                add_scaled(output, x, weights);
            }
        }
        outputs
    }

    fn input_gradient(&self, output_gradient: &[f32]) -> Vec<f32> {
        let weights = || self.weights.chunks_exact(self.outputs).take(self.inputs);
        let rows = output_gradient.chunks_exact(self.outputs);
        rows.flat_map(|row| weights().map(move |weights| dot(weights, row))).collect()
    }

    fn weight_gradient(&self, inputs: &[f32], output_gradient: &[f32]) -> Vec<f32> {
        let mut gradient = vec![0.0; self.weights.len()];
        for (input, row) in inputs.chunks_exact(self.inputs).zip(output_gradient.chunks_exact(self.outputs)) {
            for (&x, sum) in input.iter().chain(iter::once(&1.0)).zip(gradient.chunks_exact_mut(self.outputs)) {
                add_scaled(sum, x, row);
            }
        }
        gradient
    }

    /// A step of Adam (Kingma and Ba 2015).
    fn step(&mut self, gradient: &[f32], learning_rate: f32) {
        const DECAY: f32 = 0.9;
        const SQUARE_DECAY: f32 = 0.999;
        self.steps += 1;
        // Both averages start at 0; the division takes that out again.
        let correction = 1.0 - DECAY.powi(self.steps);
        let square_correction = 1.0 - SQUARE_DECAY.powi(self.steps);
        for (i, &g) in gradient.iter().enumerate() {
            self.mean[i] = DECAY * self.mean[i] + (1.0 - DECAY) * g;
            self.square[i] = SQUARE_DECAY * self.square[i] + (1.0 - SQUARE_DECAY) * g * g;
            let root = (self.square[i] / square_correction).sqrt();
            self.weights[i] -= learning_rate * self.mean[i] / correction / (root + 1e-8);
        }
    }
}

fn add_scaled(sum: &mut [f32], factor: f32, values: &[f32]) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += factor * value;
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
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

/// Writes a file, and the folders above it.
fn write(path: &Path, text: &str) -> Result<(), String> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(path, text));
    written.map_err(|error| format!("{} cannot be written: {error}", path.display()))
}
