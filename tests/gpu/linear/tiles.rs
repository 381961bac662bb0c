//! Products by register tiles, which workgroups of many lanes have, as those of GPUs, and depths of several steps.

use wgloss::{AnyLoss, DType, LinearCrossEntropy, Options, Reduction, Statistics};

use super::{Size, adapters, effort, evaluated, head, sample};

/// Less than a tile and several, with ends in the midst of one: of rows, of quads that are odd and even in number, and
/// of classes, few of which have tiles of another depth.
const SIZES: [Size<'static>; 8] = [
    Size { items: &[1], dimensions: 2, classes: 9 },
    Size { items: &[5], dimensions: 12, classes: 33 },
    Size { items: &[33], dimensions: 1, classes: 40 },
    Size { items: &[70], dimensions: 300, classes: 130 },
    Size { items: &[3, 45], dimensions: 37, classes: 67 },
    Size { items: &[9], dimensions: 8, classes: 65 },
    Size { items: &[65], dimensions: 100, classes: 8 },
    Size { items: &[129], dimensions: 68, classes: 600 },
];

#[test]
fn tiles_of_all_sizes_agree_with_the_reference() {
    let statistics = Statistics { log_sum_exp: true, argmax: true, ..Statistics::default() };
    for lanes in [64, 256] {
        let gpus = adapters::with_lanes(lanes);
        for (turn, size) in SIZES.iter().enumerate() {
            for gpu in effort::taking_turns(&gpus, turn) {
                let inputs = head(size, DType::FLOATS[turn % DType::FLOATS.len()]);
                let options = Options { statistics, ..Options::new(Reduction::Mean) };
                evaluated(gpu, &LinearCrossEntropy::default(), &inputs, options);
            }
        }
    }
}

#[test]
fn other_heads_have_the_same_tiles() {
    let gpus = adapters::with_lanes(64);
    for (turn, name) in ["linear_distillation", "arcface", "linear_preference"].into_iter().enumerate() {
        let loss = AnyLoss::new(name, &[]).unwrap();
        let inputs = sample(&loss, &[40, 12], DType::F32, true);
        for gpu in effort::taking_turns(&gpus, turn) {
            evaluated(gpu, &loss, &inputs, Reduction::Sum);
        }
    }
}

/// More dimensions than are added up at once, of which the first step alone adds the biases.
#[test]
fn biases_are_added_once_however_long_the_states() {
    let loss = LinearCrossEntropy { temperature: 20.0, ..Default::default() };
    let (plain, tiled) = (adapters::every(), adapters::with_lanes(64));
    for (turn, dimensions) in [8196, 16_386, 25_088].into_iter().enumerate() {
        let inputs = head(&Size { items: &[3], dimensions, classes: 10 }, DType::F32);
        for gpus in [plain, &tiled] {
            for gpu in effort::taking_turns(gpus, turn) {
                evaluated(gpu, &loss, &inputs, Reduction::Mean);
            }
        }
    }
}
