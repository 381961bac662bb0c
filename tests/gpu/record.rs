//! A recorded loss costs the device nothing but its dispatches: no allocation, no submission, no waiting.

use approx::assert_abs_diff_eq;
use wgloss::{
    BoundPlan, BufferSlice, CrossEntropy, DType, Error, Gpu, HostTensor, Loss, Mse, Named, Plan, Reduction, Tensor,
    TensorType,
    ops::{BoundOp, ClipGradNorm, Operation},
};

use crate::common::{
    adapters,
    device::{held, opened_again},
};

const ELEMENTS: usize = 96;
/// Buffers start at offsets that suit every adapter.
const SLOT: u64 = 512;

/// The caller's own buffer and the plans bound to parts of it.
struct Training {
    buffer: wgpu::Buffer,
    losses: [BoundPlan; 2],
}

impl Training {
    fn new(gpu: &Gpu) -> Self {
        let buffer = gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: 8 * SLOT,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        let words = |words: Vec<u32>| words.into_iter().flat_map(u32::to_le_bytes).collect::<Vec<u8>>();
        let ones = words(vec![1.0_f32.to_bits(); ELEMENTS]);
        gpu.queue().write_buffer(&buffer, 0, &ones);
        gpu.queue().write_buffer(&buffer, 2 * SLOT, &words(vec![2; ELEMENTS / 8]));

        let plan = |loss: &dyn Loss, inputs: [(&str, TensorType, u64); 2], outputs: [(&str, u64); 2]| {
            let types = inputs.iter().map(|(name, ty, _)| (name.to_string(), ty.clone())).collect();
            let places = inputs.iter().map(|(name, _, slot)| (*name, *slot)).chain(outputs);
            let slices = places.map(|(name, slot)| (name.to_string(), BufferSlice::from((&buffer, slot * SLOT))));
            Plan::new(gpu, loss, &types, Reduction::Mean)
                .and_then(|plan| plan.bind(&slices.collect::<Named<_>>()))
                .expect("the parts fit")
        };
        let flat = Self::flat();
        let mse =
            plan(&Mse, [("prediction", flat.clone(), 0), ("target", flat, 1)], [("grad.prediction", 3), ("loss", 4)]);
        let (logits, target) = (TensorType::new(DType::F32, [12, 8]), TensorType::new(DType::I32, [12]));
        let cross_entropy = plan(
            &CrossEntropy::default(),
            [("logits", logits, 0), ("target", target, 2)],
            [("grad.logits", 5), ("loss", 6)],
        );
        Training { buffer, losses: [mse, cross_entropy] }
    }

    /// The gradients of both losses clipped together, the norm in a slot of its own.
    fn clip(&self, gpu: &Gpu, max_norm: f32) -> BoundOp<ClipGradNorm> {
        let types = Named::new().with("mse", Self::flat()).with("cross_entropy", Self::flat());
        let place = |slot: u64| (&self.buffer, slot * SLOT);
        let places = Named::<BufferSlice>::new().with("mse", place(3)).with("cross_entropy", place(5));
        let places = places.with("total_norm", place(7));
        ClipGradNorm::new(max_norm).plan(gpu, &types).and_then(|plan| plan.bind(&places)).expect("the parts fit")
    }

    fn flat() -> TensorType {
        TensorType::new(DType::F32, [ELEMENTS])
    }

    /// Both scalar losses as they lie in the buffer now.
    fn read_losses(&self, gpu: &Gpu) -> [f64; 2] {
        [4, 6].map(|slot| {
            let ty = TensorType::new(DType::F32, []);
            let tensor = Tensor::from_buffer(gpu, self.buffer.clone(), slot * SLOT, ty);
            tensor.read_blocking().expect("the device works").item()
        })
    }
}

#[test]
fn a_thousand_recorded_losses_allocate_submit_and_wait_for_nothing() {
    for gpu in adapters::all().iter().map(opened_again) {
        let training = Training::new(&gpu);
        let mut encoder = gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());

        let before = held(&gpu);
        assert!(before[0] > 0, "the counters count");
        for round in 0..1000 {
            training.losses[round % 2].record(&mut encoder);
        }
        assert_eq!(held(&gpu), before, "{}", gpu.adapter_id());
        // Nothing was submitted: the results are still those of a new buffer.
        assert_eq!(training.read_losses(&gpu), [0.0, 0.0], "{}", gpu.adapter_id());

        gpu.queue().submit([encoder.finish()]);
        let [mse, cross_entropy] = training.read_losses(&gpu);
        assert_eq!(mse, 1.0, "{}", gpu.adapter_id());
        assert_abs_diff_eq!(cross_entropy, 8_f64.ln(), epsilon = 1e-6);
        for (bound, items) in training.losses.iter().zip([96, 12]) {
            assert_eq!(bound.read_status_blocking().expect("targets are in range").items, items);
        }
    }
}

