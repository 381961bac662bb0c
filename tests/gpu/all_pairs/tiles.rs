//! Products by register tiles, which workgroups of many lanes have, as those of GPUs.

use wgloss::{DType, Reduction};

use super::{adapters, agreement::evaluated, effort, every_loss, inputs, is_sorted};

/// Less than a tile and several, with ends in the midst of one: of rows, of dimensions, and of tiles of one quad, two
/// and four.
const SHAPES: [[usize; 2]; 8] = [[2, 1], [5, 8], [33, 5], [65, 64], [70, 22], [130, 37], [129, 68], [67, 130]];

#[test]
fn tiles_of_all_shapes_agree_with_the_reference() {
    let gpus = adapters::with_lanes(64);
    for (turn, loss) in effort::some(every_loss().into_iter(), 1).enumerate() {
        // Each shape meets losses of every kind, in `make test` of several runs.
        for &number in effort::taking_turns(&[turn, turn + 3], turn) {
            let inputs = inputs(&loss, SHAPES[number % SHAPES.len()], DType::F32, number % 2 == 0);
            for gpu in effort::taking_turns(&gpus, number) {
                evaluated(gpu, &loss, &inputs, Reduction::Mean);
            }
        }
    }
}

/// Sorting, which takes its time with so many lanes on a CPU, is left out.
#[test]
fn large_tiles_agree_with_the_reference() {
    let gpus = adapters::with_lanes(256);
    let losses = every_loss().into_iter().filter(|loss| !is_sorted(loss));
    for (turn, loss) in effort::some(losses, 2).enumerate() {
        let inputs = inputs(&loss, SHAPES[(turn + 3) % SHAPES.len()], DType::F32, true);
        for gpu in effort::taking_turns(&gpus, turn) {
            evaluated(gpu, &loss, &inputs, Reduction::Mean);
        }
    }
}
