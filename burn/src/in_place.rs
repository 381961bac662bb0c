//! Operations that change tensors where they are, in Burn's queue.

use std::sync::Arc;

use burn::backend::{
    Shape,
    fusion::{
        ExecutionError,
        custom::{CustomOpIr, HandleContainer, Operation as Queued, OperationIr, StreamId, TensorIr},
    },
};
use burn_cubecl::{
    fusion::{CubeFusionHandle, FusionCubeRuntime},
    tensor::CubeTensor,
};
use wgloss::{
    Named, TensorType,
    ops::{Operation, ScaleGradients},
};

use crate::{
    Error,
    backend::Lazy,
    device::{Recorded, Shared, locked},
    input::burn_dtype,
    launch::{Held, allocated, failure, flush, laid_out, publish, resolved},
};

/// Queues the product of a gradient and a number. Where the number is 1 the device leaves the gradient as it is.
pub fn scaled(shared: &Arc<Shared>, gradient: Lazy, factor: Lazy) -> Lazy {
    let (changed, read) = (vec![("gradient".to_string(), gradient)], vec![("factor".to_string(), factor)]);
    queue(shared, ScaleGradients, changed, read, &[]).remove(0)
}

/// Queues an operation; gives the tensors that it changes, then those that it tells, not computed yet. What it changes
/// stays in its own buffer where nothing else uses it, and is copied where something does.
pub fn queue<O: Operation + Send + Sync + 'static>(
    shared: &Arc<Shared>,
    operation: O,
    changed: Vec<(String, Lazy)>,
    read: Vec<(String, Lazy)>,
    told: &[(&'static str, TensorType)],
) -> Vec<Lazy> {
    let client = changed[0].1.client.clone();
    let uninit = |shape: Shape, dtype| TensorIr::uninit(client.create_empty_handle(), shape, dtype);
    let change = |(name, tensor): (String, Lazy)| {
        let after = uninit(tensor.shape.clone(), tensor.dtype);
        Change { name, before: tensor.into_ir(), after }
    };
    let changed: Vec<Change> = changed.into_iter().map(change).collect();
    let read: Vec<(String, TensorIr)> = read.into_iter().map(|(name, tensor)| (name, tensor.into_ir())).collect();
    let told = told.iter().map(|(name, ty)| (*name, uninit(Shape::from(ty.shape.clone()), burn_dtype(ty.dtype))));
    let told: Vec<(&'static str, TensorIr)> = told.collect();

    let before = changed.iter().map(|change| &change.before).chain(read.iter().map(|(_, ir)| ir));
    let after = changed.iter().map(|change| &change.after).chain(told.iter().map(|(_, ir)| ir));
    let ir =
        CustomOpIr::new("wgloss_operation", &before.cloned().collect::<Vec<_>>(), &after.cloned().collect::<Vec<_>>());
    let queued = InPlace { shared: shared.clone(), operation, changed, read, told };
    client.register(StreamId::current(), OperationIr::Custom(ir), queued)
}

/// A tensor that an operation changes.
#[derive(Debug)]
struct Change {
    name: String,
    before: TensorIr,
    after: TensorIr,
}

/// An operation in Burn's queue.
#[derive(Debug)]
struct InPlace<O> {
    shared: Arc<Shared>,
    operation: O,
    changed: Vec<Change>,
    read: Vec<(String, TensorIr)>,
    told: Vec<(&'static str, TensorIr)>,
}

impl<O: Operation + Send + Sync + 'static> Queued<FusionCubeRuntime> for InPlace<O> {
    fn execute(&self, handles: &mut HandleContainer<CubeFusionHandle>) -> Result<(), ExecutionError> {
        self.run(handles).map_err(|error| failure(&self.shared, error))
    }
}

impl<O: Operation + Send + Sync + 'static> InPlace<O> {
    fn run(&self, handles: &mut HandleContainer<CubeFusionHandle>) -> Result<(), Error> {
        let gpu = &self.shared.gpu;
        let mut tensors: Vec<(&str, CubeTensor, TensorType)> = Vec::new();
        for change in &self.changed {
            let (tensor, ty) = laid_out(resolved(&change.before, handles), false);
            // Burn waits for the stream that memory is from: what is from another one than this has to be new.
            let is_own = tensor.can_mut() && tensor.handle.stream == StreamId::current();
            let tensor = if is_own { tensor } else { tensor.copy() };
            tensors.push((&change.name, tensor, ty));
        }
        for (name, ir) in &self.read {
            let (tensor, ty) = laid_out(resolved(ir, handles), false);
            tensors.push((name, tensor, ty));
        }
        let told = self.told.iter().map(|(name, ir)| (*name, allocated(&tensors[0].1, ir)));
        let told: Vec<(&str, CubeTensor)> = told.collect();
        let types = tensors.iter().map(|(name, _, ty)| (name.to_string(), ty.clone())).collect::<Named<_>>();

        let all = tensors.iter().map(|(name, tensor, _)| (*name, tensor));
        let all = all.chain(told.iter().map(|(name, tensor)| (*name, tensor)));
        let places = all.map(|(name, tensor)| Ok((name, Held::new(tensor)?))).collect::<Result<Vec<_>, Error>>()?;
        flush(tensors.iter().map(|(_, tensor, _)| tensor))?;

        let key = format!("{:?} {types:?}", self.operation);
        let key = (key, places.iter().map(|(_, held)| held.place()).collect());
        let bind = || {
            let slices = places.iter().map(|(name, held)| (name.to_string(), held.slice())).collect();
            let bound = self.operation.plan(gpu, &types)?.bind(&slices)?;
            Ok::<Arc<dyn Recorded>, wgloss::Error>(Arc::new(bound))
        };
        let bound = locked(&self.shared.operations).get_or(key, bind)?;
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        bound.record(&mut encoder);
        gpu.queue().submit([encoder.finish()]);
        drop(places);

        let after =
            self.changed.iter().map(|change| &change.after).zip(tensors.into_iter().map(|(_, tensor, _)| tensor));
        let told = self.told.iter().map(|(_, ir)| ir).zip(told.into_iter().map(|(_, tensor)| tensor));
        after.chain(told).for_each(|(ir, tensor)| publish(ir, tensor, handles));
        Ok(())
    }
}
