//! Where losses are evaluated: on an adapter, or by the reference.

use wgloss::{AnyLoss, Error, Evaluation, Gpu, HostTensor, Loss, Named, Options, reference};

use crate::{error::CliError, output};

/// The selector that means the reference.
pub const REFERENCE: &str = "cpu";

/// What evaluates losses.
pub enum Engine {
    /// Kernels on a device.
    Gpu(Gpu),
    /// The f64 reference on the CPU.
    Reference,
}

/// Loss and gradients, wherever they were computed; every type widens to f64 exactly.
pub struct Outcome {
    /// The loss: one value, or one per item.
    pub loss: Vec<f64>,
    /// The shape of `loss`; empty for one value.
    pub shape: Vec<usize>,
    /// How many items counted.
    pub items: u64,
    /// The gradients by the names of their inputs.
    pub gradients: Named<Vec<f64>>,
}

impl Engine {
    /// What `selector` means; without one, the most capable adapter, or the reference where there is none.
    pub fn select(selector: Option<&str>) -> Result<Engine, Error> {
        match selector {
            Some(REFERENCE) => Ok(Engine::Reference),
            Some(selector) => Gpu::find_blocking(selector).map(Engine::Gpu),
            None => match Gpu::new_blocking() {
                Ok(gpu) => Ok(Engine::Gpu(gpu)),
                Err(Error::NoAdapter { .. }) => {
                    output::notice("no adapter was found: the reference evaluates on the CPU");
                    Ok(Engine::Reference)
                }
                Err(error) => Err(error),
            },
        }
    }

    /// The adapter's id, or `cpu`.
    pub fn name(&self) -> String {
        match self {
            Engine::Gpu(gpu) => gpu.adapter_id(),
            Engine::Reference => REFERENCE.to_string(),
        }
    }

    /// Loss and gradients of the inputs.
    pub fn evaluate(
        &self,
        loss: &AnyLoss,
        inputs: &Named<HostTensor<'_>>,
        options: Options,
    ) -> Result<Outcome, CliError> {
        Ok(match self {
            Engine::Gpu(gpu) => loss.eval_with(gpu, inputs, options)?.into(),
            Engine::Reference => reference::evaluate(loss, inputs, &options)?.into(),
        })
    }
}

impl From<Evaluation> for Outcome {
    fn from(evaluation: Evaluation) -> Self {
        Outcome {
            loss: evaluation.loss.to_f64(),
            shape: evaluation.loss.shape().to_vec(),
            items: evaluation.items,
            gradients: evaluation.gradients.map(HostTensor::to_f64),
        }
    }
}

impl From<reference::Evaluation> for Outcome {
    fn from(evaluation: reference::Evaluation) -> Self {
        let gradients = evaluation.gradients.into_iter().map(|(name, values)| (name.to_string(), values)).collect();
        Outcome { loss: evaluation.loss, shape: evaluation.shape, items: evaluation.items, gradients }
    }
}
