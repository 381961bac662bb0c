//! Device time of operations around a loss, beside that of a copy of as many bytes.
//!
//! `cargo bench --features bench --bench ops`; `WGLOSS_ADAPTER` chooses another adapter than the most capable. Bytes of
//! `clip_grad_norm` are those of two reads and a write of the gradients, of `diagnose` those of a read.

use std::env;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use wgloss::{
    DType, Gpu, Named, Tensor, TensorType,
    bench::{Clock, Copy},
    ops::{BoundOp, ClipGradNorm, ClipGradValue, Diagnose, Norm, Operation},
};

/// Gradients of a model: four large ones, and so many small ones, which cost a dispatch or two each.
fn gradients(gpu: &Gpu, dtype: DType, small: usize) -> Named<Tensor> {
    let of = |number: usize| {
        let elements = if number < 4 { 1 << 20 } else { 1 << 10 };
        let tensor = Tensor::zeros(gpu, TensorType::new(dtype, [elements])).expect("there is memory");
        let values: Vec<f64> = (0..elements).map(|i| (i % 17) as f64 / 8.0 - 1.0).collect();
        let host = wgloss::HostTensor::rounded(&values, dtype, [elements]).expect("as many values");
        tensor.write(&host).expect("it can be written to");
        (number.to_string(), tensor)
    };
    (0..4 + small).map(of).collect()
}

fn bench<O: Operation>(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    clock: &Clock,
    (name, case): (&str, &str),
    bound: &BoundOp<O>,
    bytes: u64,
) {
    group.throughput(Throughput::Bytes(bytes)).bench_function(BenchmarkId::new(name, case), |bencher| {
        bencher.iter_custom(|runs| {
            clock.time(|pass| (0..runs).for_each(|_| bound.record_in(pass))).expect("the device works")
        });
    });
}

fn operations(criterion: &mut Criterion) {
    let gpu = Gpu::find_blocking(&env::var("WGLOSS_ADAPTER").unwrap_or_default()).expect("there is an adapter");
    let clock = Clock::new(&gpu).expect("the device works");
    let mut group = criterion.benchmark_group(gpu.adapter_id());
    for (dtype, small) in [(DType::F32, 0), (DType::F32, 46), (DType::F16, 0), (DType::BF16, 0)] {
        let case = &*format!("{dtype}, {small} small");
        let gradients = || gradients(&gpu, dtype, small);
        let types = gradients().map(|tensor| tensor.ty().clone());
        let size: u64 = types.iter().map(|(_, ty)| ty.buffer_size()).sum();
        let copy = Copy::new(&gpu, 3 * size).expect("the copy fits");
        let id = BenchmarkId::new("copy", case);
        group.throughput(Throughput::Bytes(3 * size)).bench_function(id, |bencher| {
            bencher.iter_custom(|runs| {
                clock.time(|pass| (0..runs).for_each(|_| copy.record_in(pass))).expect("the device works")
            });
        });
        for (name, norm) in [("l1", Norm::L1), ("l2", Norm::L2), ("max", Norm::Max)] {
            // Once clipped to 1, the norm of f32 is divided by 1 + 1e-6 in every run: each scales anew, and values
            // stay. Halves round, and where that brings the norm below 1 nothing is scaled any more.
            let clip = ClipGradNorm { norm, ..ClipGradNorm::new(1.0) };
            let bound = clip.run(&gpu, &gradients()).expect("the gradients can be clipped");
            bench(&mut group, &clock, (&format!("clip_grad_norm_{name}"), case), &bound, 3 * size);
        }
        let bound = ClipGradValue { limit: 0.5 }.run(&gpu, &gradients()).expect("the gradients can be clipped");
        bench(&mut group, &clock, ("clip_grad_value", case), &bound, 2 * size);
        let bound = Diagnose.run(&gpu, &gradients()).expect("the gradients can be read");
        bench(&mut group, &clock, ("diagnose", case), &bound, size);
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = operations
}
criterion_main!(benches);
