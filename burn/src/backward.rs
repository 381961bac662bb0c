//! The step of Burn's autodiff that has a loss's gradients.

use burn::backend::{
    Cube,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::NoCheckpointing},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
};

use crate::{
    backend::{Lazy, Tracked},
    in_place::scaled,
    launch::Prepared,
};

/// The gradients of a loss's inputs.
#[derive(Clone, Debug)]
pub enum Gradient {
    /// Those of the reduced loss, computed with it: times one number, they are what is asked for.
    Kept {
        prepared: Prepared,
        /// Of each input with a gradient.
        gradients: Vec<Lazy>,
    },
    /// Those that a kernel computes behind the gradient of what comes after: of a loss per item, whose gradient is one
    /// per item, and of f16, which has to be scaled before it is rounded.
    Later {
        prepared: Prepared,
        inputs: Vec<(String, Lazy)>,
        /// The inputs with a gradient.
        names: Vec<String>,
    },
}

impl Gradient {
    /// Of each input with a gradient what it is behind this gradient of the loss.
    fn behind(self, upstream: Lazy) -> Vec<Lazy> {
        match self {
            Gradient::Kept { prepared, gradients } => {
                gradients.into_iter().map(|gradient| scaled(&prepared.shared, gradient, upstream.clone())).collect()
            }
            Gradient::Later { prepared, mut inputs, names } => {
                inputs.push((wgloss::spec::UPSTREAM.name.to_string(), upstream));
                // The same call without `upstream` was checked in the forward pass.
                let results = prepared.launch(inputs).unwrap_or_else(|error| panic!("{error}"));
                let mut gradients = Vec::new();
                for name in names {
                    let gradient = format!("grad.{name}");
                    gradients
                        .extend(results.iter().find(|(found, _)| *found == gradient).map(|(_, lazy)| lazy.clone()));
                }
                gradients
            }
        }
    }
}

#[derive(Debug)]
struct LossStep;

impl<const N: usize> Backward<Cube, N> for LossStep {
    type State = Gradient;

    fn backward(self, ops: Ops<Gradient, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let upstream = grads.consume::<Cube>(&ops.node);
        for (parent, gradient) in ops.parents.into_iter().zip(ops.state.behind(upstream)) {
            if let Some(node) = parent {
                grads.register::<Cube>(node.id, gradient);
            }
        }
    }
}

/// The most inputs with gradients.
pub const MOST_PARENTS: usize = 64;

/// The loss as a node of the graph that the inputs belong to, at most [`MOST_PARENTS`] of them.
pub fn tracked(value: Lazy, gradient: Gradient, parents: Vec<Tracked>) -> Tracked {
    match parents.len() {
        0..=1 => step::<1>(value, gradient, parents),
        2 => step::<2>(value, gradient, parents),
        3..=4 => step::<4>(value, gradient, parents),
        5..=8 => step::<8>(value, gradient, parents),
        9..=16 => step::<16>(value, gradient, parents),
        _ => step::<MOST_PARENTS>(value, gradient, parents),
    }
}

fn step<const N: usize>(value: Lazy, gradient: Gradient, parents: Vec<Tracked>) -> Tracked {
    // A step has a fixed number of parents: behind the loss's own are some without gradients.
    let parent = |index: usize| match parents.get(index) {
        Some(parent) => parent.node(),
        None => Tracked::new(value.clone()).node(),
    };
    match LossStep.prepare::<NoCheckpointing>(std::array::from_fn::<_, N, _>(parent)).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(gradient, value),
        OpsKind::UnTracked(prepared) => prepared.finish(value),
    }
}
