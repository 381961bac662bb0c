//! The memory that training takes, in a process of its own: nothing else uses the device.

mod common;

use burn::{
    module::{Module, ModuleMapper, Param},
    tensor::{Device, Gradients, Tensor},
};
use wgloss_burn::{CrossEntropyLossConfig, Reduction, clip_grad_norm, gpu};

use common::{
    device, floats,
    model::{Model, batch},
};

/// Bytes that the device has allocated.
fn allocated(device: &Device) -> u64 {
    device.sync().expect("the device works");
    let report = gpu(device).unwrap().device().generate_allocator_report().expect("the backend tells");
    report.total_allocated_bytes
}

#[test]
fn a_thousand_steps_leave_memory_where_it_was() {
    let device = device().autodiff();
    let mut model = Model::new(&device);
    let entropy = CrossEntropyLossConfig::new().init();
    let (x, classes, _) = batch(512, &device);
    let mut first = 0.0;
    let mut last = 0.0;
    let mut before = 0;
    for step in 0..1100 {
        let loss = entropy.forward(model.forward(x.clone()), classes.clone(), Reduction::Mean);
        if step == 0 {
            first = floats(loss.clone())[0];
        }
        if step == 1099 {
            last = floats(loss.clone())[0];
        }
        let mut gradients = loss.backward();
        clip_grad_norm(&model, &mut gradients, 1.0);
        model = model.map(&mut Descend(&gradients));
        if step == 99 {
            before = allocated(&device);
        }
    }
    let after = allocated(&device);
    assert!(last < 0.9 * first, "the model learns: {first} to {last}");
    assert!(after <= before, "{before} bytes before, {after} after");
}

struct Descend<'a>(&'a Gradients);

impl ModuleMapper for Descend<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let gradient = param.val().grad(self.0).expect("every parameter has a gradient");
        param.map(|value| (value.inner() - gradient * 0.3).autodiff().require_grad())
    }
}
