//! How well a digit is told by its neighbours.

use crate::common::digits::CLASSES;

/// How many neighbours vote.
pub const NEIGHBOURS: usize = 5;

/// Rows of so many values each, and their labels.
pub struct Labelled<'a> {
    pub rows: &'a [f32],
    pub labels: &'a [i32],
}

/// The percentage of queries whose label most of their nearest neighbours in the gallery have. Of rows of unit length
/// the nearest by this distance are those of the largest cosine.
pub fn accuracy(gallery: &Labelled, queries: &Labelled) -> f64 {
    let width = gallery.rows.len() / gallery.labels.len();
    let rows = queries.rows.chunks_exact(width).zip(queries.labels);
    let right = rows.filter(|&(row, &label)| vote(gallery, row) == label as usize).count();
    100.0 * right as f64 / queries.labels.len() as f64
}

fn vote(gallery: &Labelled, query: &[f32]) -> usize {
    let rows = gallery.rows.chunks_exact(query.len()).zip(gallery.labels);
    let mut neighbours: Vec<(f32, i32)> = rows.map(|(row, &label)| (square_distance(row, query), label)).collect();
    let by_distance = |a: &(f32, i32), b: &(f32, i32)| a.0.total_cmp(&b.0);
    neighbours.select_nth_unstable_by(NEIGHBOURS - 1, by_distance);
    let nearest = &mut neighbours[..NEIGHBOURS];
    nearest.sort_unstable_by(by_distance);
    let votes = |class: usize| nearest.iter().filter(|(_, label)| *label as usize == class).count();
    // Where votes are equal, the nearer neighbour decides.
    let first = |class: usize| nearest.iter().position(|(_, label)| *label as usize == class);
    (0..CLASSES).max_by_key(|&class| (votes(class), std::cmp::Reverse(first(class)))).unwrap_or_default()
}

fn square_distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}
