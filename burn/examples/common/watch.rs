//! What training costs: time, and memory of the device.

use std::{error::Error, time::Instant};

use burn::tensor::{Device, Tensor};

use crate::common::time::{median, time};

/// The times of steps of training.
pub struct Watch {
    device: Device,
    /// What each took, in seconds.
    steps: Vec<f64>,
}

/// What a step costs.
#[derive(Clone, Copy)]
pub struct Costs {
    /// The median of the steps, in seconds.
    pub step: f64,
    /// The median of the loss alone with its gradient, in seconds.
    pub loss: f64,
    /// Bytes of the device in use between the passes, when the graph holds most: with it the parameters, and what the
    /// optimiser keeps.
    pub memory: u64,
}

impl Watch {
    pub fn new(device: &Device) -> Self {
        Watch { device: device.clone(), steps: Vec::new() }
    }

    /// The result of a step, once the device is done with it.
    pub fn step<T>(&mut self, step: impl FnOnce() -> T) -> Result<T, Box<dyn Error>> {
        let start = Instant::now();
        let result = step();
        self.device.sync()?;
        self.steps.push(start.elapsed().as_secs_f64());
        Ok(result)
    }

    /// What the steps cost, by their forward pass once more and a loss with its gradient alone.
    pub fn costs(mut self, forward: impl FnOnce() -> Tensor<1>, loss: impl Fn()) -> Result<Costs, Box<dyn Error>> {
        let value = forward();
        self.device.sync()?;
        let memory = self.device.memory_pool_usage().map_or(0, |usage| usage.bytes_in_use);
        drop(value);
        Ok(Costs { step: median(&mut self.steps), loss: time(&self.device, &loss)?, memory })
    }
}
