//! A small network in plain Rust.

use std::iter;

use fastrand::Rng;

/// Dense layers with a ReLU after each but the last, which learn with Adam. Matrices are row-major, with a sample in
/// each row.
#[derive(Clone)]
pub struct Network {
    layers: Vec<Layer>,
    /// What a hidden unit below 0 is multiplied by: not 0 in a leaky ReLU.
    leak: f32,
    decays: Decays,
}

/// Values that went through a network: the inputs of each layer, then the outputs of the last.
pub struct Pass {
    values: Vec<Vec<f32>>,
    /// The input that the biases are the weights of: 1, and 0 in a tangent.
    constant: f32,
}

impl Pass {
    pub fn outputs(&self) -> &[f32] {
        &self.values[self.values.len() - 1]
    }
}

impl Network {
    /// A network with random weights, and as many units from layer to layer, inputs and outputs included.
    pub fn new<const LAYERS: usize>(units: [usize; LAYERS], rng: &mut Rng) -> Self {
        let layers = units.windows(2).map(|units| Layer::new(units[0], units[1], rng)).collect();
        Network { layers, leak: 0.0, decays: Decays::default() }
    }

    /// The network with leaky ReLUs.
    pub fn leaky(self, leak: f32) -> Self {
        Network { leak, ..self }
    }

    /// The network with another memory of Adam's.
    pub fn with_decays(self, decays: Decays) -> Self {
        Network { decays, ..self }
    }

    pub fn forward(&self, inputs: &[f32]) -> Pass {
        self.propagate(inputs, 1.0, None)
    }

    /// The derivative of a pass where its inputs move in a direction. As every value is linear where no ReLU's bend is
    /// passed, this is a pass too, without biases and bent where the other one is.
    pub fn tangent(&self, pass: &Pass, direction: &[f32]) -> Pass {
        self.propagate(direction, 0.0, Some(pass))
    }

    fn propagate(&self, inputs: &[f32], constant: f32, bent_like: Option<&Pass>) -> Pass {
        let mut values = vec![inputs.to_vec()];
        for (index, layer) in self.layers.iter().enumerate() {
            let mut outputs = layer.forward(&values[index], constant);
            if index + 1 < self.layers.len() {
                let units = bent_like.map_or_else(|| outputs.clone(), |pass| pass.values[index + 1].clone());
                self.bend(&mut outputs, &units);
            }
            values.push(outputs);
        }
        Pass { values, constant }
    }

    /// Multiplies values by the slopes that ReLUs have at their units.
    fn bend(&self, values: &mut [f32], units: &[f32]) {
        for (value, &unit) in values.iter_mut().zip(units) {
            if unit <= 0.0 {
                *value *= self.leak;
            }
        }
    }

    /// The gradients by the outputs of each layer, before its ReLU, from that by the network's outputs.
    pub fn backward(&self, pass: &Pass, outputs_gradient: &[f32]) -> Vec<Vec<f32>> {
        let mut gradients = vec![outputs_gradient.to_vec()];
        for (layer, units) in self.layers.iter().zip(&pass.values).skip(1).rev() {
            let mut gradient = layer.input_gradient(&gradients[gradients.len() - 1]);
            self.bend(&mut gradient, units);
            gradients.push(gradient);
        }
        gradients.reverse();
        gradients
    }

    /// The gradient by the inputs, from [`Network::backward`]'s gradients.
    pub fn input_gradient(&self, gradients: &[Vec<f32>]) -> Vec<f32> {
        self.layers[0].input_gradient(&gradients[0])
    }

    /// The gradient by [`Network::weights`], from [`Network::backward`]'s gradients.
    pub fn weight_gradient(&self, pass: &Pass, gradients: &[Vec<f32>]) -> Vec<f32> {
        let layers = self.layers.iter().zip(&pass.values).zip(gradients);
        layers.flat_map(|((layer, inputs), gradient)| layer.weight_gradient(inputs, pass.constant, gradient)).collect()
    }

    /// All weights, those of the first layer first.
    pub fn weights(&self) -> Vec<f32> {
        self.layers.iter().flat_map(|layer| &layer.weights).copied().collect()
    }

