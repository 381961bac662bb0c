//! Digits of which some are hard to read, and the harder, the more often labelled wrong.

use fastrand::Rng;

use crate::common::digits::{CLASSES, Digits};

/// Digits with how difficult each is, from 0, as it was scanned, to 1.
pub struct Samples {
    pub digits: Digits,
    pub difficulty: Vec<f32>,
}

/// The part of labels that are wrong at the difficulty 1.
const WRONG: f32 = 0.9;

impl Samples {
    /// Mixes noise into each digit by a difficulty that is drawn, and draws another label for some of the difficult.
    pub fn spoil(mut digits: Digits, rng: &mut Rng) -> Self {
        let difficulty: Vec<f32> = digits.labels.iter().map(|_| rng.f32()).collect();
        let pixels = digits.images.len() / digits.labels.len();
        for ((image, label), &difficulty) in
            digits.images.chunks_exact_mut(pixels).zip(&mut digits.labels).zip(&difficulty)
        {
            image.iter_mut().for_each(|pixel| *pixel += difficulty * (rng.f32() - *pixel));
            if rng.f32() < WRONG * difficulty {
                *label = rng.i32(0..CLASSES as i32);
            }
        }
        Samples { digits, difficulty }
    }
}
