//! Games of a generator against a discriminator or critic.

use fastrand::Rng;
use wgloss::{AnyLoss, DType, Gpu, GradientPenalty, Reduction, TensorType};

use crate::{
    common::{
        gpu_loss::GpuLoss,
        network::{Decays, Network},
        random::normal,
    },
    ring::{self, DIMENSIONS},
};

/// Points of a batch, real ones and as many fake ones.
const BATCH: usize = 128;

/// Random numbers that the generator makes a point of.
const NOISE: usize = 4;
const HIDDEN: usize = 32;
const LEAK: f32 = 0.2;

/// Of the first step; it falls to 0 with the last.
const LEARNING_RATE: f32 = 0.01;
/// A short memory: what one player did long ago says little of the other.
const DECAYS: Decays = Decays { mean: 0.5, square: 0.99 };

/// The losses of a game.
pub struct Rules {
    pub name: &'static str,
    pub critic: &'static str,
    pub generator: &'static str,
    pub penalty: Penalty,
    /// Steps of the critic for one of the generator.
    pub critic_steps: u32,
}

/// What the gradient of the critic's score is to be, and where.
#[derive(Clone, Copy)]
pub enum Penalty {
    /// 0 at real points (R1), which keeps the game from going in circles.
    AtReal,
    /// Of the norm 1 between real and fake points, so that the critic's loss tells Wasserstein's distance.
    Between,
}

/// A generator and a discriminator or critic, before they have learnt anything.
#[derive(Clone)]
pub struct Players {
    generator: Network,
    critic: Network,
}

impl Players {
    pub fn new(rng: &mut Rng) -> Self {
        let mut network = |units| Network::new(units, rng).leaky(LEAK).with_decays(DECAYS);
        Players {
            generator: network([NOISE, HIDDEN, HIDDEN, DIMENSIONS]),
            critic: network([DIMENSIONS, HIDDEN, HIDDEN, 1]),
        }
    }

    /// Points that the generator makes.
    pub fn samples(&self, count: usize, rng: &mut Rng) -> Vec<f32> {
        self.generator.forward(&noise(count, rng)).outputs().to_vec()
    }
}

/// A game of two players, and its losses on the GPU.
pub struct Game {
    rules: &'static Rules,
    pub players: Players,
    critic_loss: GpuLoss,
    generator_loss: GpuLoss,
    penalty: GpuLoss,
}

/// The losses of a step, that of the critic with its penalty.
pub struct Losses {
    pub critic: f64,
    pub generator: f64,
}

impl Game {
    /// A game with `lambda` as the weight of its gradient penalty.
    pub fn new(rules: &'static Rules, lambda: f32, gpu: &Gpu, players: Players) -> Result<Self, wgloss::Error> {
        let scores = TensorType::new(DType::F32, [BATCH]);
        let loss = |name, types: &[TensorType]| GpuLoss::new(gpu, &AnyLoss::new(name, &[])?, types, Reduction::Mean);
        Ok(Game {
            rules,
            players,
            critic_loss: loss(rules.critic, &[scores.clone(), scores.clone()])?,
            generator_loss: loss(rules.generator, &[scores])?,
            penalty: rules.penalty.loss(lambda, gpu, BATCH)?,
        })
    }

    /// Steps of the critic, then one of the generator; the learning rate is a part of the first.
    pub fn step(&mut self, part: f32, rng: &mut Rng) -> Result<Losses, wgloss::Error> {
        let learning_rate = part * LEARNING_RATE;
        let mut of_critic = 0.0;
        for _ in 0..self.rules.critic_steps {
            of_critic = self.step_of_critic(learning_rate, rng)?;
        }
        let Players { generator, critic } = &mut self.players;
        let made = generator.forward(&noise(BATCH, rng));
        let judged = critic.forward(made.outputs());
        let result = self.generator_loss.evaluate(judged.outputs())?;
        let by_points = critic.input_gradient(&critic.backward(&judged, &result.gradient));
        generator.learn(&made, &by_points, learning_rate);
        Ok(Losses { critic: of_critic, generator: result.loss })
    }