    /// A network of the same shape with other weights, in the same order.
    pub fn with_weights(&self, weights: &[f32]) -> Self {
        let mut network = self.clone();
        let mut rest = weights;
        for layer in &mut network.layers {
            let (weights, others) = rest.split_at(layer.weights.len());
            layer.weights.copy_from_slice(weights);
            rest = others;
        }
        network
    }

    /// The class with the largest logit for each sample.
    pub fn predict(&self, inputs: &[f32]) -> Vec<usize> {
        let pass = self.forward(inputs);
        let rows = pass.outputs().chunks_exact(self.layers[self.layers.len() - 1].outputs);
        rows.map(|row| (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap_or_default()).collect()
    }

    /// Takes one step down the gradient by the outputs of a pass.
    pub fn learn(&mut self, pass: &Pass, outputs_gradient: &[f32], learning_rate: f32) {
        let gradients = self.backward(pass, outputs_gradient);
        self.step(&self.weight_gradient(pass, &gradients), learning_rate);
    }

    /// Takes one step down the gradient by the weights.
    pub fn step(&mut self, weight_gradient: &[f32], learning_rate: f32) {
        let mut rest = weight_gradient;
        for layer in &mut self.layers {
            let (gradient, others) = rest.split_at(layer.weights.len());
            layer.step(gradient, learning_rate, &self.decays);
            rest = others;
        }
    }
}

/// How much of Adam's running averages of the gradient and of its square is left a step later.
#[derive(Clone, Copy)]
pub struct Decays {
    pub mean: f32,
    pub square: f32,
}

impl Default for Decays {
    fn default() -> Self {
        Decays { mean: 0.9, square: 0.999 }
    }
}

/// A dense layer that learns with Adam.
#[derive(Clone)]
struct Layer {
    inputs: usize,
    outputs: usize,
    /// A row per input, then the biases: the row of a constant input, which is 1.
    weights: Vec<f32>,
    /// Running averages of the gradient and of its square, and how many gradients went into them.
    mean: Vec<f32>,
    square: Vec<f32>,
    steps: i32,
}

impl Layer {
    fn new(inputs: usize, outputs: usize, rng: &mut Rng) -> Self {
        // He's range, which keeps the scale of what passes through a ReLU; biases start at 0.
        let range = (6.0 / inputs as f32).sqrt();
        let mut weights: Vec<f32> = (0..inputs * outputs).map(|_| range * (2.0 * rng.f32() - 1.0)).collect();
        weights.resize((inputs + 1) * outputs, 0.0);
        let zeros = vec![0.0; weights.len()];
        Layer { inputs, outputs, weights, mean: zeros.clone(), square: zeros, steps: 0 }
    }

    fn forward(&self, inputs: &[f32], constant: f32) -> Vec<f32> {
        let rows = inputs.chunks_exact(self.inputs);
        product(rows.map(|row| row.iter().chain(iter::once(&constant))), &self.weights, self.outputs)
    }

    fn input_gradient(&self, output_gradient: &[f32]) -> Vec<f32> {
        let column = |output| self.weights.iter().skip(output).step_by(self.outputs).take(self.inputs);
        let transposed: Vec<f32> = (0..self.outputs).flat_map(column).copied().collect();
        product(output_gradient.chunks_exact(self.outputs), &transposed, self.inputs)
    }

    fn weight_gradient(&self, inputs: &[f32], constant: f32, output_gradient: &[f32]) -> Vec<f32> {
        let mut gradient = vec![0.0; self.weights.len()];
        for (input, row) in inputs.chunks_exact(self.inputs).zip(output_gradient.chunks_exact(self.outputs)) {
            for (&x, sum) in input.iter().chain(iter::once(&constant)).zip(gradient.chunks_exact_mut(self.outputs)) {
                add_scaled(sum, x, row);
            }
        }
        gradient
    }

