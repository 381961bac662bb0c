//! Adapters that are not there, limits, lost devices and memory that runs out.

use wgloss::{
    Adapter, AnyLoss, BceWithLogits, BufferSlice, CrossEntropy, DType, Error, Gpu, HostTensor, Huber, Loss, Mse, Named,
    Plan, Reduction, Style, Tensor, TensorType,
};

use super::{
    adapters,
    caller::buffer,
    device::{submit, uploaded},
    futures::started,
    inputs::{Inputs, tensor},
    opened_again, zeros,
};

#[test]
fn an_adapter_that_does_not_exist_is_refused_with_those_there_are() {
    let asked = "vulkan:no such adapter";
    let found: Vec<String> = adapters::every().iter().map(Gpu::adapter_id).collect();
    let expected = Error::NoAdapter { asked: asked.to_string(), found };
    assert_eq!(Gpu::find_blocking(asked).unwrap_err(), expected);
    assert_eq!(pollster::block_on(Adapter::find(asked)).unwrap_err(), expected);
}

/// Another device of the same adapter, with these limits.
fn opened_with(gpu: &Gpu, change: impl FnOnce(&mut wgpu::Limits)) -> Result<Gpu, Error> {
    let adapter = pollster::block_on(Adapter::find(&gpu.adapter_id())).unwrap();
    let mut limits = adapter.limits();
    change(&mut limits);
    pollster::block_on(adapter.open_with_limits(limits))
}

#[test]
fn limits_beyond_the_adapters_give_no_device() {
    for gpu in adapters::all() {
        let refused = opened_with(gpu, |limits| limits.max_bind_groups += 1).unwrap_err();
        assert!(matches!(refused, Error::NoDevice { adapter, .. } if adapter == gpu.adapter_id()));
    }
}

#[test]
fn a_limit_that_cannot_be_kept_is_named() {
    for gpu in adapters::all() {
        let adapter = gpu.adapter_id();
        let limit = |what: &str, limit, needed, available| {
            let (what, adapter) = (what.to_string(), adapter.clone());
            Error::Limit { what, limit, needed, available, adapter, advice: None }
        };
        let pair = zeros(&[("prediction", DType::F32, &[3000]), ("target", DType::F32, &[3000])]);

        let small = opened_with(gpu, |limits| limits.max_buffer_size = 1 << 13).unwrap();
        let found = Mse.eval_with(&small, &pair, Reduction::Sum).unwrap_err();
        assert_eq!(found, limit("a tensor", "max_buffer_size", 12000, 1 << 13));

        let few = opened_with(gpu, |limits| limits.max_storage_buffers_per_shader_stage = 3).unwrap();
        let found = Mse.eval_with(&few, &pair, Reduction::Sum).unwrap_err();
        assert_eq!(found, limit("mse", "max_storage_buffers_per_shader_stage", 4, 3));

        // What every item needs, and a row, cannot be split.
        let short = opened_with(gpu, |limits| limits.max_storage_buffer_binding_size = 1 << 13).unwrap();
        let with_pos_weight = zeros(&[
            ("logits", DType::F32, &[1, 3000]),
            ("target", DType::F32, &[1, 3000]),
            ("pos_weight", DType::F32, &[3000]),
        ]);
        let found = BceWithLogits::default().eval_with(&short, &with_pos_weight, Reduction::Sum).unwrap_err();
        let what = "bce_with_logits: `pos_weight`";
        assert_eq!(found, limit(what, "max_storage_buffer_binding_size", 12000, 1 << 13));
        let rows = zeros(&[("logits", DType::F32, &[3, 3000]), ("target", DType::I32, &[3])]);
        let found = CrossEntropy::default().eval_with(&short, &rows, Reduction::Sum).unwrap_err();
        let Error::Limit { what, limit: "max_storage_buffer_binding_size", needed, available: 8192, .. } = &found
        else {
            panic!("{found:?}")
        };
        assert!(what.starts_with("cross_entropy: `logits`") && *needed >= 12000, "{found:?}");
        // What is said of a part is said of the whole, by the name that the caller knows.
        let layers = zeros(&[
            ("features.0", DType::F32, &[1, 3, 10]),
            ("target_features.0", DType::F32, &[1, 3, 10]),
            ("features.1", DType::F32, &[1, 3, 1000]),
            ("target_features.1", DType::F32, &[1, 3, 1000]),
        ]);
        let found = Style.eval_with(&short, &layers, Reduction::Sum).unwrap_err();
        let Error::Limit { what, limit: "max_storage_buffer_binding_size", .. } = &found else { panic!("{found:?}") };
        assert!(what.starts_with("style: `") && what.contains("features.1`"), "{what}");
    }
}

