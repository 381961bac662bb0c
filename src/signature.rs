//! What the shapes and types of a call amount to, checked against the spec. Kernels and reference start from the same
//! signature.

use crate::{
    DType, Error, Named, Options, Reduction, TensorType,
    spec::{Driver, Input, Kind, LossSpec, Shape},
};

/// A checked call: which inputs are there, with which types, and how many items they make.
#[derive(Clone, Debug)]
pub(crate) struct Signature {
    /// The inputs given, in the order of the spec.
    pub inputs: Vec<(&'static Input, TensorType)>,
    /// The shape of a per-item result.
    pub item_shape: Vec<usize>,
    /// How many items there are.
    pub items: u64,
    /// Elements of one item in the first input: 1, or the number of classes.
    pub row: u64,
    /// The length of the first input's last axis.
    pub last_axis: u64,
    /// The length of the first input's first axis, which `batch_mean` divides by.
    pub batch: u64,
}

impl Signature {
    pub fn new(spec: &'static LossSpec, given: &Named<TensorType>, options: &Options) -> Result<Self, Error> {
        options.check(spec)?;
        let known: Vec<String> = spec.all_inputs().map(|input| input.name.to_string()).collect();
        given.expect_only(spec, &known)?;

        let first = &spec.inputs[0];
        let missing = |input: &Input| Error::MissingTensor { loss: spec.name, tensor: input.name.to_string() };
        let shape = given.get(first.name).ok_or_else(|| missing(first))?.shape.clone();
        let mut signature = Signature::of_shape(spec, first, shape)?;
        for input in spec.all_inputs() {
            match given.get(input.name) {
                Some(ty) => {
                    signature.check(spec, input, ty, options.reduction)?;
                    signature.inputs.push((input, ty.clone()));
                }
                None if input.optional => {}
                None => return Err(missing(input)),
            }
        }
        Ok(signature)
    }

    fn of_shape(spec: &LossSpec, first: &Input, shape: Vec<usize>) -> Result<Self, Error> {
        let axis = |index: usize| shape.get(index).map_or(1, |&length| length as u64);
        let (batch, last_axis) = (axis(0), axis(shape.len().saturating_sub(1)));
        let (item_shape, row) = match spec.driver {
            Driver::Elementwise => (shape, 1),
            Driver::Rows => match shape[..] {
                [rows, classes] if classes > 0 => (vec![rows], classes as u64),
                _ => {
                    let (tensor, expected) = (first.name, "[N, C] with C ≥ 1".to_string());
                    return Err(Error::Shape { loss: spec.name, tensor, expected, found: shape });
                }
            },
        };
        let items = TensorType::new(DType::F32, item_shape.clone()).elements();
        Ok(Signature { inputs: Vec::new(), item_shape, items, row, last_axis, batch })
    }

    fn check(&self, spec: &LossSpec, input: &Input, ty: &TensorType, reduction: Reduction) -> Result<(), Error> {
        let (fits, kind) = match input.kind {
            Kind::Float => (ty.dtype.is_float(), "f32, f16 or bf16"),
            Kind::Index => (ty.dtype == DType::I32, "i32"),
        };
        if !fits {
            let tensor = format!("{}: `{}`", spec.name, input.name);
            return Err(Error::DType { tensor, expected: kind.to_string(), found: ty.dtype });
        }
        let per_item = ty.shape == self.item_shape;
        let (fits, expected) = match input.shape {
            Shape::Items => (per_item, format!("{:?}", self.item_shape)),
            // The first input's own shape, from which the rest follows.
            Shape::Rows => (true, String::new()),
            Shape::LastAxis => (ty.shape == [self.last_axis as usize], format!("[{}]", self.last_axis)),
            Shape::OneOrItems => (per_item || ty.elements() == 1, format!("[1] or {:?}", self.item_shape)),
        };
        if !fits {
            return Err(Error::Shape { loss: spec.name, tensor: input.name, expected, found: ty.shape.clone() });
        }
        if input.shape == Shape::OneOrItems && ty.elements() != 1 && reduction != Reduction::None {
            return Err(Error::UpstreamReduction { loss: spec.name, reduction });
        }
        Ok(())
    }

    /// The type of that input, if it was given.
    pub fn input(&self, name: &str) -> Option<&TensorType> {
        self.inputs.iter().find(|(input, _)| input.name == name).map(|(_, ty)| ty)
    }

    /// The type of `loss`.
    pub fn loss_type(&self, reduction: Reduction) -> TensorType {
        let shape = if reduction == Reduction::None { self.item_shape.clone() } else { Vec::new() };
        TensorType::new(DType::F32, shape)
    }

    /// The inputs that have a gradient, with the type that it has too.
    pub fn differentiable(&self) -> impl Iterator<Item = (&'static Input, &TensorType)> {
        self.inputs.iter().filter(|(input, _)| input.differentiable).map(|(input, ty)| (*input, ty))
    }
}
