//! The memory that training takes, on devices that nothing else uses.

mod common;

use burn::tensor::{Device, DeviceKind, Int, Tensor};
use wgloss_burn::{CrossEntropyLossConfig, Reduction, clip_grad_norm, gpu, memory_cleanup, share};

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
    let (x, classes, _) = batch(128, &device);
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
        model = model.descended(&gradients);
        if step == 99 {
            before = allocated(&device);
        }
    }
    let after = allocated(&device);
    assert!(last < 0.9 * first, "the model learns: {first} to {last}");
    assert!(after <= before, "{before} bytes before, {after} after");
}

/// A device of its own.
fn own_device() -> Device {
    let (device, setup) = Device::wgpu_options().device_kind(DeviceKind::Cpu).init_with_setup().unwrap();
    share(&device, &setup).unwrap();
    device
}

#[test]
fn what_large_losses_took_goes_back() {
    let device = own_device().autodiff();
    let entropy = CrossEntropyLossConfig::new().init();
    let step = |rows: usize| {
        let logits = Tensor::<2>::zeros([rows, 1000], &device).require_grad();
        let classes = Tensor::<1, Int>::zeros([rows], &device);
        let gradients = entropy.forward(logits.clone(), classes, Reduction::Mean).backward();
        assert!(logits.grad(&gradients).is_some());
    };
    step(16);
    memory_cleanup(&device).unwrap();
    let before = allocated(&device);
    step(8192);
    let used = allocated(&device);
    assert!(used > before + 60_000_000, "{before} bytes before, {used} used");
    memory_cleanup(&device).unwrap();
    let after = allocated(&device);
    assert!(after < before + 8_000_000, "{before} bytes before, {used} used, {after} after");
}
