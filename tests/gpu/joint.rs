//! Several losses, weighed on the device: what a joint plan makes of them, on every adapter.

use approx::assert_relative_eq;
use wgloss::{
    AnyLoss, BufferSlice, DType, Error, Gpu, Gradients, HostTensor, JointPlan, JointStatus, Loss, Named, Options, Plan,
    Reduction, Tensor, TensorType, UncertaintyWeighting, WeightedSum,
    ops::{BoundOp, ClipGradNorm, Norm, Operation},
    reference,
    spec::{Domain, Driver, Family, Input, Item, Reference, ShaderFile, Shape, Term, Values},
};

use crate::common::{
    adapters,
    device::{held, opened_again, submit},
    inputs::{Inputs, changed, sample},
};

/// A task: its loss and inputs, what becomes of its gradients, and the task in whose gradient it is added, if any.
struct Task {
    name: &'static str,
    loss: AnyLoss,
    inputs: Inputs,
    options: Options,
    shares: Option<&'static str>,
}

fn task(name: &'static str, loss: &str, shape: &[usize], dtype: DType) -> Task {
    let loss = AnyLoss::new(loss, &[]).unwrap();
    let inputs = sample(&loss, shape, dtype, true);
    Task { name, loss, inputs, options: Options::new(Reduction::Mean), shares: None }
}

/// Three tasks: two of one prediction, whose gradients add up in one buffer, and a classifier in halves.
fn three() -> Vec<Task> {
    let height = task("height", "mse", &[7, 5], DType::F32);
    let mut depth = task("depth", "huber", &[7, 5], DType::F32);
    let prediction = height.inputs.get("prediction").unwrap().clone();
    depth.inputs = depth.inputs.iter().fold(Inputs::new(), |inputs, (name, given)| {
        inputs.with(name, if name == "prediction" { prediction.clone() } else { given.clone() })
    });
    depth.options = Options { gradients: Gradients::Add { weight: 0.5 }, ..Options::new(Reduction::Sum) };
    depth.shares = Some("height");
    vec![height, depth, task("class", "cross_entropy", &[6, 4], DType::F16)]
}

/// A joint plan bound to tensors of its own.
struct Training {
    gpu: Gpu,
    /// The inputs and gradients of each task.
    tensors: Vec<(&'static str, Named<Tensor>)>,
    /// The weighting's.
    weighting: Named<Tensor>,
    joint: wgloss::BoundJoint,
}

fn plan_of(gpu: &Gpu, task: &Task) -> Plan {
    let types = task.inputs.map(|host| host.ty().clone()).with("upstream", TensorType::new(DType::F32, [1]));
    Plan::new(gpu, &task.loss, &types, task.options).unwrap()
}

fn slices(tensors: &Named<Tensor>) -> Named<BufferSlice<'_>> {
    tensors.iter().map(|(name, tensor)| (name.to_string(), tensor.slice())).collect()
}

