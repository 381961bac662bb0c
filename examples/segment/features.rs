//! What the network sees of each pixel.

use crate::scene::Scene;

/// Half the widths of the squares around a pixel that its features look at, in pixels; 0 is the pixel alone.
const RADII: [usize; 4] = [0, 2, 5, 10];

/// A row of features for each pixel: the mean colour of the squares around it, how much brightness varies in them, and
/// where the pixel is. Each feature has the mean 0 and the standard deviation 1 over the picture.
pub fn features(scene: &Scene) -> Vec<f32> {
    let pixels = scene.mask.len();
    let brightness = mean_of(&scene.colors);
    let squares: Vec<f32> = brightness.iter().map(|value| value * value).collect();

    let mut planes: Vec<Vec<f32>> = Vec::new();
    for radius in RADII {
        let blurred = |plane| blur(plane, scene.width, radius);
        planes.extend(scene.colors.iter().map(|color| blurred(color)));
        if radius > 0 {
            let (mean, mean_square) = (blurred(&brightness), blurred(&squares));
            let deviation = mean.iter().zip(&mean_square).map(|(mean, square)| (square - mean * mean).max(0.0).sqrt());
            planes.push(deviation.collect());
        }
    }
    planes.push((0..pixels).map(|pixel| (pixel % scene.width) as f32).collect());
    planes.push((0..pixels).map(|pixel| (pixel / scene.width) as f32).collect());
    planes.iter_mut().for_each(|plane| standardize(plane));
    transpose(&planes.concat(), pixels)
}

/// The transpose of a row-major matrix: rows of a value per class for each pixel become a plane of pixels for each
/// class, and the other way round.
pub fn transpose(matrix: &[f32], columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| matrix.iter().skip(column).step_by(columns).copied()).collect()
}

fn mean_of(colors: &[Vec<f32>; 3]) -> Vec<f32> {
    let [red, green, blue] = colors;
    red.iter().zip(green).zip(blue).map(|((red, green), blue)| (red + green + blue) / 3.0).collect()
}

/// The mean of the square around each pixel, as far as it lies within the picture.
fn blur(plane: &[f32], width: usize, radius: usize) -> Vec<f32> {
    let height = plane.len() / width;
    let rows = transpose(&blur_rows(plane, width, radius), width);
    transpose(&blur_rows(&rows, height, radius), height)
}

fn blur_rows(plane: &[f32], width: usize, radius: usize) -> Vec<f32> {
    let mean = |row: &[f32], x: usize| {
        let window = &row[x.saturating_sub(radius)..(x + radius + 1).min(width)];
        window.iter().sum::<f32>() / window.len() as f32
    };
    plane.chunks_exact(width).flat_map(|row| (0..width).map(move |x| mean(row, x))).collect()
}

/// Moves the mean to 0 and scales the standard deviation to 1.
fn standardize(plane: &mut [f32]) {
    let count = plane.len() as f32;
    let mean = plane.iter().sum::<f32>() / count;
    let deviation = (plane.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / count).sqrt();
    plane.iter_mut().for_each(|value| *value = (*value - mean) / deviation);
}