    fn step_of_critic(&mut self, learning_rate: f32, rng: &mut Rng) -> Result<f64, wgloss::Error> {
        let (real, fake) = (ring::draw(BATCH, rng), self.players.samples(BATCH, rng));
        let critic = &mut self.players.critic;
        let judged = critic.forward(&[&real[..], &fake].concat());
        let result = self.critic_loss.evaluate(judged.outputs())?;
        let by_weights = critic.weight_gradient(&judged, &critic.backward(&judged, &result.gradient));
        let (penalty, of_penalty) = penalize(critic, &self.penalty, &self.rules.penalty.points(real, &fake, rng))?;
        let sum: Vec<f32> = by_weights.iter().zip(of_penalty).map(|(gradient, other)| gradient + other).collect();
        critic.step(&sum, learning_rate);
        Ok(result.loss + penalty)
    }
}

fn noise(count: usize, rng: &mut Rng) -> Vec<f32> {
    (0..count * NOISE).map(|_| normal(rng)).collect()
}

impl Penalty {
    /// The penalty of so many points.
    fn loss(self, lambda: f32, gpu: &Gpu, points: usize) -> Result<GpuLoss, wgloss::Error> {
        let norm_target = match self {
            Penalty::AtReal => 0.0,
            Penalty::Between => 1.0,
        };
        let gradients = TensorType::new(DType::F32, [points, DIMENSIONS]);
        GpuLoss::new(gpu, &GradientPenalty { lambda, norm_target }, &[gradients], Reduction::Mean)
    }

    /// Where the gradient is penalised.
    fn points(self, real: Vec<f32>, fake: &[f32], rng: &mut Rng) -> Vec<f32> {
        let Penalty::Between = self else { return real };
        let pairs = real.chunks_exact(DIMENSIONS).zip(fake.chunks_exact(DIMENSIONS));
        let between = |(real, fake): (&[f32], &[f32])| {
            let part = rng.f32();
            real.iter().zip(fake).map(|(real, fake)| fake + part * (real - fake)).collect::<Vec<_>>()
        };
        pairs.flat_map(between).collect()
    }
}

/// The penalty of the gradients that a critic's scores have by its inputs, and the penalty's gradient by the critic's
/// weights.
///
/// The gradient g of a score by the inputs is the product W₁·D₁·W₂·D₂⋯ of the layers' weights and the slopes of the
/// units between them. The loss gives the penalty's gradient u by g; by any weight the penalty's derivative is that of
/// u·g with u held fast. In u·W₁·D₁·W₂·D₂⋯ each layer's weights stand between what comes from u, a tangent of the pass,
/// and what comes back from the score.
fn penalize(critic: &Network, loss: &GpuLoss, points: &[f32]) -> Result<(f64, Vec<f32>), wgloss::Error> {
    let judged = critic.forward(points);
    let of_scores = critic.backward(&judged, &vec![1.0; judged.outputs().len()]);
    let result = loss.evaluate(&critic.input_gradient(&of_scores))?;
    let tangent = critic.tangent(&judged, &result.gradient);
    Ok((result.loss, critic.weight_gradient(&tangent, &of_scores)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::network::tests::assert_gradient;

    #[test]
    fn the_gradient_of_the_penalty_is_the_limit_of_difference_quotients() {
        const POINTS: usize = 6;
        let gpu = Gpu::new_blocking().expect("there is an adapter");
        for penalty in [Penalty::Between, Penalty::AtReal] {
            let mut rng = Rng::with_seed(0);
            let critic = Network::new([DIMENSIONS, 8, 6, 1], &mut rng).leaky(LEAK);
            let points = ring::draw(POINTS, &mut rng);
            let loss = penalty.loss(1.0, &gpu, POINTS).expect("the loss takes these points");
            let penalize = |critic: &Network| penalize(critic, &loss, &points).expect("the device computes");
            let (_, gradient) = penalize(&critic);
            assert!(gradient.iter().any(|slope| slope.abs() > 0.1), "there is something to compare");
            assert_gradient(&gradient, &critic.weights(), |weights| penalize(&critic.with_weights(weights)).0);
        }
    }
}
