//! What the mask of a case leaves out, made such that it shows wherever it reaches.

use super::stored::of_values;
use crate::{
    DType, Error, HostTensor, Named, Signature,
    spec::{Shape, Value, Values},
};

/// The inputs with NaN, or a class that is none, in all that belongs to items which the mask leaves out.
pub(super) fn poisoned(
    inputs: &Named<HostTensor<'static>>,
    values: &Values,
    signature: &Signature,
    mask: &[f64],
) -> Result<Named<HostTensor<'static>>, Error> {
    let spec = values.spec();
    // A row's target may be that of another.
    let is_shifted = matches!(values.get("shift"), Some(Value::Integer(shift)) if shift > 0);
    // Rows of two views are items of their own, those of the second view behind those of the first.
    let mut views = 0;
    let mut poison = |(name, host): (&str, &HostTensor<'static>)| {
        let shape = spec.input(name).map(|input| input.given_as(host.dtype()).shape);
        let of_rows = (signature.row as usize, signature.class_stride as usize);
        let has_each = host.ty().elements() > 1 && spec.regions().is_none();
        let (row, stride) = match shape {
            Some(Shape::Items) if is_shifted && host.dtype() == DType::I32 => {
                return Ok((name.to_string(), host.clone()));
            }
            _ if name == "mask" => return Ok((name.to_string(), host.clone())),
            Some(Shape::Items) => (1, 1),
            Some(Shape::Rows) => of_rows,
            Some(Shape::Boxes | Shape::Embeddings) => (of_rows.0, 1),
            Some(Shape::Hidden | Shape::HeadRows) => (host.shape().last().copied().unwrap_or(1), 1),
            Some(Shape::OneOrItems) if has_each => {
                if spec.is_per_class() {
                    of_rows
                } else {
                    (1, 1)
                }
            }
            _ => return Ok((name.to_string(), host.clone())),
        };
        let mut values = host.to_f64();
        let is_view = shape == Some(Shape::Embeddings) && values.len() < mask.len() * row;
        let first_item = if is_view { views * (values.len() / row) } else { 0 };
        views += usize::from(is_view);
        for (element, value) in values.iter_mut().enumerate() {
            let item = first_item + element / (row * stride) * stride + element % stride;
            if mask[item] == 0.0 {
                *value = if host.dtype() == DType::I32 { -7.0 } else { f64::NAN };
            }
        }
        Ok((name.to_string(), of_values(&values, host.dtype(), host.shape())?))
    };
    inputs.iter().map(&mut poison).collect()
}
