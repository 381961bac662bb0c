//! How well each task is done on scenes that training never sees.

use crate::scenes::{CLASSES, PIXELS, Scenes};

/// What the tasks are judged by.
#[derive(Clone, Copy, Debug)]
pub struct Scores {
    /// Intersection over union of the shapes' pixels, the mean of both.
    pub mask_iou: f64,
    /// The mean absolute error of the depths of the shapes' pixels.
    pub depth_error: f64,
    /// Intersection over union of the boxes, the mean of all.
    pub box_iou: f64,
}

impl Scores {
    pub fn of([logits, depths, boxes]: &[Vec<f32>; 3], scenes: &Scenes) -> Self {
        let class = |pixel: usize| {
            let (scene, place) = (pixel / PIXELS, pixel % PIXELS);
            let logit = |class: usize| logits[(scene * CLASSES + class) * PIXELS + place];
            (0..CLASSES).max_by(|&a, &b| logit(a).total_cmp(&logit(b))).unwrap_or_default() as i32
        };
        let pairs: Vec<(i32, i32)> = scenes.classes.iter().enumerate().map(|(pixel, &is)| (class(pixel), is)).collect();
        let iou = |class: i32| {
            let both = pairs.iter().filter(|&&pair| pair == (class, class)).count();
            let either = pairs.iter().filter(|&&(found, is)| found == class || is == class).count();
            both as f64 / either as f64
        };
        let errors: Vec<f64> = (0..scenes.classes.len())
            .filter(|&pixel| scenes.classes[pixel] > 0)
            .map(|pixel| f64::from((depths[pixel] - scenes.depths[pixel]).abs()))
            .collect();
        let box_ious = boxes.as_chunks().0.iter().zip(scenes.boxes.as_chunks().0).map(|(a, b)| box_iou(a, b));
        Scores {
            mask_iou: (iou(1) + iou(2)) / 2.0,
            depth_error: errors.iter().sum::<f64>() / errors.len() as f64,
            box_iou: box_ious.sum::<f64>() / (boxes.len() / 4) as f64,
        }
    }
}

fn box_iou(a: &[f32; 4], b: &[f32; 4]) -> f64 {
    let side = |axis: usize| f64::from(a[axis + 2].min(b[axis + 2]) - a[axis].max(b[axis])).max(0.0);
    let area = |[x1, y1, x2, y2]: &[f32; 4]| f64::from((x2 - x1) * (y2 - y1));
    let both = side(0) * side(1);
    both / (area(a) + area(b) - both)
}