/// Two losses, whose gradients are clipped by the norm of both.
#[test]
fn a_step_of_losses_and_clipping_is_one_submit_without_a_readback() {
    for gpu in adapters::all().iter().map(opened_again) {
        let training = Training::new(&gpu);
        let clip = training.clip(&gpu, 0.01);
        let mut encoder = gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let before = held(&gpu);
        for _ in 0..100 {
            training.losses.iter().for_each(|loss| loss.record(&mut encoder));
            clip.record(&mut encoder);
        }
        assert_eq!(held(&gpu), before, "{}", gpu.adapter_id());
        let read = |slot: u64, ty: TensorType| {
            let tensor = Tensor::from_buffer(&gpu, training.buffer.clone(), slot * SLOT, ty);
            tensor.read_blocking().expect("the device works").to_f64()
        };
        let gradients = || [3, 5].map(|slot| read(slot, Training::flat())).concat();
        assert_eq!(gradients(), [0.0; 2 * ELEMENTS], "{}", gpu.adapter_id());
        gpu.queue().submit([encoder.finish()]);

        // 2/96 for each of 96 predictions of 1; and of 12 rows of 8 equal logits, softmax less one-hot over 12.
        let mse = (2.0 / 96.0_f64).powi(2) * 96.0;
        let cross_entropy = ((7.0 / 8.0_f64).powi(2) + 7.0 / 64.0) / 12.0;
        let norm = (mse + cross_entropy).sqrt();
        let told = clip.read_blocking().expect("the device works");
        assert_abs_diff_eq!(f64::from(told.norm), norm, epsilon = 1e-6);
        assert_eq!(read(7, TensorType::new(DType::F32, [1])), [f64::from(told.norm)]);
        let clipped = gradients().iter().map(|x| x * x).sum::<f64>().sqrt();
        assert_abs_diff_eq!(clipped, 0.01 * norm / (norm + 1e-6), epsilon = 1e-8);
    }
}

/// A recording that is thrown away leaves no trace.
#[test]
fn a_dropped_recording_does_nothing() {
    for gpu in adapters::all() {
        let training = Training::new(gpu);
        let mut encoder = gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        training.losses[0].record(&mut encoder);
        drop(encoder);
        assert_eq!(training.read_losses(gpu), [0.0, 0.0], "{}", gpu.adapter_id());
    }
}

/// What a run found can be kept on the device while the plan runs again.
#[test]
fn the_status_of_a_run_outlasts_the_next() {
    for gpu in adapters::all() {
        let ty = TensorType::new(DType::I32, [12]);
        let target = |classes: [i32; 12]| Tensor::from_host(gpu, &classes[..]).expect("there is memory");
        let logits =
            Tensor::from_host(gpu, HostTensor::new(&[0.0_f32; 96], [12, 8]).expect("it fits")).expect("memory");
        let types = Named::new().with("logits", logits.ty().clone()).with("target", ty.clone());
        let plan = Plan::new(gpu, &CrossEntropy::default(), &types, Reduction::Sum).expect("the types fit");
        assert!(plan.counts_correct());
        let place = Tensor::zeros(gpu, ty).expect("there is memory");
        let loss = Tensor::zeros(gpu, TensorType::new(DType::F32, [])).expect("there is memory");
        let gradient = Tensor::zeros(gpu, logits.ty().clone()).expect("there is memory");
        let slices = Named::<BufferSlice>::new()
            .with("logits", logits.slice())
            .with("target", place.slice())
            .with("loss", loss.slice())
            .with("grad.logits", gradient.slice());
        let bound = plan.bind(&slices).expect("the tensors fit");
        let size = Plan::STATUS_SIZE;
        let words = TensorType::new(DType::I32, [3 * size as usize / 4 + 3]);
        let kept = Tensor::zeros(gpu, words).expect("there is memory");

        // The first class is the predicted one, as all logits are equal.
        let runs = [target([0; 12]), target([0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]), target([8; 12])];
        let mut encoder = gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        for (run, classes) in runs.iter().enumerate() {
            encoder.copy_buffer_to_buffer(classes.buffer(), classes.offset(), place.buffer(), place.offset(), 48);
            bound.record(&mut encoder);
            let (run, status) = (run as u64, bound.status_slice());
            encoder.copy_buffer_to_buffer(status.buffer, status.offset, kept.buffer(), run * size, size);
            let correct = bound.correct_slice().expect("the targets are classes");
            encoder.copy_buffer_to_buffer(correct.buffer, correct.offset, kept.buffer(), 3 * size + 4 * run, 4);
        }
        gpu.queue().submit([encoder.finish()]);
        let host = kept.read_blocking().expect("the device works");
        let status = |run: usize| plan.status(&host.bytes()[run * size as usize..][..size as usize]);
        for (run, correct) in [(0, 12), (1, 3)] {
            let found = status(run).expect("targets are in range");
            assert_eq!((found.items, found.correct()), (12, Some(correct)), "{}", gpu.adapter_id());
        }
        assert!(matches!(status(2), Err(Error::Target { count: 12, first: 0, .. })), "{}", gpu.adapter_id());
        assert_eq!(host.bytes()[3 * size as usize..][..8], [12, 0, 0, 0, 3, 0, 0, 0], "{}", gpu.adapter_id());
        assert!(matches!(plan.status(&[0; 3]), Err(Error::Length { found: 3, .. })));
    }
}
