//! Training of a classifier of digits with a loss on the GPU.

use fastrand::Rng;
use wgloss::{DType, Gpu, Loss, Reduction, TensorType, spec::Kind};

use super::{
    digits::{CLASSES, Digits},
    gpu_loss::GpuLoss,
    network::Network,
};

/// A loss on the GPU for batches of one size, against labels or, where it has a target per class, one-hot rows.
pub fn loss_of_batches(gpu: &Gpu, loss: &dyn Loss, batch_size: usize) -> Result<GpuLoss, wgloss::Error> {
    let logits = TensorType::new(DType::F32, [batch_size, CLASSES]);
    let target = match loss.spec().inputs[1].kind {
        Kind::Index => TensorType::new(DType::I32, [batch_size]),
        Kind::Float | Kind::Label | Kind::Mask => logits.clone(),
    };
    // The sum over a sample's classes, the mean over the samples: gradients of one scale, whatever the loss and the
    // batch size.
    GpuLoss::new(gpu, loss, &[logits, target], Reduction::BatchMean)
}

/// One pass over the training samples in random order; gives the mean of the batches' losses.
pub fn train_epoch(
    network: &mut Network,
    training: &Digits,
    loss: &GpuLoss,
    batch_size: usize,
    learning_rate: f32,
    rng: &mut Rng,
) -> Result<f64, wgloss::Error> {
    let mut total = 0.0;
    // A plan is for one shape, so the samples that do not fill a last batch wait for another epoch.
    let batches = training.batches(batch_size, rng);
    for batch in &batches {
        let pass = network.forward(&batch.images);
        match loss.target.dtype() {
            DType::I32 => loss.target.write(&batch.labels)?,
            _ => loss.target.write(&one_hot(&batch.labels))?,
        }
        let step = loss.evaluate(pass.outputs())?;
        network.learn(&pass, &step.gradient, learning_rate);
        total += step.loss;
    }
    Ok(total / batches.len() as f64)
}

/// Rows with 1 at the label and 0 elsewhere.
fn one_hot(labels: &[i32]) -> Vec<f32> {
    labels.iter().flat_map(|&label| (0..CLASSES as i32).map(move |class| f32::from(class == label))).collect()
}