impl Training {
    fn new(gpu: &Gpu, weighting: &dyn Loss, tasks: &[Task], inputs: &Inputs) -> Self {
        let plans = tasks.iter().map(|task| (task.name.to_string(), plan_of(gpu, task))).collect();
        let types = inputs.map(|host| host.ty().clone());
        let plan = JointPlan::new(gpu, weighting, &plans, &types).unwrap();
        let mut tensors: Vec<(&'static str, Named<Tensor>)> = Vec::new();
        for task in tasks {
            let of = |(name, ty): (&str, &TensorType)| {
                let own = |host: &HostTensor<'_>| Tensor::from_host(gpu, host).unwrap();
                let of_other = |other| Some(tensors.iter().find(|(known, _)| *known == other)?.1.get(name)?.clone());
                let shared = task.shares.filter(|_| name.starts_with("grad.")).and_then(of_other);
                let given = task.inputs.get(name).map(own).or(shared);
                (name.to_string(), given.unwrap_or_else(|| Tensor::zeros(gpu, ty.clone()).unwrap()))
            };
            tensors.push((task.name, plan.tensors_of(task.name).iter().map(of).collect()));
        }
        let mut own = inputs.map(|host| Tensor::from_host(gpu, host).unwrap());
        for input in weighting.spec().differentiable().filter(|input| input.name != "losses") {
            own = own.with(
                format!("grad.{}", input.name),
                Tensor::zeros(gpu, types.get(input.name).unwrap().clone()).unwrap(),
            );
        }
        let of_tasks = tensors.iter().map(|(name, tensors)| (name.to_string(), slices(tensors))).collect();
        let joint = plan.bind(&of_tasks, &slices(&own)).unwrap();
        Training { gpu: gpu.clone(), tensors, weighting: own, joint }
    }

    fn tensor(&self, task: &str, name: &str) -> &Tensor {
        self.tensors.iter().find(|(known, _)| *known == task).unwrap().1.get(name).unwrap()
    }

    fn gradient(&self, task: &str, input: &str) -> Vec<f64> {
        self.tensor(task, &format!("grad.{input}")).read_blocking().unwrap().to_f64()
    }

    fn step(&self) -> Result<JointStatus, Error> {
        submit(&self.gpu, |encoder| self.joint.record(encoder));
        self.joint.read_status_blocking()
    }

    /// The gradients of the tasks of [`three`] and of the variances, clipped together.
    fn clip(&self, max_norm: f32) -> BoundOp<ClipGradNorm> {
        let gradients = Named::<Tensor>::new()
            .with("prediction", self.tensor("height", "grad.prediction").clone())
            .with("logits", self.tensor("class", "grad.logits").clone())
            .with("log_vars", self.weighting.get("grad.log_vars").unwrap().clone());
        let types = gradients.map(|tensor| tensor.ty().clone());
        ClipGradNorm::new(max_norm).plan(&self.gpu, &types).unwrap().bind_tensors(&gradients).unwrap()
    }
}

/// What the reference makes of the tasks.
struct Expected {
    loss: f64,
    losses: Vec<f64>,
    weights: Vec<f64>,
    /// Of each task, by its first input.
    gradients: Vec<Vec<f64>>,
    /// Of the weighting, by its second.
    learnt: Vec<f64>,
}

fn expected(weighting: &dyn Loss, tasks: &[Task], inputs: &Inputs) -> Expected {
    let found: Vec<_> =
        tasks.iter().map(|task| reference::evaluate(&task.loss, &task.inputs, &task.options).unwrap()).collect();
    let losses: Vec<f64> = found.iter().map(|found| found.loss[0]).collect();
    let rounded = HostTensor::rounded(&losses, DType::F32, [losses.len()]).unwrap();
    let given =
        inputs.iter().fold(Inputs::new().with("losses", rounded), |all, (name, host)| all.with(name, host.clone()));
    let joint = reference::evaluate(weighting, &given, &Reduction::Sum.into()).unwrap();
    let weights = joint.gradients[0].1.clone();
    let scaled = |(found, weight): (&reference::Evaluation, &f64)| {
        found.gradients[0].1.iter().map(|x| x * weight).collect::<Vec<_>>()
    };
    let gradients = found.iter().zip(&weights).map(scaled).collect();
    Expected { loss: joint.loss[0], losses, weights, gradients, learnt: joint.gradients[1].1.clone() }
}

fn added(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// That values agree to so much of the largest.
#[track_caller]
fn assert_near(found: &[f64], expected: &[f64], part: f64, what: &str) {
    let largest = expected.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= part * largest, "{what}: {found}, expected {expected}");
    }
}

fn values(list: &[f64]) -> HostTensor<'static> {
    HostTensor::rounded(list, DType::F32, [list.len()]).unwrap()
}

fn log_vars() -> Inputs {
    Inputs::new().with("log_vars", values(&[0.5, -1.25, 0.75]))
}

/// An f16 has so many digits.
const OF_HALVES: f64 = 1e-3;

