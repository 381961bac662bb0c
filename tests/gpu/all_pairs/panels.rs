//! Calls of several panels, and what adapters with many lanes do.

use wgloss::{Adapter, DType, Gpu, Options, Reduce, Reduction};

use super::{adapters, agreement::evaluated, effort, every_loss, inputs, is_sorted};

/// Adapters that bind so little that a panel has some rows only.
fn with_small_bindings() -> Vec<Gpu> {
    let open = |adapter: &Adapter| {
        let limits = wgpu::Limits { max_storage_buffer_binding_size: 1 << 16, ..adapter.limits() };
        pollster::block_on(adapter.open_with_limits(limits)).unwrap()
    };
    Adapter::all_blocking().iter().map(open).collect()
}

#[test]
fn many_panels_give_what_one_gives() {
    let gpus = with_small_bindings();
    for (turn, loss) in effort::some(every_loss().into_iter(), 0).enumerate() {
        for gpu in effort::taking_turns(&gpus, turn) {
            // More rows than a panel of them has, by a part of one.
            let inputs = inputs(&loss, [155, 6], DType::F32, true);
            let reductions = [Reduction::Mean, Reduction::None];
            for reduction in
                reductions.into_iter().filter(|&reduction| !is_sorted(&loss) || reduction != Reduction::None)
            {
                evaluated(gpu, &loss, &inputs, Options::new(reduction));
            }
        }
    }
}

/// As on GPUs: many workgroups, so that the columns' part in an anchor's gradient is split, and more than one subgroup
/// in each.
#[test]
fn parts_of_a_gathering_are_joined() {
    let with = |gpu: &Gpu, workgroup_size, reduce| {
        let mut tuning = gpu.tuning();
        (tuning.workgroup_size, tuning.workgroups, tuning.reduce) = (workgroup_size, 2048, reduce);
        gpu.with_tuning(tuning).unwrap()
    };
    let wide = adapters::every().iter().flat_map(|gpu| {
        let reductions: &[Reduce] = match gpu.tuning().reduce {
            Reduce::Workgroup => &[Reduce::Workgroup],
            Reduce::Subgroup | Reduce::SingleSubgroup => &[Reduce::Workgroup, Reduce::Subgroup],
        };
        reductions.iter().map(move |&reduce| with(gpu, 32, reduce))
    });
    let wide: Vec<Gpu> = wide.collect();
    let small: Vec<Gpu> = with_small_bindings().iter().map(|gpu| with(gpu, 16, Reduce::Workgroup)).collect();
    for (turn, loss) in effort::some(every_loss().into_iter(), 1).enumerate() {
        for gpu in effort::taking_turns(&wide, turn) {
            evaluated(gpu, &loss, &inputs(&loss, [33, 5], DType::BF16, true), Reduction::Sum);
        }
        for gpu in effort::taking_turns(&small, turn) {
            evaluated(gpu, &loss, &inputs(&loss, [155, 6], DType::F32, false), Reduction::Mean);
        }
    }
}

#[test]
fn batches_beyond_a_limit_are_refused_by_name() {
    for gpu in adapters::all() {
        let loss = super::loss("info_nce", &[]);
        for shape in
            [[4, 1 << 24], [1, usize::MAX], [usize::MAX, 1], [usize::MAX, usize::MAX], [1 << 30, 2], [3, 150_000]]
        {
            let ty = wgloss::TensorType::new(DType::F32, shape);
            let types = wgloss::Named::new().with("query", ty.clone()).with("key", ty);
            match wgloss::Plan::new(gpu, &loss, &types, Reduction::Mean) {
                Err(wgloss::Error::Limit { .. }) => assert!(!shape.contains(&usize::MAX)),
                Err(wgloss::Error::Elements { .. }) => assert!(shape.contains(&usize::MAX)),
                // Only llvmpipe's loops are too short for so many dimensions.
                Ok(_) if shape == [3, 150_000] && !gpu.adapter_id().contains("llvmpipe") => {}
                other => panic!("{shape:?} on {gpu:?}: {:?}", other.map(|plan| plan.workspace_size())),
            }
        }
    }
}
