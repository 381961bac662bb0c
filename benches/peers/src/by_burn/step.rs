//! Burn's device, and a step by Burn.

use std::error::Error;

use burn::tensor::{
    Device, DeviceKind, Tensor,
    wgpu::{
        WgpuBackend,
        wgpu::{AdapterInfo, Backend, DeviceType},
    },
};
use wgloss::Gpu;

use super::case::{Checked, StepResult};
use crate::step::Step;

/// Burn's device on the adapter that wgloss uses.
///
/// Burn opens it by itself, with the features and the shader compiler of its choice. It takes the kind of an adapter
/// and no name, so the first adapter of this kind has to be the one.
pub fn open_device(gpu: &Gpu) -> Result<Device, Box<dyn Error>> {
    let wanted = gpu.info();
    let api = match wanted.backend {
        Backend::Vulkan => WgpuBackend::Vulkan,
        Backend::Metal => WgpuBackend::Metal,
        Backend::Dx12 => WgpuBackend::Dx12,
        Backend::Gl => WgpuBackend::Gl,
        other => return Err(format!("Burn cannot be told to use {other}").into()),
    };
    let kind = match wanted.device_type {
        DeviceType::DiscreteGpu => DeviceKind::DiscreteGpu(0),
        DeviceType::IntegratedGpu => DeviceKind::IntegratedGpu(0),
        DeviceType::VirtualGpu => DeviceKind::VirtualGpu(0),
        DeviceType::Cpu => DeviceKind::Cpu,
        DeviceType::Other => DeviceKind::DefaultDevice,
    };
    let (device, setup) = Device::wgpu_options().graphics_api(api).device_kind(kind).init_with_setup()?;
    let found = setup.adapter.get_info();
    eprintln!("wgloss on {}", describe(wanted));
    eprintln!("Burn on   {}", describe(&found));
    let identity =
        |info: &AdapterInfo| (info.backend, info.name.clone(), info.driver.clone(), info.driver_info.clone());
    if identity(&found) != identity(wanted) {
        return Err("these are different adapters; leave only one of the kind, as with VK_DRIVER_FILES".into());
    }
    Ok(device.autodiff())
}

fn describe(info: &AdapterInfo) -> String {
    format!("{}:{}, driver {} {}", info.backend, info.name, info.driver, info.driver_info)
}

/// A loss in Burn: the forward pass and autodiff's backward pass.
pub struct BurnStep<const D: usize, const K: usize, F> {
    inputs: [Tensor<D>; K],
    forward: F,
    /// The value and the gradients.
    last: Option<(Tensor<1>, [Tensor<D>; K])>,
}

/// What a forward pass gives.
pub struct Forward {
    /// The loss, or the values of a function.
    pub value: Tensor<1>,
    /// The scalar whose gradients are those of the step.
    pub scalar: Tensor<1>,
}

impl From<Tensor<1>> for Forward {
    /// A loss that is a scalar.
    fn from(loss: Tensor<1>) -> Self {
        Forward { value: loss.clone(), scalar: loss }
    }
}

impl Forward {
    /// A function whose value is a tensor. Burn starts a backward pass at a scalar only, so that its product with the
    /// upstream gradient is summed.
    pub fn with_upstream<const D: usize>(value: Tensor<D>, upstream: Tensor<D>) -> Self {
        Forward { scalar: (value.clone() * upstream).sum(), value: value.flatten(0, D - 1) }
    }
}

impl<const D: usize, const K: usize, F, R> BurnStep<D, K, F>
where
    F: Fn([Tensor<D>; K]) -> R,
    R: Into<Forward>,
{
    /// The forward pass of inputs on an autodiff device, all of which get a gradient.
    pub fn new(inputs: [Tensor<D>; K], forward: F) -> Self {
        BurnStep { inputs: inputs.map(Tensor::require_grad), forward, last: None }
    }
}

impl<const D: usize, const K: usize, F, R> Step for BurnStep<D, K, F>
where
    F: Fn([Tensor<D>; K]) -> R,
    R: Into<Forward>,
{
    fn run(&mut self) {
        // A program is done with the last gradients by now, so that their memory serves for the next.
        self.last = None;
        let Forward { value, scalar } = (self.forward)(self.inputs.clone()).into();
        let gradients = scalar.backward();
        let gradients = self.inputs.each_ref().map(|input| input.grad(&gradients).expect("the loss depends on it"));
        self.last = Some((value, gradients));
        self.inputs[0].device().sync().expect("the device works");
    }
}

impl<const D: usize, const K: usize, F, R> Checked for BurnStep<D, K, F>
where
    F: Fn([Tensor<D>; K]) -> R,
    R: Into<Forward>,
{
    fn result(&self) -> StepResult {
        let (value, gradients) = self.last.clone().expect("the step has run");
        let gradients = gradients.map(|gradient| gradient.into_data().try_to_vec().expect("gradients of f32 are f32"));
        let loss = value.into_data().try_to_vec().expect("losses of f32 are f32");
        StepResult { loss, gradients: gradients.into() }
    }
}
