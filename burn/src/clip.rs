//! The gradients of a module clipped together.

use burn::{
    backend::{BackendTensor, Cube, DispatchAutodiffContext, DispatchTensor, DispatchTensorKind, TensorMetadata},
    module::{Module, ModuleVisitor, Param},
    tensor::{Gradients, Tensor},
};
use wgloss::{
    DType, TensorType,
    ops::{ClipGradNorm, Operation},
};

use crate::{
    Error, Input,
    backend::Lazy,
    device::shared,
    error::granted,
    in_place::queue,
    input::{Given, tensor_type},
};

/// What errors call it.
const NAME: &str = "clip_grad_norm";

/// Scales the gradients of a module together, so that the norm of all of them is at most `max_norm`, and gives the norm
/// that they had, `[1]`, on the device: [`ClipGradNorm`] says what of that is exact.
///
/// It goes between `backward` and `GradientsParams::from_grads`. Nothing is read back.
///
/// # Errors
/// [`Error::Loss`] for what [`ClipGradNorm`] refuses, a module without gradients among it; [`Error::Backend`],
/// [`Error::NotShared`], [`Error::Devices`], [`Error::DType`].
pub fn try_clip_grad_norm<M: Module>(module: &M, gradients: &mut Gradients, max_norm: f32) -> Result<Tensor<1>, Error> {
    // What is refused is refused here, and not where it runs; the gradients are then as they were.
    let (given, _) = take(module, gradients, false)?;
    let Some((_, first)) = given.first() else {
        return Err(wgloss::Error::NoTensors { operation: NAME }.into());
    };
    let device = first.device();
    if let Some((name, other)) = given.iter().find(|(_, other)| other.device() != device) {
        let (tensor, found) = (name.clone(), format!("{:?}", other.device()));
        return Err(Error::Devices { loss: NAME, tensor, found, expected: format!("{device:?}") });
    }
    let shared = shared(&device)?;
    let clip = ClipGradNorm::new(max_norm);
    let types = given.iter().map(|(name, tensor)| (name.clone(), tensor_type(tensor.dtype, &tensor.shape)));
    clip.plan(&shared.gpu, &types.collect())?;
    drop(given);

    let (given, places) = take(module, gradients, true)?;
    let mut results = queue(&shared, clip, given, Vec::new(), &[("total_norm", TensorType::new(DType::F32, [1]))]);
    let norm = results.pop().map(tensor);
    let mut results = results.into_iter();
    let given =
        places.into_iter().map(|is_there| if is_there { results.next() } else { None }).collect::<Vec<_>>().into_iter();
    module.visit(&mut Giving { gradients, given });
    norm.ok_or_else(|| Error::NoResult { loss: NAME, tensor: "total_norm".to_string() })
}

/// The gradients of a module by the places of their parameters, and of each parameter whether it has one.
#[allow(clippy::type_complexity, reason = "it is taken apart at once")]
fn take<M: Module>(
    module: &M,
    gradients: &mut Gradients,
    removes: bool,
) -> Result<(Vec<(String, Lazy)>, Vec<bool>), Error> {
    let mut taking = Taking { gradients, removes, taken: Vec::new() };
    module.visit(&mut taking);
    let taken = taking.taken;
    let places = taken.iter().map(Option::is_some).collect();
    let given = taken.into_iter().enumerate().filter_map(|(place, input)| Some((place, input?)));
    let given = given.map(|(place, input)| {
        Given::new(NAME, &format!("gradient {place}"), input).map(|given| (given.name, given.tensor))
    });
    Ok((given.collect::<Result<_, _>>()?, places))
}

/// [`try_clip_grad_norm`] as Burn's own functions are.
///
/// # Panics
/// With the text of the error that [`try_clip_grad_norm`] gives.
#[track_caller]
pub fn clip_grad_norm<M: Module>(module: &M, gradients: &mut Gradients, max_norm: f32) -> Tensor<1> {
    granted(try_clip_grad_norm(module, gradients, max_norm))
}

/// Takes the gradients of parameters, in the module's order.
struct Taking<'a> {
    gradients: &'a mut Gradients,
    removes: bool,
    taken: Vec<Option<Input>>,
}

impl ModuleVisitor for Taking<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let parameter = param.val();
        // Burn panics at what is outside its autodiff.
        let gradient = match parameter.is_require_grad() {
            true if self.removes => parameter.grad_remove(self.gradients),
            true => parameter.grad(self.gradients),
            false => None,
        };
        self.taken.push(gradient.map(Input::from));
    }
}

/// Gives gradients back in the same order.
struct Giving<'a> {
    gradients: &'a mut Gradients,
    given: std::vec::IntoIter<Option<Lazy>>,
}

impl ModuleVisitor for Giving<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(Some(gradient)) = self.given.next() {
            param.val().grad_replace(self.gradients, tensor(gradient));
        }
    }
}

fn tensor<const D: usize>(tensor: Lazy) -> Tensor<D> {
    let kind = DispatchTensorKind::Cube(BackendTensor::<Cube>::Float(tensor));
    Tensor::from_dispatch(DispatchTensor { kind, autodiff: DispatchAutodiffContext::Disabled })
}
