//! The parts of Burn that a loss meets, under one name each.

pub use burn::backend::wgpu::wgpu;
use burn::backend::{Cube, autodiff::checkpoint::strategy::NoCheckpointing};
use burn_cubecl::{
    cubecl::wgpu::{AutoCompiler, WgpuServer},
    fusion::FusionCubeRuntime,
};

/// Burn's tensor of a fused wgpu device: what it holds may not be computed yet.
pub type Lazy = burn::backend::fusion::FusionTensor<FusionCubeRuntime>;
/// The same in a graph of Burn's autodiff.
pub type Tracked = burn::backend::tensor::FloatTensor<burn::backend::Autodiff<Cube, NoCheckpointing>>;
/// What holds the buffers of a wgpu device.
pub type Server = WgpuServer<AutoCompiler>;
