//! Losses over two parameters: a textbook's function, and the loss of a classifier along two directions of its weights.

use fastrand::Rng;
use indicatif::ProgressBar;
use wgloss::{
    CrossEntropy, DType, Error, Gpu, Gradients, HostTensor, Loss, Named, Options, Reduction, TensorType,
    reference::{Item, Term},
    spec::{Domain, Driver, Family, Input, Reference, ShaderFile, Shape, Values, WEIGHT},
};

use super::{
    axis::Axis,
    picture::{Content, Field, Mark, Panel, Picture},
};
use crate::{
    classifier::{
        digits::{CLASSES, Digits, PIXELS},
        gpu_loss::GpuLoss,
        network::Network,
        training::{loss_of_batches, train_epoch},
    },
    error::CliError,
};

wgloss::loss! {
    /// Rosenbrock's function of two parameters.
    pub struct Rosenbrock;

    pub static ROSENBROCK: LossSpec = {
        name: "rosenbrock",
        family: Family::Regression,
        formula: "(1 − x)² + 100·(y − x²)²",
        notes: "",
        source: "Rosenbrock 1960",
        driver: Driver::Elementwise,
        inputs: &[
            Input::differentiable("x", Shape::Items, Domain::Real),
            Input::differentiable("y", Shape::Items, Domain::Real),
            WEIGHT,
        ],
        shader: ShaderFile::new(
            "rosenbrock.wgsl",
            "fn loss_and_grad(x: f32, y: f32) -> vec3<f32> {
                let along = x - 1.0;
                let across = y - x * x;
                let loss = along * along + 100.0 * across * across;
                return vec3<f32>(loss, 2.0 * along - 400.0 * x * across, 200.0 * across);
            }",
        ),
        reference: Reference::Elementwise(rosenbrock),
    };
}

fn rosenbrock(item: &Item<'_>, _: &Values) -> Term {
    let (x, y) = (item["x"], item["y"]);
    let loss = (1.0 - x).powi(2) + 100.0 * (y - x.powi(2)).powi(2);
    Term::new(loss, [-2.0 * (1.0 - x) - 400.0 * x * (y - x.powi(2)), 200.0 * (y - x.powi(2))])
}

/// Samples of either parameter.
const ROSENBROCK_SAMPLES: usize = 121;
const DIGITS_SAMPLES: usize = 61;

/// How the classifier is trained, and with how many of the training samples its loss is measured.
const SEED: u64 = 0;
const HIDDEN: usize = 32;
const EPOCHS: u64 = 10;
const BATCH_SIZE: usize = 64;
const LEARNING_RATE: f32 = 0.005;
const MEASURED: usize = 256;

/// The picture; the bar counts what takes time.
pub fn landscape(gpu: &Gpu, bar: &ProgressBar) -> Result<Picture, CliError> {
    let (function, classifier) = (function(gpu)?, classifier(gpu, bar)?);
    let panels = [function, classifier].into_iter().flat_map(|Landscape { name, x, y, field }| {
        let panel =
            |title: &str, content| Panel { title: format!("{name}, {title}"), x: x.clone(), y: y.clone(), content };
        [panel("surface", Content::Surface(field.clone())), panel("contours", Content::Contours(field.clone()))]
    });
    Ok(Picture {
        title: "Landscapes of losses",
        about: "Rosenbrock's function; and the loss of 256 digits with the weights before training (0), after it (1), \
                and aside.",
        panels: panels.collect(),
    })
}

struct Landscape {
    name: &'static str,
    x: Axis,
    y: Axis,
    field: Field,
}

impl Landscape {
    /// The points at which the loss is to be known, row by row.
    fn points(x: &Axis, y: &Axis, samples: usize) -> Vec<(f64, f64)> {
        let columns = x.samples(samples);
        y.samples(samples).into_iter().flat_map(|y| columns.iter().map(move |&x| (x, y)).collect::<Vec<_>>()).collect()
    }
}

fn function(gpu: &Gpu) -> Result<Landscape, Error> {
    let (x, y) = (Axis::new("x", -1.5, 1.5), Axis::new("y", -0.5, 1.5));
    let points = Landscape::points(&x, &y, ROSENBROCK_SAMPLES);
    let xs: Vec<f32> = points.iter().map(|point| point.0 as f32).collect();
    let ys: Vec<f32> = points.iter().map(|point| point.1 as f32).collect();
    let inputs = Named::<HostTensor>::new().with("x", &xs).with("y", &ys);
    let field = Field {
        values: Rosenbrock.eval_with(gpu, &inputs, Reduction::None)?.loss.to_f64(),
        samples: ROSENBROCK_SAMPLES,
        levels: vec![1.0, 3.0, 10.0, 30.0, 100.0, 200.0, 400.0],
        marks: vec![Mark { label: "minimum", at: (1.0, 1.0) }],
    };
    Ok(Landscape { name: "(1 − x)² + 100·(y − x²)²", x, y, field })
}

