//! Handwritten digits.

use std::{error::Error, io::Read};

use fastrand::Rng;

/// Pixels of an image, row by row.
pub const PIXELS: usize = WIDTH * WIDTH;
pub const WIDTH: usize = 8;
pub const CLASSES: usize = 10;

/// Rows of 64 pixels from 0 to 1, and which digit each row shows.
pub struct Digits {
    pub images: Vec<f32>,
    pub labels: Vec<i32>,
}

impl Digits {
    pub fn load() -> Result<Self, Box<dyn Error>> {
        let mut text = String::new();
        flate2::read::GzDecoder::new(&include_bytes!("../data/digits.csv.gz")[..]).read_to_string(&mut text)?;
        let mut digits = Digits { images: Vec::new(), labels: Vec::new() };
        for line in text.lines() {
            let values = line.split(',').map(str::parse).collect::<Result<Vec<u8>, _>>()?;
            digits.images.extend(values[..PIXELS].iter().map(|&pixel| f32::from(pixel) / 16.0));
            digits.labels.push(values[PIXELS].into());
        }
        Ok(digits)
    }

    /// Four fifths to train with, and a fifth that training never sees.
    pub fn split(&self, rng: &mut Rng) -> (Digits, Digits) {
        let mut order: Vec<usize> = (0..self.labels.len()).collect();
        rng.shuffle(&mut order);
        let (held_out, training) = order.split_at(order.len() / 5);
        (self.select(training), self.select(held_out))
    }

    /// The samples in random order, in batches of one size. Those that do not fill a last batch are left out.
    pub fn batches(&self, size: usize, rng: &mut Rng) -> Vec<Digits> {
        let mut order: Vec<usize> = (0..self.labels.len()).collect();
        rng.shuffle(&mut order);
        order.chunks_exact(size).map(|batch| self.select(batch)).collect()
    }

    pub fn select(&self, samples: &[usize]) -> Digits {
        Digits {
            images: samples.iter().flat_map(|&sample| self.image(sample)).copied().collect(),
            labels: samples.iter().map(|&sample| self.labels[sample]).collect(),
        }
    }

    pub fn image(&self, sample: usize) -> &[f32] {
        &self.images[sample * PIXELS..][..PIXELS]
    }
}
