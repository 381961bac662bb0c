//! What a loss without a reference should give: weights, masks, reductions, storage types and the layout of kernels are
//! held to what its kernel gives of each item in its plainest call, in f32, of inputs without broadcasting or gaps.

use super::stored::of_values;
use crate::{
    AnyLoss, DType, Error, Gpu, HostTensor, Loss, Named, Options, Reduction, reference,
    spec::{Column, Input, Kind, MASK, Shape, Term},
};

/// What a call should give by the plain kernel's items.
pub(super) fn expected(
    gpu: &Gpu,
    loss: &AnyLoss,
    inputs: &Named<HostTensor<'_>>,
    options: &Options,
) -> Result<reference::Evaluation, Error> {
    reference::evaluate_terms(loss, inputs, options, |columns, mask, items| {
        terms(gpu, loss, &plain(loss, inputs, columns, mask, items)?, items)
    })
}

/// Loss and gradients of each item, of inputs that are as long as there are items.
pub(super) fn terms(
    gpu: &Gpu,
    loss: &AnyLoss,
    inputs: &Named<HostTensor<'_>>,
    items: usize,
) -> Result<Vec<Term>, Error> {
    if items == 0 {
        return Ok(Vec::new());
    }
    let found = loss.eval_with(gpu, inputs, Options::new(Reduction::None))?;
    let losses = found.loss.to_f64();
    let gradients: Vec<Vec<f64>> = found.gradients.iter().map(|(_, gradient)| gradient.to_f64()).collect();
    let of_item = |item: usize| {
        let part = |gradient: &Vec<f64>| {
            let width = gradient.len() / items;
            gradient[item * width..][..width].to_vec()
        };
        Term::new(losses[item], gradients.iter().flat_map(part).collect::<Vec<_>>())
    };
    Ok((0..items).map(of_item).collect())
}

/// The inputs of the plainest call.
fn plain(
    loss: &AnyLoss,
    inputs: &Named<HostTensor<'_>>,
    columns: &[Column],
    mask: &Column,
    items: usize,
) -> Result<Named<HostTensor<'static>>, Error> {
    let given = loss.spec().inputs.iter().filter(|input| inputs.get(input.name).is_some());
    let given = given.filter_map(|input| Some((input, columns.iter().find(|column| column.name == input.name)?)));
    let tensor = |(input, column): (&Input, &Column)| {
        let is_shared = input.shape == Shape::Classes && column.values.len() == column.width;
        let values: Vec<f64> = match is_shared {
            true => column.values.clone(),
            false => (0..items).flat_map(|item| column.part(item).to_vec()).collect(),
        };
        let shape = match input.shape {
            Shape::Classes if is_shared => vec![column.width],
            Shape::Rows | Shape::Classes => vec![items, column.width],
            _ => vec![items],
        };
        let dtype = if input.kind == Kind::Index { DType::I32 } else { DType::F32 };
        Ok((input.name.to_string(), of_values(&values, dtype, &shape)?))
    };
    let tensors = given.map(tensor).collect::<Result<Named<_>, Error>>()?;
    let is_masked = inputs.get(MASK.name).is_some();
    let kept: Vec<f64> = (0..items).map(|item| mask.at(item)).collect();
    Ok(if is_masked { tensors.with(MASK.name, of_values(&kept, DType::F32, &[items])?) } else { tensors })
}