/// Calls of every driver.
fn calls() -> Vec<(AnyLoss, Named<TensorType>)> {
    let loss = |name: &str| AnyLoss::new(name, &[]).unwrap();
    let types = |types: &[(&str, DType, &[usize])]| {
        types.iter().map(|&(name, dtype, shape)| (name.to_string(), TensorType::new(dtype, shape))).collect()
    };
    let (f32, i32) = (DType::F32, DType::I32);
    vec![
        (loss("mse"), types(&[("prediction", f32, &[1000]), ("target", f32, &[1000])])),
        (loss("iou"), types(&[("prediction", f32, &[250, 4]), ("target", f32, &[250, 4])])),
        (loss("triplet_margin"), types(&["anchor", "positive", "negative"].map(|name| (name, f32, &[50, 4][..])))),
        (loss("cross_entropy"), types(&[("logits", f32, &[50, 5]), ("target", i32, &[50])])),
        (loss("dice"), types(&[("prediction", f32, &[2, 5, 9]), ("target", i32, &[2, 9])])),
        (loss("nt_xent"), types(&[("z_i", f32, &[9, 4]), ("z_j", f32, &[9, 4])])),
    ]
}

/// As WebGL 2 has them, and one lane a workgroup.
#[test]
fn a_device_that_runs_no_kernels_is_told_by_its_limits() {
    for gpu in adapters::all() {
        let adapter = pollster::block_on(Adapter::find(&gpu.adapter_id())).unwrap();
        let none = pollster::block_on(adapter.open_with_limits(wgpu::Limits::downlevel_webgl2_defaults())).unwrap();
        let one_lane = opened_with(gpu, |limits| limits.max_compute_invocations_per_workgroup = 1).unwrap();
        for (loss, types) in calls() {
            let what = loss.spec().name;
            let limit = |found: Result<Plan, Error>| match found {
                Err(Error::Limit { what: named, limit, needed, available, .. }) => {
                    assert_eq!(named, what);
                    (limit, needed, available)
                }
                other => panic!("{what}: {other:?}"),
            };
            let found = limit(Plan::new(&none, &loss, &types, Reduction::Mean));
            assert_eq!(found, ("max_compute_workgroups_per_dimension", 1, 0));
            let found = limit(Plan::new(&one_lane, &loss, &types, Reduction::Mean));
            assert_eq!(found, ("max_compute_invocations_per_workgroup", 4, 1));
        }
    }
}

