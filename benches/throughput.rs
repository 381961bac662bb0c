//! How much of an adapter's memory speed the kernels reach, and what a recorded loss costs the host.
//!
//! `cargo bench --bench throughput -- [ADAPTER]`. All figures are medians of one run on one adapter; ratios are to a
//! copy kernel that moves the same bytes in the same run.

use std::time::{Duration, Instant};

use wgloss::{
    BoundPlan, BufferSlice, CrossEntropy, DType, Error, Gpu, HostTensor, Loss, Mse, Named, Plan, Reduction, Tensor,
    TensorType,
};

/// Runs of each kernel; the median counts.
const RUNS: usize = 21;

fn main() -> Result<(), Error> {
    // Cargo passes `--bench` on.
    let selector = std::env::args().skip(1).find(|argument| !argument.starts_with("--")).unwrap_or_default();
    let gpu = Gpu::find_blocking(&selector)?;
    println!("{}, {:?}", gpu.adapter_id(), gpu.tuning());
    println!("{:<34} {:>9} {:>9} {:>9} {:>14}", "kernel", "ms", "MB moved", "GB/s", "copy's time");

    let elements = 4 << 20;
    let data = values(elements);
    let mse = Bound::new(&gpu, &Mse, "prediction", &data, &HostTensor::from(&data[..]), [elements])?;
    // Reads prediction and target, writes the gradient.
    report(&gpu, "mse 4 M f32", &mse.bound, 12 * elements);

    // An ImageNet head, vocabularies of 32,000 and 128,000, rows too few for a workgroup each, a label for each pixel, and
    // the same logits as rows.
    let shapes: [&[usize]; 6] =
        [&[4096, 1000], &[512, 32_000], &[64, 128_000], &[8, 262_144], &[4, 21, 256, 256], &[262_144, 21]];
    for shape in shapes {
        let items = [&shape[..1], &shape[2..]].concat();
        let labels: Vec<i32> = (0..items.iter().product()).map(|item: usize| (item * 7 % shape[1]) as i32).collect();
        let logits = values(shape.iter().product());
        let target = HostTensor::new(&labels, items)?;
        let bound = Bound::new(&gpu, &CrossEntropy::default(), "logits", &logits, &target, shape)?;
        let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
        // Reads the logits, writes the gradient.
        report(&gpu, &format!("cross_entropy {} f32", sizes.join("×")), &bound.bound, 8 * logits.len());
    }

    record_cost(&gpu)
}

fn values(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i as f32 * 0.37).sin() * 4.0).collect()
}

/// A plan over tensors of its own.
struct Bound {
    bound: BoundPlan,
}

impl Bound {
    fn new(
        gpu: &Gpu,
        loss: &dyn Loss,
        first: &str,
        data: &[f32],
        target: &HostTensor<'_>,
        shape: impl Into<Vec<usize>>,
    ) -> Result<Self, Error> {
        let inputs = Named::<Tensor>::new()
            .with(first, Tensor::from_host(gpu, HostTensor::new(data, shape)?)?)
            .with("target", Tensor::from_host(gpu, target)?);
        let plan = Plan::new(gpu, loss, &inputs.map(|tensor| tensor.ty().clone()), Reduction::Mean)?;
        let mut outputs = Named::<Tensor>::new();
        for (name, ty) in plan.outputs().iter() {
            outputs = outputs.with(name, Tensor::zeros(gpu, ty.clone())?);
        }
        let tensors = inputs.iter().chain(outputs.iter());
        let buffers: Named<BufferSlice<'_>> =
            tensors.map(|(name, tensor)| (name.to_string(), tensor.slice())).collect();
        Ok(Bound { bound: plan.bind(&buffers)? })
    }
}

