//! Random numbers.

use std::f32::consts::TAU;

use fastrand::Rng;

/// A number from the standard normal distribution.
pub fn normal(rng: &mut Rng) -> f32 {
    // Box and Muller's; the logarithm's argument is never 0.
    (-2.0 * (1.0 - rng.f32()).ln()).sqrt() * (TAU * rng.f32()).cos()
}
