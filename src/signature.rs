//! What the shapes and types of a call amount to, checked against the spec. Kernels and reference start from the same
//! signature.

use crate::{
    DType, Error, Named, Options, Reduction, TensorType,
    spec::{Driver, Input, Kind, LossSpec, Relation, Rows, Shape, Values},
};

/// A checked call: which inputs are there, with which types, and how many items they make.
#[derive(Clone, Debug)]
pub(crate) struct Signature {
    /// The inputs given, in the order of the spec.
    pub inputs: Vec<(&'static Input, TensorType)>,
    /// The shape of an input with one value per item.
    pub item_shape: Vec<usize>,
    /// The shape of an unreduced result: that of the items; of the first input for functions of a value per class; of the
    /// scores of regions.
    pub result_shape: Vec<usize>,
    /// How many items there are: of regions, pixels.
    pub items: u64,
    /// Elements of one item in the first input: 1, the number of classes or of an embedding's dimensions, or 4 of a box.
    pub row: u64,
    /// From one class to the next in a dense tensor of rows: the product of the axes after the classes.
    pub class_stride: u64,
    /// The length of the first input's last axis.
    pub last_axis: u64,
    /// The length of the first input's first axis, which `batch_mean` divides by.
    pub batch: u64,
}

impl Signature {
    pub fn new(
        spec: &'static LossSpec,
        values: &Values,
        given: &Named<TensorType>,
        options: &Options,
    ) -> Result<Self, Error> {
        options.check(spec)?;
        let known: Vec<String> = spec.all_inputs().map(|input| input.name.to_string()).collect();
        given.expect_only(spec, &known)?;

        let first = &spec.inputs[0];
        let missing = |input: &Input| Error::MissingTensor { loss: spec.name, tensor: input.name.to_string() };
        let shape = given.get(first.name).ok_or_else(|| missing(first))?.shape.clone();
        let mut signature = Signature::of_shape(spec, values, first, shape)?;
        for input in spec.all_inputs() {
            match given.get(input.name) {
                Some(ty) => {
                    let input = input.given_as(ty.dtype);
                    signature.check(spec, input, ty, options.reduction)?;
                    signature.inputs.push((input, ty.clone()));
                }
                None if input.optional => {}
                None => return Err(missing(input)),
            }
        }
        Ok(signature)
    }

    /// That of a first input of this shape, without the inputs.
    pub fn of_shape(spec: &LossSpec, values: &Values, first: &Input, shape: Vec<usize>) -> Result<Self, Error> {
        let axis = |index: usize| shape.get(index).map_or(1, |&length| length as u64);
        let (batch, last_axis) = (axis(0), axis(shape.len().saturating_sub(1)));
        let elements = |shape: &[usize]| TensorType::new(DType::F32, shape).elements();
        let (item_shape, result_shape, row, class_stride) = match spec.driver {
            Driver::Elementwise => (shape.clone(), shape, 1, 1),
            Driver::Pairs | Driver::AllPairs(_) => match shape[..] {
                [rows, dimensions] if dimensions > 0 => {
                    let views = spec.all_pairs().is_some_and(|batch| batch.relation == Relation::Views);
                    let items = vec![if views { 2 * rows } else { rows }];
                    (items.clone(), items, dimensions as u64, 1)
                }
                _ => {
                    let (tensor, expected) = (first.name, "[N, D] with D ≥ 1".to_string());
                    return Err(Error::Shape { loss: spec.name, tensor, expected, found: shape });
                }
            },
            Driver::Boxes => match shape[..] {
                [ref items @ .., 4] if !items.is_empty() => (items.to_vec(), items.to_vec(), 4, 1),
                _ => {
                    let (tensor, expected) = (first.name, "[N, 4] or [N, d1, …, 4]".to_string());
                    return Err(Error::Shape { loss: spec.name, tensor, expected, found: shape });
                }
            },
            Driver::Rows(_) | Driver::Regions(_) => {
                let least = match spec.driver {
                    Driver::Rows(rows) => (rows.least_classes)(values),
                    // Without the background there must be another class.
                    _ => 1 + usize::from(!values.flag("include_background")),
                };
                match shape[..] {
                    [rows, classes, ref inner @ ..] if classes >= least => {
                        let items = [&[rows], inner].concat();
                        let inner = elements(inner);
                        let results = match spec.driver {
                            Driver::Rows(Rows { per_class: true, .. }) => shape,
                            Driver::Regions(_) => {
                                let scope = values.scope();
                                let samples = scope.is_per_sample().then_some(rows);
                                let scored = scope.is_per_class().then_some(classes + 1 - least);
                                samples.into_iter().chain(scored).collect()
                            }
                            _ => items.clone(),
                        };
                        (items, results, classes as u64, inner)
                    }
                    _ => {
                        let (tensor, expected) = (first.name, format!("[N, C] or [N, C, d1, …] with C ≥ {least}"));
                        return Err(Error::Shape { loss: spec.name, tensor, expected, found: shape });
                    }
                }
            }
        };
        let items = elements(&item_shape);
        Ok(Signature { inputs: Vec::new(), item_shape, result_shape, items, row, class_stride, last_axis, batch })
    }

