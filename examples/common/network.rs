//! A small network in plain Rust.

use std::iter;

use fastrand::Rng;

/// Inputs → hidden units with ReLU → one logit per class. Matrices are row-major, with a sample in each row.
#[derive(Clone)]
pub struct Network {
    hidden: Layer,
    output: Layer,
}

impl Network {
    /// A network with random weights.
    pub fn new([inputs, hidden, classes]: [usize; 3], rng: &mut Rng) -> Self {
        Network { hidden: Layer::new(inputs, hidden, rng), output: Layer::new(hidden, classes, rng) }
    }

    /// The hidden units and the logits.
    pub fn forward(&self, inputs: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let mut hidden = self.hidden.forward(inputs);
        hidden.iter_mut().for_each(|unit| *unit = unit.max(0.0));
        let logits = self.output.forward(&hidden);
        (hidden, logits)
    }

    /// All weights, those of the hidden layer first.
    pub fn weights(&self) -> Vec<f32> {
        [&self.hidden.weights[..], &self.output.weights].concat()
    }

    /// A network of the same shape with other weights, in the same order.
    pub fn with_weights(&self, weights: &[f32]) -> Self {
        let mut network = self.clone();
        let (hidden, output) = weights.split_at(self.hidden.weights.len());
        network.hidden.weights.copy_from_slice(hidden);
        network.output.weights.copy_from_slice(output);
        network
    }

    /// The class with the largest logit for each sample.
    pub fn predict(&self, inputs: &[f32]) -> Vec<usize> {
        let (_, logits) = self.forward(inputs);
        let rows = logits.chunks_exact(self.output.outputs);
        rows.map(|row| (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap_or_default()).collect()
    }

    /// Takes one step down the gradient with respect to the logits.
    pub fn backward(&mut self, inputs: &[f32], hidden: &[f32], logits_gradient: &[f32], learning_rate: f32) {
        let mut hidden_gradient = self.output.input_gradient(logits_gradient);
        for (gradient, &unit) in hidden_gradient.iter_mut().zip(hidden) {
            // ReLU passes no gradient where it cut off.
            if unit == 0.0 {
                *gradient = 0.0;
            }
        }
        let output = self.output.weight_gradient(hidden, logits_gradient);
        self.output.step(&output, learning_rate);
        let hidden = self.hidden.weight_gradient(inputs, &hidden_gradient);
        self.hidden.step(&hidden, learning_rate);
    }
}

/// A dense layer that learns with Adam.
#[derive(Clone)]
pub struct Layer {
    inputs: usize,
    outputs: usize,
    /// A row per input, then the biases: the row of an input that is always 1.
    weights: Vec<f32>,
    /// Running averages of the gradient and of its square, and how many gradients went into them.
    mean: Vec<f32>,
    square: Vec<f32>,
    steps: i32,
}

impl Layer {
    pub fn new(inputs: usize, outputs: usize, rng: &mut Rng) -> Self {
        // He's range, which keeps the scale of what passes through a ReLU; biases start at 0.
        let range = (6.0 / inputs as f32).sqrt();
        let mut weights: Vec<f32> = (0..inputs * outputs).map(|_| range * (2.0 * rng.f32() - 1.0)).collect();
        weights.resize((inputs + 1) * outputs, 0.0);
        let zeros = vec![0.0; weights.len()];
        Layer { inputs, outputs, weights, mean: zeros.clone(), square: zeros, steps: 0 }
    }

    pub fn forward(&self, inputs: &[f32]) -> Vec<f32> {
        let mut outputs = vec![0.0; inputs.len() / self.inputs * self.outputs];
        for (input, output) in inputs.chunks_exact(self.inputs).zip(outputs.chunks_exact_mut(self.outputs)) {
            for (&x, weights) in input.iter().chain(iter::once(&1.0)).zip(self.weights.chunks_exact(self.outputs)) {
                add_scaled(output, x, weights);
            }
        }
        outputs
    }

    pub fn input_gradient(&self, output_gradient: &[f32]) -> Vec<f32> {
        let weights = || self.weights.chunks_exact(self.outputs).take(self.inputs);
        let rows = output_gradient.chunks_exact(self.outputs);
        rows.flat_map(|row| weights().map(move |weights| dot(weights, row))).collect()
    }

    pub fn weight_gradient(&self, inputs: &[f32], output_gradient: &[f32]) -> Vec<f32> {
        let mut gradient = vec![0.0; self.weights.len()];
        for (input, row) in inputs.chunks_exact(self.inputs).zip(output_gradient.chunks_exact(self.outputs)) {
            for (&x, sum) in input.iter().chain(iter::once(&1.0)).zip(gradient.chunks_exact_mut(self.outputs)) {
                add_scaled(sum, x, row);
            }
        }
        gradient
    }

    /// A step of Adam (Kingma and Ba 2015).
    pub fn step(&mut self, gradient: &[f32], learning_rate: f32) {
        const DECAY: f32 = 0.9;
        const SQUARE_DECAY: f32 = 0.999;
        self.steps += 1;
        // Both averages start at 0; the division takes that out again.
        let correction = 1.0 - DECAY.powi(self.steps);
        let square_correction = 1.0 - SQUARE_DECAY.powi(self.steps);
        for (i, &g) in gradient.iter().enumerate() {
            self.mean[i] = DECAY * self.mean[i] + (1.0 - DECAY) * g;
            self.square[i] = SQUARE_DECAY * self.square[i] + (1.0 - SQUARE_DECAY) * g * g;
            let root = (self.square[i] / square_correction).sqrt();
            self.weights[i] -= learning_rate * self.mean[i] / correction / (root + 1e-8);
        }
    }
}

fn add_scaled(sum: &mut [f32], factor: f32, values: &[f32]) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += factor * value;
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
