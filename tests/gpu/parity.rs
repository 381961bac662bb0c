//! Every loss against the reference, on every adapter. One test an adapter, so that they run side by side.

use std::num::NonZero;

use wgloss::{
    Gpu, Reduce, losses,
    parity::{self, Effort},
    spec::LossSpec,
};

use crate::common::{adapters, effort};

fn agree_with_the_reference(gpu: &Gpu, specs: impl Iterator<Item = (&'static LossSpec, Effort)>) {
    let mut failures = Vec::new();
    for (spec, effort) in specs {
        let report = parity::check(gpu, spec, effort, &mut |_, _| {}).expect("the device works");
        // All that a part has may be beyond an adapter's bindings.
        let (tried, least) = match effort {
            Effort::Part { .. } => (report.cases + report.skipped.len() as u64, 3),
            _ => (report.cases, 80),
        };
        assert!(tried > least, "{}: only {tried} cases", spec.name);
        // What an adapter cannot run is listed, and on these it is subgroup operations, or more inputs and outputs at
        // once than SwiftShader's ten buffers.
        for (what, why) in &report.skipped {
            let has_none = (what.as_str(), why.as_str()) == ("subgroup operations", "the adapter has none");
            let is_known = has_none || why.ends_with("beyond max_storage_buffers_per_shader_stage");
            assert!(is_known, "{}: {what}: {why}", spec.name);
        }
        failures.extend(report.failures.iter().map(|failure| format!("{}: {failure}", spec.name)));
    }
    assert!(failures.is_empty(), "{}: {} failures, the first: {}", gpu.adapter_id(), failures.len(), failures[0]);
}

/// Adapters that CI has; each gets a test of its own.
const SOFTWARE: [&str; 3] = ["vulkan:llvmpipe", "gl:llvmpipe", "vulkan:swiftshader"];

fn is(gpu: &Gpu, software: &str) -> bool {
    gpu.adapter_id().to_lowercase().starts_with(software)
}

/// A ninth of the kernels that any two choices of a loss meet in.
fn ninth(number: usize) -> Effort {
    Effort::Part { number, of: NonZero::new(9).expect("it is more than nothing") }
}

/// In `make test` each loss has a ninth of its kernels on one of them, the next loss on the next, in `make test-all` a
/// ninth on each.
fn on(number: usize) {
    let every_loss = || losses::ALL.iter().copied().enumerate();
    let specs: Vec<(&'static LossSpec, Effort)> = match effort::run() {
        effort::Run::Short => {
            let own = every_loss().skip(number).step_by(SOFTWARE.len());
            own.map(|(turn, spec)| (spec, ninth(turn))).collect()
        }
        effort::Run::Long => every_loss().map(|(turn, spec)| (spec, ninth(turn + number + 1))).collect(),
        effort::Run::All => losses::ALL.iter().map(|&spec| (spec, Effort::Full)).collect(),
    };
    let software = SOFTWARE[number];
    match adapters::every().iter().find(|gpu| is(gpu, software)) {
        Some(gpu) => agree_with_the_reference(gpu, specs.into_iter()),
        None => eprintln!("{software} is not on this machine"),
    }
}

#[test]
fn lavapipe() {
    on(0);
}

#[test]
fn llvmpipe_gl() {
    on(1);
}

#[test]
fn swiftshader() {
    on(2);
}

fn of_any_two() -> Effort {
    if effort::is_full() { Effort::Full } else { Effort::Quick }
}

/// Whatever else the machine has: a GPU.
#[test]
fn other_adapters() {
    let others = adapters::every().iter().filter(|gpu| !SOFTWARE.iter().any(|software| is(gpu, software)));
    let every_loss = || losses::ALL.iter().map(|&spec| (spec, of_any_two()));
    others.for_each(|gpu| agree_with_the_reference(gpu, every_loss()));
}

/// The layout of GPUs, on CPU adapters: workgroups of several subgroups. One loss of each driver does, because
/// reductions are all that differs, but for pixels of many classes, of which fewer are kept, and for products, of all
/// pairs and of heads, which have kernels of their own. Distillation alone has a walk for middle sums.
#[test]
fn workgroups_may_be_wider_than_a_subgroup() {
    let of_rows = [&losses::CROSS_ENTROPY, &losses::DISTILLATION];
    let others = [&losses::GAUSSIAN_NLL, &losses::HINGE, &losses::CIOU, &losses::CE_DICE];
    let of_products = [&losses::CLIP, &losses::NT_XENT, &losses::TRIPLET_BATCH_HARD, &losses::LINEAR_CROSS_ENTROPY];
    for (turn, loss) in others.into_iter().chain(of_rows).chain(of_products).enumerate() {
        for gpu in effort::adapters(turn) {
            let mut tuning = gpu.tuning();
            tuning.workgroup_size = 64;
            if tuning.reduce == Reduce::SingleSubgroup {
                tuning.reduce = Reduce::Subgroup;
            }
            let effort = if effort::run() == effort::Run::Short { ninth(turn) } else { of_any_two() };
            agree_with_the_reference(&gpu.with_tuning(tuning).unwrap(), std::iter::once((loss, effort)));
        }
    }
}
