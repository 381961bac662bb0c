//! What is said of values that a loss does not allow.

use std::ops::Range;

use crate::{
    Error, HostTensor, Named, Signature,
    spec::{Domain, Input, Kind, Shape, Value, Values},
};

/// A value that a loss does not allow.
#[derive(Clone, Debug, PartialEq)]
pub struct Offender {
    /// The input.
    pub tensor: &'static str,
    /// Its place on each axis of the input.
    pub index: Vec<usize>,
    /// The value.
    pub value: f64,
}

/// The error of a call with so many items out of range and this first one.
pub(crate) fn error(values: &Values, signature: &Signature, count: u64, first: u64) -> Error {
    let checked = signature.inputs.iter().filter(|(input, _)| input.domain.resolve(values).is_checked());
    Error::Target {
        loss: values.spec().name,
        count,
        first,
        index: unravelled(first as usize, &signature.item_shape).into(),
        rule: checked.map(|(input, _)| rule(input, values, signature)).collect::<Vec<_>>().join(", "),
        offender: None,
    }
}

/// The error with the first value out of range, where it is one of values out of range in these inputs.
pub(crate) fn located(error: Error, values: &Values, signature: &Signature, inputs: &Named<HostTensor<'_>>) -> Error {
    let Error::Target { loss, count, first, index, rule: all, .. } = error else { return error };
    let (rule, offender) = match offender(values, signature, inputs, first as usize) {
        Some((input, offender)) => (rule(input, values, signature), Some(Box::new(offender))),
        None => (all, None),
    };
    Error::Target { loss, count, first, index, rule, offender }
}

/// What a message says of values out of range, but for the loss.
pub(crate) fn text(count: u64, first: u64, index: &[usize], rule: &str, offender: Option<&Offender>) -> String {
    let items = if count == 1 { "item" } else { "items" };
    let place = if index.len() > 1 { format!(", {index:?}") } else { String::new() };
    let found = offender.map_or_else(String::new, |offender| {
        let place = if offender.index[..] == *index { String::new() } else { format!(" at {:?}", offender.index) };
        format!(", found {}{place}", number(offender.value))
    });
    format!("{count} {items} out of range, the first at index {first}{place}: {rule}{found}")
}

/// The values that a checked input may have in a call.
fn rule(input: &Input, values: &Values, signature: &Signature) -> String {
    let domain = match input.domain.resolve(values) {
        Domain::Class => {
            let classes = signature.classes();
            let ignored = match values.get("ignore_index") {
                Some(Value::Integer(index)) => format!(" or {index} (ignore_index)"),
                _ => String::new(),
            };
            format!("0 to {} (C = {classes}){ignored}", classes.saturating_sub(1))
        }
        Domain::DistinctClasses => {
            let classes = signature.classes();
            format!("0 to {} (C = {classes}), none twice in a row", classes.saturating_sub(1))
        }
        domain => domain.to_string(),
    };
    format!("`{}` must be {domain}", input.name)
}

/// The first value of an item that is out of range, and its input.
fn offender(
    values: &Values,
    signature: &Signature,
    inputs: &Named<HostTensor<'_>>,
    item: usize,
) -> Option<(&'static Input, Offender)> {
    let mut given: Vec<&'static Input> = signature.inputs.iter().map(|(input, _)| *input).collect();
    // Of an item that names no class nothing else is checked.
    given.sort_by_key(|input| input.kind != Kind::Index);
    given.into_iter().find_map(|input| {
        let tensor = inputs.get(input.name)?;
        let value = |element: usize| tensor.value(element).unwrap_or(f64::NAN);
        let mut elements = elements(input, signature, tensor, item + lies_behind(input, values));
        let element = match input.domain.resolve(values) {
            // The upper corner is what lies wrong.
            Domain::TargetBox => elements.skip(2).find(|&upper| value(upper) < value(upper - 2)),
            domain @ Domain::DistinctClasses => {
                let mut classes = elements.clone();
                let is_again =
                    |element: usize| elements.clone().any(|other| other < element && value(other) == value(element));
                classes.find(|&class| !domain.contains(value(class), signature.classes()) || is_again(class))
            }
            domain => elements.find(|&element| !domain.contains(value(element), signature.classes())),
        }?;
        let index = unravelled(element, tensor.shape());
        Some((input, Offender { tensor: input.name, index, value: value(element) }))
    })
}

/// By how many items the values of an item lie behind it: targets, by the parameter `shift`.
fn lies_behind(input: &Input, values: &Values) -> usize {
    match values.get("shift") {
        Some(Value::Integer(shift)) if input.kind == Kind::Index => shift.unsigned_abs() as usize,
        _ => 0,
    }
}

/// Where an item's values lie in an input; nowhere in one of another shape than it has by itself.
fn elements(
    input: &Input,
    signature: &Signature,
    tensor: &HostTensor<'_>,
    item: usize,
) -> std::iter::StepBy<Range<usize>> {
    let (row, inner) = (signature.row as usize, signature.class_stride as usize);
    let part = |start: usize, count: usize, stride: usize| (start..start + count * stride).step_by(stride.max(1));
    match input.shape {
        _ if tensor.shape() != signature.shape_of(input) => part(0, 0, 1),
        Shape::Rows => part(item / inner * row * inner + item % inner, row, inner),
        Shape::Boxes | Shape::Embeddings => part(item * row, row, 1),
        Shape::ItemRows => {
            let values = tensor.shape().last().copied().unwrap_or(0);
            part(item * values, values, 1)
        }
        Shape::Classes => part(0, row, 1),
        Shape::Items | Shape::Own | Shape::OwnOfBatch | Shape::OwnRows | Shape::Layers | Shape::Like(_) => {
            part(item, 1, 1)
        }
        Shape::Scalar => part(0, 1, 1),
        Shape::HeadClasses => part(0, tensor.shape().iter().product(), 1),
        Shape::HeadRows => {
            let classes = tensor.shape().last().copied().unwrap_or(0);
            part(item * classes, classes, 1)
        }
        // Values of these are never checked, or are not an item's alone.
        Shape::LastAxis
        | Shape::OneOrItems
        | Shape::Hidden
        | Shape::Head(_)
        | Shape::Tokens
        | Shape::TokenRows
        | Shape::Offsets(_) => part(0, 0, 1),
    }
}

/// The place of an element on each axis; none where there is no element.
pub(crate) fn unravelled(mut element: usize, shape: &[usize]) -> Vec<usize> {
    let mut index: Vec<usize> = Vec::with_capacity(shape.len());
    for &axis in shape.iter().rev() {
        index.push(element % axis.max(1));
        element /= axis.max(1);
    }
    index.reverse();
    index
}

/// A value in the digits that an f32 needs; whole numbers, which may be indices, with all of theirs.
fn number(x: f64) -> String {
    if x.fract() == 0.0 { x.to_string() } else { (x as f32).to_string() }
}

#[cfg(test)]
mod tests {
    use super::unravelled;

    #[test]
    fn elements_have_a_place_on_each_axis() {
        assert_eq!(unravelled(5, &[10]), [5]);
        assert_eq!(unravelled(23, &[2, 3, 4]), [1, 2, 3]);
        assert_eq!(unravelled(0, &[]), [0; 0]);
        assert_eq!(unravelled(0, &[0, 3]), [0, 0]);
    }
}