#[test]
fn a_step_of_three_losses_and_clipping_is_one_submit_without_a_readback() {
    const MAX_NORM: f32 = 0.5;
    let tasks = three();
    let expected = expected(&UncertaintyWeighting, &tasks, &log_vars());
    let shared = added(&expected.gradients[0], &expected.gradients[1]);
    let all = [shared.clone(), expected.gradients[2].clone(), expected.learnt.clone()];
    let (norm, coefficient) = reference::clip_grad_norm(&all, MAX_NORM.into(), Norm::L2);
    assert!(coefficient < 1.0);
    let clipped = all.map(|values| values.iter().map(|x| x * coefficient).collect::<Vec<_>>());
    for gpu in adapters::all().iter().map(opened_again) {
        let training = Training::new(&gpu, &UncertaintyWeighting, &tasks, &log_vars());
        let clip = training.clip(MAX_NORM);
        let on = gpu.adapter_id();

        // What made the tensors is done.
        let settle = || gpu.device().poll(wgpu::PollType::wait_indefinitely()).unwrap();
        gpu.queue().submit([]);
        settle();
        // From here to the end of the step the device makes no buffer, and without one nothing is read back.
        let before = held(&gpu);
        assert!(before[0] > 0, "the counters count");
        let mut encoder = gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        training.joint.record(&mut encoder);
        clip.record(&mut encoder);
        assert_eq!(held(&gpu), before, "{on}");
        gpu.queue().submit([encoder.finish()]);
        assert_eq!(held(&gpu), before, "{on}");
        settle();
        assert_eq!(held(&gpu), before, "{on}");

        let status = training.joint.read_status_blocking().unwrap();
        assert_relative_eq!(f64::from(status.loss), expected.loss, max_relative = 1e-6);
        assert_relative_eq!(f64::from(clip.read_blocking().unwrap().norm), norm, max_relative = OF_HALVES);
        let gradients = [
            training.gradient("height", "prediction"),
            training.gradient("class", "logits"),
            training.weighting.get("grad.log_vars").unwrap().read_blocking().unwrap().to_f64(),
        ];
        for (found, expected) in gradients.iter().zip(&clipped) {
            assert_near(found, expected, OF_HALVES, &on);
        }
    }
}

#[test]
fn a_joint_plan_is_the_composition_of_its_losses() {
    let fixed = Inputs::new().with("weights", values(&[0.25, 3.0, 0.5]));
    let masked = log_vars().with("mask", values(&[1.0, 0.0, 1.0]));
    let scaled = log_vars().with("upstream", values(&[-2.0]));
    let cases: [(&dyn Loss, &Inputs); 4] = [
        (&UncertaintyWeighting, &log_vars()),
        (&WeightedSum, &fixed),
        (&UncertaintyWeighting, &masked),
        (&UncertaintyWeighting, &scaled),
    ];
    let tasks = three();
    for (weighting, inputs) in cases {
        let expected = expected(weighting, &tasks, inputs);
        for gpu in adapters::all() {
            let training = Training::new(gpu, weighting, &tasks, inputs);
            let what = format!("{} on {}", weighting.spec().name, gpu.adapter_id());
            // Twice: what a step leaves is no matter to the next one.
            for _ in 0..2 {
                let status = training.step().unwrap();
                let doubles = |named: &Named<f32>| named.iter().map(|(_, &x)| x.into()).collect::<Vec<f64>>();
                assert_relative_eq!(f64::from(status.loss), expected.loss, max_relative = 1e-6);
                assert_near(&doubles(&status.losses), &expected.losses, 1e-6, &what);
                assert_near(&doubles(&status.weights), &expected.weights, 1e-6, &what);
                let names: Vec<&str> = status.tasks.iter().map(|(name, _)| name).collect();
                assert_eq!(names, ["height", "depth", "class"]);
                assert_eq!(status.tasks.get("class").unwrap().items, 6);
                assert!(status.tasks.get("class").unwrap().correct().is_some());
            }
            let shared = added(&expected.gradients[0], &expected.gradients[1]);
            assert_near(&training.gradient("height", "prediction"), &shared, 1e-6, &what);
            assert_near(&training.gradient("class", "logits"), &expected.gradients[2], OF_HALVES, &what);
            let learnt = training.weighting.iter().find(|(name, _)| name.starts_with("grad.")).unwrap().1;
            assert_near(&learnt.read_blocking().unwrap().to_f64(), &expected.learnt, 1e-6, &what);
            let on_device = |tensor: &Tensor| tensor.read_blocking().unwrap().to_f64();
            assert_near(&on_device(training.joint.losses()), &expected.losses, 1e-6, &what);
            assert_near(&on_device(training.joint.weights()), &expected.weights, 1e-6, &what);
            assert_relative_eq!(on_device(training.joint.loss())[0], expected.loss, max_relative = 1e-6);
        }
    }
}

