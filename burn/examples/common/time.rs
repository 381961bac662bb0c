//! What something takes on a device.

use std::{error::Error, time::Instant};

use burn::tensor::Device;

/// The seconds that something takes on a device, without what the end of a batch costs: a median of several batches.
/// What takes a second or more runs once, after what it compiles.
pub fn time(device: &Device, run: &impl Fn()) -> Result<f64, Box<dyn Error>> {
    const BATCHES: usize = 11;
    const RUNS: u32 = 4;
    let seconds_of = |runs: u32| -> Result<f64, Box<dyn Error>> {
        let start = Instant::now();
        for _ in 0..runs {
            run();
        }
        device.sync()?;
        Ok(start.elapsed().as_secs_f64() / f64::from(runs))
    };
    seconds_of(1)?;
    let once = seconds_of(1)?;
    if once >= 1.0 {
        return Ok(once);
    }
    let times: Result<Vec<f64>, _> = (0..BATCHES).map(|_| seconds_of(RUNS)).collect();
    Ok(median(&mut times?))
}

/// The one in the middle.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
