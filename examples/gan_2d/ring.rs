//! The distribution that is to be learnt, and how well it was.

use std::f32::consts::TAU;

use fastrand::Rng;

use crate::common::random::normal;

/// Normal distributions around places on a circle, and their standard deviation.
pub const MODES: usize = 8;
pub const RADIUS: f32 = 2.0;
pub const DEVIATION: f32 = 0.1;

/// Dimensions of a point. Points are rows.
pub const DIMENSIONS: usize = 2;

/// A mode is covered where it has at least this part of its fair share of the samples.
const COVERED: f64 = 0.25;

/// Directions in which distributions are compared.
const DIRECTIONS: usize = 32;

fn mode(index: usize) -> [f32; DIMENSIONS] {
    let (sin, cos) = (TAU * index as f32 / MODES as f32).sin_cos();
    [RADIUS * cos, RADIUS * sin]
}

/// Random points.
pub fn draw(count: usize, rng: &mut Rng) -> Vec<f32> {
    (0..count).flat_map(|_| mode(rng.usize(..MODES)).map(|centre| centre + DEVIATION * normal(rng))).collect()
}

/// How much points are like those of the ring.
pub struct Likeness {
    /// Modes that have enough of the points within three standard deviations.
    pub covered: usize,
    /// The part of the points that are so near to a mode.
    pub near: f64,
    /// The distance of Wasserstein from points of the ring, sliced: the mean over directions.
    pub distance: f64,
}

impl Likeness {
    pub fn of(points: &[f32], data: &[f32]) -> Self {
        let mut at = [0_usize; MODES];
        let rows: &[[f32; DIMENSIONS]] = points.as_chunks().0;
        for [x, y] in rows {
            let is_near = |&index: &usize| {
                let [mode_x, mode_y] = mode(index);
                (x - mode_x).hypot(y - mode_y) < 3.0 * DEVIATION
            };
            if let Some(index) = (0..MODES).find(is_near) {
                at[index] += 1;
            }
        }
        let enough = COVERED * rows.len() as f64 / MODES as f64;
        Likeness {
            covered: at.iter().filter(|&&count| count as f64 >= enough).count(),
            near: at.iter().sum::<usize>() as f64 / rows.len() as f64,
            distance: distance(points, data),
        }
    }
}

/// The distance of as many points from others. In one direction it is that of the points in their order there.
fn distance(a: &[f32], b: &[f32]) -> f64 {
    let along = |points: &[f32], direction: usize| {
        let (sin, cos) = (0.5 * TAU * direction as f32 / DIRECTIONS as f32).sin_cos();
        let rows: &[[f32; DIMENSIONS]] = points.as_chunks().0;
        let mut places: Vec<f32> = rows.iter().map(|[x, y]| x * cos + y * sin).collect();
        places.sort_by(f32::total_cmp);
        places
    };
    let in_direction = |direction| {
        let (a, b) = (along(a, direction), along(b, direction));
        a.iter().zip(&b).map(|(a, b)| f64::from((a - b).abs())).sum::<f64>() / a.len() as f64
    };
    (0..DIRECTIONS).map(in_direction).sum::<f64>() / DIRECTIONS as f64
}
