//! Where losses are evaluated: on an adapter, or by the reference.

use wgloss::{
    AnyLoss, DType, Error, Evaluation, Extra, Gpu, Hardest, HostTensor, Loss, Named, Options, Statistics, reference,
    spec::Driver,
};

use crate::{error::CliError, output, select};

/// The selector that means the reference.
pub const REFERENCE: &str = "cpu";

/// An evaluator of losses.
pub enum Engine {
    /// Kernels on a device.
    Gpu(Gpu),
    /// The f64 reference on the CPU.
    Reference,
}

impl Engine {
    /// The engine that `selector` means; without one, the most capable adapter, or the reference where there is none.
    /// What is to be checked by the reference is never evaluated by it.
    pub fn select(selector: Option<&str>, to_check: bool) -> Result<Engine, CliError> {
        match selector {
            Some(REFERENCE) if to_check => Err(CliError::NothingToCheck),
            Some(REFERENCE) => Ok(Engine::Reference),
            Some(selector) => Ok(Engine::Gpu(select::open(&select::adapter(selector)?)?)),
            None => match select::adapter("") {
                Err(Error::NoAdapter { .. }) if !to_check => {
                    output::notice("no adapter was found: the reference evaluates on the CPU");
                    Ok(Engine::Reference)
                }
                adapter => Ok(Engine::Gpu(select::open(&adapter?)?)),
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
    ) -> Result<Evaluation, Error> {
        match self {
            Engine::Gpu(gpu) => loss.eval_with(gpu, inputs, options),
            Engine::Reference => {
                let evaluation = reference::evaluate(loss, inputs, &options)?;
                stored(&evaluation, loss, inputs, options.statistics)
            }
        }
    }
}

/// The reference's evaluation in the types that a kernel stores.
fn stored(
    evaluation: &reference::Evaluation,
    loss: &AnyLoss,
    inputs: &Named<HostTensor<'_>>,
    statistics: Statistics,
) -> Result<Evaluation, Error> {
    let gradient = |(name, values): &(&'static str, Vec<f64>)| {
        let ty = inputs.get(name)?.ty();
        Some(HostTensor::rounded(values, ty.dtype, ty.shape.clone()).map(|gradient| (name.to_string(), gradient)))
    };
    let indices = |indices: &[i32], shape: &[usize]| {
        let bytes: Vec<u8> = indices.iter().flat_map(|index| index.to_le_bytes()).collect();
        HostTensor::from_bytes(DType::I32, shape, bytes)
    };
    let loss_value = HostTensor::rounded(&evaluation.loss, DType::F32, evaluation.shape.clone())?;
    let mut found = Evaluation::new(loss_value, evaluation.items);
    found.gradients = evaluation.gradients.iter().filter_map(gradient).collect::<Result<_, _>>()?;
    for (name, is_asked, values) in [
        ("log_sum_exp", statistics.log_sum_exp, &evaluation.log_sum_exp),
        ("entropy", statistics.entropy, &evaluation.entropy),
        ("log_prob", statistics.log_prob, &evaluation.log_prob),
        ("clipped", statistics.clipped, &evaluation.clipped),
        ("kl", statistics.kl, &evaluation.kl),
    ] {
        if is_asked {
            let tensor = HostTensor::rounded(values, DType::F32, evaluation.item_shape.clone())?;
            found.statistics = found.statistics.with(name, tensor);
        }
    }
    if statistics.argmax {
        found.statistics = found.statistics.with("argmax", indices(&evaluation.argmax, &evaluation.item_shape)?);
    }
    if let Some(Hardest { positive, negative }) = &evaluation.hardest {
        for (name, rows) in [("hardest_positive", positive), ("hardest_negative", negative)] {
            found.statistics = found.statistics.with(name, indices(rows, &[rows.len()])?);
        }
    }
    let names: Vec<&'static str> = match loss.spec().driver {
        Driver::Regions(regions) => regions.terms.into_iter().flat_map(|terms| terms.names).collect(),
        Driver::Sum(sum) => sum.parts.iter().map(|part| part.name).collect(),
        _ => Vec::new(),
    };
    found.extras.extend(evaluation.correct.map(Extra::Correct));
    found.extras.extend(names.into_iter().zip(&evaluation.terms).map(|(name, &term)| Extra::Term(name, term as f32)));
    found.extras.extend(evaluation.mining.map(Extra::Mining));
    found.extras.extend(evaluation.weight_sum.map(|sum| Extra::WeightSum(sum as f32)));
    Ok(found)
}