/// A classifier of digits, on the way that training took its weights and beside it.
fn classifier(gpu: &Gpu, bar: &ProgressBar) -> Result<Landscape, CliError> {
    let mut rng = Rng::with_seed(SEED);
    let (training, _) = Digits::load().map_err(CliError::Digits)?.split(&mut rng);
    let first = Network::new([PIXELS, HIDDEN, CLASSES], &mut rng);
    let mut trained = first.clone();
    let loss = loss_of_batches(gpu, &CrossEntropy::default(), BATCH_SIZE)?;
    bar.inc_length(EPOCHS + (DIGITS_SAMPLES * DIGITS_SAMPLES) as u64);
    for _ in 0..EPOCHS {
        train_epoch(&mut trained, &training, &loss, BATCH_SIZE, LEARNING_RATE, &mut rng)?;
        bar.inc(1);
    }

    let (from, to) = (first.weights(), trained.weights());
    let way: Vec<f32> = to.iter().zip(&from).map(|(to, from)| to - from).collect();
    let aside = aside(&way, &mut rng);
    let (x, y) = (Axis::new("way of training", -0.5, 2.0), Axis::new("aside", -1.25, 1.25));
    let measured = training.select(&(0..MEASURED).collect::<Vec<_>>());
    let types = [TensorType::new(DType::F32, [MEASURED, CLASSES]), TensorType::new(DType::I32, [MEASURED])];
    let options = Options { gradients: Gradients::Skip, ..Options::new(Reduction::Mean) };
    let loss = GpuLoss::new(gpu, &CrossEntropy::default(), &types, options)?;
    loss.target.write(&measured.labels)?;
    let value = |(x, y): (f64, f64)| {
        let moved =
            from.iter().zip(&way).zip(&aside).map(|((w, along), aside)| w + x as f32 * along + y as f32 * aside);
        let pass = first.with_weights(&moved.collect::<Vec<_>>()).forward(&measured.images);
        bar.inc(1);
        Ok(loss.evaluate(pass.outputs())?.loss)
    };
    let points = Landscape::points(&x, &y, DIGITS_SAMPLES);
    let field = Field {
        values: points.into_iter().map(value).collect::<Result<_, Error>>()?,
        samples: DIGITS_SAMPLES,
        levels: vec![0.1, 0.2, 0.5, 1.0, 2.0, 3.0],
        marks: vec![Mark { label: "before", at: (0.0, 0.0) }, Mark { label: "after", at: (1.0, 0.0) }],
    };
    Ok(Landscape { name: "cross-entropy of a classifier", x, y, field })
}

/// A random direction at right angles to another, as long as that.
fn aside(way: &[f32], rng: &mut Rng) -> Vec<f32> {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let random: Vec<f32> = way.iter().map(|_| rng.f32() - 0.5).collect();
    let along = dot(&random, way) / dot(way, way);
    let across: Vec<f32> = random.iter().zip(way).map(|(random, way)| random - along * way).collect();
    let scale = (dot(way, way) / dot(&across, &across)).sqrt();
    across.into_iter().map(|x| scale * x).collect()
}

#[cfg(test)]
mod tests {
    use wgloss::{Adapter, parity, reference};

    use super::*;

    #[test]
    fn the_function_is_right_on_every_adapter() {
        let (x, y) = ([-1.5_f32, -1.0, 0.0, 0.5, 1.0, 1.5], [-0.5_f32, 1.0, 0.25, 1.5, 1.0, 0.0]);
        let inputs = Named::<HostTensor>::new().with("x", &x).with("y", &y);
        let expected = reference::evaluate(&Rosenbrock, &inputs, &Reduction::None.into()).unwrap();
        assert_eq!((expected.loss[1], expected.loss[4]), (4.0, 0.0));
        for adapter in Adapter::all_blocking() {
            let gpu = adapter.open_blocking().unwrap();
            let found = Rosenbrock.eval_with(&gpu, &inputs, Reduction::None).unwrap();
            let comparison = parity::compare(&expected, &found);
            assert!(comparison.failures.is_empty(), "{}: {:?}", adapter.id(), comparison.failures);
        }
    }

    #[test]
    fn aside_is_at_right_angles_and_as_long() {
        let way: Vec<f32> = (0..100).map(|index| (index as f32).sin()).collect();
        let aside = aside(&way, &mut Rng::with_seed(1));
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        assert!(dot(&way, &aside).abs() < 1e-4 * dot(&way, &way));
        assert!((dot(&aside, &aside) / dot(&way, &way) - 1.0).abs() < 1e-4);
    }
}
