//! Device time of losses with their gradients, and of a copy.
//!
//! `cargo bench --features bench --bench kernels`; `WGLOSS_ADAPTER` chooses another adapter than the most capable.
//! `wgloss bench` has all losses at the shapes that people train with; here is what changes of kernels are judged by.

use std::env;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use wgloss::{
    AnyLoss, DType, Gpu, Loss,
    bench::{Bench, Case, Clock, Copy, Precision},
};

/// Each driver and each way to share out rows.
const CASES: [(&str, &[usize]); 7] = [
    ("mse", &[4 << 20]),
    ("bce_with_logits", &[4 << 20]),
    ("cross_entropy", &[4096, 1000]),
    ("cross_entropy", &[512, 32_000]),
    ("cross_entropy", &[8, 262_144]),
    ("cross_entropy", &[262_144, 21]),
    ("cross_entropy", &[4, 21, 256, 256]),
];

fn kernels(criterion: &mut Criterion) {
    let gpu = Gpu::find_blocking(&env::var("WGLOSS_ADAPTER").unwrap_or_default()).expect("there is an adapter");
    let bench = Bench::new(&gpu, Precision::default()).expect("the device works");
    let clock = Clock::new(&gpu).expect("the device works");

    let mut group = criterion.benchmark_group(gpu.adapter_id());
    let bytes = 1 << 26;
    let copy = Copy::new(&gpu, bytes).expect("the copy fits");
    group.throughput(Throughput::Bytes(bytes)).bench_function("copy", |bencher| {
        bencher.iter_custom(|runs| clock.time(|pass| (0..runs).for_each(|_| copy.record_in(pass))).unwrap());
    });
    for (name, shape) in CASES {
        let loss = AnyLoss::new(name, &[]).expect("a loss of the catalogue");
        let case = Case { loss, shape: shape.to_vec(), dtype: DType::F32, origin: String::new() };
        let (output, bytes) = bench.prepare(&case).expect("the case fits");
        let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
        let id = BenchmarkId::new(case.loss.spec().name, sizes.join("×"));
        group.throughput(Throughput::Bytes(bytes)).bench_function(id, |bencher| {
            bencher
                .iter_custom(|runs| clock.time(|pass| (0..runs).for_each(|_| output.bound().record_in(pass))).unwrap());
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = kernels
}
criterion_main!(benches);
