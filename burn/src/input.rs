//! Burn's tensors as inputs of losses.

use burn::{
    backend::{
        BackendTensor, Cube, DispatchAutodiffContext, DispatchTensor, DispatchTensorKind, IntDType, Shape,
        TensorMetadata, ops::IntTensorOps,
    },
    tensor::{Bool, DType, Int, Tensor},
};
use wgloss::TensorType;

use crate::{
    Error,
    backend::{Lazy, Tracked},
};

/// A tensor of Burn's, of any rank and kind.
#[derive(Clone, Debug)]
pub struct Input(DispatchTensor);

impl<const D: usize> From<Tensor<D>> for Input {
    fn from(tensor: Tensor<D>) -> Self {
        Input(tensor.into_dispatch())
    }
}

impl<const D: usize> From<Tensor<D, Int>> for Input {
    fn from(tensor: Tensor<D, Int>) -> Self {
        Input(tensor.into_dispatch())
    }
}

/// 1 where it is true: a mask.
impl<const D: usize> From<Tensor<D, Bool>> for Input {
    fn from(tensor: Tensor<D, Bool>) -> Self {
        Input(tensor.int().into_dispatch())
    }
}

/// The inputs of a call by the names that the catalogue gives them.
///
/// ```no_run
/// # use burn::tensor::Tensor;
/// # fn inputs(prediction: Tensor<2>, target: Tensor<2>, weight: Tensor<2>) -> wgloss_burn::Inputs {
/// use wgloss_burn::Inputs;
/// Inputs::new().with("prediction", prediction).with("target", target).with("weight", weight)
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Inputs(pub(crate) Vec<(String, Input)>);

impl Inputs {
    /// No inputs.
    pub fn new() -> Self {
        Inputs::default()
    }

    /// These inputs with one more.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, tensor: impl Into<Input>) -> Self {
        self.0.push((name.into(), tensor.into()));
        self
    }

    /// These inputs with one for each layer, `name.0` and so on.
    #[must_use]
    pub fn with_layers<T: Into<Input>>(mut self, name: &str, tensors: impl IntoIterator<Item = T>) -> Self {
        let layers = tensors.into_iter().enumerate();
        self.0.extend(layers.map(|(layer, tensor)| (format!("{name}.{layer}"), tensor.into())));
        self
    }
}

/// An input as its backend has it.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub name: String,
    pub tensor: Lazy,
    /// What it is in a graph, where it has gradients.
    pub tracked: Option<Tracked>,
    pub context: DispatchAutodiffContext,
}

impl Given {
    /// The tensor of a loss's input.
    pub fn new(loss: &'static str, name: &str, input: Input) -> Result<Self, Error> {
        let Input(DispatchTensor { kind, autodiff: context }) = input;
        let (tensor, tracked) =
            unwrapped(kind).map_err(|found| Error::Backend { loss, tensor: name.to_string(), found })?;
        let tensor = match dtype(tensor.dtype()) {
            Some(_) => tensor,
            None if tensor.dtype().is_int() || tensor.dtype().is_uint() => as_i32(tensor),
            None => return Err(Error::DType { loss, tensor: name.to_string(), found: tensor.dtype() }),
        };
        let tracked = tracked.filter(Tracked::is_tracked);
        Ok(Given { name: name.to_string(), tensor, tracked, context })
    }

    /// Its type, with its elements side by side.
    pub fn ty(&self) -> TensorType {
        tensor_type(self.tensor.dtype, &self.tensor.shape)
    }
}

/// The tensor of the backend, and of its autodiff; or the name of another backend.
fn unwrapped(kind: DispatchTensorKind) -> Result<(Lazy, Option<Tracked>), String> {
    #[allow(unreachable_patterns, reason = "the program may have other backends")]
    match kind {
        DispatchTensorKind::Cube(BackendTensor::<Cube>::Float(tensor) | BackendTensor::Int(tensor)) => {
            Ok((tensor, None))
        }
        DispatchTensorKind::Autodiff(inner) => match *inner {
            DispatchTensorKind::Cube(BackendTensor::Autodiff(tracked)) => {
                Ok((tracked.primitive().clone(), Some(tracked)))
            }
            other => unwrapped(other),
        },
        other => Err(format!("{:?}", other.device())),
    }
}

/// The storage type of wgloss, where it has it.
pub(crate) fn dtype(dtype: DType) -> Option<wgloss::DType> {
    match dtype {
        DType::F32 => Some(wgloss::DType::F32),
        DType::F16 => Some(wgloss::DType::F16),
        DType::BF16 => Some(wgloss::DType::BF16),
        DType::I32 => Some(wgloss::DType::I32),
        _ => None,
    }
}

/// The storage type of Burn.
pub(crate) fn burn_dtype(dtype: wgloss::DType) -> DType {
    match dtype {
        wgloss::DType::F32 => DType::F32,
        wgloss::DType::F16 => DType::F16,
        wgloss::DType::BF16 => DType::BF16,
        wgloss::DType::I32 => DType::I32,
    }
}

/// Whole numbers of another type as i32. What is beyond it becomes its largest or smallest number, which are classes of
/// nothing.
fn as_i32(tensor: Lazy) -> Lazy {
    let (least, most) = (i64::from(i32::MIN), i64::from(i32::MAX));
    let tensor = match tensor.dtype() {
        DType::I64 => Cube::int_clamp(tensor, least.into(), most.into()),
        DType::U64 | DType::U32 => Cube::int_clamp_max(tensor, most.into()),
        _ => tensor,
    };
    Cube::int_cast(tensor, IntDType::I32)
}

/// The type of a tensor with its elements side by side. `Given::new` lets no other storage types in.
pub fn tensor_type(burns: DType, shape: &Shape) -> TensorType {
    TensorType::new(dtype(burns).unwrap_or(wgloss::DType::F32), shape.to_vec())
}
