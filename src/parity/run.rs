//! A case on a device, beside the reference.

use super::{Report, cases::Case, compare::compare_by};
use crate::{
    Error, Evaluation, Gpu, Gradients, HostTensor, Named, Plan, Tensor, TensorType, reference,
    spec::{LossSpec, Shape},
};

/// What outputs hold before a run; exact in every storage type.
pub(super) const GARBAGE: f64 = 0.375;

impl Case {
    /// Loss, gradients and count of the kernel, over buffers that held garbage; and whether the gaps between rows are
    /// as they were. Kernels stay compiled for the cases that follow.
    pub fn run(
        &self,
        gpu: &Gpu,
        spec: &'static LossSpec,
        inputs: &Named<HostTensor<'_>>,
    ) -> Result<(Evaluation, bool), Error> {
        let gpu = &gpu.sharing_kernels(self.choice.tuning(gpu.tuning()));
        let uploaded = inputs.iter().map(|(name, host)| {
            let has_gaps = self.layout.gap > 0 && spec.input(name).is_some_and(|input| input.shape == Shape::Rows);
            let tensor = if has_gaps { self.with_gaps(gpu, host) } else { Tensor::from_host(gpu, host) };
            Ok((name.to_string(), tensor?))
        });
        let uploaded = uploaded.collect::<Result<Named<Tensor>, Error>>()?;
        let plan = Plan::new(gpu, &self.loss(spec)?, &uploaded.map(|tensor| tensor.ty().clone()), self.options())?;
        let mut tensors = uploaded.clone();
        for (name, ty) in plan.outputs().iter().filter(|(_, ty)| ty.dtype.is_float()) {
            let tensor = Tensor::zeros(gpu, ty.clone())?;
            let flat = flat(gpu, &tensor);
            let garbage = vec![GARBAGE; flat.ty().elements() as usize];
            flat.write(HostTensor::rounded(&garbage, flat.dtype(), flat.shape())?)?;
            tensors = tensors.with(name, tensor);
        }
        let output = plan.bind_tensors(&tensors)?;
        let gradients: Vec<&Tensor> = output.gradients.iter().map(|(_, gradient)| gradient).collect();
        let in_place = self.choice.gradients == Gradients::InPlace;
        let mut encoder = gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        output.record(&mut encoder);
        gpu.queue().submit([encoder.finish()]);
        let evaluation = output.read_blocking()?;

        let mut gaps_stay = true;
        for gradient in gradients {
            let Some(stride) = gradient.ty().row_stride else { continue };
            let columns = gradient.shape()[1];
            let left = if in_place { f64::NAN } else { GARBAGE };
            for row in flat(gpu, gradient).read_blocking()?.to_f64().chunks(stride) {
                let gap = row.get(columns..).unwrap_or_default();
                gaps_stay &= gap.iter().all(|&x| x == left || x.is_nan() && left.is_nan());
            }
        }
        Ok((evaluation, gaps_stay))
    }

    /// A tensor in a buffer with NaNs between its rows.
    fn with_gaps(&self, gpu: &Gpu, host: &HostTensor<'_>) -> Result<Tensor, Error> {
        let stride = self.layout.shape[1] + self.layout.gap;
        let ty = host.ty().clone().with_row_stride(stride);
        let mut values = Vec::new();
        for row in host.to_f64().chunks(self.layout.shape[1]) {
            values.extend_from_slice(row);
            values.resize(values.len() + self.layout.gap, f64::NAN);
        }
        values.truncate(ty.extent() as usize);
        let dense = Tensor::from_host(gpu, HostTensor::rounded(&values, host.dtype(), [values.len()])?)?;
        Ok(Tensor::from_buffer(gpu, dense.buffer().clone(), 0, ty))
    }

    pub fn compare(
        &self,
        spec: &'static LossSpec,
        expected: &reference::Evaluation,
        (found, gaps_stay): &(Evaluation, bool),
        report: &mut Report,
    ) {
        let mut comparison = compare_by(self.scale(spec), expected, found);
        if !gaps_stay {
            comparison.failures.push("a gap between rows was written to".to_string());
        }
        report.cases += 1;
        report.loss_error = report.loss_error.or_larger(comparison.loss_error);
        report.gradient_error = report.gradient_error.or_larger(comparison.gradient_error);
        let failures = comparison.failures.iter();
        report.failures.extend(failures.map(|what| format!("{self}: {what}")));
    }
}

/// All elements of a tensor, those in gaps included.
fn flat(gpu: &Gpu, tensor: &Tensor) -> Tensor {
    let ty = TensorType::new(tensor.dtype(), [tensor.ty().extent() as usize]);
    Tensor::from_buffer(gpu, tensor.buffer().clone(), tensor.offset(), ty)
}