/// Times a loss and a copy of as many bytes in turns, so that both see the same machine.
fn report(gpu: &Gpu, name: &str, bound: &BoundPlan, bytes: usize) {
    let copy = Copy::new(gpu, bytes / 2);
    let (mut loss_times, mut copy_times) = (Vec::new(), Vec::new());
    // The first run of each is a warm-up.
    for _ in 0..=RUNS {
        copy_times.push(submitted(gpu, |encoder| copy.record(encoder)));
        loss_times.push(submitted(gpu, |encoder| bound.record(encoder)));
    }
    let (loss, copied) = (median(&mut loss_times[1..]), median(&mut copy_times[1..]));
    for (name, time, ratio) in
        [(name, loss, loss.as_secs_f64() / copied.as_secs_f64()), ("  copy of as many bytes", copied, 1.0)]
    {
        let rate = bytes as f64 / time.as_secs_f64() / 1e9;
        println!("{name:<34} {:>9.3} {:>9.1} {rate:>9.2} {ratio:>13.2}×", time.as_secs_f64() * 1e3, bytes as f64 / 1e6,);
    }
}

/// From submission to completion.
fn submitted(gpu: &Gpu, record: impl FnOnce(&mut wgpu::CommandEncoder)) -> Duration {
    let mut encoder = gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    record(&mut encoder);
    let commands = encoder.finish();
    let start = Instant::now();
    gpu.queue().submit([commands]);
    gpu.device().poll(wgpu::PollType::wait_indefinitely()).expect("the device works");
    start.elapsed()
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// What a recorded loss costs the host: 1,000 of them in one encoder.
fn record_cost(gpu: &Gpu) -> Result<(), Error> {
    let data = values(64);
    let mse = Bound::new(gpu, &Mse, "prediction", &data, &HostTensor::from(&data[..]), [64])?;
    let mut times = Vec::new();
    for _ in 0..=RUNS {
        let mut encoder = gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let start = Instant::now();
        for _ in 0..1000 {
            mse.bound.record(&mut encoder);
        }
        let commands = encoder.finish();
        times.push(start.elapsed());
        gpu.queue().submit([commands]);
        gpu.device().poll(wgpu::PollType::wait_indefinitely()).expect("the device works");
    }
    println!("record one loss: {:.2} µs (1,000 in one encoder)", median(&mut times[1..]).as_secs_f64() * 1e3);
    Ok(())
}

/// A kernel that copies words, laid out like the losses: a contiguous span a workgroup, its lanes interleaved.
struct Copy {
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    workgroups: u32,
}

impl Copy {
    fn new(gpu: &Gpu, bytes: usize) -> Self {
        let tuning = gpu.tuning();
        let words = bytes / 4;
        let span = words.div_ceil(tuning.workgroups as usize);
        let source = format!(
            "@group(0) @binding(0) var<storage, read> source: array<u32>;
            @group(0) @binding(1) var<storage, read_write> copy: array<u32>;
            @compute @workgroup_size({width})
            fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {{
                let first = workgroup.x * {span}u;
                let end = min(first + {span}u, {words}u);
                for (var i = first + lane; i < end; i += {width}u) {{
                    copy[i] = source[i];
                }}
            }}",
            width = tuning.workgroup_size,
        );
        let device = gpu.device();
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("copy"),
            source: wgpu::ShaderSource::Wgsl(source.into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some("copy"),
            layout: None,
            module: &module,
            entry_point: None,
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        let tensor = || Tensor::zeros(gpu, TensorType::new(DType::F32, [words])).expect("the copy's buffers fit");
        let (source, copy) = (tensor(), tensor());
        let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("copy"),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &[
                wgpu::BindGroupEntry { binding: 0, resource: source.buffer().as_entire_binding() },
                wgpu::BindGroupEntry { binding: 1, resource: copy.buffer().as_entire_binding() },
            ],
        });
        Copy { pipeline, bind_group, workgroups: words.div_ceil(span) as u32 }
    }

    fn record(&self, encoder: &mut wgpu::CommandEncoder) {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        pass.dispatch_workgroups(self.workgroups, 1, 1);
    }
}
