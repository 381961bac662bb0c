//! The features that a network of convolutions sees in a picture: the first ten convolutions of VGG16 (Simonyan and
//! Zisserman, 2015).

use std::{error::Error, path::Path};

use burn::{
    module::Module,
    nn::{
        Initializer, PaddingConfig2d,
        conv::{Conv2d, Conv2dConfig},
        pool::{MaxPool2d, MaxPool2dConfig},
    },
    store::{ModuleSnapshot, PyTorchToBurnAdapter, SafetensorsStore},
    tensor::{Device, Tensor, activation::relu},
};

/// Convolutions between one pooling and the next.
const BLOCKS: [usize; 4] = [2, 2, 3, 3];
/// Channels of the first block of VGG16; each block has twice those of the one before.
pub const VGG16_WIDTH: usize = 64;
/// The mean and the standard deviation of the colours that torchvision's weights are learnt for.
const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];

/// Where features are taken from, and how that is called.
#[derive(Clone, Copy, PartialEq)]
pub struct Layer {
    pub name: &'static str,
    block: usize,
}

pub const RELU2_2: Layer = Layer { name: "relu2_2", block: 1 };
pub const RELU3_3: Layer = Layer { name: "relu3_3", block: 2 };
pub const RELU4_3: Layer = Layer { name: "relu4_3", block: 3 };

/// The convolutions, by the name that torchvision's checkpoints give them.
#[derive(Module, Debug)]
pub struct Vgg {
    features: Vec<Conv2d>,
    pool: MaxPool2d,
}

impl Vgg {
    /// A network with random weights and so many channels in its first block.
    pub fn random(width: usize, device: &Device) -> Self {
        let mut channels = 3;
        let mut features = Vec::new();
        for (block, &convolutions) in BLOCKS.iter().enumerate() {
            for _ in 0..convolutions {
                let wider = width << block;
                let convolution = Conv2dConfig::new([channels, wider], [3, 3])
                    .with_padding(PaddingConfig2d::Same)
                    // What goes in is as large as what comes out, however deep.
                    .with_initializer(Initializer::KaimingNormal { gain: 2.0_f64.sqrt(), fan_out_only: false });
                features.push(convolution.init(device));
                channels = wider;
            }
        }
        Vgg { features, pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init() }.no_grad()
    }

    /// The network of a checkpoint of torchvision's `vgg16`, in safetensors.
    pub fn load(checkpoint: &Path, device: &Device) -> Result<Self, Box<dyn Error>> {
        let mut network = Vgg::random(VGG16_WIDTH, device);
        // Between its convolutions the checkpoint counts what has no weights.
        let mut store = SafetensorsStore::from_file(checkpoint)
            .with_from_adapter(PyTorchToBurnAdapter)
            .map_indices_contiguous(true);
        let told = |error| format!("{} cannot be used: {error}", checkpoint.display());
        network.load_from(&mut store).map_err(|error| told(error.to_string()))?;
        Ok(network.no_grad())
    }

    /// The features of a picture `[1, 3, H, W]` with colours from 0 to 1, at these layers.
    pub fn features(&self, picture: Tensor<4>, layers: &[Layer]) -> Vec<Tensor<4>> {
        let device = picture.device();
        let channels = |values: [f32; 3]| Tensor::<1>::from_floats(values, &device).reshape([1, 3, 1, 1]);
        let mut current = (picture - channels(MEAN)) / channels(DEVIATION);
        let deepest = layers.iter().map(|layer| layer.block).max().unwrap_or_default();
        let mut convolutions = self.features.iter();
        let mut found = Vec::new();
        for (block, &count) in BLOCKS.iter().enumerate().take(deepest + 1) {
            if block > 0 {
                current = self.pool.forward(current);
            }
            for convolution in convolutions.by_ref().take(count) {
                current = relu(convolution.forward(current));
            }
            if layers.iter().any(|layer| layer.block == block) {
                found.push(current.clone());
            }
        }
        found
    }
}
