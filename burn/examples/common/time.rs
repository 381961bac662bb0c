//! What something takes on a device.

use std::{error::Error, time::Instant};

use burn::tensor::Device;

/// The seconds that something takes on a device, without what the end of a batch costs: a median of several batches.
pub fn time(device: &Device, run: &impl Fn()) -> Result<f64, Box<dyn Error>> {
    const BATCHES: usize = 11;
    const RUNS: u32 = 4;
    run();
    device.sync()?;
    let mut times = Vec::new();
    for _ in 0..BATCHES {
        let start = Instant::now();
        for _ in 0..RUNS {
            run();
        }
        device.sync()?;
        times.push(start.elapsed().as_secs_f64() / f64::from(RUNS));
    }
    Ok(median(&mut times))
}

/// The one in the middle.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
