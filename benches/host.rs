//! What losses cost the host: recording one, making a plan whose kernels are compiled, and binding it.
//!
//! `cargo bench --features bench --bench host`; `WGLOSS_ADAPTER` chooses another adapter than the most capable.

use std::{
    env,
    time::{Duration, Instant},
};

use criterion::{Criterion, criterion_group, criterion_main};
use wgloss::{
    AnyLoss, DType, Gpu, Named, Plan, Reduction, Tensor, TensorType,
    bench::{Bench, Case, Precision},
};
use wgpu::PollType;

/// Recordings into one encoder.
const RECORDINGS: u64 = 100;

fn host(criterion: &mut Criterion) {
    let gpu = Gpu::find_blocking(&env::var("WGLOSS_ADAPTER").unwrap_or_default()).expect("there is an adapter");
    let bench = Bench::new(&gpu, Precision::default()).expect("the device works");
    for (name, shape) in [("mse", &[64, 64][..]), ("cross_entropy", &[8, 1000])] {
        let loss = AnyLoss::new(name, &[]).expect("a loss of the catalogue");
        let case = Case { loss: loss.clone(), shape: shape.to_vec(), dtype: DType::F32, origin: String::new() };
        let (output, _) = bench.prepare(&case).expect("the case fits");
        let mut group = criterion.benchmark_group(name);

        group.bench_function("record", |bencher| {
            bencher.iter_custom(|runs| {
                let mut total = Duration::ZERO;
                for start in (0..runs).step_by(RECORDINGS as usize) {
                    let mut encoder = gpu.device().create_command_encoder(&Default::default());
                    let before = Instant::now();
                    (start..runs.min(start + RECORDINGS)).for_each(|_| output.record(&mut encoder));
                    // Recorded commands are checked where the encoder is finished.
                    let commands = encoder.finish();
                    total += before.elapsed();
                    gpu.queue().submit([commands]);
                    gpu.device().poll(PollType::wait_indefinitely()).expect("the device works");
                }
                total
            });
        });

        let inputs = case.inputs().expect("inputs of a floating type");
        let types = inputs.map(|input| input.ty().clone());
        group.bench_function("plan", |bencher| {
            bencher.iter(|| Plan::new(&gpu, &loss, &types, Reduction::Mean).unwrap());
        });

        let plan = Plan::new(&gpu, &loss, &types, Reduction::Mean).expect("the case fits");
        let zeros = |ty: &TensorType| Tensor::zeros(&gpu, ty.clone()).expect("the tensor fits");
        let tensors: Named<Tensor> = types.iter().map(|(name, ty)| (name.to_string(), zeros(ty))).collect();
        group.bench_function("bind", |bencher| bencher.iter(|| plan.bind_tensors(&tensors).unwrap()));
    }
}

criterion_group!(benches, host);
criterion_main!(benches);
