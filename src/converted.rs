//! Tensors of any number type as inputs of a loss.

use std::collections::HashMap;

use crate::{
    AnyTensor, DType, Error, HostTensor, Loss, Named, NumberType, Signature,
    out_of_range::unravelled,
    spec::{Domain, Input, Kind, LossSpec, Shape, Values},
};

/// The inputs of a loss, made of tensors as files and arrays hold them.
///
/// - Floats of a storage type stay as they are, f64 is rounded to f32.
/// - Class indices and labels come from any type of integers or truth values. Labels of whole batches, of which only
///   equality counts, may be 64-bit hashes.
/// - A mask comes from any type: what is not 0 keeps an item.
/// - Other inputs without a gradient, weights among them, take integers and truth values as numbers.
/// - What there is one of for each item, `[N, d…]` beside rows `[N, C, d…]`, may be `[N, 1, d…]`.
///
/// ```
/// use wgloss::{AnyTensor, Converted, CrossEntropy, Gpu, Loss, Named, Reduction};
/// let given = Named::<AnyTensor>::new()
///     .with("logits", AnyTensor::new(&[0.0_f32, 0.0, 0.0, 1.0, 2.0, 3.0], [2, 3])?)
///     .with("target", AnyTensor::new(&[0_u8, 2], [2, 1])?);
/// let loss = CrossEntropy::default();
/// let inputs = Converted::new(&loss, &given)?;
/// assert_eq!(inputs.notices, ["cross_entropy: `target` of shape [2, 1] is taken as [2]"]);
/// let result = loss.eval_with(&Gpu::new_blocking()?, &inputs.tensors, Reduction::Mean)?;
/// assert_eq!(result.items, 2);
/// # Ok::<(), wgloss::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Converted<'a> {
    /// The inputs, in types and shapes that the loss takes.
    pub tensors: Named<HostTensor<'a>>,
    /// What was lost of values, and what was taken as another shape: a sentence each.
    pub notices: Vec<String>,
}

impl<'a> Converted<'a> {
    /// The inputs of the loss in these tensors, which have their names.
    ///
    /// # Errors
    /// [`Error::UnexpectedTensor`], [`Error::NumberType`] and [`Error::NumberRange`] for a tensor that the loss cannot
    /// take; [`Error::Shape`] for a first input that it cannot.
    pub fn new(loss: &dyn Loss, given: &'a Named<AnyTensor<'_>>) -> Result<Self, Error> {
        let spec = loss.spec();
        let values = Values::new(spec, loss.values())?;
        let first = given.get(spec.inputs[0].name);
        let signature = first.map(|first| Signature::of_shape(&values, first.shape())).transpose()?;
        let axes = first.map_or(0, |first| first.shape().len());
        let mut converted = Converted { tensors: Named::new(), notices: Vec::new() };
        for (name, tensor) in given.iter() {
            let Some(input) = spec.input(name) else {
                let known = spec.all_inputs().map(|input| input.name.to_string()).collect();
                return Err(Error::UnexpectedTensor { loss: spec.name, tensor: name.to_string(), known });
            };
            let found = tensor.shape();
            let shape = signature.as_ref().and_then(|signature| without_axis(input, signature, spec, tensor));
            let shape = shape.unwrap_or(found.to_vec());
            // Integers with the axis of classes are values, as those of a mask are.
            let are_indices = tensor.number_type().is_integer() && shape.len() + 1 == axes;
            let input = input.as_indices.filter(|_| are_indices).unwrap_or(input);
            // A one-hot target is no matter of its type, which is looked at later.
            let misplaced = signature.as_ref().and_then(|known| known.misplaced_classes(spec, input, &shape));
            if let Some(error) = misplaced {
                return Err(error);
            }
            if shape != found {
                converted.notices.push(format!("{}: `{name}` of shape {found:?} is taken as {shape:?}", spec.name));
            }
            let converting = Converting { spec, input, tensor, shape };
            let host = converting.convert(&mut converted.notices)?;
            converted.tensors = converted.tensors.with(name, host);
        }
        Ok(converted)
    }
}

/// The shape of an input with one value per item, where it is given with an axis of 1 in place of the classes.
fn without_axis(input: &Input, signature: &Signature, spec: &LossSpec, tensor: &AnyTensor<'_>) -> Option<Vec<usize>> {
    let is_per_item = input.shape == Shape::Items || input.as_indices.is_some_and(|input| input.shape == Shape::Items);
    let [samples, 1, inner @ ..] = tensor.shape() else { return None };
    let shape = [&[*samples], inner].concat();
    // Elements are their own items, and values for one class have that axis themselves.
    let may_have_it = spec.inputs[0].shape == Shape::Items || signature.shape_of(input) == tensor.shape();
    let fits = is_per_item && !may_have_it && shape == signature.item_shape;
    (fits && (input.shape == Shape::Items || tensor.number_type().is_integer())).then_some(shape)
}

