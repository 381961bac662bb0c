//! Plans bound to buffers.

use super::{BoundPlan, BufferSlice, Inner, Plan};
use crate::{
    Error, Named,
    dispatch::{Bindable, Compiled, Located},
    drivers,
};

impl Plan {
    /// Binds the plan to buffers: every input by its name, every one of [`Plan::outputs`] by its.
    ///
    /// Buffers may be parts of one buffer. Outputs must not overlap anything. The buffers need the usage `STORAGE`.
    /// They have to be of the device of the plan's [`Gpu`](crate::Gpu): wgpu itself refuses those of another device,
    /// and panics at those of another [`wgpu::Instance`], which it cannot tell from its own.
    ///
    /// Kernels load and store four elements at once, which saves up to half the time, where every tensor with a value
    /// per item of an elementwise loss, or per class of a loss of rows, has room for a multiple of four: where its
    /// buffer goes on to a multiple of 16 bytes (8 for halves) behind the tensor's start. What lies there is never
    /// changed. Without that room the elements are moved one by one, and the first such binding compiles kernels for
    /// it.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::UnexpectedTensor`], [`Error::BufferTooSmall`], [`Error::BufferUsage`],
    /// [`Error::BufferAlignment`], [`Error::BufferOverlap`], [`Error::OutOfMemory`], [`Error::DeviceLost`],
    /// [`Error::Refused`].
    pub fn bind(&self, buffers: &Named<BufferSlice<'_>>) -> Result<BoundPlan, Error> {
        let Inner { gpu, compiled, tensors, .. } = &*self.0;
        let loss = self.spec().name;
        let bindable = tensors.iter().map(|tensor| Bindable {
            name: &tensor.name,
            size: tensor.ty.buffer_size(),
            is_written: tensor.role.is_output(),
        });
        let tensors = Located::new(gpu, loss, bindable, buffers)?;
        let has_room = compiled.program.steps.iter().flat_map(|step| &step.bound).all(|place| tensors.has_room(place));
        if has_room && !tensors.share_buffers() {
            return self.bound(compiled, &tensors);
        }
        let program = drivers::program(&self.call(has_room))?;
        let program = if tensors.share_buffers() { program.with_shared_buffers() } else { program };
        self.bound(&Compiled::new(gpu, loss, program)?, &tensors)
    }

    /// The steps of a program of the plan's, bound to buffers.
    fn bound(&self, compiled: &Compiled, tensors: &Located<'_>) -> Result<BoundPlan, Error> {
        let Inner { gpu, values, .. } = &*self.0;
        let dispatches = compiled.bind(gpu, self.spec().name, tensors, |kernel| kernel.bytes_of_params(values))?;
        Ok(BoundPlan::new(self.clone(), dispatches))
    }
}