#[test]
fn a_nan_is_its_own_tasks_and_gone_with_the_next_step() {
    for gpu in adapters::all() {
        let training = Training::new(gpu, &UncertaintyWeighting, &three(), &log_vars());
        let first = training.step().unwrap();
        let gradients = || (training.gradient("height", "prediction"), training.gradient("class", "logits"));
        let good = gradients();
        let logits = training.tensor("class", "logits");
        let before = logits.read_blocking().unwrap();
        let mut bad = before.to_f64();
        bad[0] = f64::NAN;
        logits.write(HostTensor::rounded(&bad, DType::F16, before.shape()).unwrap()).unwrap();

        let status = training.step().unwrap();
        assert!(status.loss.is_nan() && status.losses.get("class").unwrap().is_nan());
        assert_eq!(status.losses.get("height"), first.losses.get("height"));
        assert_eq!(status.weights, first.weights);
        assert_eq!(gradients().0, good.0, "{}", gpu.adapter_id());
        assert!(gradients().1[..4].iter().all(|x| x.is_nan()));
        let learnt = training.weighting.get("grad.log_vars").unwrap().read_blocking().unwrap().to_f64();
        assert!(learnt[2].is_nan() && !learnt[0].is_nan() && !learnt[1].is_nan());

        logits.write(&before).unwrap();
        assert_eq!(training.step().unwrap(), first, "{}", gpu.adapter_id());
        assert_eq!(gradients(), good);
    }
}

#[test]
fn values_out_of_range_are_told_with_their_task() {
    let mut tasks = three();
    tasks[2].inputs = changed(&tasks[2].inputs, "target", &[(1, 4.0)]);
    let bad = Inputs::new().with("log_vars", values(&[0.5, f64::NAN, 0.75]));
    for gpu in adapters::all() {
        let training = Training::new(gpu, &UncertaintyWeighting, &tasks, &bad);
        let error = training.step().unwrap_err();
        let Error::Tasks { loss: "uncertainty_weighting", faults } = &error else { panic!("{error}") };
        let [(depth, of_depth), (class, of_class)] = &faults[..] else { panic!("{error}") };
        assert_eq!((depth.as_str(), class.as_str()), ("depth", "class"));
        assert!(matches!(of_depth, Error::Target { loss: "uncertainty_weighting", count: 1, first: 1, .. }), "{error}");
        assert!(matches!(of_class, Error::Target { loss: "cross_entropy", count: 1, first: 1, .. }), "{error}");
        assert!(error.to_string().contains("task `depth`: uncertainty_weighting: 1 item out of range"), "{error}");
        // The task whose variance is none is not trained: what is in its buffer is the other's.
        let expected = expected(&UncertaintyWeighting, &three(), &log_vars());
        assert_near(&training.gradient("height", "prediction"), &expected.gradients[0], 1e-6, &gpu.adapter_id());
    }
}

