//! Layouts that a device takes, and such as it refuses.

use wgloss::{AnyLoss, DType, Error, Gpu, Named, Reduce, Reduction, RowKernel, Tuning};

use crate::common::{
    adapters,
    agreement::evaluated,
    effort,
    inputs::{sample, tensor},
};

#[test]
fn a_layout_that_the_device_cannot_run_is_refused() {
    for gpu in adapters::all() {
        let table = gpu.tuning();
        let refused = |change: &dyn Fn(&mut Tuning)| {
            let mut tuning = table;
            change(&mut tuning);
            let found = gpu.with_tuning(tuning).map(drop);
            assert_eq!(found, tuning.check(gpu.info(), gpu.device().features(), gpu.limits()), "{tuning:?}");
            match found {
                Err(Error::Tuning { field, .. }) => field,
                other => panic!("{tuning:?}: {other:?}"),
            }
        };
        for lanes in [0, 1, 2, 3, 24, 48, 1 << 20] {
            let change = |tuning: &mut Tuning| (tuning.workgroup_size, tuning.reduce) = (lanes, Reduce::Workgroup);
            assert_eq!(refused(&change), "workgroup_size", "{lanes} lanes");
        }
        for workgroups in [0, 1 << 20] {
            assert_eq!(refused(&|tuning| tuning.workgroups = workgroups), "workgroups");
        }
        // 64 lanes are one subgroup on none of the CPU adapters.
        let change = |tuning: &mut Tuning| (tuning.workgroup_size, tuning.reduce) = (64, Reduce::SingleSubgroup);
        assert_eq!(refused(&change), "reduce");
        assert_eq!(
            refused(&|tuning| tuning.max_loop_iterations = table.max_loop_iterations - 1),
            "max_loop_iterations"
        );
        assert!(gpu.with_tuning(table).is_ok());
    }
}

/// Calls that bring lanes near the iterations after which llvmpipe leaves their loops, in layouts that it takes.
#[test]
fn results_are_right_in_every_layout_that_is_taken() {
    let loss = |name: &str, settings: &[(&str, &str)]| AnyLoss::new(name, settings).unwrap();
    let plain = |loss: &AnyLoss, shape: &[usize]| sample(loss, shape, DType::F32, false);
    let dice = loss("dice", &[("scope", "class"), ("smooth", "0")]);
    let (ce_dice, softmax) = (loss("ce_dice", &[]), loss("softmax", &[]));
    let (cross_entropy, hardest) = (loss("cross_entropy", &[]), loss("triplet_batch_hard", &[]));
    let of_classes = plain(&dice, &[1, 1003]);
    let pixels = plain(&ce_dice, &[2, 40, 501]);
    let long = plain(&cross_entropy, &[20_000, 16]);
    let rows = plain(&softmax, &[3000, 100]);
    let values: Vec<f64> = (0..1400).map(|index| f64::from(index * 37 % 1013) / 256.0).collect();
    let labels: Vec<f64> = (0..700).map(|row| f64::from(row * 7 % 31)).collect();
    let batch = Named::new()
        .with("embeddings", tensor(&values, DType::F32, &[700, 2]))
        .with("labels", tensor(&labels, DType::I32, &[700]));

    use Reduce::{Subgroup, Workgroup};
    use RowKernel::{BySize, Lane, Parts};
    let calls = [
        (&dice, &of_classes, Reduction::Sum, (256, 15, Subgroup, BySize)),
        (&dice, &of_classes, Reduction::Sum, (1024, 1, Workgroup, BySize)),
        (&dice, &of_classes, Reduction::Sum, (1024, 1, Subgroup, BySize)),
        (&ce_dice, &pixels, Reduction::Mean, (256, 1, Subgroup, BySize)),
        (&cross_entropy, &long, Reduction::Mean, (8, 1, Workgroup, Parts)),
        (&cross_entropy, &long, Reduction::Mean, (8, 1, Workgroup, RowKernel::Workgroup)),
        (&cross_entropy, &long, Reduction::Mean, (4, 1, Subgroup, Lane)),
        (&softmax, &rows, Reduction::None, (64, 1, Workgroup, Parts)),
        (&softmax, &rows, Reduction::None, (64, 1, Subgroup, RowKernel::Workgroup)),
        (&softmax, &rows, Reduction::None, (64, 1, Workgroup, Lane)),
        (&hardest, &batch, Reduction::Mean, (1024, 1, Workgroup, BySize)),
        (&hardest, &batch, Reduction::Mean, (1024, 1, Subgroup, BySize)),
    ];
    let limited: Vec<&Gpu> =
        adapters::every().iter().filter(|gpu| gpu.tuning().max_loop_iterations < u32::MAX).collect();
    let mut taken = 0;
    for (turn, (loss, inputs, reduction, (lanes, workgroups, reduce, rows))) in calls.into_iter().enumerate() {
        for gpu in limited.iter().cycle().skip(turn).take(limited.len()) {
            let mut tuning = gpu.tuning();
            (tuning.workgroup_size, tuning.workgroups, tuning.reduce, tuning.rows) = (lanes, workgroups, reduce, rows);
            let Ok(gpu) = gpu.with_tuning(tuning) else { continue };
            evaluated(&gpu, loss, inputs, reduction);
            taken += 1;
            // Beside so many calls, one of those that take the layout.
            if !effort::is_full() {
                break;
            }
        }
    }
    assert!(limited.is_empty() || taken > 10, "{taken} layouts");
}
