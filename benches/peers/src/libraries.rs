//! The libraries compared, each on a device of its own, of the same adapter.

use std::error::Error;

use burn::tensor::{
    Device, DeviceKind, Tensor,
    wgpu::{
        WgpuBackend,
        wgpu::{AdapterInfo, Backend, DeviceType, PollType},
    },
};
use wgloss::{Gpu, HostTensor, Loss, Named, Output, Plan, Reduction, reference};

use crate::step::{Step, StepResult};

/// Burn's device on the adapter that wgloss uses.
///
/// Burn opens it by itself, with the features and the shader compiler of its choice. It takes the kind of an adapter
/// and no name, so the first adapter of this kind has to be the one.
pub fn open_burn(gpu: &Gpu) -> Result<Device, Box<dyn Error>> {
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
    println!("wgloss on {}", describe(wanted));
    println!("Burn on   {}", describe(&found));
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

/// A plan of wgloss over tensors of its own, recorded and submitted anew in each run.
pub struct WglossStep {
    gpu: Gpu,
    output: Output,
}

impl WglossStep {
    /// The mean of the loss, with what it should be: the result of the reference in f64.
    pub fn new(
        gpu: &Gpu,
        loss: &dyn Loss,
        inputs: &Named<HostTensor<'_>>,
    ) -> Result<(Self, StepResult), wgloss::Error> {
        let plan = Plan::new(gpu, loss, &inputs.map(|input| input.ty().clone()), Reduction::Mean)?;
        let upload =
            |(name, input): (&str, &HostTensor<'_>)| Ok((name.to_string(), wgloss::Tensor::from_host(gpu, input)?));
        let output = plan.bind_tensors(&inputs.iter().map(upload).collect::<Result<_, wgloss::Error>>()?)?;

        let truth = reference::evaluate(loss, inputs, &Reduction::Mean.into())?;
        let (_, gradient) = &truth.gradients[0];
        let gradient = gradient.iter().map(|&value| value as f32).collect();
        Ok((WglossStep { gpu: gpu.clone(), output }, StepResult { loss: truth.loss[0] as f32, gradient }))
    }
}

impl Step for WglossStep {
    fn run(&mut self) {
        let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
        self.output.record(&mut encoder);
        self.gpu.queue().submit([encoder.finish()]);
        self.gpu.device().poll(PollType::wait_indefinitely()).expect("the device works");
    }

    fn result(&self) -> StepResult {
        let evaluation = self.output.read_blocking().expect("the targets are classes");
        let (_, gradient) = evaluation.gradients.iter().next().expect("every loss has a gradient");
        StepResult {
            loss: evaluation.loss.item() as f32,
            gradient: gradient.to_vec().expect("gradients of f32 are f32"),
        }
    }
}

/// A loss in Burn: the forward pass and autodiff's backward pass.
pub struct BurnStep<const D: usize, F> {
    input: Tensor<D>,
    forward: F,
    /// Loss and gradient.
    last: Option<(Tensor<1>, Tensor<D>)>,
}

impl<const D: usize, F: Fn(Tensor<D>) -> Tensor<1>> BurnStep<D, F> {
    /// The loss `forward` of the input, on an autodiff device.
    pub fn new(input: Tensor<D>, forward: F) -> Self {
        BurnStep { input: input.require_grad(), forward, last: None }
    }
}

impl<const D: usize, F: Fn(Tensor<D>) -> Tensor<1>> Step for BurnStep<D, F> {
    fn run(&mut self) {
        // A program is done with the last gradient by now, so that its memory serves for the next.
        self.last = None;
        let loss = (self.forward)(self.input.clone());
        let gradient = self.input.grad(&loss.backward()).expect("the loss depends on its input");
        self.last = Some((loss, gradient));
        self.input.device().sync().expect("the device works");
    }

    fn result(&self) -> StepResult {
        let (loss, gradient) = self.last.clone().expect("the step has run");
        let gradient = gradient.into_data().try_to_vec().expect("gradients of f32 are f32");
        StepResult { loss: loss.into_scalar(), gradient }
    }
}