#[test]
fn a_task_without_gradients_counts_and_one_may_be_recorded_into_a_pass() {
    let mut tasks = three();
    tasks[2].options.gradients = Gradients::Skip;
    let expected = expected(&WeightedSum, &three(), &Inputs::new().with("weights", values(&[1.0, 2.0, 3.0])));
    for gpu in adapters::all() {
        let inputs = Inputs::new().with("weights", values(&[1.0, 2.0, 3.0]));
        let training = Training::new(gpu, &WeightedSum, &tasks, &inputs);
        submit(gpu, |encoder| {
            training.joint.record_in(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()));
        });
        let status = training.joint.read_status_blocking().unwrap();
        assert_relative_eq!(f64::from(status.loss), expected.loss, max_relative = 1e-6);
        assert_near(
            &training.gradient("height", "prediction"),
            &added(&expected.gradients[0], &expected.gradients[1]),
            1e-6,
            "",
        );
    }
}

#[test]
fn losses_of_every_driver_are_tasks() {
    let tasks = [
        task("elements", "bce_with_logits", &[9], DType::F32),
        task("rows", "cross_entropy", &[5, 4], DType::F32),
        task("boxes", "giou", &[5, 4], DType::F32),
        task("pairs", "contrastive", &[5, 4], DType::F32),
        task("batch", "nt_xent", &[4, 8], DType::F32),
        task("regions", "ce_dice", &[2, 3, 5], DType::F32),
        task("sum", "gan_discriminator", &[6], DType::F32),
    ];
    let inputs = Inputs::new().with("log_vars", values(&[0.5, -1.0, 0.25, 0.0, 1.0, -0.5, 2.0]));
    let expected = expected(&UncertaintyWeighting, &tasks, &inputs);
    for gpu in adapters::all() {
        let training = Training::new(gpu, &UncertaintyWeighting, &tasks, &inputs);
        let status = training.step().unwrap();
        assert_relative_eq!(f64::from(status.loss), expected.loss, max_relative = 1e-5);
        for (task, gradient) in tasks.iter().zip(&expected.gradients) {
            let what = format!("{} on {}", task.name, gpu.adapter_id());
            assert_near(&training.gradient(task.name, task.loss.spec().inputs[0].name), gradient, 1e-5, &what);
        }
    }
}

/// Half of the sum of squares: the weight of a loss is the loss.
fn squares(item: &Item<'_>, _: &Values) -> Term {
    Term::new(0.5 * item["losses"] * item["losses"], [item["losses"]])
}

wgloss::loss! {
    /// A weighting whose weights depend on the losses.
    pub struct Squares;

    pub static SQUARES: LossSpec = {
        name: "squares",
        family: Family::Tasks,
        formula: "½·L²",
        notes: "",
        source: "",
        driver: Driver::Elementwise,
        inputs: &[Input::differentiable("losses", Shape::Items, Domain::Real)],
        shader: ShaderFile::new(
            "squares.wgsl",
            "fn loss_and_grad(l: f32) -> vec2<f32> { return vec2<f32>(0.5 * l * l, l); }",
        ),
        reference: Reference::Elementwise(squares),
    };
}

#[test]
fn a_weighting_of_ones_own_weighs_unless_its_weights_depend_on_the_losses() {
    for gpu in adapters::all() {
        let training = Training::new(gpu, &Squares, &three()[..1], &Inputs::new());
        assert_eq!(training.step(), Err(Error::Weighting { loss: "squares" }));
    }
}