    /// A step of Adam (Kingma and Ba 2015).
    fn step(&mut self, gradient: &[f32], learning_rate: f32, decays: &Decays) {
        self.steps += 1;
        // Both averages start at 0; the division takes that out again.
        let correction = 1.0 - decays.mean.powi(self.steps);
        let square_correction = 1.0 - decays.square.powi(self.steps);
        for (i, &g) in gradient.iter().enumerate() {
            self.mean[i] = decays.mean * self.mean[i] + (1.0 - decays.mean) * g;
            self.square[i] = decays.square * self.square[i] + (1.0 - decays.square) * g * g;
            let root = (self.square[i] / square_correction).sqrt();
            self.weights[i] -= learning_rate * self.mean[i] / correction / (root + 1e-8);
        }
    }
}

/// Rows times a matrix with so many columns.
fn product<'a, Row: IntoIterator<Item = &'a f32>>(
    rows: impl ExactSizeIterator<Item = Row>,
    matrix: &[f32],
    columns: usize,
) -> Vec<f32> {
    let mut product = vec![0.0; rows.len() * columns];
    for (row, sums) in rows.zip(product.chunks_exact_mut(columns)) {
        // Adding rows up keeps many sums in flight; a dot product would wait for each.
        for (&factor, values) in row.into_iter().zip(matrix.chunks_exact(columns)) {
            add_scaled(sums, factor, values);
        }
    }
    product
}

fn add_scaled(sum: &mut [f32], factor: f32, values: &[f32]) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += factor * value;
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    const UNITS: [usize; 4] = [3, 8, 6, 2];
    const SAMPLES: usize = 4;

    /// A network, inputs, and the weight of each output in a sum.
    fn example(leak: f32) -> (Network, Vec<f32>, Vec<f32>) {
        let mut rng = Rng::with_seed(0);
        let network = Network::new(UNITS, &mut rng).leaky(leak);
        let mut values = |count| (0..count).map(|_| 2.0 * rng.f32() - 1.0).collect::<Vec<f32>>();
        // Biases too are other than 0.
        let network = network.with_weights(&values(network.weights().len()));
        (network, values(SAMPLES * UNITS[0]), values(SAMPLES * UNITS[3]))
    }

    fn sum(network: &Network, inputs: &[f32], factors: &[f32]) -> f64 {
        dot_of_f64(network.forward(inputs).outputs(), factors)
    }

    fn dot_of_f64(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
    }

    /// Holds a gradient to the difference quotients of a function.
    pub fn assert_gradient(gradient: &[f32], at: &[f32], function: impl Fn(&[f32]) -> f64) {
        const STEP: f32 = 1e-3;
        assert_eq!(gradient.len(), at.len());
        for (index, &derivative) in gradient.iter().enumerate() {
            let moved = |step: f32| {
                let mut moved = at.to_vec();
                moved[index] += step;
                function(&moved)
            };
            let quotient = (moved(STEP) - moved(-STEP)) / f64::from(2.0 * STEP);
            assert!((f64::from(derivative) - quotient).abs() < 2e-3, "{index}: {derivative} instead of {quotient}");
        }
    }

    #[test]
    fn gradients_are_the_limits_of_difference_quotients() {
        for leak in [0.0, 0.2] {
            let (network, inputs, factors) = example(leak);
            let pass = network.forward(&inputs);
            let gradients = network.backward(&pass, &factors);
            let by_weights = network.weight_gradient(&pass, &gradients);
            assert_gradient(&by_weights, &network.weights(), |weights| {
                sum(&network.with_weights(weights), &inputs, &factors)
            });
            assert_gradient(&network.input_gradient(&gradients), &inputs, |inputs| sum(&network, inputs, &factors));
        }
    }

    #[test]
    fn a_tangent_is_what_the_gradient_says_of_a_direction() {
        let (network, inputs, factors) = example(0.2);
        let direction: Vec<f32> = inputs.iter().map(|x| x * x - 0.3).collect();
        let pass = network.forward(&inputs);
        let gradient = network.input_gradient(&network.backward(&pass, &factors));
        let tangent = network.tangent(&pass, &direction);
        let difference = dot_of_f64(tangent.outputs(), &factors) - dot_of_f64(&gradient, &direction);
        assert!(difference.abs() < 1e-5, "{difference}");
    }
}
