//! Memory besides inputs and outputs: a few bytes for each class of a sample and of a workgroup.

use wgloss::{DType, Gpu, Gradients, Named, Options, Plan, Reduction, TensorType};

use super::{adapters, dice};

fn size(gpu: &Gpu, shape: &[usize], scope: &str) -> u64 {
    let items = [&shape[..1], &shape[2..]].concat();
    let types = Named::new()
        .with("prediction", TensorType::new(DType::F32, shape))
        .with("target", TensorType::new(DType::I32, items));
    // Gradients need none.
    let options = Options { gradients: Gradients::Skip, ..Options::new(Reduction::Mean) };
    Plan::new(gpu, &dice("softmax", scope, "1"), &types, options).unwrap().workspace_size()
}

#[test]
fn the_workspace_does_not_grow_with_the_pixels() {
    const RECORD: u64 = 16;
    const PARTIAL: u64 = 20;
    const HEADER: u64 = 96;
    for gpu in adapters::all() {
        let tuning = gpu.tuning();
        let workgroups = u64::from(tuning.workgroups);
        for (shape, scope) in [
            (&[4, 8, 256, 256][..], "class"),
            (&[4, 8, 256, 256], "sample_class"),
            (&[1, 8, 1024, 1024], "all"),
            (&[64, 8, 256, 256], "sample"),
            (&[1, 150, 256, 256], "class"),
            (&[8, 150, 64, 64], "sample"),
            (&[100_000, 3], "sample"),
            (&[100_000, 3], "sample_class"),
            (&[100_000, 3], "class"),
        ] {
            let segments = if scope.starts_with("sample") { shape[0] as u64 } else { 1 };
            let classes = shape[1] as u64;
            // Each workgroup has a part, and each sample one at least; there may be twice as many where the pixels make
            // no power of two.
            let parts = segments + 2 * workgroups;
            let most = RECORD * classes * (parts + segments) + PARTIAL * (parts + workgroups) + HEADER;
            let found = size(gpu, shape, scope);
            // Where a driver's loops are short, long calls have more parts.
            let is_long = tuning.max_loop_iterations < u32::MAX;
            assert!(is_long || found <= most, "{scope} {shape:?} takes {found}, more than {most}, on {gpu:?}");
        }
        // Far from the probabilities, which would take 8 MiB.
        let found = size(gpu, &[4, 8, 256, 256], "class");
        assert!(found <= 1 << 18, "{found} on {gpu:?}");
        if tuning.max_loop_iterations == u32::MAX {
            let once = size(gpu, &[1, 8, 1024, 1024], "class");
            assert_eq!(size(gpu, &[1, 8, 2048, 2048], "class"), once, "{gpu:?}");
        }
    }
}

/// The bytes of many classes do not follow their number times that of the workgroups.
#[test]
fn many_classes_have_fewer_parts() {
    for gpu in adapters::all() {
        let mut tuning = gpu.tuning();
        tuning.workgroups = 4096;
        let gpu = gpu.with_tuning(tuning).unwrap();
        let found = size(&gpu, &[1, 150, 256, 256], "class");
        assert!(found <= 2 << 20, "{found} on {gpu:?}");
    }
}