#[test]
fn tasks_that_cannot_be_weighed_are_refused() {
    let types = |upstream: Option<DType>| {
        let ty = TensorType::new(DType::F32, [4]);
        let types = Named::<TensorType>::new().with("prediction", ty.clone()).with("target", ty);
        upstream.map_or(types.clone(), |dtype| types.with("upstream", TensorType::new(dtype, [1])))
    };
    for gpu in adapters::all() {
        let plan = |upstream, reduction: Reduction| {
            Plan::new(gpu, &AnyLoss::new("mse", &[]).unwrap(), &types(upstream), reduction).unwrap()
        };
        let good = || plan(Some(DType::F32), Reduction::Mean);
        let weights = |count: usize| Named::new().with("weights", TensorType::new(DType::F32, [count]));
        let joint = |tasks: Named<Plan>, types: Named<TensorType>| {
            JointPlan::new(gpu, &WeightedSum, &tasks, &types).map(drop).unwrap_err()
        };
        let loss = "weighted_sum";
        assert_eq!(joint(Named::new(), weights(0)), Error::NoTasks { loss });
        let faults = |faults: Vec<(&str, Error)>| Error::Tasks {
            loss,
            faults: faults.into_iter().map(|(name, error)| (name.to_string(), error)).collect(),
        };
        let bad = Named::new()
            .with("a", plan(None, Reduction::Mean))
            .with("b", good())
            .with("c", plan(Some(DType::F32), Reduction::None))
            .with("d", plan(Some(DType::F16), Reduction::Sum));
        let dtype = |found| Error::DType { tensor: "mse: `upstream`".to_string(), expected: "f32".to_string(), found };
        let expected = faults(vec![
            ("a", Error::MissingTensor { loss: "mse", tensor: "upstream".to_string() }),
            ("c", Error::TaskReduction { loss: "mse" }),
            ("d", dtype(DType::F16)),
        ]);
        assert_eq!(joint(bad, weights(4)), expected);
        let twice = Named::new().with("a", good()).with("a", good());
        assert!(matches!(joint(twice, weights(2)), Error::UnexpectedTensor { tensor, .. } if tensor == "a"));
        let two = || Named::new().with("a", good()).with("b", good());
        assert!(matches!(joint(two(), weights(3)), Error::Shape { tensor: "weights", .. }));
        // Losses are not broadcast: each task has one weight.
        let one = || Named::new().with("a", good());
        let expected = "[1], a value for each task".to_string();
        let shape = |found| Error::Shape { loss, tensor: "weights", expected: expected.clone(), found };
        assert_eq!(joint(one(), weights(2)), shape(vec![2]));
        let table = |shape: &[usize]| Named::new().with("weights", TensorType::new(DType::F32, shape));
        assert_eq!(joint(one(), table(&[1, 1])), shape(vec![1, 1]));
        assert!(matches!(joint(two(), table(&[3, 1])), Error::Shape { .. }));
        assert!(JointPlan::new(gpu, &WeightedSum, &two(), &table(&[])).is_ok());
        assert!(matches!(joint(two(), Named::new()), Error::MissingTensor { tensor, .. } if tensor == "weights"));
        let twin = Gpu::find_blocking(&gpu.adapter_id()).unwrap();
        let other = JointPlan::new(&twin, &WeightedSum, &two(), &weights(2)).map(drop);
        assert_eq!(other, Err(Error::OtherDevice { loss, tensor: "a".to_string() }));
        // Of a loss without an input for losses.
        let mse = AnyLoss::new("mse", &[]).unwrap();
        let none = JointPlan::new(gpu, &mse, &two(), &Named::new()).map(drop);
        assert!(matches!(none, Err(Error::UnexpectedTensor { tensor, .. }) if tensor == "losses"));
    }
}