/// A tensor on its way to an input.
struct Converting<'a, 'b> {
    spec: &'static LossSpec,
    input: &'static Input,
    tensor: &'a AnyTensor<'b>,
    shape: Vec<usize>,
}

impl<'a> Converting<'a, '_> {
    fn convert(&self, notices: &mut Vec<String>) -> Result<HostTensor<'a>, Error> {
        let found = self.tensor.number_type();
        match (self.input.kind, found.storage()) {
            (Kind::Float, Some(dtype)) if dtype.is_float() => self.unchanged(dtype),
            (Kind::Label | Kind::Mask, Some(dtype)) => self.unchanged(dtype),
            (Kind::Mask, _) => self.mask(),
            (Kind::Index, Some(DType::I32)) => self.unchanged(DType::I32),
            (Kind::Float | Kind::Label, _) if found == NumberType::F64 => self.rounded(notices),
            (Kind::Float, _) if found.is_integer() && !self.input.differentiable => self.numbers(notices),
            (Kind::Index | Kind::Label, _) if found.is_integer() => self.indices(),
            (kind, _) => Err(Error::NumberType {
                loss: self.spec.name,
                tensor: self.input.name,
                expected: match kind {
                    Kind::Label | Kind::Mask => "floats, integers or truth values",
                    Kind::Float if !self.input.differentiable => "floats, integers or truth values",
                    Kind::Float => "f32, f16, bf16 or f64",
                    Kind::Index => "integers or truth values",
                },
                found,
            }),
        }
    }

    fn unchanged(&self, dtype: DType) -> Result<HostTensor<'a>, Error> {
        HostTensor::from_bytes(dtype, &self.shape[..], self.tensor.bytes())
    }

    /// f64 as f32.
    fn rounded(&self, notices: &mut Vec<String>) -> Result<HostTensor<'a>, Error> {
        let (elements, _) = self.tensor.bytes().as_chunks();
        let values: Vec<f64> = elements.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect();
        let overflowing = values.iter().filter(|x| x.is_finite() && (**x as f32).is_infinite()).count();
        let mut notice = format!("{}: `{}` is f64: its values are rounded to f32", self.spec.name, self.input.name);
        if overflowing > 0 {
            notice += &format!(", {overflowing} of them to infinity");
        }
        if self.input.differentiable {
            notice += ", its gradient is f32";
        }
        notices.push(notice);
        HostTensor::rounded(&values, DType::F32, &self.shape[..])
    }

    /// Which numbers are not 0.
    fn mask(&self) -> Result<HostTensor<'a>, Error> {
        let (elements, _) = self.tensor.bytes().as_chunks();
        let kept: Vec<bool> = match self.tensor.number_type() {
            NumberType::F64 => elements.iter().map(|&bytes| f64::from_le_bytes(bytes) != 0.0).collect(),
            _ => self.integers().map(|number| number != 0).collect(),
        };
        HostTensor::mask(&kept, &self.shape[..])
    }

    /// Whole numbers as f32.
    fn numbers(&self, notices: &mut Vec<String>) -> Result<HostTensor<'a>, Error> {
        let rounded = self.integers().filter(|&number| number as f32 as i128 != number).count();
        if rounded > 0 {
            let integers = if rounded == 1 { "integer is" } else { "integers are" };
            notices.push(format!("{}: `{}`: {rounded} {integers} rounded to f32", self.spec.name, self.input.name));
        }
        let bytes: Vec<u8> = self.integers().flat_map(|number| (number as f32).to_le_bytes()).collect();
        HostTensor::from_bytes(DType::F32, &self.shape[..], bytes)
    }

    /// Whole numbers as i32.
    fn indices(&self) -> Result<HostTensor<'a>, Error> {
        let narrow = |number: i128| i32::try_from(number).ok();
        let indices: Vec<i32> = self.integers().map_while(narrow).collect();
        let indices = match self.integers().nth(indices.len()) {
            None => indices,
            // Of these only equality counts: they are numbered as they come.
            Some(_) if self.input.domain == Domain::Label => {
                let mut known = HashMap::new();
                let mut number = |label: i128| {
                    let next = known.len() as i32;
                    *known.entry(label).or_insert(next)
                };
                self.integers().map(&mut number).collect()
            }
            Some(value) => {
                let (loss, tensor) = (self.spec.name, self.input.name);
                let index = unravelled(indices.len(), self.tensor.shape());
                return Err(Error::NumberRange { loss, tensor, index, value: value.to_string() });
            }
        };
        HostTensor::from_bytes(DType::I32, &self.shape[..], bytemuck::pod_collect_to_vec::<i32, u8>(&indices))
    }

    fn integers(&self) -> Box<dyn Iterator<Item = i128> + '_> {
        self.tensor.integers().unwrap_or_else(|| Box::new(std::iter::empty()))
    }
}
