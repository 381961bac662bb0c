//! What the network sees in a step.

use std::ops::Range;

use fastrand::Rng;
use wgloss::{DType, TensorType};

use crate::{
    common::digits::{CLASSES, Digits, PIXELS, WIDTH},
    sphere::DIMENSIONS,
};

/// Images of a batch, the same for all losses.
pub const IMAGES: usize = 80;

/// By how many pixels a view is moved at most, and how large the noise on each pixel is at most.
const SHIFT: f32 = 0.5;
const NOISE: f32 = 0.5;

/// How a batch is drawn, as the loss asks for.
#[derive(Clone, Copy)]
pub enum Sampling {
    /// As many images of each digit, with their labels: every anchor has positives and negatives.
    Balanced,
    /// Two views of each image, the first ones of all images before the second ones. No labels.
    Views,
    /// Pairs of images, half of them of the same digit, and whether they are. The first images of all pairs come first.
    Pairs,
}

/// Images, and what the loss compares their embeddings with.
pub struct Batch {
    pub images: Vec<f32>,
    pub target: Option<Vec<i32>>,
}

impl Sampling {
    /// What the loss is told.
    pub fn description(self) -> &'static str {
        match self {
            Sampling::Balanced => "from labels",
            Sampling::Views => "without labels",
            Sampling::Pairs => "from pairs",
        }
    }

    /// The types of a loss's inputs.
    pub fn types(self) -> Vec<TensorType> {
        let embeddings = |rows| TensorType::new(DType::F32, [rows, DIMENSIONS]);
        let target = |rows| TensorType::new(DType::I32, [rows]);
        match self {
            Sampling::Balanced => vec![embeddings(IMAGES), target(IMAGES)],
            Sampling::Views => vec![embeddings(IMAGES / 2); 2],
            Sampling::Pairs => vec![embeddings(IMAGES / 2), embeddings(IMAGES / 2), target(IMAGES / 2)],
        }
    }

    /// A random batch.
    pub fn draw(self, digits: &Digits, rng: &mut Rng) -> Batch {
        let (samples, target) = match self {
            Sampling::Balanced => {
                let of_class = |class| (0..digits.labels.len()).filter(move |&sample| digits.labels[sample] == class);
                let samples: Vec<usize> = (0..CLASSES as i32)
                    .flat_map(|class| rng.choose_multiple(of_class(class), IMAGES / CLASSES))
                    .collect();
                let labels = samples.iter().map(|&sample| digits.labels[sample]).collect();
                (samples, Some(labels))
            }
            Sampling::Views => {
                let samples = rng.choose_multiple(0..digits.labels.len(), IMAGES / 2);
                (samples.repeat(2), None)
            }
            Sampling::Pairs => {
                let similar: Vec<i32> = (0..IMAGES as i32 / 2).map(|pair| pair % 2).collect();
                let first: Vec<usize> = similar.iter().map(|_| rng.usize(..digits.labels.len())).collect();
                let mut second = Vec::new();
                for (&sample, &similar) in first.iter().zip(&similar) {
                    let is_wanted = |&other: &usize| (digits.labels[other] == digits.labels[sample]) == (similar == 1);
                    let others = (0..digits.labels.len()).filter(|&other| other != sample).filter(is_wanted);
                    second.extend(rng.choose_multiple(others, 1));
                }
                ([first, second].concat(), Some(similar))
            }
        };
        let images = samples.iter().map(|&sample| digits.image(sample));
        let images = match self {
            Sampling::Views => images.flat_map(|image| view(image, rng)).collect(),
            Sampling::Balanced | Sampling::Pairs => images.flatten().copied().collect(),
        };
        Batch { images, target }
    }
}

/// An image a little moved, with noise: another look at the same digit.
fn view(image: &[f32], rng: &mut Rng) -> Vec<f32> {
    let mut within = |range: Range<f32>| range.start + (range.end - range.start) * rng.f32();
    let (down, right) = (within(-SHIFT..SHIFT), within(-SHIFT..SHIFT));
    let pixel = |x: f32, y: f32| {
        let inside = |v: f32| (0.0..WIDTH as f32).contains(&v);
        if inside(x) && inside(y) { image[y as usize * WIDTH + x as usize] } else { 0.0 }
    };
    let moved = |position: usize| {
        let (x, y) = ((position % WIDTH) as f32 - right, (position / WIDTH) as f32 - down);
        let (left, top) = (x.floor(), y.floor());
        let row = |y| pixel(left, y) + (x - left) * (pixel(left + 1.0, y) - pixel(left, y));
        row(top) + (y - top) * (row(top + 1.0) - row(top))
    };
    (0..PIXELS).map(|position| moved(position) + within(-NOISE..NOISE)).collect()
}