/// What a plan needs besides its tensors is known when it is made.
#[test]
fn a_plan_that_cannot_be_bound_is_refused() {
    for gpu in adapters::all() {
        for size in [256, 512, 4096] {
            let small = opened_with(gpu, |limits| limits.max_storage_buffer_binding_size = size).unwrap();
            for (loss, types) in calls() {
                let what = format!("{} with bindings of {size} on {}", loss.spec().name, gpu.adapter_id());
                let plan = match Plan::new(&small, &loss, &types, Reduction::Mean) {
                    Ok(plan) => plan,
                    Err(Error::Limit { needed, available, .. }) => {
                        assert!(needed > available, "{what}");
                        continue;
                    }
                    Err(error) => panic!("{what}: {error:?}"),
                };
                let inputs =
                    types.iter().map(|(name, ty)| (name.to_string(), Tensor::zeros(&small, ty.clone()).unwrap()));
                let output = plan.bind_tensors(&inputs.collect()).unwrap_or_else(|error| panic!("{what}: {error:?}"));
                submit(&small, |encoder| output.record(encoder));
                output.read_blocking().unwrap_or_else(|error| panic!("{what}: {error:?}"));
            }
        }
        let tight = opened_with(gpu, |limits| limits.max_storage_buffer_binding_size = 256).unwrap();
        let ty = TensorType::new(DType::F32, [1000]);
        let types = Named::new().with("prediction", ty.clone()).with("target", ty);
        let found = Plan::new(&tight, &Mse, &types, Reduction::Mean).unwrap_err();
        let Error::Limit { what, limit: "max_storage_buffer_binding_size", .. } = &found else { panic!("{found:?}") };
        assert_eq!(what, "mse: the workspace");
    }
}

/// Everything that can be asked of a device, each as what came of it.
fn everything(gpu: &Gpu) -> impl FnOnce() -> Vec<(&'static str, Result<(), Error>)> + use<> {
    let gpu = gpu.clone();
    let values = tensor(&[1.0, 2.0], DType::F32, &[2]);
    let inputs: Inputs = Named::new().with("prediction", values.clone()).with("target", values.clone());
    let types = inputs.map(|host| host.ty().clone());
    let tensors = uploaded(&gpu, &inputs);
    let [prediction, target] = ["prediction", "target"].map(|name| tensors.get(name).unwrap().clone());
    let plan = Plan::new(&gpu, &Mse, &types, Reduction::Sum).unwrap();
    let output = plan.bind_tensors(&tensors).unwrap();
    let gradient = output.gradients.get("prediction").unwrap().clone();
    let loss = output.loss.clone();
    move || {
        let places = Named::<BufferSlice>::new()
            .with("prediction", &prediction)
            .with("target", &target)
            .with("grad.prediction", &gradient)
            .with("loss", &loss);
        let bound = plan.bind(&places);
        submit(&gpu, |encoder| output.record(encoder));
        vec![
            ("eval", Mse.eval(&gpu, &values, &values, Reduction::Sum).map(drop)),
            ("eval_async", pollster::block_on(Mse.eval_async(&gpu, &inputs, Reduction::Sum)).map(drop)),
            ("run", Mse.run(&gpu, &prediction, &target, Reduction::Sum).map(drop)),
            ("a known kernel", Plan::new(&gpu, &Mse, &types, Reduction::Sum).map(drop)),
            ("a new kernel", Plan::new(&gpu, &Huber::default(), &types, Reduction::None).map(drop)),
            ("bind", bound.map(drop)),
            ("bind_tensors", plan.bind_tensors(&tensors).map(drop)),
            ("Output::read", pollster::block_on(output.read()).map(drop)),
            ("Output::read_blocking", output.read_blocking().map(drop)),
            ("Tensor::read", pollster::block_on(loss.read()).map(drop)),
            ("Tensor::read_blocking", loss.read_blocking().map(drop)),
            ("Tensor::write", target.write(&values)),
            ("Tensor::zeros", Tensor::zeros(&gpu, TensorType::new(DType::F32, [2])).map(drop)),
        ]
    }
}

#[test]
fn a_lost_device_is_an_error_of_everything() {
    for gpu in adapters::all() {
        for (what, result) in everything(gpu)() {
            assert_eq!(result, Ok(()), "{what} on {}", gpu.adapter_id());
        }
        let (ours, other) = (opened_again(gpu), opened_again(gpu));
        let callers = Gpu::from_device(other.device().clone(), other.queue().clone());
        for doomed in [ours, callers] {
            let everything = everything(&doomed);
            doomed.device().destroy();
            for (what, result) in everything() {
                let lost = matches!(result, Err(Error::DeviceLost { .. }));
                assert!(lost, "{what} on {}: {result:?}", gpu.adapter_id());
            }
        }
    }
}