/// What comes of two tasks, of f32 and of f16, of which the second adds to the gradient of the first.
fn shared_by_two_types(gpu: &Gpu) -> Result<(), Error> {
    let mut tasks = [task("a", "mse", &[4], DType::F32), task("b", "mse", &[4], DType::F16)];
    tasks[1].options = Options { gradients: Gradients::Add { weight: 1.0 }, ..tasks[1].options };
    let plans = tasks.iter().map(|task| (task.name.to_string(), plan_of(gpu, task))).collect();
    let types = Named::new().with("log_vars", TensorType::new(DType::F32, [2]));
    let plan = JointPlan::new(gpu, &UncertaintyWeighting, &plans, &types)?;
    let zeros = |ty: &TensorType| Tensor::zeros(gpu, ty.clone()).unwrap();
    let own = ["a", "b"].map(|task| plan.tensors_of(task).map(zeros));
    let gradient = own[0].get("grad.prediction").unwrap();
    let log_vars = zeros(types.get("log_vars").unwrap());
    let [a, b] = own.each_ref().map(slices);
    let b = b
        .iter()
        .map(|(name, slice)| (name.to_string(), if name == "grad.prediction" { gradient.slice() } else { *slice }));
    let tasks = Named::<Named<BufferSlice<'_>>>::new().with("a", a.clone()).with("b", b.collect::<Named<_>>());
    plan.bind(&tasks, &Named::<BufferSlice<'_>>::new().with("log_vars", &log_vars)).map(drop)
}

#[test]
fn buffers_that_tasks_cannot_share_are_refused() {
    let tasks = three();
    for gpu in adapters::all() {
        let plans: Named<Plan> = tasks.iter().map(|task| (task.name.to_string(), plan_of(gpu, task))).collect();
        let types = Named::new().with("log_vars", TensorType::new(DType::F32, [3]));
        let plan = JointPlan::new(gpu, &UncertaintyWeighting, &plans, &types).unwrap();
        let own: Vec<(&str, Named<Tensor>)> = ["height", "depth", "class"]
            .map(|task| (task, plan.tensors_of(task).map(|ty| Tensor::zeros(gpu, ty.clone()).unwrap())))
            .into();
        let log_vars = Tensor::zeros(gpu, TensorType::new(DType::F32, [3])).unwrap();
        // With a tensor of a task, or of the weighting, in place of another.
        let bind = |task: &str, name: &str, other: Option<&Tensor>| {
            let given = own.iter().map(|(known, tensors)| {
                let slices = tensors.iter().filter_map(|(tensor, own)| {
                    let is_it = *known == task && tensor == name;
                    let chosen = if is_it { other? } else { own };
                    Some((tensor.to_string(), chosen.slice()))
                });
                (known.to_string(), slices.collect::<Named<_>>())
            });
            let weighting = Named::<BufferSlice<'_>>::new().with("log_vars", &log_vars);
            let weighting = if task == "weighting" { weighting.with(name, other.unwrap()) } else { weighting };
            plan.bind(&given.collect(), &weighting).map(drop)
        };
        let tensor =
            |task: &str, name: &str| own.iter().find(|(known, _)| *known == task).unwrap().1.get(name).unwrap();
        let loss = "uncertainty_weighting";
        let overlap = |output: &str, other: &str| {
            Err(Error::BufferOverlap { loss, output: output.to_string(), other: other.to_string() })
        };
        let gradient = tensor("height", "grad.prediction");
        assert_eq!(bind("depth", "grad.prediction", Some(gradient)), Ok(()));
        assert_eq!(bind("depth", "prediction", Some(tensor("height", "prediction"))), Ok(()));
        // What adds halves to numbers of 32 bits adds nothing that is a gradient.
        let of_halves = ["a", "b"].map(|task| format!("{task}: grad.prediction"));
        assert_eq!(shared_by_two_types(gpu), overlap(&of_halves[1], &of_halves[0]));
        let found = bind("class", "grad.logits", Some(gradient));
        assert_eq!(found, overlap("class: grad.logits", "height: grad.prediction"));
        let found = bind("depth", "target", Some(gradient));
        assert_eq!(found, overlap("height: grad.prediction", "depth: target"));
        let found = bind("weighting", "grad.log_vars", Some(gradient));
        assert_eq!(found, overlap("uncertainty_weighting: grad.log_vars", "height: grad.prediction"));
        let found = bind("class", "grad.logits", Some(&log_vars));
        assert_eq!(found, overlap("class: grad.logits", "uncertainty_weighting: log_vars"));

        let missing = Error::MissingTensor { loss: "huber", tensor: "target".to_string() };
        assert_eq!(
            bind("depth", "target", None),
            Err(Error::Tasks { loss, faults: vec![("depth".to_string(), missing)] })
        );
        let found = bind("weighting", "grad.losses", Some(gradient));
        assert!(matches!(found, Err(Error::UnexpectedTensor { tensor, .. }) if tensor == "grad.losses"));
        let none = plan.bind(&Named::new(), &Named::<BufferSlice<'_>>::new().with("log_vars", &log_vars)).map(drop);
        assert_eq!(none, Err(Error::MissingTensor { loss, tensor: "height".to_string() }));
    }
}