    fn check(&self, spec: &LossSpec, input: &Input, ty: &TensorType, reduction: Reduction) -> Result<(), Error> {
        let (fits, kind) = match input.kind {
            Kind::Float => (ty.dtype.is_float(), "f32, f16 or bf16"),
            Kind::Index => (ty.dtype == DType::I32, "i32"),
            Kind::Label => (true, "f32, f16, bf16 or i32"),
        };
        let kind = if input.as_indices.is_some() { "f32, f16, bf16 or i32" } else { kind };
        if !fits {
            let tensor = format!("{}: `{}`", spec.name, input.name);
            return Err(Error::DType { tensor, expected: kind.to_string(), found: ty.dtype });
        }
        let is = |shape: &[usize]| (ty.shape == shape, format!("{shape:?}"));
        let (fits, expected) = match input.shape {
            Shape::Items => is(&self.item_shape),
            Shape::Rows => is(&self.rows_shape()),
            Shape::Boxes => is(&[&self.item_shape[..], &[4]].concat()),
            Shape::Embeddings => is(&[self.batch as usize, self.row as usize]),
            Shape::Scalar => (ty.elements() == 1, "[] or [1]".to_string()),
            Shape::Classes => is(&[self.row as usize]),
            Shape::LastAxis => is(&[self.last_axis as usize]),
            Shape::OneOrItems => {
                (ty.shape == self.result_shape || ty.elements() == 1, format!("[1] or {:?}", self.result_shape))
            }
        };
        if !fits {
            return Err(Error::Shape { loss: spec.name, tensor: input.name, expected, found: ty.shape.clone() });
        }
        if let Some(found) = ty.row_stride {
            let least = self.row as usize;
            let may_have_gaps = spec.rows().is_some() && input.shape == Shape::Rows && ty.shape.len() == 2;
            if !may_have_gaps || found < least {
                return Err(Error::RowStride { loss: spec.name, tensor: input.name, found, least });
            }
        }
        if input.shape == Shape::OneOrItems && ty.elements() != 1 && reduction != Reduction::None {
            return Err(Error::UpstreamReduction { loss: spec.name, reduction });
        }
        Ok(())
    }

    /// Whether each item has a class index.
    pub fn has_labels(&self) -> bool {
        self.inputs.iter().any(|(input, _)| input.kind == Kind::Index)
    }

    /// How many values an unreduced result has.
    pub fn results(&self) -> u64 {
        self.loss_type(Reduction::None).elements()
    }

    /// The type of that input, if it was given.
    pub fn input(&self, name: &str) -> Option<&TensorType> {
        self.inputs.iter().find(|(input, _)| input.name == name).map(|(_, ty)| ty)
    }

    /// The shape of a tensor of rows: that of the items with the classes as its second axis.
    fn rows_shape(&self) -> Vec<usize> {
        let (batch, inner) = self.item_shape.split_at(1);
        [batch, &[self.row as usize], inner].concat()
    }

    /// Elements from one row, or with axes after the classes one sample, to the next in the input of that place, if it
    /// is there.
    pub fn row_stride(&self, place: usize) -> u64 {
        let given = self.inputs.get(place).and_then(|(_, ty)| ty.row_stride);
        given.map_or(self.row * self.class_stride, |stride| stride as u64)
    }

    /// The type of `loss`.
    pub fn loss_type(&self, reduction: Reduction) -> TensorType {
        let shape = if reduction == Reduction::None { self.result_shape.clone() } else { Vec::new() };
        TensorType::new(DType::F32, shape)
    }

    /// The inputs that have a gradient, with the type that it has too.
    pub fn differentiable(&self) -> impl Iterator<Item = (&'static Input, &TensorType)> {
        self.inputs.iter().filter(|(input, _)| input.differentiable).map(|(input, ty)| (*input, ty))
    }
}