#[test]
fn a_device_lost_while_it_is_read_ends_the_reading() {
    for gpu in adapters::all() {
        let doomed = opened_again(gpu);
        let output = Mse
            .run(
                &doomed,
                &Tensor::from_host(&doomed, &[1.0_f32]).unwrap(),
                &Tensor::from_host(&doomed, &[3.0_f32]).unwrap(),
                Reduction::Sum,
            )
            .unwrap();
        let reading = started(output.read());
        doomed.device().destroy();
        match pollster::block_on(reading) {
            Ok(evaluation) => assert_eq!(evaluation.loss.item(), 4.0),
            Err(error) => assert!(matches!(error, Error::DeviceLost { .. }), "{error:?}"),
        }
    }
}

#[test]
fn a_future_dropped_while_it_reads_leaves_the_device_usable() {
    for gpu in adapters::all() {
        let [prediction, target] = [1.0_f32, 3.0].map(|value| Tensor::from_host(gpu, &[value; 1000]).unwrap());
        let output = Mse.run(gpu, &prediction, &target, Reduction::Mean).unwrap();
        for _ in 0..10 {
            drop(started(output.read()));
            drop(started(output.loss.read()));
        }
        assert_eq!(pollster::block_on(output.read()).unwrap().loss.item(), 4.0);
        assert_eq!(output.read_blocking().unwrap().loss.item(), 4.0);
    }
}

/// In a process of its own with few addresses, because drivers of CPU adapters promise more memory than there is.
/// Not on GL: wgpu does not ask it whether there was memory.
#[cfg(target_os = "linux")]
#[test]
fn running_out_of_memory_is_an_error_after_which_the_device_still_works() {
    const INSIDE: &str = "WGLOSS_TEST_FEW_ADDRESSES";
    if std::env::var_os(INSIDE).is_none() {
        // Without the name of this program.
        let name = concat!(module_path!(), "::running_out_of_memory_is_an_error_after_which_the_device_still_works");
        let (_, name) = name.split_once("::").unwrap();
        let script = r#"ulimit -v 2500000 && exec "$0" --exact "$1""#;
        let mut command = std::process::Command::new("sh");
        command.args(["-c", script]).arg(std::env::current_exe().unwrap()).arg(name).env(INSIDE, "1");
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let of_cpu =
        |info: &wgpu::AdapterInfo| info.device_type == wgpu::DeviceType::Cpu && info.backend == wgpu::Backend::Vulkan;
    for adapter in Adapter::all_blocking().iter().filter(|adapter| of_cpu(adapter.info())) {
        let gpu = adapter.open_blocking().unwrap();
        let half_a_gib = || Tensor::zeros(&gpu, TensorType::new(DType::F32, [1 << 27]));
        let tensors: Vec<_> = (0..5).map(|_| half_a_gib()).collect();
        let error = tensors.iter().find_map(|tensor| tensor.as_ref().err());
        assert_eq!(error, Some(&Error::OutOfMemory { what: "a tensor".to_string() }), "{}", gpu.adapter_id());
        drop(tensors);
        assert_eq!(Mse.eval(&gpu, &[3.0_f32], &[1.0_f32], Reduction::Sum).unwrap().loss.item(), 4.0);
        assert!(half_a_gib().is_ok());
    }
}

#[test]
fn an_error_of_the_callers_own_on_our_device_is_reported_once() {
    for gpu in adapters::all() {
        let gpu = opened_again(gpu);
        // A buffer needs a usage.
        let _ = buffer(&gpu, 4, wgpu::BufferUsages::empty());
        let values = HostTensor::from(&[1.0_f32, 2.0]);
        let first = Tensor::from_host(&gpu, &values);
        assert!(matches!(first, Err(Error::Refused { .. })), "{}: {first:?}", gpu.adapter_id());
        let second = Tensor::from_host(&gpu, &values).expect("the device is well");
        assert_eq!(second.read_blocking(), Ok(values), "{}", gpu.adapter_id());
    }
}
