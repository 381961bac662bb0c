//! Memory besides inputs and outputs grows with the rows and their dimensions, not with the pairs.

use wgloss::{DType, Gpu, Gradients, Loss, Named, Options, Plan, Reduction, TensorType};

use super::{AnyLoss, adapters, effort, every_loss, has_views, loss};

fn plan(gpu: &Gpu, loss: &AnyLoss, [rows, dimensions]: [usize; 2]) -> Plan {
    let types = loss.spec().inputs.iter().filter(|input| !input.optional).map(|input| {
        let ty = match input.name {
            "labels" => TensorType::new(DType::I32, [rows]),
            "logit_scale" => TensorType::new(DType::F32, []),
            _ => TensorType::new(DType::F32, [rows, dimensions]),
        };
        (input.name.to_string(), ty)
    });
    let types: Named<TensorType> = types.collect();
    Plan::new(gpu, loss, &types, Options { gradients: Gradients::Write, ..Options::new(Reduction::Mean) }).unwrap()
}

/// The smallest panel, which is all of a small call's: what a constant allows.
const LEAST_PANEL: u64 = 4 << 20;

#[test]
fn the_workspace_grows_with_rows_and_dimensions() {
    for (turn, loss) in effort::some(every_loss().into_iter(), 3).enumerate() {
        for gpu in effort::adapters(turn) {
            for shape in [[100, 3], [1000, 128], [4096, 1], [10_000, 64], [65_536, 64], [10_000, 513]] {
                let [rows, dimensions] = shape.map(|axis| axis as u64);
                let rows = if has_views(&loss) || loss.spec().input("key").is_some() { 2 * rows } else { rows };
                // Rows in f32, their sums, those of parts, and a panel of as many values; dimensions in whole tiles.
                // Besides, a record a row, and sixteen rows of a panel with its lists at the least.
                let most = LEAST_PANEL + rows * (4 * 4 * (dimensions + dimensions / 8 + 4) + 64 + 16 * 6 * 4);
                let found = plan(gpu, &loss, shape).workspace_size();
                assert!(found <= most, "{loss:?} {shape:?} takes {found}, more than {most}, on {gpu:?}");
            }
        }
    }
}

/// A matrix of all pairs of 65,536 rows would take 16 GiB.
#[test]
fn large_batches_fit_256_mebibytes() {
    for gpu in adapters::all() {
        for name in ["nt_xent", "triplet_batch_hard", "sup_con"] {
            let plan = plan(gpu, &loss(name, &[]), [65_536, 64]);
            let tensors = [plan.inputs(), plan.outputs()];
            let tensors: u64 = tensors.iter().flat_map(Named::iter).map(|(_, ty)| ty.buffer_size()).sum();
            let whole = tensors + plan.workspace_size();
            assert!(whole <= 256 << 20, "{name} takes {whole} bytes on {gpu:?}");
        }
    }
}
