//! Measures cases on a device.

use std::time::Instant;

use super::{
    Case, Clock, Measurement, Report, ScalingPoint,
    copy::Copy,
    times::{Precision, Times, in_turns},
};
use crate::{Error, Gpu, Loss, Output, Plan, Reduction, evaluation::upload};

/// Times losses on a device, each beside a copy of as many bytes.
///
/// ```
/// use wgloss::{AnyLoss, DType, Gpu, bench::{Bench, Case, Precision}};
/// let gpu = Gpu::new_blocking()?;
/// let mse = AnyLoss::new("mse", &[])?;
/// let case = Case::of_elements(&mse, DType::F32, 10_000);
/// let measurement = Bench::new(&gpu, Precision::default())?.measure(&case)?;
/// println!("{:.0} % of a copy's speed", 100.0 * measurement.fraction_of_copy);
/// # Ok::<(), wgloss::Error>(())
/// ```
#[derive(Debug)]
pub struct Bench {
    gpu: Gpu,
    pub(super) clock: Clock,
    pub(super) precision: Precision,
}

/// The sizes of a [`Scaling`](super::Scaling).
pub const SCALING_ELEMENTS: [usize; 11] =
    [1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000, 30_000_000, 100_000_000];

/// Recordings that the cost of one is the mean of.
const RECORDINGS: u32 = 100;

impl Bench {
    /// Times on this device, so precise.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], [`Error::DeviceLost`].
    pub fn new(gpu: &Gpu, precision: Precision) -> Result<Self, Error> {
        Ok(Bench { gpu: gpu.clone(), clock: Clock::new(gpu)?, precision })
    }

    /// A report of the device, without results yet.
    pub fn report(&self) -> Report {
        Report::new(&self.gpu, self.clock.kind())
    }

    /// The most that a tensor should take for a run on this device not to take long: 256 MiB on a CPU, 2 GiB on a GPU,
    /// and no more than a buffer may have.
    pub fn memory(&self) -> u64 {
        let memory = if self.gpu.info().device_type == wgpu::DeviceType::Cpu { 1 << 28 } else { 1 << 31 };
        memory.min(self.gpu.limits().max_buffer_size)
    }

    /// The case's loss bound to inputs of its own on the device, ready to be recorded, and the bytes that must move.
    ///
    /// # Errors
    /// The errors of [`Plan::new`] and [`Tensor::from_host`](crate::Tensor::from_host).
    pub fn prepare(&self, case: &Case) -> Result<(Output, u64), Error> {
        // A shape beyond the adapter's limits is refused before values are drawn for it.
        let plan = plan(&self.gpu, case)?;
        let output = plan.bind_tensors(&upload(&self.gpu, &case.inputs()?)?)?;
        Ok((output, moved(&plan)))
    }

    /// The loss with its gradients, reduced to the mean (functions of a value per class: not reduced), in turns with a
    /// copy of as many bytes.
    ///
    /// # Errors
    /// The errors of [`Bench::prepare`].
    pub fn measure(&self, case: &Case) -> Result<Measurement, Error> {
        // A device without compiled kernels.
        let fresh = self.gpu.with_tuning(self.gpu.tuning())?;
        let start = Instant::now();
        let plan = plan(&fresh, case)?;
        let planned = start.elapsed();
        let inputs = upload(&self.gpu, &case.inputs()?)?;
        let start = Instant::now();
        let output = plan.bind_tensors(&inputs)?;
        let first_call = planned + start.elapsed();
        let bytes = moved(&plan);
        let copy = Copy::new(&self.gpu, bytes)?;

        let [times, copy_times] = in_turns(
            &self.clock,
            [&|pass| output.bound().record_in(pass), &|pass| copy.record_in(pass)],
            self.precision,
        )?;
        // The inputs are of their domains, and the device is still there.
        output.bound().read_status_blocking()?;
        let (seconds, copy_seconds) = (times.median(), copy_times.median());
        Ok(Measurement {
            loss: case.loss.spec().name.to_string(),
            shape: case.shape.clone(),
            dtype: case.dtype.to_string(),
            origin: case.origin.clone(),
            median_ms: seconds * 1e3,
            spread: times.spread(),
            runs: times.runs(),
            bytes,
            gb_per_s: bytes as f64 / seconds / 1e9,
            copy_ms: copy_seconds * 1e3,
            fraction_of_copy: copy_seconds / seconds,
            gflop_per_s: case.operations().map(|operations| operations / seconds / 1e9),
            first_call_ms: first_call.as_secs_f64() * 1e3,
            record_us: self.record_cost(&output)?.median() * 1e6,
            kernels: Vec::new(),
        })
    }

    /// Host time of recording the loss into an encoder.
    fn record_cost(&self, output: &Output) -> Result<Times, Error> {
        let mut seconds = Vec::new();
        for _ in 0..self.precision.least_runs {
            self.gpu.catching("recording", |device| {
                let mut encoder =
                    device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("recording") });
                let start = Instant::now();
                for _ in 0..RECORDINGS {
                    output.record(&mut encoder);
                }
                // Recorded commands are checked where the encoder is finished.
                drop(encoder.finish());
                seconds.push(start.elapsed().as_secs_f64() / f64::from(RECORDINGS));
            })?;
        }
        Ok(Times::new(seconds))
    }

    /// Measures a case without a copy: one point of a [`Scaling`](super::Scaling).
    ///
    /// # Errors
    /// The errors of [`Bench::measure`].
    pub fn scaling_point(&self, case: &Case) -> Result<ScalingPoint, Error> {
        let (output, _) = self.prepare(case)?;
        let [times] = in_turns(&self.clock, [&|pass| output.bound().record_in(pass)], self.precision)?;
        let elements = case.shape.iter().product::<usize>() as u64;
        Ok(ScalingPoint { elements, shape: case.shape.clone(), median_ms: times.median() * 1e3 })
    }
}

fn plan(gpu: &Gpu, case: &Case) -> Result<Plan, Error> {
    let preferred = [Reduction::Mean, Reduction::BatchMean, Reduction::None];
    let has = |reduction: &Reduction| case.loss.spec().reductions().any(|known| known == *reduction);
    let reduction = preferred.into_iter().find(has).unwrap_or(Reduction::Sum);
    Plan::new(gpu, &case.loss, &case.types()?, reduction)
}

/// Bytes that must move: each input read once, each output written once.
fn moved(plan: &Plan) -> u64 {
    plan.inputs().iter().chain(plan.outputs().iter()).map(|(_, ty)| ty.buffer_size()).sum()
}
