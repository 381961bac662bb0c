//! A small network with a shared encoder and a head for each task, in plain Rust.

use fastrand::Rng;

use crate::{
    common::network,
    scenes::{CLASSES, PIXELS, WIDTH},
};

/// The tasks, in the order of the heads.
pub const TASKS: [&str; 3] = ["segmentation", "depth", "boxes"];

/// What a head predicts of a scene: logits `[C, H, W]`, a depth for each pixel, a box.
const OUTPUTS: [usize; 3] = [CLASSES * PIXELS, PIXELS, 4];

/// Pixels → features with ReLU, which all tasks share → a linear head for each task.
pub struct Network {
    encoder: network::Network,
    heads: [network::Network; 3],
}

/// What went through the network.
pub struct Pass {
    encoder: network::Pass,
    features: Vec<f32>,
    /// What the heads gave: of boxes their centres and the logarithms of their sizes.
    heads: [network::Pass; 3],
}

impl Network {
    pub fn new(features: usize, rng: &mut Rng) -> Self {
        let encoder = network::Network::new([PIXELS, features], rng);
        Network { encoder, heads: OUTPUTS.map(|outputs| network::Network::new([features, outputs], rng)) }
    }

    /// What the network predicts for each task, and what the way back takes.
    pub fn forward(&self, images: &[f32]) -> ([Vec<f32>; 3], Pass) {
        let encoder = self.encoder.forward(images);
        let features: Vec<f32> = encoder.outputs().iter().map(|feature| feature.max(0.0)).collect();
        let heads = [0, 1, 2].map(|head| self.heads[head].forward(&features));
        let [logits, depths, boxes] = heads.each_ref().map(network::Pass::outputs);
        let corners = boxes.as_chunks().0.iter().flat_map(corners).collect();
        ([logits.to_vec(), depths.to_vec(), corners], Pass { encoder, features, heads })
    }

    /// Takes one step down the gradients with respect to the predictions; gives the norm of each task's gradient by the
    /// encoder's weights.
    pub fn learn(&mut self, pass: &Pass, gradients: [Vec<f32>; 3], learning_rate: f32) -> [f32; 3] {
        let [logits, depths, corners] = gradients;
        let boxes = pass.heads[2].outputs().as_chunks().0.iter().zip(corners.as_chunks().0);
        let gradients = [logits, depths, boxes.flat_map(|(output, gradient)| corners_back(output, gradient)).collect()];
        let mut of_encoder: Vec<f32> = Vec::new();
        let mut norms = [0.0; 3];
        for (task, (gradient, norm)) in gradients.iter().zip(&mut norms).enumerate() {
            let (head, of_head) = (&mut self.heads[task], &pass.heads[task]);
            let back = head.backward(of_head, gradient);
            let mut of_features = head.input_gradient(&back);
            let cut_off = of_features.iter_mut().zip(&pass.features).filter(|(_, feature)| **feature == 0.0);
            cut_off.for_each(|(slope, _)| *slope = 0.0);
            let of_task = self.encoder.weight_gradient(&pass.encoder, &[of_features]);
            *norm = of_task.iter().map(|slope| slope * slope).sum::<f32>().sqrt();
            of_encoder.resize(of_task.len(), 0.0);
            of_encoder.iter_mut().zip(&of_task).for_each(|(sum, slope)| *sum += slope);
            let of_weights = head.weight_gradient(of_head, &back);
            head.step(&of_weights, learning_rate);
        }
        self.encoder.step(&of_encoder, learning_rate);
        norms
    }
}

/// The side of a box whose logarithm of the size is 0.
const USUAL_SIDE: f32 = 6.0;

/// The corners of a box of the centre x y, in halves of the picture from its middle, and the logarithms of its sides.
fn corners(&[x, y, width, height]: &[f32; 4]) -> [f32; 4] {
    let centre = [x, y].map(|place| WIDTH as f32 / 2.0 * (1.0 + place));
    let half = [width, height].map(|log| USUAL_SIDE / 2.0 * log.exp());
    [centre[0] - half[0], centre[1] - half[1], centre[0] + half[0], centre[1] + half[1]]
}

/// The gradient by what [`corners`] is given, from that by the corners.
fn corners_back(&[_, _, width, height]: &[f32; 4], &[x1, y1, x2, y2]: &[f32; 4]) -> [f32; 4] {
    let half = [width, height].map(|log| USUAL_SIDE / 2.0 * log.exp());
    [WIDTH as f32 / 2.0 * (x1 + x2), WIDTH as f32 / 2.0 * (y1 + y2), half[0] * (x2 - x1), half[1] * (y2 - y1)]
}
