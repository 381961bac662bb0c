//! Embeddings of unit length: places on a sphere, and a map of it.

use std::f32::consts::{PI, SQRT_2};

use fastrand::Rng;

pub const DIMENSIONS: usize = 3;

/// The half width and half height of [`map`]'s ellipse.
pub const MAP_RADII: [f32; 2] = [2.0 * SQRT_2, SQRT_2];

/// A place on the sphere, or an axis of it.
pub type Vector = [f32; DIMENSIONS];

/// The places of rows of `DIMENSIONS` values.
pub fn vectors(rows: &[f32]) -> &[Vector] {
    rows.as_chunks().0
}

/// Rows brought to unit length.
pub fn normalize(rows: &[f32]) -> Vec<f32> {
    vectors(rows).iter().flat_map(unit).collect()
}

/// The gradient with respect to rows, from that with respect to the same rows of unit length: the part along the row is
/// gone, as the length does not matter.
pub fn normalize_gradient(rows: &[f32], gradient: &[f32]) -> Vec<f32> {
    let pairs = vectors(rows).iter().zip(vectors(gradient));
    let through = |(row, gradient): (&Vector, &Vector)| {
        let length = length(row);
        let along = dot(row, gradient) / (length * length);
        std::array::from_fn::<f32, DIMENSIONS, _>(|axis| (gradient[axis] - along * row[axis]) / length)
    };
    pairs.flat_map(through).collect()
}

/// The mean of some places, on the sphere too.
pub fn centre<'a>(places: impl IntoIterator<Item = &'a Vector>) -> Vector {
    let sum = places.into_iter().fold([0.0; 3], |sum, place| std::array::from_fn(|axis| sum[axis] + place[axis]));
    unit(&sum)
}

/// Three axes at right angles: how the sphere is turned before it is mapped.
pub type Axes = [Vector; 3];

/// Of many ways to turn the sphere the one that keeps the most places away from the map's seam.
pub fn turn(places: &[Vector]) -> Axes {
    const TRIES: usize = 300;
    const NEAR: f32 = 0.25;
    let mut rng = Rng::with_seed(0);
    let near = |axes: &Axes| places.iter().filter(|place| seam_distance(&apply(axes, place)) < NEAR).count();
    let random = || {
        let mut vector = || unit(&std::array::from_fn(|_| 2.0 * rng.f32() - 1.0));
        let (first, other) = (vector(), vector());
        let third = unit(&cross(&first, &other));
        [first, cross(&third, &first), third]
    };
    std::iter::repeat_with(random).take(TRIES).min_by_key(near).expect("there are tries")
}

pub fn apply(axes: &Axes, place: &Vector) -> Vector {
    axes.map(|axis| dot(&axis, place))
}

/// How far a place is from the half circle at which the map is cut open, as an angle.
fn seam_distance([x, y, z]: &Vector) -> f32 {
    // Behind, the seam's plane is as near as y says; in front, one of its ends is the nearest.
    if *x < 0.0 { y.abs().min(1.0).asin() } else { z.abs().min(1.0).acos() }
}

/// Where a place is on Hammer's map of the whole sphere, on which areas are as large as on the sphere.
pub fn map([x, y, z]: &Vector) -> [f32; 2] {
    from_angles(y.atan2(*x), z.clamp(-1.0, 1.0).asin())
}

fn from_angles(longitude: f32, latitude: f32) -> [f32; 2] {
    let scale = SQRT_2 / (1.0 + latitude.cos() * (longitude / 2.0).cos()).sqrt();
    [2.0 * scale * latitude.cos() * (longitude / 2.0).sin(), scale * latitude.sin()]
}

/// Circles of longitude and latitude on the map, as lines of points.
pub fn graticule() -> Vec<Vec<[f32; 2]>> {
    let steps = |count: i32| (0..=count).map(move |step| 2.0 * step as f32 / count as f32 - 1.0);
    let meridians = (-2..=2).map(|line| steps(48).map(|t| from_angles(line as f32 * PI / 3.0, t * PI / 2.0)).collect());
    let parallels = (-1..=1).map(|line| steps(48).map(|t| from_angles(t * PI, line as f32 * PI / 4.0)).collect());
    meridians.chain(parallels).collect()
}

fn unit(vector: &Vector) -> Vector {
    vector.map(|value| value / length(vector))
}

fn length(vector: &Vector) -> f32 {
    dot(vector, vector).sqrt().max(1e-12)
}

fn dot(a: &Vector, b: &Vector) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn cross(a: &Vector, b: &Vector) -> Vector {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}
