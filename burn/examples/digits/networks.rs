//! Networks from images of digits to logits.

use burn::{
    module::Module,
    nn::{
        Linear, LinearConfig, PaddingConfig2d,
        conv::{Conv2d, Conv2dConfig},
        pool::{MaxPool2d, MaxPool2dConfig},
    },
    tensor::{Device, Tensor, activation::relu},
};

use crate::common::digits::{CLASSES, PIXELS, WIDTH};

/// A classifier of images `[N, 1, 8, 8]`.
pub trait Network: Module {
    fn new(device: &Device) -> Self;

    /// Logits `[N, 10]`.
    fn logits(&self, images: Tensor<4>) -> Tensor<2>;
}

/// Two layers.
#[derive(Module, Debug)]
pub struct Mlp {
    hidden: Linear,
    output: Linear,
}

impl Network for Mlp {
    fn new(device: &Device) -> Self {
        const HIDDEN: usize = 64;
        Mlp {
            hidden: LinearConfig::new(PIXELS, HIDDEN).init(device),
            output: LinearConfig::new(HIDDEN, CLASSES).init(device),
        }
    }

    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        self.output.forward(relu(self.hidden.forward(images.flatten(1, 3))))
    }
}

/// Two convolutions with a pooling behind each, and a layer.
#[derive(Module, Debug)]
pub struct ConvNet {
    first: Conv2d,
    second: Conv2d,
    pool: MaxPool2d,
    output: Linear,
}

impl Network for ConvNet {
    fn new(device: &Device) -> Self {
        const CHANNELS: [usize; 2] = [8, 16];
        const POOLED: usize = WIDTH / 4;
        let convolution =
            |channels| Conv2dConfig::new(channels, [3, 3]).with_padding(PaddingConfig2d::Same).init(device);
        ConvNet {
            first: convolution([1, CHANNELS[0]]),
            second: convolution(CHANNELS),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            output: LinearConfig::new(CHANNELS[1] * POOLED * POOLED, CLASSES).init(device),
        }
    }

    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        let first = self.pool.forward(relu(self.first.forward(images)));
        let second = self.pool.forward(relu(self.second.forward(first)));
        self.output.forward(second.flatten(1, 3))
    }
}
